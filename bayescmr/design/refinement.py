"""A second look at the best options, by means that do not take draws to be Gaussian.

The linear value is a lower bound, and may rank wrongly where the CMR bends strongly with losses.
The best options are looked at again. Regression adds what a bend explains, re-weighting needs no
form at all but is noisier; each overrules what comes before it only by more than chance, and
re-weighting only where its weights can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bayescmr.design.acquisition import Acquisition
from bayescmr.design.moments import Moments, stacked
from bayescmr.design.outlook import Option
from bayescmr.design.policy import Scores
from bayescmr.design.regression import bend
from bayescmr.design.reweighting import Reweighted, reweight
from bayescmr.errors import DesignError

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

#: Numbers of a second look, as they stand in ``Scores.diagnostics``; NaN for options not looked at.
DIAGNOSTICS = ("linear", "regression", "reweighted", "good_weights", "ess")
#: Draws that are weighed anew, at most: more cost time, and the regression looks at all.
_MAX_DRAWS = 4000
#: Standard errors by which a value must differ from the former to overrule it. In 40 options a
#: smaller number would let chance choose.
_ERRORS = 3.0


@dataclass(frozen=True)
class Refinement:
    """How many options get a second look, and how close it is.

    Parameters
    ----------
    best : int
        Options with the largest scores.
    others : int
        Options drawn among the rest, whose diagnostics tell how good the first look is.
    simulations : int
        Sets of losses that are simulated for each.
    """

    best: int = 30
    others: int = 10
    simulations: int = 64

    def __post_init__(self) -> None:
        if self.best < 1 or self.others < 0 or self.simulations < 2:
            raise DesignError(
                f"refinement: got best={self.best}, others={self.others},"
                f" simulations={self.simulations}, expected at least 1, 0 and 2"
            )

    def refine(
        self, rule: Acquisition, moments: Moments, scores: Scores, rng: np.random.Generator
    ) -> Scores:
        """Scores after a second look.

        Parameters
        ----------
        rule : Acquisition
            Whose scores they are. Only drops of the variance of the CMR are looked at again; other
            scores come back as they are. (The loss bends little with other losses.)
        moments : Moments
            Those that the scores are of.
        scores : Scores
            By the first look.
        rng : Generator
            Source of the simulated losses.

        Returns
        -------
        Scores
            ``value`` and ``score`` of some options anew. Diagnostics, besides the former:
            ``linear`` (value of the first look), ``regression``, ``reweighted``,
            ``good_weights`` (share of simulations whose Pareto k is below its limit) and ``ess``.
        """
        if not rule.of_variance or not moments.targets.weighing[0]:
            return scores
        look = _Look(moments, self.simulations, rng)
        value = scores.value.copy()
        numbers = {name: np.full(len(value), np.nan) for name in DIAGNOSTICS}
        for n in self._chosen(scores, rng):
            value[n], found = look.at(scores.options[n], float(scores.value[n]))
            for name in DIAGNOSTICS:
                numbers[name][n] = found[name]
        score = np.where(np.isneginf(scores.score), -np.inf, rule.per_cost(value, scores.cost))
        diagnostics = {**scores.diagnostics, **numbers}
        return replace(scores, value=value, score=score, diagnostics=diagnostics)

    def _chosen(self, scores: Scores, rng: np.random.Generator) -> list[int]:
        order = np.argsort(-scores.score, kind="stable")
        order = order[np.isfinite(scores.score[order])]
        rest = order[self.best :]
        more = rng.permutation(len(rest))[: self.others]
        return [*order[: self.best].tolist(), *rest[np.sort(more)].tolist()]


class _Look:
    """What all options of a second look share: simulated draws, and what will be known anyway."""

    def __init__(self, moments: Moments, simulations: int, rng: np.random.Generator) -> None:
        self.moments, self.rng = moments, rng
        self.cmr = moments.outlook.cmr - moments.outlook.cmr.mean()
        self.some = slice(None, None, -(-len(self.cmr) // _MAX_DRAWS))
        self.chosen = np.sort(rng.permutation(len(self.cmr[self.some]))[:simulations])
        at, noise = stacked(moments.given)
        # The losses of pending runs and earlier picks are the same for every option.
        self.few = rng.normal(size=(len(at), len(self.chosen)))
        self.all = rng.normal(size=(len(at), len(self.cmr)))
        self.nearer: Float = np.zeros(len(self.chosen))
        self.bend: Float = np.zeros(len(self.cmr))
        if len(at):
            losses = self._losses(at)
            self.nearer = self._reweight(losses, noise).nearer
            self.bend = bend(losses, noise, self.cmr, self.all)

    def at(self, option: Option, linear: float) -> tuple[float, dict[str, float]]:
        """Value of an option, and how it came about."""
        parts = [self.moments.part(i, k) for i, k in option.parts]
        at, noise = stacked([*self.moments.given, *parts])
        losses = self._losses(at)
        told = self._reweight(losses, noise)
        missed, missed_error = _mean(told.nearer - self.nearer)
        more = bend(losses, noise, self.cmr, self._more(self.all, len(at))) - self.bend
        bent, bent_error = _mean(more)
        value = linear + bent if bent > _ERRORS * bent_error else linear
        if told.trusted and abs(linear + missed - value) > _ERRORS * missed_error:
            value = linear + missed
        numbers = (linear, linear + bent, linear + missed, told.good, told.ess)
        return max(value, 0.0), dict(zip(DIAGNOSTICS, numbers, strict=True))

    def _reweight(self, losses: Float, noise: Float) -> Reweighted:
        errors = self._more(self.few, len(losses))
        return reweight(losses[:, self.some], noise, self.cmr[self.some], self.chosen, errors)

    def _losses(self, at: Index) -> Float:
        return np.asarray(self.moments.rows[at] * np.sqrt(len(self.cmr) - 1))

    def _more(self, errors: Float, rows: int) -> Float:
        new = self.rng.normal(size=(rows - len(errors), errors.shape[1]))
        return np.concatenate([errors, new])


def _mean(values: Float) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
