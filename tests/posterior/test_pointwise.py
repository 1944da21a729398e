"""Log densities of runs and of the prior against dense normals and against the sampler's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import multivariate_normal, norm

import bayescmr as bc
from bayescmr.gu2024 import trajectories
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.data import block_data, hierarchy_of, reference_of
from bayescmr.model.density import nutpie_model
from bayescmr.model.noise import log_likelihood
from bayescmr.model.scales import covariance
from bayescmr.model.start import log_density
from bayescmr.posterior import pointwise
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.pointwise import log_prior, run_log_likelihood


@pytest.fixture(scope="module")
def runs():
    """Two sizes, two domains, two general sets, R = 1, checkpoints that differ, stated errors."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "run": f"{n:g}-{d}-{r}",
            "size": n,
            "domain": d,
            "ratio": r,
            "tokens": t,
            "eval_set": s,
            "role": "general",
            "change": 0.02 * r + 0.01 * rng.standard_normal(),
            "se": 0.003 * (n > 1e8),
        }
        for n in (1e8, 1e9)
        for d in ("law", "code")
        for r in (0.1, 0.6, 1.0)
        for t in np.geomspace(1e9, 9e9, 3 if d == "law" else 5)
        for s in ("web", "maths")
    ]
    return bc.RunTable.from_frame(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def prior(runs):
    return bc.prior_predictive(runs, seed=2, draws=20)


def test_runs_against_dense_normals(prior, runs, monkeypatch):
    monkeypatch.setattr(pointwise, "_CHUNK", 200)  # several chunks
    block = prior.general
    rows = runs.select("general")
    names, values = run_log_likelihood(block, rows)
    assert names == sorted(rows["run"].unique())
    assert values.shape == (12, 80)
    reference = block.hierarchy.reference
    for i, name in enumerate(names):
        for draw in (0, 33, 79):
            expected = 0.0
            for eval_set, own in rows[rows["run"] == name].groupby("eval_set"):
                tokens = own["tokens"].to_numpy()
                first = own.iloc[0]
                mean = block.change(
                    first["size"], first["domain"], eval_set, tokens, first["ratio"]
                )
                cov = covariance(
                    block.scales[draw],
                    np.log(tokens / reference.tokens),
                    own["se"].to_numpy() ** 2,
                    first["ratio"] == 1.0,
                )
                expected += multivariate_normal.logpdf(own["change"], mean[draw], cov)
            assert values[i, draw] == pytest.approx(expected, rel=1e-9)


def test_order_of_rows_does_not_matter(prior, runs):
    rows = runs.select("general")
    _, values = run_log_likelihood(prior.general, rows)
    _, shuffled = run_log_likelihood(prior.general, rows.sample(frac=1.0, random_state=1))
    np.testing.assert_array_equal(values, shuffled)


def test_prior_against_dense_normals(prior, runs):
    block, spec = prior.general, prior.general.spec
    groups = block_data(runs.select("general"), block.hierarchy).groups
    found = log_prior(block, groups)
    for chain, draw in ((0, 0), (3, 19)):
        ln_sd = block.ln_effect_sd[chain, draw]
        expected = 0.0
        for p, parameter in enumerate(spec.parameters):
            sd = np.exp(ln_sd[p] @ block.hierarchy.factor_columns)
            sd[:2] = parameter.prior.scale, parameter.size_slope
            # Anchors are linear in the coefficients, which are independent given their sds.
            cov = groups.rows @ np.diag(sd**2) @ groups.rows.T
            mean = parameter.prior.mean * groups.rows[:, 0]
            anchors = groups.rows @ block.coef[chain, draw, p]
            expected += multivariate_normal.logpdf(anchors, mean, cov)
        assert found["law"][chain, draw] == pytest.approx(expected, rel=1e-8)
        medians = np.log([list(p.effects.values()) for p in spec.parameters])
        sds = norm.logpdf(ln_sd, medians, spec.effect_spread).sum()
        assert found["effect_sd"][chain, draw] == pytest.approx(sds, rel=1e-9)
        noise = sum(
            norm.logpdf(v, spec.noise[q].mean, spec.noise[q].scale)
            for q, v in zip(spec.noise, block.noise[chain, draw], strict=True)
        )
        assert found["noise"][chain, draw] == pytest.approx(noise, rel=1e-9)


@pytest.mark.parametrize("centred", [False, True])
def test_prior_and_runs_are_the_sampled_density_but_for_its_jacobian(runs, centred):
    """Another centring is another density of the sampler, and the same prior of the parameters."""
    spec = bc.load_model("turning_point").blocks["general"]
    rows = runs.select("general")
    hierarchy = hierarchy_of(rows, spec.size_length, reference_of(rows))
    data = block_data(rows, hierarchy)
    plain = Coordinates.non_centred(spec, data.groups)
    rng = np.random.default_rng(4)
    dimension = sum(int(np.prod(shape)) for shape in plain.shapes.values())
    point = plain_point = 0.5 * rng.standard_normal(dimension)
    used = plain
    if centred:
        used = replace(plain, centring=rng.uniform(size=plain.centring.shape))
        point = used.convert(plain_point[None, :], plain)[0]
    sampled = log_density(nutpie_model(used, {**data.arrays(), **used.arrays()}))(point)[0]
    named = used.named(point)
    draws = xr.Dataset(
        {
            k: (("chain", "draw", f"{k}0", f"{k}1")[: v.ndim + 2], v[None, None])
            for k, v in named.items()
        }
    )
    coef = used.coefficients(draws, hierarchy, seed=1)
    block = BlockPosterior(
        spec,
        hierarchy,
        *(coef[k].to_numpy() for k in ("coef", "ln_effect_sd", "noise")),
        xr.Dataset(),
        1,
    )
    prior = sum(float(part[0, 0]) for part in log_prior(block, data.groups).values())
    likelihood = run_log_likelihood(block, rows)[1].sum()
    factor = used._factor(spec.effect_spread * named["shift"])
    jacobian = (
        np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum()
        + named["shift"].size * np.log(spec.effect_spread)
        + np.log(spec.noise_scale).sum()
    )
    assert prior + likelihood + jacobian == pytest.approx(sampled, rel=1e-9)


def test_long_trajectories_are_those_of_the_fit():
    """Averaged in the same steps as the arrays that the sampler reads, and of the same density."""
    table = trajectories(40).drop(columns=["change_domain", "se_domain"])
    long = bc.RunTable.from_frame(table[table["ratio"] > 0.4])
    prior = bc.prior_predictive(long, seed=4, draws=2)
    block, rows = prior.general, long.select("general")
    data = block_data(rows, block.hierarchy)
    assert data.blocks.averaged.max() > 1
    _, values = run_log_likelihood(block, rows)
    for draw in range(3):
        mu = np.array(
            [
                block.change(size, "finance", "general", data.tokens[i], data.ratio[i])[draw]
                for i, (run, _) in enumerate(data.labels)
                for size in rows.loc[rows["run"] == run, "size"].iloc[:1]
            ]
        )
        b = data.blocks
        kernel, *_ = log_likelihood(
            mu, b.y, b.x, b.variance, b.averaged, b.count, b.start, b.no_replay, block.scales[draw]
        )
        assert values[:, draw].sum() == pytest.approx(kernel, rel=1e-9)
