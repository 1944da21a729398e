"""What a posterior expects of runs, for each draw, given what they have shown so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr import CMR, Estimand
from bayescmr.design.outlook import Candidate, Trajectory
from bayescmr.model.scales import covariance
from bayescmr.posterior import Posterior
from bayescmr.posterior.block import BlockPosterior, Theta

Float = npt.NDArray[np.float64]

#: Ratios at which the rise at the target is laid out.
GRID = np.linspace(0.0, 1.0, 41)
#: A run that goes on is conditioned on as many of its checkpoints at most, the last among them.
_CONDITIONED = 24


@dataclass(frozen=True)
class Seen:
    """What a run has shown so far: tokens, change, squared error, each of shape (n,)."""

    tokens: Float
    change: Float
    variance: Float


@dataclass(frozen=True)
class View:
    """One general set of a posterior, at a target.

    Parameters
    ----------
    block : BlockPosterior
        Draws of the general loss.
    frame : DataFrame
        Rows of the set that were fitted.
    cmr : CMR
        Answer at the target.
    estimand : {"tolerance", "turning_point", "gu"}
        Which CMR.
    eval_set : str
        The set: that which binds the CMR most often.
    by_size : dict from size to draws
        Law parameters of the target's size and of all others asked for, drawn jointly.
    """

    block: BlockPosterior
    frame: pd.DataFrame
    cmr: CMR
    estimand: Estimand
    eval_set: str
    by_size: dict[float, Theta]

    @classmethod
    def of(cls, posterior: Posterior, cmr: CMR, estimand: Estimand, sizes: Sequence[float]) -> View:
        """View of a posterior for some sizes."""
        binding = cmr.binding(estimand)
        eval_set = max(binding, key=lambda name: binding[name])
        target = cmr.target
        # The target comes first: its effect is then that of the CMR's own draws.
        every = list(dict.fromkeys([float(target.size), *map(float, sizes)]))
        thetas = posterior.general.thetas(every, target.domain, eval_set)
        frame = posterior.frame
        rows = frame[(frame["role"] == "general") & (frame["eval_set"] == eval_set)]
        by_size = dict(zip(every, thetas, strict=True))
        return cls(posterior.general, rows, cmr, estimand, eval_set, by_size)

    def change(self, size: float, ratio: float, tokens: Float) -> Float:
        """Expected change of the loss, shape (draws, tokens)."""
        theta = {name: values[:, None] for name, values in self.by_size[float(size)].items()}
        reference = self.block.hierarchy.reference
        return np.asarray(
            self.block.spec.law.change(theta, tokens[None, :], np.float64(ratio), reference)
        )

    def excess(self) -> Float:
        """Rise minus tolerance at the target (slope, for a turning point), (draws, ratios)."""
        target, law = self.cmr.target, self.block.spec.law
        theta = {k: v[:, None] for k, v in self.by_size[float(target.size)].items()}
        tokens, reference = np.float64(target.tokens), self.block.hierarchy.reference
        turning = self.estimand == "turning_point" or (
            self.estimand == "gu" and self.cmr.p_tolerance_binds < 0.5
        )
        if turning:
            return np.asarray(law.slope(theta, tokens, GRID[None, :], reference))
        return np.asarray(law.change(theta, tokens, GRID[None, :], reference)) - self.tolerance

    @property
    def tolerance(self) -> float:
        """Allowed rise of this set at the target, nats/token."""
        near = (self.frame["size"] / self.cmr.target.size - 1.0).abs() < 1e-9
        base = float(self.frame.loc[near, "base"].mean())
        return self.cmr.target.tolerance_of(self.eval_set, base)

    @property
    def se(self) -> float:
        """Standard error that losses to come will be stated with: the median so far."""
        return float(self.frame["se"].median())

    def seen(self, run: str) -> Seen | None:
        """Return what the fit has seen of a run; None where that is nothing."""
        rows = self.frame[self.frame["run"] == run].sort_values("tokens")
        if rows.empty:
            return None
        if len(rows) > _CONDITIONED:
            rows = rows.iloc[np.linspace(0, len(rows) - 1, _CONDITIONED).round().astype(int)]
        numbers = (rows[name].to_numpy(dtype=float) for name in ("tokens", "change", "se"))
        tokens, change, se = numbers
        return Seen(tokens, change, se**2)

    def trajectory(self, candidate: Candidate, cost: Float, seen: Seen | None) -> Trajectory:
        """Return what is expected of a candidate.

        Parameters
        ----------
        candidate : Candidate
            Run and checkpoints.
        cost : ndarray, shape (checkpoints,)
            FLOPs.
        seen : Seen or None
            What the run has shown; its effect is then known in part, and goes on.
        """
        mean, noise = self.expected(candidate, seen)
        measured = noise.mean(axis=0) + self.se**2 * np.eye(len(candidate.checkpoints))
        return Trajectory(candidate, mean, measured, cost)

    def expected(self, candidate: Candidate, seen: Seen | None) -> tuple[Float, Float]:
        """Return mean and covariance of a candidate's losses under each draw.

        Parameters
        ----------
        candidate, seen
            As for :meth:`trajectory`.

        Returns
        -------
        mean : ndarray, shape (draws, checkpoints)
            Change of the loss, nats/token.
        noise : ndarray, shape (draws, checkpoints, checkpoints)
            Covariance about it, (nats/token)^2, without the standard error of the losses to come.
        """
        tokens = np.asarray(candidate.checkpoints, dtype=float)
        if seen is None:
            mean = self.change(candidate.size, candidate.ratio, tokens)
            return mean, self._noise(tokens, np.zeros(len(tokens)), candidate.ratio)
        n = len(seen.tokens)
        every = np.concatenate([seen.tokens, tokens])
        variance = np.concatenate([seen.variance, np.zeros(len(tokens))])
        mean = self.change(candidate.size, candidate.ratio, every)
        cov = self._noise(every, variance, candidate.ratio)
        # Draw by draw, since how much of a residual lasts is what draws differ in.
        gain = np.linalg.solve(cov[:, :n, :n], cov[:, :n, n:])
        residual = seen.change - mean[:, :n]
        return (
            mean[:, n:] + np.einsum("sn,snk->sk", residual, gain),
            cov[:, n:, n:] - np.einsum("snj,snk->sjk", cov[:, :n, n:], gain),
        )

    def _noise(self, tokens: Float, variance: Float, ratio: float) -> Float:
        x = np.log(tokens / self.block.hierarchy.reference.tokens)
        return covariance(self.block.scales, x, variance, ratio == 1.0)
