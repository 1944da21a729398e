"""Random streams that are meant to be independent are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc

#: Correlation of 4,000 independent pairs: |r| > 0.08 has probability 4e-7.
BOUND = 0.08


@pytest.fixture(scope="module")
def prior():
    rows = [
        {
            "run": "a",
            "size": 1e8,
            "domain": "law",
            "ratio": 0.5,
            "tokens": t,
            "change_general": 0.0,
            "change_domain": 0.0,
        }
        for t in (1e9, 4e9)
    ]
    return bc.prior_predictive(bc.RunTable.from_frame(pd.DataFrame(rows)), seed=1, draws=1000)


def test_new_groups_differ_between_losses(prior):
    general, domain = prior.general._fresh, prior.domain_block()._fresh
    for i in range(2):
        r = np.corrcoef(general[i, :, 0], domain[i, :, 0])[0, 1]
        assert abs(r) < BOUND


def test_new_groups_do_not_repeat_the_prior(prior):
    """Normals behind the log sds of effects, and those of new groups: no two agree to 1e-12.

    By chance two of 3e9 pairs do with probability 1e-3.
    """
    for block in prior.blocks.values():
        spec = block.spec
        z = (block.ln_effect_sd - np.log(spec.effect_median)) / spec.effect_spread
        shared = np.intersect1d(z.ravel().round(12), block._fresh.ravel().round(12))
        assert len(shared) == 0


def test_noise_of_runs_does_not_repeat_the_prior(prior):
    """A table simulated with the seed of its prior."""
    spec = prior.general.spec
    z = (prior.general.ln_effect_sd - np.log(spec.effect_median)) / spec.effect_spread
    noise = np.random.default_rng(1).standard_normal(100)
    assert len(np.intersect1d(z.ravel().round(12), noise.round(12))) == 0
