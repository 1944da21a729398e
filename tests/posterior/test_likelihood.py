"""Log likelihood on numpy against scipy's multivariate normal and the sampler's kernel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

import bayescmr as bc
from bayescmr.model.data import block_data
from bayescmr.model.noise import log_likelihood as kernel
from bayescmr.model.scales import covariance
from bayescmr.posterior.likelihood import log_likelihood


@pytest.fixture(scope="module")
def prior():
    rows = [
        {
            "run": f"{n:g}-{r}",
            "size": n,
            "domain": "law",
            "ratio": r,
            "tokens": t,
            "change_general": 0.0,
            "change_domain": 0.0,
            "se_general": 0.001,
        }
        for n in (1e8, 1e9)
        for r in (0.1, 0.7, 1.0)
        for t in (1e9, 4e9, 16e9)
    ]
    return bc.prior_predictive(bc.RunTable.from_frame(pd.DataFrame(rows)), seed=1, draws=5)


def _mean(block, row, tokens, draw):
    return block.change(row["size"], row["domain"], row["eval_set"], tokens, row["ratio"])[draw]


def test_is_the_sum_over_runs_of_multivariate_normals(prior):
    frame = bc.simulate_runs(prior, draw=3, seed=1)
    draws = np.array([3, 0, 17])
    expected = []
    for draw in draws:
        total = 0.0
        for _, rows in frame.groupby(["run", "eval_set", "role"]):
            row = rows.iloc[0]
            block = prior.blocks[row["role"]]
            tokens = rows["tokens"].to_numpy(float)
            cov = covariance(
                block.scales[draw],
                np.log(tokens / block.hierarchy.reference.tokens),
                rows["se"].to_numpy(float) ** 2,
                row["ratio"] == 1,
            )
            mean = _mean(block, row, tokens, draw)
            total += multivariate_normal(mean, cov).logpdf(rows["change"].to_numpy(float))
        expected.append(total)
    np.testing.assert_allclose(log_likelihood(prior, frame, draws), expected, rtol=1e-9)


def test_is_the_density_of_the_sampler(prior):
    frame = bc.simulate_runs(prior, draw=2, seed=7)
    total = 0.0
    for role, block in prior.blocks.items():
        rows = frame[frame["role"] == role]
        data = block_data(rows, block.hierarchy)
        mu = np.zeros_like(data.blocks.y)
        for r, (run, _) in enumerate(data.labels):
            row = rows[rows["run"] == run].iloc[0]
            mu[r] = _mean(block, row, data.tokens[r], 2)
        b = data.blocks
        total += kernel(
            mu, b.y, b.x, b.variance, b.count, b.start, b.no_replay, block.scales[2].copy()
        )[0]
    np.testing.assert_allclose(log_likelihood(prior, frame, np.array([2]))[0], total, rtol=1e-10)
