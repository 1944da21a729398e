"""Sampling: the same seed gives the same draws, whatever the cores, and one vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayescmr.errors import ModelError, SamplingError
from bayescmr.laws import get_law
from bayescmr.model import density, kernels
from bayescmr.model.bend import inward
from bayescmr.model.engine import Sampled, prepare_block, sample_block
from bayescmr.model.settings import Settings, Timing
from bayescmr.model.start import log_density

Prepare = Callable[..., Any]
VOCABULARY = {
    "diverging", "reached_max_treedepth", "tree_depth", "n_steps", "acceptance_rate",
    "energy", "lp",
}  # fmt: skip
DRAWN = {"ln_effect_sd", "noise", "coef"}
SMALL = Settings(seed=7, draws=150, tune=300, chains=4, cores=1)


def sample(spec: Any, hierarchy: Any, data: Any, settings: Settings, timing: Timing) -> Sampled:
    return sample_block(
        prepare_block(spec, hierarchy, data, settings.seed, timing), settings, timing
    )


@pytest.fixture(scope="module")
def timing() -> Timing:
    return Timing()


@pytest.fixture(scope="module")
def gu(gu_table: pd.DataFrame, prepare: Prepare) -> Any:
    return prepare(gu_table)


@pytest.fixture(scope="module")
def first(gu: Any, timing: Timing) -> Sampled:
    """The one fit that compiles."""
    return sample(*gu, SMALL, timing)


@pytest.mark.slow
def test_shapes_and_labels(first: Sampled, gu: Any) -> None:
    spec, hierarchy, _ = gu
    posterior = first.posterior
    assert set(posterior.data_vars) == DRAWN
    assert posterior["coef"].dims == ("chain", "draw", "parameter", "term")
    assert dict(posterior["coef"].sizes) == {
        "chain": SMALL.chains, "draw": SMALL.draws,
        "parameter": len(spec.law.parameters), "term": len(hierarchy.terms),
    }  # fmt: skip
    assert posterior["parameter"].to_numpy().tolist() == [p.name for p in spec.law.parameters]
    assert posterior["term"].to_numpy().tolist() == hierarchy.terms
    assert all(np.all(np.isfinite(v)) for v in posterior.data_vars.values())


@pytest.mark.slow
def test_statistics_have_one_vocabulary(first: Sampled) -> None:
    statistics = first.statistics
    assert set(statistics.data_vars) == VOCABULARY
    for name, values in statistics.data_vars.items():
        assert values.dims == ("chain", "draw"), name
        assert values.dtype != bool, "netCDF has no booleans"
        assert values.attrs == {}, name
    assert set(np.unique(statistics["diverging"])) <= {0, 1}
    assert np.all((statistics["acceptance_rate"] >= 0) & (statistics["acceptance_rate"] <= 1))
    assert np.all(statistics["n_steps"] >= 1)


@pytest.mark.slow
def test_log_density_statistic_is_the_density(first: Sampled, gu: Any) -> None:
    """`lp` of a draw is the model's own log density at it."""
    spec, hierarchy, data = gu
    coordinates = first.coordinates
    values = {**data.arrays(), **coordinates.arrays()}
    evaluate = log_density(density.nutpie_model(coordinates, values))
    draw = first.posterior.isel(chain=1, draw=17)
    anchors = draw["coef"].to_numpy() @ data.groups.rows.T - spec.prior_mean[:, None]
    ln_ratio = draw["ln_effect_sd"].to_numpy() - np.log(spec.effect_median)
    z = np.zeros_like(anchors)
    for p in range(len(z)):
        # The definition of the coordinates, with the covariance written out.
        x = (1 - coordinates.centring[p]) * ln_ratio[p] @ hierarchy.factor_columns
        sd = np.sqrt(spec.variances[p, 2:]) @ hierarchy.factor_columns * np.exp(x)
        sd[:2] = np.sqrt(spec.variances[p, :2])
        frozen = data.groups.rows * sd
        z[p] = np.linalg.solve(np.linalg.cholesky(frozen @ frozen.T), anchors[p])
    noise = inward(
        (draw["noise"].to_numpy() - spec.noise_mean) / spec.noise_scale, coordinates.bend
    )
    point = np.concatenate([z.ravel(), ln_ratio.ravel() / spec.effect_spread, noise])
    want = float(first.statistics["lp"].isel(chain=1, draw=17))
    assert evaluate(point)[0] == pytest.approx(want, rel=1e-9)


@pytest.mark.slow
def test_draws_do_not_depend_on_cores(first: Sampled, gu: Any, timing: Timing) -> None:
    again = sample(*gu, replace(SMALL, cores=2), timing)
    for part in ("posterior", "statistics"):
        for name, values in getattr(first, part).data_vars.items():
            np.testing.assert_array_equal(values, getattr(again, part)[name], err_msg=name)


@pytest.mark.slow
def test_another_seed_and_other_chains_are_other_draws(
    first: Sampled, gu: Any, timing: Timing
) -> None:
    short = replace(SMALL, draws=10, tune=20)
    one = sample(*gu, short, timing).posterior["coef"]
    other = sample(*gu, replace(short, seed=8), timing).posterior["coef"]
    assert not np.any(one == other)
    for chain in range(1, SMALL.chains):
        assert not np.any(one[0] == one[chain])


@pytest.mark.slow
def test_draws_are_of_the_posterior(first: Sampled, gu_table: pd.DataFrame, gu: Any) -> None:
    """No divergence, chains agree, and the median curve lies on the published ones (R < 1)."""
    assert int(first.statistics["diverging"].sum()) == 0
    noise = first.posterior["noise"]
    between = noise.mean("draw").std("chain", ddof=1)
    assert np.all(between < 0.6 * noise.std(("chain", "draw")))
    _, hierarchy, data = gu
    law = get_law("turning_point")
    coef = first.posterior["coef"].to_numpy().reshape(-1, *first.posterior["coef"].shape[2:])
    for (run,), rows in gu_table[gu_table["ratio"] < 1].groupby(["run"]):
        row = hierarchy.place(rows["size"].iloc[0], "finance", "general").row
        natural = {
            p.name: p.natural(coef[:, i] @ row)[:, None] for i, p in enumerate(law.parameters)
        }
        curves = law.change(
            natural, rows["tokens"].to_numpy()[None, :], rows["ratio"].iloc[0], data.reference
        )
        error = np.median(curves, axis=0) - rows["change"].to_numpy()
        assert np.abs(error).max() < 2e-3, run


@pytest.mark.slow
def test_losses_beyond_numbers_have_no_start(gu: Any, first: Sampled, timing: Timing) -> None:
    spec, hierarchy, data = gu
    extreme = replace(data, blocks=replace(data.blocks, y=np.full_like(data.blocks.y, 1e200)))
    with pytest.raises(SamplingError, match="no starting point has a finite density"):
        sample(spec, hierarchy, extreme, SMALL, timing)


@pytest.mark.slow
def test_pymc_sampler_gives_the_same_names(
    first: Sampled, prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    settings = Settings(seed=3, draws=3, tune=3, chains=2, cores=1, sampler="pymc")
    timing = Timing()
    spec, hierarchy, data = prepare(simulated(1, runs=3), role="domain")
    got = sample(spec, hierarchy, data, settings, timing)
    assert set(got.posterior.data_vars) == DRAWN
    assert got.posterior["coef"].dims == first.posterior["coef"].dims
    assert got.posterior["coef"].shape == (2, 3, len(spec.law.parameters), len(hierarchy.terms))
    assert set(got.statistics.data_vars) == VOCABULARY
    for name, values in got.statistics.data_vars.items():
        assert values.dims == ("chain", "draw"), name
        assert values.dtype != bool, name
        assert values.dtype == first.statistics[name].dtype, name
    assert timing.sample > 0


# -- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sampler": "numpyro"}, "sampler: got 'numpyro', expected nutpie or pymc"),
        ({"draws": 0}, "draws: got 0, expected a whole number >= 1"),
        ({"draws": 10.0}, "draws: got 10.0, expected a whole number >= 1"),
        ({"draws": True}, "draws: got True, expected a whole number >= 1"),
        ({"tune": 0}, "tune: got 0, expected a whole number >= 1"),
        ({"chains": -1}, "chains: got -1, expected a whole number >= 1"),
        ({"chains": None}, "chains: got None, expected a whole number >= 1"),
        ({"seed": -1}, "seed: got -1, expected a whole number >= 0"),
        ({"seed": 1.5}, "seed: got 1.5, expected a whole number >= 0"),
        ({"target_accept": 0.0}, "target_accept: got 0.0, expected a number in (0, 1)"),
        ({"target_accept": 1}, "target_accept: got 1, expected a number in (0, 1)"),
        ({"target_accept": float("nan")}, "target_accept: got nan, expected a number in (0, 1)"),
        ({"target_accept": "high"}, "target_accept: got 'high', expected a number in (0, 1)"),
        ({"max_checkpoints": 3}, "max_checkpoints: got 3, expected a whole number >= 4"),
        ({"retries": -1}, "retries: got -1, expected a whole number >= 0"),
        ({"cores": 0}, "cores: got 0, expected a whole number >= 1"),
        ({"cores": 1.5}, "cores: got 1.5, expected a whole number >= 1"),
    ],
    ids=repr,
)
def test_wrong_settings_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError) as caught:
        Settings(**{"seed": 1, **options})
    assert str(caught.value).startswith(says)


def test_settings_have_no_default_seed() -> None:
    with pytest.raises(TypeError, match="seed"):
        Settings()  # type: ignore[call-arg]
    assert Settings(seed=0).chains == 4


def test_version_of_kernels_sees_the_numbers_they_enclose() -> None:
    """Two laws may be one piece of code with different constants: another kernel on disk."""

    def make(number: float) -> Callable[[float], float]:
        def inner(x: float) -> float:
            def again(y: float) -> float:
                return y + number

            return again(number * x)

        return inner

    assert kernels.version(make(1.0)) != kernels.version(make(2.0))
    assert kernels.version(make(1.0)) == kernels.version(make(1.0))
