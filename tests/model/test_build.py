"""The whole model's density against numpy, and refits that swap the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pymc as pm
import pytest
import yaml
from pytensor.compile.mode import Mode
from scipy.stats import multivariate_normal, norm

from bayescmr.laws import get_law
from bayescmr.model import density, engine
from bayescmr.model.build import build_model
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.data import BlockData
from bayescmr.model.engine import prepare_block, sample_block
from bayescmr.model.frame import Frame
from bayescmr.model.settings import Settings, Timing
from bayescmr.model.spec import FACTORS, NOISE, BlockSpec, load_model
from bayescmr.model.start import log_density

Float = npt.NDArray[np.float64]
Point = dict[str, Float]
Prepare = Callable[..., Any]

#: Interpreted: nothing of this size is worth compiling.
PYTHON = Mode(linker="py", optimizer="fast_compile")
ROLES = {
    "turning_point": "general",
    "shift_gain": "general",
    "two_power": "general",
    "dcpt_general": "general",
    "anchored_power": "domain",
    "dcpt_domain": "domain",
}
#: A model that has the law, where it has another name.
MODELS = {"anchored_power": "turning_point", "dcpt_general": "dcpt", "dcpt_domain": "dcpt"}


def sampled(prior: dict[str, list[float]]) -> tuple[float, float]:
    """Mean and sd on the sampled scale of a prior as YAML has it."""
    ((family, (centre, scale)),) = prior.items()
    mean = {
        "normal": lambda c: c,
        "lognormal": math.log,
        "logitnormal": lambda c: math.log(c / (1 - c)),
    }[family](centre)
    return mean, scale


def prior_sds(entry: dict[str, Any], levels: dict[str, int], ln_ratio: Float) -> Float:
    """Prior sds of mean, slope and effects of one parameter, term by term."""
    sds = [sampled(entry["prior"])[1], entry["size_slope"]]
    for factor, x in zip(FACTORS, ln_ratio, strict=True):
        sds += [entry["effects"][factor] * math.exp(x)] * levels[factor]
    return np.array(sds)


def unbent(x: Float, bend: Float) -> tuple[Float, Float]:
    """Noise quantities at bent coordinates and their slope: an asymptote of 1 and one of 1 + k."""
    m, s, k = bend.T
    t = (x - m) / s
    below = np.hypot(1.0, t) - t
    return x - 0.5 * k * s * below, 1.0 + 0.5 * k * below / np.hypot(1.0, t)


def expected(
    text: str, role: str, frame: pd.DataFrame, coordinates: Coordinates, point: Point
) -> float:
    """Log density from the YAML text and the rows of the table, in plain numpy.

    Anchors are taken as design rows: mean, slope, sizes, domains and (where there are several)
    sets; the size columns are independent and the Cholesky factor of their kernel makes the
    effects.
    """
    block = yaml.safe_load(text)[role]
    law = get_law(block["law"])
    sizes, domains, sets = (
        sorted(frame[c].unique().tolist()) for c in ("size", "domain", "eval_set")
    )
    if len(sets) == 1:
        sets = []
    levels = {"size": len(sizes), "domain": len(domains), "eval_set": len(sets)}
    rows = coordinates.groups.rows
    standard, slope = unbent(point["noise"], coordinates.bend)
    total = norm.logpdf(point["shift"]).sum() + norm.logpdf(standard).sum() + np.log(slope).sum()
    solved = []
    for i, parameter in enumerate(law.parameters):
        entry = block["parameters"][parameter.name]
        x = block["effect_spread"] * point["shift"][i]
        now = rows * prior_sds(entry, levels, x)
        frozen = rows * prior_sds(entry, levels, (1 - coordinates.centring[i]) * x)
        factor = np.linalg.cholesky(frozen @ frozen.T)
        anchors = factor @ point["z"][i]
        total += multivariate_normal(cov=now @ now.T).logpdf(anchors)
        total += np.linalg.slogdet(factor)[1]
        anchors = anchors + sampled(entry["prior"])[0]
        # Any coefficients that give the anchors' values give the others'.
        solved.append(np.linalg.lstsq(rows, anchors, rcond=None)[0])
    quantities = []
    for name, raw in zip(NOISE, standard, strict=True):
        mean, sd = sampled(block["noise"][name]["prior"])
        quantities.append(mean + sd * raw)

    log_n = np.log(sizes)
    factor = np.linalg.cholesky(np.exp(-np.abs(log_n[:, None] - log_n) / block["size_length"]))
    reference = Reference(frame)
    u, v, residual, share, length, no_replay = quantities
    share = 1 / (1 + math.exp(-share))
    for (_, eval_set), rows in frame.groupby(["run", "eval_set"]):
        rows = rows.sort_values("tokens")
        first = rows.iloc[0]
        theta = {}
        for i, parameter in enumerate(law.parameters):
            mean, slope, *effects = solved[i]
            by_size = factor @ effects[: len(sizes)]
            by_domain = effects[len(sizes) : len(sizes) + len(domains)]
            by_set = effects[len(sizes) + len(domains) :]
            value = mean + slope * math.log(first["size"] / reference.size)
            value += by_size[sizes.index(first["size"])]
            value += by_domain[domains.index(first["domain"])]
            if sets:
                value += by_set[sets.index(eval_set)]
            theta[parameter.name] = parameter.natural(value)
        tokens = rows["tokens"].to_numpy(float)
        curve = law.change(theta, tokens, first["ratio"], reference)
        x = np.log(tokens / reference.tokens)
        cov = math.exp(2 * u) + math.exp(2 * v) * np.outer(x, x)
        cov += (
            math.exp(2 * residual)
            * (1 - share)
            * np.exp(-np.abs(x[:, None] - x) / math.exp(length))
        )
        if first["ratio"] == 1.0:
            cov *= math.exp(2 * no_replay)
        cov += np.diag(math.exp(2 * residual) * share + rows["se"].to_numpy() ** 2)
        total += multivariate_normal(curve, cov).logpdf(rows["change"].to_numpy())
    return float(total)


class Reference:
    """Centre of the data, restated: geometric means, median of the ratios inside (0, 1)."""

    def __init__(self, frame: pd.DataFrame) -> None:
        ratios = np.unique(frame["ratio"])
        self.size = float(np.exp(np.mean(np.log(frame["size"].unique()))))
        self.tokens = float(np.exp(np.mean(np.log(frame["tokens"]))))
        self.ratio = float(np.median(ratios[(ratios > 0) & (ratios < 1)]))


def random_point(model: pm.Model, rng: np.random.Generator) -> Point:
    """Near the prior: its means plus noise, so that no two numbers are equal."""
    return {
        name: np.asarray(value + rng.normal(0.0, 0.3, np.shape(value)))
        for name, value in model.initial_point().items()
    }


def flat(point: Point) -> Float:
    return np.concatenate([v.ravel() for v in point.values()])


def unflat(vector: Float, like: Point) -> Point:
    out, start = {}, 0
    for name, value in like.items():
        out[name] = vector[start : start + value.size].reshape(value.shape)
        start += value.size
    return out


def coordinates_of(spec: BlockSpec, data: BlockData) -> Coordinates:
    """Some effects centred, some not, some in between; some noise scales bent."""
    rng = np.random.default_rng(3)
    centring = rng.choice([0.0, 0.4, 1.0], size=spec.effect_median.shape)
    bend = np.column_stack([rng.normal(size=6), rng.uniform(0.2, 0.5, 6), [0, 1, 2, 0, 1, 3]])
    return Coordinates(spec, data.groups, centring, bend)


def model_of(
    law: str, frame: pd.DataFrame, prepare: Prepare
) -> tuple[pm.Model, Callable[[Point], float]]:
    """Model of a law, and the density that it should have."""
    role, name = ROLES[law], MODELS.get(law, law)
    spec, _, data = prepare(frame, name, role)
    coordinates = coordinates_of(spec, data)
    model = build_model(spec.law, {**data.arrays(), **coordinates.arrays()})
    return model, lambda point: expected(load_model(name).text, role, frame, coordinates, point)


# -- density ------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", list(ROLES))
def test_density_is_the_one_written_out(
    law: str, prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    frame = simulated(1)
    model, oracle = model_of(law, frame, prepare)
    density = model.compile_logp(mode=PYTHON)
    rng = np.random.default_rng(5)
    for _ in range(5):
        point = random_point(model, rng)
        assert float(density(point)) == pytest.approx(oracle(point), rel=1e-9)


def test_density_of_one_size_domain_and_set(
    prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    frame = simulated(2)
    first = frame.iloc[0]
    same = (frame[["size", "domain", "eval_set"]] == first[["size", "domain", "eval_set"]]).all(
        axis=1
    )
    frame = frame[same].reset_index(drop=True)
    model, oracle = model_of("turning_point", frame, prepare)
    assert len(model.coords["anchor"]) == 1
    point = random_point(model, np.random.default_rng(6))
    density = model.compile_logp(mode=PYTHON)
    assert float(density(point)) == pytest.approx(oracle(point), rel=1e-9)


@pytest.mark.parametrize("law", ["turning_point", "shift_gain"])
def test_gradient_is_that_of_the_density_written_out(
    law: str, prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    frame = simulated(1, runs=5)
    model, oracle = model_of(law, frame, prepare)
    rng = np.random.default_rng(7)
    point = random_point(model, rng)
    gradient = model.compile_dlogp(mode=PYTHON)(point)
    scale = 1e-7 * np.abs(gradient).max()
    vector, step = flat(point), 1e-3
    some = rng.choice(len(vector), size=24, replace=False)
    want = np.zeros_like(vector)
    for i in some:
        at = []
        for h in (step, -step, step / 2, -step / 2):
            moved = vector.copy()
            moved[i] += h
            at.append(oracle(unflat(moved, point)))
        wide, narrow = (at[0] - at[1]) / (2 * step), (at[2] - at[3]) / step
        want[i] = (4 * narrow - wide) / 3
    np.testing.assert_allclose(gradient[some], want[some], rtol=1e-6, atol=scale)


def test_free_variables_and_their_labels(
    prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    """What is in the trace: no curve, no observation, no run effect."""
    model, _ = model_of("turning_point", simulated(1), prepare)
    assert [v.name for v in model.free_RVs] == ["z", "shift", "noise"]
    assert model.deterministics == []
    assert model.named_vars_to_dims["z"] == ("parameter", "anchor")
    names = [p.name for p in get_law("turning_point").parameters]
    assert list(model.coords["parameter"]) == names
    assert list(model.coords["quantity"]) == list(NOISE)


# -- fused density ------------------------------------------------------------------------------


@pytest.mark.parametrize("law", list(ROLES))
def test_fused_density_is_that_of_the_pymc_model(
    law: str, prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    """One compiled function for all laws, tables and priors: no second compilation, same model."""
    role, name = ROLES[law], MODELS.get(law, law)
    for seed, options in ((1, {}), (2, {"runs": 14, "shift": 3.0}), (3, {"runs": 1})):
        frame = simulated(seed, **options)
        spec, _, data = prepare(frame, name, role)
        coordinates = coordinates_of(spec, data)
        values = {**data.arrays(), **coordinates.arrays()}
        fused = log_density(density.nutpie_model(coordinates, values))
        model, oracle = model_of(law, frame, prepare)
        slope = model.compile_dlogp(mode=PYTHON)
        rng = np.random.default_rng(seed)
        for _ in range(3):
            point = random_point(model, rng)
            got, gradient = fused(flat(point))
            assert got == pytest.approx(oracle(point), rel=1e-9)
            want = slope(point)
            np.testing.assert_allclose(gradient, want, rtol=1e-7, atol=1e-9 * np.abs(want).max())


def test_density_in_a_frame_is_that_at_the_point(
    prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    spec, _, data = prepare(simulated(1))
    coordinates = coordinates_of(spec, data)
    values = {**data.arrays(), **coordinates.arrays()}
    plain = log_density(density.nutpie_model(coordinates, values))
    dimension = density.nutpie_model(coordinates, values).n_dim
    rng = np.random.default_rng(1)
    factor = np.tril(0.1 * rng.normal(size=(dimension, dimension))) + np.eye(dimension)
    frame = Frame(rng.normal(size=dimension), factor)
    framed = log_density(density.nutpie_model(coordinates, values, frame))
    w = 0.1 * rng.normal(size=dimension)
    want, slope = plain(frame.centre + factor @ w)
    got, gradient = framed(w)
    assert got == pytest.approx(want, rel=1e-12)
    np.testing.assert_allclose(gradient, factor.T @ slope, rtol=1e-9, atol=1e-9 * abs(slope).max())


# -- data swap ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swapped(prepare: Prepare, simulated: Callable[..., pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Fit tables of one structure as a law without derivatives is: one compilation, counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(density, "knows", lambda law: False)
        yield _swapped(prepare, simulated)


def _swapped(prepare: Prepare, simulated: Callable[..., pd.DataFrame]) -> dict[str, Any]:
    settings = Settings(seed=1, draws=20, tune=40, chains=1, cores=1)
    frames = [simulated(1), simulated(2, runs=14, shift=3.0), simulated(3, runs=7)]
    engine._COMPILED.clear()
    timings, sampled = [], []
    for frame in frames:
        timings.append(Timing())
        prepared = prepare_block(*prepare(frame), 1, timings[-1])
        sampled.append(sample_block(prepared, settings, timings[-1]))
    assert len(engine._COMPILED) == 1
    return {
        "frames": frames,
        "timings": timings,
        "sampled": sampled,
        "compiled": next(iter(engine._COMPILED.values())),
    }


@pytest.mark.slow
def test_refits_do_not_compile(swapped: dict[str, Any]) -> None:
    first, *rest = swapped["timings"]
    assert first.build > 0 and first.compile > 0 and first.sample > 0
    for timing in rest:
        assert timing.build == timing.compile == 0.0
        assert timing.sample > 0


@pytest.mark.slow
def test_refits_see_the_other_data(swapped: dict[str, Any]) -> None:
    a, b, c = (s.posterior["coef"].to_numpy() for s in swapped["sampled"])
    assert a.shape == b.shape == c.shape
    assert not np.allclose(a, b) and not np.allclose(b, c)


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1, 2])
def test_swapped_density_is_that_of_a_fresh_build(
    which: int, swapped: dict[str, Any], prepare: Prepare
) -> None:
    """More runs, more checkpoints, another reference: the compiled kernel follows."""
    frame = swapped["frames"][which]
    spec, _, data = prepare(frame)
    values = {**data.arrays(), **coordinates_of(spec, data).arrays()}
    evaluate = log_density(swapped["compiled"].with_data(**values))
    model, oracle = model_of("turning_point", frame, prepare)
    value, slope = model.compile_logp(mode=PYTHON), model.compile_dlogp(mode=PYTHON)
    rng = np.random.default_rng(8)
    for _ in range(3):
        point = random_point(model, rng)
        got, gradient = evaluate(flat(point))
        assert got == pytest.approx(float(value(point)), rel=1e-9)
        want = slope(point)
        np.testing.assert_allclose(gradient, want, rtol=1e-7, atol=1e-9 * np.abs(want).max())
        assert got == pytest.approx(oracle(point), rel=1e-9)


@pytest.mark.slow
def test_data_given_to_a_copy_leaves_the_compiled_model_alone(
    swapped: dict[str, Any], prepare: Prepare
) -> None:
    def values(frame: pd.DataFrame) -> dict[str, Any]:
        spec, _, data = prepare(frame)
        return {**data.arrays(), **coordinates_of(spec, data).arrays()}

    compiled = swapped["compiled"]
    mine = compiled.with_data(**values(swapped["frames"][0]))
    point = np.zeros(compiled.n_dim)
    before = log_density(mine)(point)[0]
    other = compiled.with_data(**values(swapped["frames"][1]))
    assert log_density(other)(point)[0] != before
    assert log_density(mine)(point)[0] == before


@pytest.mark.slow
def test_other_priors_do_not_compile_and_another_law_does(
    swapped: dict[str, Any], prepare: Prepare
) -> None:
    frame = swapped["frames"][0]
    settings = Settings(seed=1, draws=5, tune=5, chains=1, cores=1)
    spec, hierarchy, data = prepare(frame)
    wide = replace(spec, effect_spread=0.6)
    timing = Timing()
    sample_block(prepare_block(wide, hierarchy, data, 1, timing), settings, timing)
    assert timing.compile == 0.0
    prepare_block(*prepare(frame, role="domain"), 1, timing)
    assert timing.compile > 0.0
