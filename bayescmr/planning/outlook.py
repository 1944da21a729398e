"""What a posterior says of runs that could be made: expected losses, noise, cost, for each draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr import CMR, Estimand, Target
from bayescmr.design.outlook import Candidate, Outlook, Trajectory
from bayescmr.errors import DesignError
from bayescmr.model.scales import covariance
from bayescmr.planning.space import Made, Space
from bayescmr.posterior import Posterior
from bayescmr.posterior.block import BlockPosterior, Theta

Float = npt.NDArray[np.float64]

#: Ratios at which the rise at the target is laid out.
GRID = np.linspace(0.0, 1.0, 41)
#: A run that goes on is conditioned on as many of its checkpoints at most, the last among them.
_CONDITIONED = 24


def outlook(
    posterior: Posterior,
    target: Target,
    space: Space,
    made: Sequence[Made] = (),
    *,
    estimand: Estimand = "tolerance",
) -> Outlook:
    """Lay out candidates and target, draw by draw.

    With several general sets, losses are those of the set that binds the CMR most often: what
    the others would tell is left out, so that a run is never thought to tell more than it does.

    Parameters
    ----------
    posterior : Posterior
        Of one model.
    target : Target
        Question.
    space : Space
        What could be run.
    made : sequence of Made
        Runs begun so far. Those in the fitted table are gone on with given what they have
        shown; those under way are pending.
    estimand : {"tolerance", "turning_point", "gu"}
        Which CMR is to be learnt.

    Returns
    -------
    Outlook

    Raises
    ------
    DesignError, TargetError
        No posterior of a single model, another domain, or a target that cannot be asked.
    """
    if not isinstance(posterior, Posterior):
        raise DesignError(
            f"posterior: got a {type(posterior).__name__}, expected the posterior of one model:"
            " the next run is designed with the law of one model"
        )
    if space.domain != target.domain:
        raise DesignError(
            f"domain: the space is of {space.domain!r}, the target of {target.domain!r}; expected"
            " the same"
        )
    cmr = posterior.cmr(target)
    candidates = space.candidates(made)
    view = _View.of(posterior, cmr, estimand, [c.size for c in candidates] + [m.size for m in made])
    seen = {m.run: view.seen(m.run) for m in made if m.reached > 0}
    begun = {(m.size, m.ratio, m.seed): m for m in made}
    trajectories = tuple(
        view.trajectory(
            candidate,
            space.flops(candidate.size, candidate.reached, candidate.checkpoints),
            None
            if candidate.is_new
            else seen[begun[candidate.size, candidate.ratio, candidate.seed].run],
        )
        for candidate in candidates
    )
    return Outlook(
        trajectories=trajectories,
        cmr=cmr.draws[estimand].ravel(),
        next_run=cmr.predictive[estimand],
        grid=GRID,
        excess=view.excess(),
        pairs=_pairs(candidates),
        pending=tuple(_pending(view, space, made, seen)),
        tolerance=view.tolerance,
    )


@dataclass(frozen=True)
class _Seen:
    """What a run has shown so far: tokens, change, squared error, each of shape (n,)."""

    tokens: Float
    change: Float
    variance: Float


@dataclass(frozen=True)
class _View:
    """One general set of a posterior, at a target."""

    block: BlockPosterior
    frame: pd.DataFrame
    cmr: CMR
    estimand: Estimand
    eval_set: str
    by_size: dict[float, Theta]

    @classmethod
    def of(
        cls, posterior: Posterior, cmr: CMR, estimand: Estimand, sizes: Sequence[float]
    ) -> _View:
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

    def seen(self, run: str) -> _Seen | None:
        rows = self.frame[self.frame["run"] == run].sort_values("tokens")
        if rows.empty:
            return None
        if len(rows) > _CONDITIONED:
            rows = rows.iloc[np.linspace(0, len(rows) - 1, _CONDITIONED).round().astype(int)]
        numbers = (rows[name].to_numpy(dtype=float) for name in ("tokens", "change", "se"))
        tokens, change, se = numbers
        return _Seen(tokens, change, se**2)

    def trajectory(self, candidate: Candidate, cost: Float, seen: _Seen | None) -> Trajectory:
        tokens = np.asarray(candidate.checkpoints, dtype=float)
        if seen is None:
            mean = self.change(candidate.size, candidate.ratio, tokens)
            noise = self._noise(tokens, np.zeros(len(tokens)), candidate.ratio).mean(axis=0)
            return Trajectory(candidate, mean, noise, cost)
        n = len(seen.tokens)
        every = np.concatenate([seen.tokens, tokens])
        variance = np.concatenate([seen.variance, np.zeros(len(tokens))])
        mean = self.change(candidate.size, candidate.ratio, every)
        cov = self._noise(every, variance, candidate.ratio)
        # Draw by draw, since how much of a residual lasts is what draws differ in.
        gain = np.linalg.solve(cov[:, :n, :n], cov[:, :n, n:])
        residual = seen.change - mean[:, :n]
        return Trajectory(
            candidate,
            mean[:, n:] + np.einsum("sn,snk->sk", residual, gain),
            (cov[:, n:, n:] - np.einsum("snj,snk->sjk", cov[:, :n, n:], gain)).mean(axis=0),
            cost,
        )

    def _noise(self, tokens: Float, variance: Float, ratio: float) -> Float:
        x = np.log(tokens / self.block.hierarchy.reference.tokens)
        return covariance(self.block.scales, x, variance, ratio == 1.0)


def _pending(
    view: _View, space: Space, made: Sequence[Made], seen: dict[str, _Seen | None]
) -> list[Trajectory]:
    found = []
    for run in made:
        if run.until is None or run.seed is None:
            continue
        shown = seen.get(run.run)
        last = 0.0 if shown is None else float(shown.tokens[-1])
        marks = tuple(
            m for m in space.checkpoints.get(run.size, ())
            if last < m <= run.until and m >= space.min_tokens
        )  # fmt: skip
        if marks:
            candidate = Candidate(run.size, run.domain, run.ratio, run.seed, marks, last)
            found.append(view.trajectory(candidate, space.flops(run.size, last, marks), shown))
    return found


def _pairs(candidates: Sequence[Candidate]) -> tuple[tuple[int, int], ...]:
    """Pairs of new runs whose worth may lie in the difference, which neither tells alone.

    The least ratio with every other of its size (what replay alone does, and what the domain
    adds), and the smallest size with the largest at the same ratio.
    """
    new = [(i, c) for i, c in enumerate(candidates) if c.is_new]
    if not new:
        return ()
    sizes = [c.size for _, c in new]
    least = min(c.ratio for _, c in new)
    controls = {c.size: i for i, c in new if c.ratio == least}
    found = [(controls[c.size], i) for i, c in new if c.ratio != least and c.size in controls]
    small = {c.ratio: i for i, c in new if c.size == min(sizes)}
    if min(sizes) < max(sizes):
        found += [(small[c.ratio], i) for i, c in new if c.size == max(sizes) and c.ratio in small]
    return tuple(found)
