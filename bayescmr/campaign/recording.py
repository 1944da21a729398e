"""What a round leaves in the store: the fit in numbers, every option, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from bayescmr.campaign.config import Config
from bayescmr.campaign.history import state_to
from bayescmr.campaign.identity import run_name
from bayescmr.campaign.records import OptionRecord, Part, PickRecord, RoundRecord
from bayescmr.design.active import Active
from bayescmr.design.outlook import Candidate, Option
from bayescmr.design.policy import Pick
from bayescmr.planning.advice import Advice
from bayescmr.planning.explanation import explain, leg_of
from bayescmr.planning.initial import First
from bayescmr.planning.review import Pause
from bayescmr.posterior import Posterior
from bayescmr.runs import RunTable

Float = npt.NDArray[np.float64]

#: Name of the policy of the first runs.
INITIAL = "initial design"
#: Name of the rounds that look at what is under way, and pick nothing.
REVIEW = "review"


def first_round(config: Config, number: int, first: Sequence[First], spent: float) -> RoundRecord:
    """Record the first runs, which are chosen without a posterior."""
    picks = tuple(
        PickRecord(
            (OptionRecord((part_of(config, f.candidate, f.checkpoint),), 0.0, 0.0, f.cost, 1.0),),
            chosen=0,
        )
        for f in first
    )
    words = [
        f"{leg_of(f.candidate, f.checkpoint).words}: one of the first runs, made before there is a"
        " posterior"
        for f in first
    ]
    return RoundRecord(
        number=number,
        fingerprint="none",
        posterior={},
        seed=config.seed,
        policy=INITIAL,
        software=version("bayescmr"),
        spent=spent,
        forecast=None,
        decision={"stop": None, "because": words},
        picks=picks,
    )


def fitted_round(
    config: Config,
    number: int,
    table: RunTable,
    posterior: Posterior,
    advice: Advice,
    pit: Float,
    spent: float,
    open_attempts: Mapping[str, str],
    pause: Sequence[Pause] | None = None,
) -> RoundRecord:
    """Record a fit and what follows from it.

    Parameters
    ----------
    config : Config
        Of the campaign.
    number : int
        Of the round.
    table : RunTable
        What was fitted.
    posterior : Posterior
        The fit.
    advice : Advice
        What it says to do.
    pit : ndarray, shape (values,)
        Of all probes so far, see :mod:`bayescmr.planning.predictions`.
    spent : float
        FLOPs charged so far.
    open_attempts : mapping from str to str
        Key of the attempt of every run that is under way.
    pause : sequence of Pause, optional
        Of a round that looked at what is under way; None for one that picks.
    """
    stop = advice.assessment.stop
    mean, own = (
        cmr.summary(config.estimand, config.prob) for cmr in (advice.cmr, advice.cmr.next_run)
    )
    converged = posterior.converged and advice.cmr.converged
    return RoundRecord(
        number=number,
        fingerprint=table.fingerprint,
        posterior={
            "estimand": config.estimand,
            "cmr": vars(mean),
            "next_run": vars(own),
            "converged": converged,
            "problems": [*posterior.verdict.problems, *advice.cmr.verdict.problems],
            "pit": [float(value) for value in pit],
        },
        seed=config.seed,
        policy=Active().name if pause is None else REVIEW,
        software=version("bayescmr"),
        spent=spent,
        forecast=_finite(advice.state.forecast),
        decision={
            "ratio": advice.cmr.decide(config.risk, config.estimand),
            "risk": config.risk,
            "state": state_to(advice.state),
            "counts": converged,
            "under_way": sorted(open_attempts.values()),
            "findings": [
                {"reason": f.reason.value, "hits": f.hits, "sentence": f.sentence}
                for f in advice.assessment.findings
            ],
            "held_back": list(advice.assessment.held_back),
            "escalated": advice.escalated,
            "because": [explain(advice, pick).sentence for pick in advice.picks]
            + [one.sentence for one in pause or ()],
            **({} if pause is None else {"pause": [open_attempts[one.run] for one in pause]}),
            "stop": None
            if stop is None
            else {
                "reason": stop.reason.value,
                "certified": stop.certified,
                "sentence": stop.sentence,
                "caveats": list(stop.caveats),
                "span": None if stop.span is None else list(stop.span),
            },
        },
        picks=tuple(_pick(config, advice, pick) for pick in advice.picks),
    )


def part_of(config: Config, candidate: Candidate, checkpoint: int) -> Part:
    """Return a candidate, up to one of its checkpoints, with the name of its run."""
    return Part(
        run=run_name(config, candidate),
        size=candidate.size,
        domain=candidate.domain,
        ratio=candidate.ratio,
        seed=candidate.seed,
        until=int(candidate.checkpoints[checkpoint]),
    )


def _pick(config: Config, advice: Advice, pick: Pick) -> PickRecord:
    scores = pick.scores
    options = tuple(
        OptionRecord(
            parts=_parts(config, advice, option),
            score=float(scores.score[n]),
            value=float(scores.value[n]),
            cost=float(scores.cost[n]),
            propensity=float(pick.propensities[n]),
            diagnostics={
                name: _finite(float(values[n])) for name, values in scores.diagnostics.items()
            },
        )
        for n, option in enumerate(scores.options)
    )
    return PickRecord(options, pick.option)


def _parts(config: Config, advice: Advice, option: Option) -> tuple[Part, ...]:
    trajectories = advice.outlook.trajectories
    return tuple(part_of(config, trajectories[i].candidate, k) for i, k in option.parts)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
