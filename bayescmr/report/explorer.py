"""The answer for other budgets, tolerances and risks: what the sliders of the page choose from.

Every position of the sliders is a question that was put to the posterior, all draws
included. Nothing is interpolated and no law runs in the browser, so what is shown is what
``CMR.summary`` and ``CMR.decide`` say, to the rounding of :data:`DECIMALS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bayescmr.cmr import Target
from bayescmr.cmr.crossing import GRID
from bayescmr.report.asked import Asked
from bayescmr.words import short

Float = npt.NDArray[np.float64]

#: Shares are embedded with as many decimals; safe ratios are rounded down.
DECIMALS = 5
_RISKS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_NATS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
_SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2)
_TIMES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
#: Positions per decade of tokens, at most so many, and how far beyond the probes they go.
_PER_DECADE, _MOST, _BEYOND = 10, 32, 3.0


@dataclass(frozen=True)
class Explorer:
    """Answers on a grid.

    Parameters
    ----------
    tokens, risks : tuple of float
        Positions of two sliders; counts, and probabilities.
    tolerances : tuple of str
        Positions of the third, in words.
    at : (int, int, int)
        Position of the question: indices of tokens, tolerance and risk.
    median, lower, upper, p_none, p_all : ndarray, shape (tolerances, tokens)
        Of the CMR.
    safe : ndarray, shape (tolerances, tokens, risks)
        Largest ratio whose risk is at most that allowed.
    probed : (float, float)
        Fewest and most tokens of the probes.
    ratios : ndarray
        At which the rise is known.
    rise : ndarray, shape (tokens, 3, ratios), or None
        Median, lower and upper rise, nats/token; None where there are several general sets.
    allowed : tuple of float
        Tolerances in nats/token, for the figure of the rise; empty where there is none.
    prob : float
        Of the equal-tailed intervals.
    """

    tokens: tuple[float, ...]
    tolerances: tuple[str, ...]
    risks: tuple[float, ...]
    at: tuple[int, int, int]
    median: Float
    lower: Float
    upper: Float
    p_none: Float
    p_all: Float
    safe: Float
    probed: tuple[float, float]
    ratios: Float
    rise: Float | None
    allowed: tuple[float, ...]
    prob: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, shares rounded to :data:`DECIMALS`, safe ratios down."""
        scale = 10.0**DECIMALS
        return {
            "tokens": list(self.tokens),
            "tokens_shown": [short(t) for t in self.tokens],
            "tolerances": list(self.tolerances),
            "risks": list(self.risks),
            "at": list(self.at),
            **{
                name: np.round(getattr(self, name), DECIMALS).tolist()
                for name in ("median", "lower", "upper", "p_none", "p_all")
            },
            "safe": (np.floor(self.safe * scale + 1e-9) / scale).tolist(),
            "probed": list(self.probed),
            "ratios": self.ratios.tolist(),
            "rise": None if self.rise is None else np.round(self.rise, DECIMALS).tolist(),
            "allowed": list(self.allowed),
            "prob": self.prob,
        }


def explorer(asked: Asked) -> Explorer:
    """Ask the posterior at every position of the sliders."""
    tokens = _tokens(asked)
    targets, words, here = _tolerances(asked)
    risks = tuple(sorted({*_RISKS, asked.risk}))
    shape = (len(targets), len(tokens))
    found = {name: np.empty(shape) for name in ("median", "lower", "upper", "p_none", "p_all")}
    safe = np.empty((*shape, len(risks)))
    for i, target in enumerate(targets):
        for j, budget in enumerate(tokens):
            cmr = asked.posterior.cmr(replace(target, tokens=budget))
            summary = cmr.summary(asked.estimand, asked.prob)
            for name, values in found.items():
                values[i, j] = getattr(summary, name)
            safe[i, j] = [cmr.decide(risk, asked.estimand) for risk in risks]
    one = len(asked.cmr.eval_sets) == 1
    measured = asked.probed["tokens"]
    return Explorer(
        tokens=tokens,
        tolerances=words,
        risks=risks,
        at=(tokens.index(float(asked.target.tokens)), here, risks.index(asked.risk)),
        safe=safe,
        probed=(float(measured.min()), float(measured.max())),
        ratios=GRID,
        rise=_rises(asked, tokens) if one else None,
        allowed=tuple(_allowed(asked, target) for target in targets) if one else (),
        prob=asked.prob,
        **found,
    )


def _tokens(asked: Asked) -> tuple[float, ...]:
    """Evenly spaced budgets in ln tokens over the probes and somewhat beyond; the asked one too."""
    measured, asked_for = asked.probed["tokens"], float(asked.target.tokens)
    low = min(float(measured.min()), asked_for)
    high = max(float(measured.max()), asked_for) * _BEYOND
    n = int(np.clip(np.ceil(_PER_DECADE * np.log10(high / low)), 8, _MOST))
    # Two digits: budgets that people would type.
    grid = {float(f"{t:.2g}") for t in np.geomspace(low, high, n)}
    return tuple(sorted({t for t in grid if low <= t <= 1e18} | {asked_for}))


def _tolerances(asked: Asked) -> tuple[list[Target], tuple[str, ...], int]:
    """Targets with other tolerances, how they are called, and which is the one that was asked."""
    target = asked.target
    if isinstance(target.tolerance, Mapping):
        of = dict(target.tolerance)
        # Shares must stay below 1.
        most = np.inf if target.tolerance_unit == "nats" else 0.99 / max(max(of.values()), 1e-9)
        times = sorted({1.0, *(t for t in _TIMES if t <= most)})
        return (
            [replace(target, tolerance={s: t * v for s, v in of.items()}) for t in times],
            tuple(f"{t:g} times those asked" for t in times),
            times.index(1.0),
        )
    own = float(target.tolerance)
    nats = target.tolerance_unit == "nats"
    values = sorted({*(_NATS if nats else _SHARES), own})
    return (
        [replace(target, tolerance=v) for v in values],
        tuple(f"{v:g} nats/token" if nats else f"{100 * v:g} % of its base" for v in values),
        values.index(own),
    )


def _rises(asked: Asked, tokens: tuple[float, ...]) -> Float:
    tail = (1.0 - asked.prob) / 2.0
    return np.array(
        [
            np.quantile(
                asked.posterior.changes(
                    "general",
                    size=asked.target.size,
                    domain=asked.target.domain,
                    tokens=budget,
                    ratio=GRID,
                    eval_set=asked.cmr.eval_sets[0],
                ),
                [0.5, tail, 1.0 - tail],
                axis=0,
            )
            for budget in tokens
        ]
    )


def _allowed(asked: Asked, target: Target) -> float:
    """Tolerance of the only general set in nats/token."""
    other = replace(asked, target=target).tolerance_nats
    return next(iter(other.values())) if isinstance(other, Mapping) else other
