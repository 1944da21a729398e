"""Worlds that runs are simulated from, and the critical mixture ratios that are true in them.

A world is a draw from a shipped prior whose every scale is halved: between the
published runs and small real ones, where the prior has its centre, without the
absurd curves of its tails. What a law does not contain is added on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from bayescmr.cmr import Target
from bayescmr.cmr.crossing import GRID, first_crossing
from bayescmr.laws import Reference
from bayescmr.model.spec import ModelSpec, load_model, parse_model
from bayescmr.posterior import Posterior, prior_predictive, simulate_runs
from bayescmr.runs import RunTable

Float = npt.NDArray[np.float64]
#: Addition to the mean curve, nats/token, of arrays of size, tokens and ratio.
Extra = Callable[[Float, Float, Float], Float]

DOMAIN, EVAL_SET = "law", "general"
NARROW = 0.5
_STEP = 1e-4


def variant(
    model: str, *, narrow: float = 1.0, noise: dict[str, tuple[float, float]] | None = None
) -> ModelSpec:
    """Return a shipped model, its prior scales times ``narrow``, some noise priors replaced.

    ``noise`` maps names to (centre, scale); the families stay.
    """
    data = yaml.safe_load(load_model(model).text)
    block = data["general"]
    for parameter in block["parameters"].values():
        _scale(parameter["prior"], narrow)
        parameter["size_slope"] = float(parameter["size_slope"]) * narrow
        parameter["effects"] = {k: float(v) * narrow for k, v in parameter["effects"].items()}
    for name, quantity in block["noise"].items():
        (family,) = quantity["prior"]
        if noise and name in noise:
            quantity["prior"] = {family: list(noise[name])}
        else:
            _scale(quantity["prior"], narrow)
    return parse_model(yaml.safe_dump(data, sort_keys=False), f"variant of {model}")


def _scale(prior: dict[str, list[float]], narrow: float) -> None:
    for numbers in prior.values():
        numbers[1] = float(numbers[1]) * narrow


def design(
    ratios: tuple[float, ...] = (0.1, 0.3, 0.5, 0.8),
    sizes: tuple[float, ...] = (1e8, 4e8),
    checkpoints: int = 8,
) -> RunTable:
    """Runs of 20B tokens, one for each size and ratio."""
    rows = [
        {
            "run": f"{size:g}-{ratio}",
            "size": size,
            "domain": DOMAIN,
            "ratio": ratio,
            "tokens": tokens,
            "change_general": 0.0,
        }
        for size in sizes
        for ratio in ratios
        for tokens in np.geomspace(1e9, 20e9, checkpoints)
    ]
    return RunTable.from_frame(pd.DataFrame(rows))


@dataclass(frozen=True)
class World:
    """One draw of the truth.

    Parameters
    ----------
    prior : Posterior
        A single draw is looked at: the first.
    extra : callable
        What the law does not contain.
    """

    prior: Posterior
    extra: Extra

    def rise(self, size: float, tokens: npt.ArrayLike, ratio: npt.ArrayLike) -> Float:
        """True mean rise, nats/token, shape of ``ratio`` and ``tokens`` together."""
        t, r = np.broadcast_arrays(np.asarray(tokens, float), np.asarray(ratio, float))
        change = self.prior.general.change(size, DOMAIN, EVAL_SET, t.ravel(), r.ravel())[0]
        return change.reshape(t.shape) + self.extra(np.full(t.shape, size), t, r)

    def cmr(self, target: Target) -> dict[str, float]:
        """True tolerance and turning-point CMR."""
        allowed = target.tolerance_of(EVAL_SET, float("nan"))

        def slope(_: object, ratio: Float) -> Float:
            up, down = (
                self.rise(target.size, target.tokens * np.exp(h), ratio) for h in (_STEP, -_STEP)
            )
            return up - down

        found = {
            "tolerance": first_crossing(
                lambda _, ratio: self.rise(target.size, target.tokens, ratio) - allowed, {}
            ),
            "turning_point": first_crossing(slope, {}),
        }
        return {name: float(value[0]) for name, value in found.items()}

    def runs(self, seed: int) -> pd.DataFrame:
        """Simulate the runs of the design."""
        frame = simulate_runs(self.prior, draw=0, seed=seed)
        size, tokens, ratio = (frame[c].to_numpy(float) for c in ("size", "tokens", "ratio"))
        return frame.assign(change=frame["change"] + self.extra(size, tokens, ratio))


def none(size: Float, tokens: Float, ratio: Float) -> Float:
    """Nothing is added."""
    return np.zeros(np.shape(ratio))


def draw_world(
    runs: RunTable, model: ModelSpec, seed: int, extra: Callable[[int, Posterior], Extra]
) -> World:
    """Draw a world; ``extra`` makes the addition from a seed and the draw of the law."""
    prior = prior_predictive(runs, model, seed=seed, draws=1)
    return World(prior, extra(seed, prior))


def size_by_time(seed: int, prior: Posterior) -> Extra:
    """Tilt in ln tokens that grows with ln size, the same at every ratio: 0.004 nats sd per e2."""
    ref: Reference = prior.general.hierarchy.reference
    tilt = 0.004 * np.random.default_rng([seed, 11]).standard_normal()
    return lambda size, tokens, ratio: tilt * np.log(size / ref.size) * np.log(tokens / ref.tokens)


def effective_tokens(seed: int, prior: Posterior) -> Extra:
    """Replace the law by one of effective tokens: domain tokens hurt, replayed ones heal.

    rise = F n^-0.2 D / (D + d) (1 + E / e)^-g - G ln(1 + E / e), D = R T / T_ref,
    E = (1 - R) T / T_ref, n = N / N_ref; F about 0.1 and G about 0.01 nats, d 1, e 4, g 1.
    """
    ref: Reference = prior.general.hierarchy.reference
    z = np.random.default_rng([seed, 12]).standard_normal(5)
    scale = np.array([0.5, 0.4, 0.4, 0.2, 0.5])
    height, d, e, g, gain = np.array([0.1, 1.0, 4.0, 1.0, 0.01]) * np.exp(scale * z)

    def extra(size: Float, tokens: Float, ratio: Float) -> Float:
        size, tokens, ratio = np.broadcast_arrays(size, tokens, ratio)
        taught, replayed = ratio * tokens / ref.tokens, (1 - ratio) * tokens / ref.tokens
        rise = height * (size / ref.size) ** -0.2 * taught / (taught + d)
        rise = rise * (1 + replayed / e) ** -g - gain * np.log1p(replayed / e)
        law = np.empty(rise.shape)
        for value in np.unique(size):
            own = size == value
            law[own] = prior.general.change(value, DOMAIN, EVAL_SET, tokens[own], ratio[own])[0]
        return rise - law

    return extra


def nothing_added(seed: int, prior: Posterior) -> Extra:
    """The law is the truth."""
    return none


__all__ = [
    "GRID", "World", "design", "draw_world", "effective_tokens", "nothing_added", "size_by_time",
    "variant",
]  # fmt: skip
