"""The whole model's density against numpy, and refits that swap the data."""

from __future__ import annotations

import math
from collections.abc import Callable
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
from bayescmr.model import engine
from bayescmr.model.build import build_model
from bayescmr.model.engine import Settings, Timing, sample_block
from bayescmr.model.spec import FACTORS, NOISE, load_model
from bayescmr.model.start import log_density

Float = npt.NDArray[np.float64]
Point = dict[str, Float]
Prepare = Callable[..., Any]

#: Interpreted: nothing of this size is worth compiling.
PYTHON = Mode(linker="py", optimizer="fast_compile")
ROLES = {"turning_point": "general", "shift_gain": "general", "two_power": "general",
         "anchored_power": "domain"}  # fmt: skip


def sampled(prior: dict[str, list[float]]) -> tuple[float, float]:
    """Mean and sd on the sampled scale of a prior as YAML has it."""
    ((family, (centre, scale)),) = prior.items()
    mean = {
        "normal": lambda c: c,
        "lognormal": math.log,
        "logitnormal": lambda c: math.log(c / (1 - c)),
    }[family](centre)
    return mean, scale


def expected(text: str, role: str, frame: pd.DataFrame, point: Point) -> float:
    """Log density from the YAML text and the rows of the table, in plain numpy.

    `coef` has the columns mean, slope, sizes, domains and (where there are several) sets;
    the size columns are independent and the Cholesky factor of their kernel makes the effects.
    """
    block = yaml.safe_load(text)[role]
    law = get_law(block["law"])
    sizes, domains, sets = (
        sorted(frame[c].unique().tolist()) for c in ("size", "domain", "eval_set")
    )
    if len(sets) == 1:
        sets = []
    levels = {"size": len(sizes), "domain": len(domains), "eval_set": len(sets)}
    total = 0.0
    for i, parameter in enumerate(law.parameters):
        entry = block["parameters"][parameter.name]
        mean, sd = sampled(entry["prior"])
        total += norm.logpdf(point["coef"][i, 0], mean, sd)
        total += norm.logpdf(point["coef"][i, 1], 0.0, entry["size_slope"])
        column = 2
        for j, factor in enumerate(FACTORS):
            ln_sd = point["ln_effect_sd"][i, j]
            total += norm.logpdf(ln_sd, math.log(entry["effects"][factor]), block["effect_spread"])
            values = point["coef"][i, column : column + levels[factor]]
            total += norm.logpdf(values, 0.0, math.exp(ln_sd)).sum()
            column += levels[factor]
    for i, name in enumerate(NOISE):
        total += norm.logpdf(point["noise"][i], *sampled(block["noise"][name]["prior"]))

    log_n = np.log(sizes)
    factor = np.linalg.cholesky(np.exp(-np.abs(log_n[:, None] - log_n) / block["size_length"]))
    reference = Reference(frame)
    u, v, residual, share, length, no_replay = point["noise"]
    share = 1 / (1 + math.exp(-share))
    for (_, eval_set), rows in frame.groupby(["run", "eval_set"]):
        rows = rows.sort_values("tokens")
        first = rows.iloc[0]
        theta = {}
        for i, parameter in enumerate(law.parameters):
            mean, slope, *effects = point["coef"][i]
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


def model_of(law: str, frame: pd.DataFrame, prepare: Prepare) -> tuple[pm.Model, str, str]:
    role = ROLES[law]
    name = law if role == "general" else "turning_point"
    return build_model(*prepare(frame, name, role)), load_model(name).text, role


# -- density ------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", list(ROLES))
def test_density_is_the_one_written_out(
    law: str, prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    frame = simulated(1)
    model, text, role = model_of(law, frame, prepare)
    density = model.compile_logp(mode=PYTHON)
    rng = np.random.default_rng(5)
    for _ in range(5):
        point = random_point(model, rng)
        assert float(density(point)) == pytest.approx(expected(text, role, frame, point), rel=1e-9)


def test_density_of_one_size_domain_and_set(
    prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    frame = simulated(2)
    first = frame.iloc[0]
    same = (frame[["size", "domain", "eval_set"]] == first[["size", "domain", "eval_set"]]).all(
        axis=1
    )
    frame = frame[same].reset_index(drop=True)
    model, text, role = model_of("turning_point", frame, prepare)
    assert model.coords["term"] == ("mean", "size slope", "size innovation 1", "domain law")
    point = random_point(model, np.random.default_rng(6))
    density = model.compile_logp(mode=PYTHON)
    assert float(density(point)) == pytest.approx(expected(text, role, frame, point), rel=1e-9)


@pytest.mark.parametrize("law", ["turning_point", "shift_gain"])
def test_gradient_is_that_of_the_density_written_out(
    law: str, prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    frame = simulated(1, runs=5)
    model, text, role = model_of(law, frame, prepare)
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
            at.append(expected(text, role, frame, unflat(moved, point)))
        wide, narrow = (at[0] - at[1]) / (2 * step), (at[2] - at[3]) / step
        want[i] = (4 * narrow - wide) / 3
    np.testing.assert_allclose(gradient[some], want[some], rtol=1e-6, atol=scale)


def test_free_variables_and_their_labels(
    prepare: Prepare, simulated: Callable[..., pd.DataFrame]
) -> None:
    """What is in the trace: no curve, no observation, no run effect."""
    spec, hierarchy, data = prepare(simulated(1))
    model = build_model(spec, hierarchy, data)
    assert [v.name for v in model.free_RVs] == ["ln_effect_sd", "noise", "coef"]
    assert model.deterministics == []
    assert model.named_vars_to_dims["coef"] == ("parameter", "term")
    assert list(model.coords["parameter"]) == [p.name for p in spec.law.parameters]
    assert list(model.coords["term"]) == hierarchy.terms
    assert list(model.coords["quantity"]) == list(NOISE)


# -- data swap ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swapped(prepare: Prepare, simulated: Callable[..., pd.DataFrame]) -> dict[str, Any]:
    """Fit one table, then others of the same structure; one compilation, counted."""
    settings = Settings(seed=1, draws=20, tune=40, chains=1, cores=1)
    frames = [simulated(1), simulated(2, runs=14, shift=3.0), simulated(3, runs=7)]
    before = set(engine._CACHE.compiled)
    timings, sampled = [], []
    for frame in frames:
        timings.append(Timing())
        sampled.append(sample_block(*prepare(frame), settings, timings[-1]))
    new = set(engine._CACHE.compiled) - before
    assert len(new) == 1
    return {
        "frames": frames,
        "timings": timings,
        "sampled": sampled,
        "compiled": engine._CACHE.compiled[new.pop()],
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
    spec, hierarchy, data = prepare(frame)
    compiled = swapped["compiled"].with_data(**data.arrays())
    evaluate = log_density(compiled)
    model = build_model(spec, hierarchy, data)
    value, slope = model.compile_logp(mode=PYTHON), model.compile_dlogp(mode=PYTHON)
    rng = np.random.default_rng(8)
    for _ in range(3):
        point = random_point(model, rng)
        got, gradient = evaluate(flat(point))
        assert got == pytest.approx(float(value(point)), rel=1e-9)
        want = slope(point)
        np.testing.assert_allclose(gradient, want, rtol=1e-7, atol=1e-9 * np.abs(want).max())
        text = load_model("turning_point").text
        assert got == pytest.approx(expected(text, "general", frame, point), rel=1e-9)


@pytest.mark.slow
def test_data_given_to_a_copy_leaves_the_compiled_model_alone(
    swapped: dict[str, Any], prepare: Prepare
) -> None:
    spec, hierarchy, data = prepare(swapped["frames"][0])
    point = flat(build_model(spec, hierarchy, data).initial_point())
    compiled = swapped["compiled"]
    mine = compiled.with_data(**data.arrays())
    before = log_density(mine)(point)[0]
    other = compiled.with_data(**prepare(swapped["frames"][1])[2].arrays())
    assert log_density(other)(point)[0] != before
    assert log_density(mine)(point)[0] == before


@pytest.mark.slow
def test_another_structure_is_another_compilation(
    swapped: dict[str, Any], prepare: Prepare
) -> None:
    frame = swapped["frames"][0]
    fewer = frame[frame["domain"] == "law"].reset_index(drop=True)
    keys = [
        engine._structure(*prepare(frame)[:2]),
        engine._structure(*prepare(fewer)[:2]),
        engine._structure(*prepare(frame, "shift_gain")[:2]),
        engine._structure(*prepare(frame, role="domain")[:2]),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == engine._structure(*prepare(swapped["frames"][1])[:2])
    assert keys[0] in engine._CACHE.compiled
