"""Picks of a policy as a log that other policies can be evaluated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayescmr.design.ope import Log, padded
from bayescmr.design.outlook import Float
from bayescmr.design.policy import Pick
from bayescmr.errors import DesignError


def log_of(picks: Sequence[Pick], reward: Float) -> Log:
    """Make a log of picks and what came of them.

    Parameters
    ----------
    picks : sequence of Pick
        In any order; those of a batch each given the earlier ones.
    reward : ndarray, shape (picks,)
        Benefit that each had in the end, in the unit of ``Scores.value``, which is taken as the
        prediction of it. A run that failed had none.

    Raises
    ------
    DesignError
        As `Log` does; without picks.
    """
    _require_some(picks)
    return Log(
        padded([pick.propensities for pick in picks]),
        np.array([pick.option for pick in picks]),
        reward,
        padded([pick.scores.value for pick in picks]),
    )


def propensities_on(logged: Sequence[Pick], target: Sequence[Pick]) -> Float:
    """Propensities of another policy, in the order of the options that were logged.

    Parameters
    ----------
    logged : sequence of Pick
        What the log is made of.
    target : sequence of Pick
        What the other policy would pick at the same states: of the same outlook, with the same
        budget, and with earlier picks of a batch among the pending runs. Its options may stand in
        another order.

    Returns
    -------
    ndarray, shape (picks, options)
        For `evaluate`.

    Raises
    ------
    DesignError
        Where the other policy may take an option that was none when the log was written, such as
        the same run to another length.
    """
    _require_some(logged)
    if len(target) != len(logged):
        raise DesignError(
            f"target: got picks at {len(target)} states, expected {len(logged)}, as there are"
            " logged ones"
        )
    rows = []
    for number, (there, here) in enumerate(zip(logged, target, strict=True)):
        given = dict(zip(here.scores.options, here.propensities, strict=True))
        row = np.array([given.get(option, 0.0) for option in there.scores.options])
        if abs(row.sum() - 1.0) > 1e-9:
            raise DesignError(
                f"target: choice {number}: {1 - row.sum():.1%} of its probability is on options"
                " that were none when the log was written; evaluate a policy that chooses among"
                " the same runs and lengths"
            )
        rows.append(row)
    return padded(rows)


def _require_some(picks: Sequence[Pick]) -> None:
    if not picks:
        raise DesignError("log: got no pick, expected at least one")
