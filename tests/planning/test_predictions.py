"""PIT values of probes: uniform where the truth is one of the draws, not where its noise is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

import bayescmr as bc
from bayescmr.design.prequential import predict
from bayescmr.model.scales import covariance
from bayescmr.planning.predictions import MIN_DRAWS, pit_of_new

#: Truths, each with one new run. The bound on the Kolmogorov-Smirnov distance of n values is
#: 1.95 / sqrt(n): a right model exceeds it once in a thousand times.
TRUTHS, BOUND = 100, 1.95


@pytest.fixture(scope="module")
def truths(prior, make_table, begun):
    """Draws of the same prior that the prediction has not."""
    table = make_table(begun, lambda run, t: 0.03 * run.ratio + 1e-8 * t, se_general=0.002)
    return bc.prior_predictive(table, seed=77, draws=400).general


def simulated(truths, prior, space, begun, task, factor):
    """PIT values of runs of a size never probed and of a probed one, noise times a factor."""
    rng = np.random.default_rng(5)
    found = []
    marks = np.array(space.checkpoints[1e5])
    x = np.log(marks / truths.hierarchy.reference.tokens)
    by_setting = {
        (size, ratio): truths.change(size, "law", "general", marks, ratio)
        for size, ratio in ((1e5, 0.5), (3e5, 0.75))
    }
    known = prior.frame[["run", "size", "domain", "ratio", "tokens", "change", "se"]].rename(
        columns={"change": "change_general", "se": "se_general"}
    )
    for k in range(TRUTHS):
        size, ratio = ((1e5, 0.5), (3e5, 0.75))[k % 2]
        cov = covariance(truths.scales[k], x, np.full(len(x), 0.001**2))
        change = by_setting[size, ratio][k] + factor * np.linalg.cholesky(cov) @ rng.normal(
            size=len(x)
        )
        new = pd.DataFrame(
            {
                "run": "new", "size": size, "domain": "law", "ratio": ratio, "tokens": marks,
                "change_general": change, "se_general": 0.001,
            }
        )  # fmt: skip
        table = bc.RunTable.from_frame(pd.concat([known, new], ignore_index=True))
        pit = pit_of_new(prior, task, table)
        assert 1 <= len(pit) <= len(marks)  # the first is always told by all draws
        found.append(pit)
    return np.concatenate(found)


def test_uniform_where_the_model_is_right(truths, prior, space, begun, task):
    pit = simulated(truths, prior, space, begun, task, 1.0)
    assert len(pit) >= TRUTHS
    assert kstest(pit, "uniform").statistic < BOUND / np.sqrt(len(pit))


def test_not_uniform_where_the_noise_is_not_that_of_the_model(truths, prior, space, begun, task):
    pit = simulated(truths, prior, space, begun, task, 100.0)
    assert kstest(pit, "uniform").statistic > BOUND / np.sqrt(len(pit))


def test_nothing_new_nothing_judged(prior, task, begun, make_table):
    table = make_table(begun, lambda run, t: 0.03 * run.ratio + 1e-8 * t, se_general=0.002)
    assert len(pit_of_new(prior, task, table)) == 0


def test_noise_of_each_draw_is_its_own():
    """Two draws of other noise: a mixture of two normals, by hand."""
    from scipy.stats import norm

    mean = np.zeros((2, 1))
    noise = np.array([[[0.01]], [[1.0]]])
    found = predict(mean, noise, np.array([0.3]))
    expected = 0.5 * norm.cdf(0.3, scale=0.1) + 0.5 * norm.cdf(0.3, scale=1.0)
    assert found.pit[0] == pytest.approx(expected, rel=1e-12)
    weights = np.array([norm.pdf(0.3, scale=0.1), norm.pdf(0.3, scale=1.0)])
    np.testing.assert_allclose(np.exp(found.log_weights), weights / weights.sum(), rtol=1e-10)
    assert found.effective[0] == pytest.approx(2.0)
    assert MIN_DRAWS > 2


def test_one_noise_for_all_is_the_same_as_that_noise_for_each():
    rng = np.random.default_rng(1)
    mean, root = rng.normal(size=(50, 3)), np.tril(rng.normal(size=(3, 3))) + 2 * np.eye(3)
    noise, observed = root @ root.T, rng.normal(size=3)
    one = predict(mean, noise, observed)
    each = predict(mean, np.broadcast_to(noise, (50, 3, 3)), observed)
    np.testing.assert_allclose(one.pit, each.pit, rtol=1e-10)
    np.testing.assert_allclose(one.log_weights, each.log_weights, rtol=1e-8)
    assert one.log_score == pytest.approx(each.log_score)
