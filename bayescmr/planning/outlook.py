"""What a posterior says of runs that could be made: expected losses, noise, cost, for each draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bayescmr.cmr import Estimand, Target
from bayescmr.design.outlook import Candidate, Outlook, Trajectory
from bayescmr.errors import DesignError
from bayescmr.planning.space import Made, Space
from bayescmr.planning.view import GRID, Seen, View
from bayescmr.posterior import Posterior

Float = npt.NDArray[np.float64]


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
    view = View.of(posterior, cmr, estimand, [c.size for c in candidates] + [m.size for m in made])
    seen = {m.run: view.seen(m.run) for m in made if m.reached > 0}

    def shown(candidate: Candidate) -> Seen | None:
        run = None if candidate.is_new else space.run_of(candidate, made)
        return None if run is None else seen[run.run]

    trajectories = tuple(
        view.trajectory(
            candidate,
            space.flops(candidate.size, candidate.reached, candidate.checkpoints),
            shown(candidate),
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


def _pending(
    view: View, space: Space, made: Sequence[Made], seen: dict[str, Seen | None]
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
