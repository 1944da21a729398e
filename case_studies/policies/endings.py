"""How campaigns ended: what was certified, and whether it is true."""

from __future__ import annotations

from typing import Any

import numpy as np
from settings import ERROR

from bayescmr.worlds import Trace
from bayescmr.worlds.metrics import XTOL, covers
from bayescmr.worlds.trace import Round


def ending(traces: list[Trace]) -> dict[str, Any]:
    """What the stop rules said, and whether what was certified is true."""
    certified = [t for t in traces if t.ending and t.ending.certified]
    refused = [t for t in traces if t.ending and t.ending.reason == "model check"]
    # Precise enough, whatever the checks said: what a campaign without them would have reported.
    precise = certified + refused

    def share(which: list[Trace]) -> dict[str, Any]:
        ends = [t.rounds[t.ending.round] for t in which if t.ending]
        ranges = [promised(t) for t in which]
        n = len(which)
        return {
            "worlds": n,
            "covered": sum(
                missed(*ends, t.truth) == 0 for ends, t in zip(ranges, which, strict=True)
            ),
            "covered_by_the_fit": sum(covers(r, t.truth) for r, t in zip(ends, which, strict=True)),
            "width": float(np.mean([upper - lower for lower, upper in ranges])) if n else None,
            "missed_by": max(
                (missed(*ends, t.truth) for ends, t in zip(ranges, which, strict=True)),
                default=0.0,
            ),
            "too_high": sum(r.decision > t.truth for r, t in zip(ends, which, strict=True)),
            "wrong_by_0.04": sum(
                abs(r.median - t.truth) > 2 * ERROR for r, t in zip(ends, which, strict=True)
            ),
            "spent": float(
                np.mean([r.spent / t.full_run for r, t in zip(ends, which, strict=True)])
            )
            if n
            else None,
        }

    final = [t.rounds[-1] for t in traces]
    return {
        "worlds": len(traces),
        "certified": share(certified),
        "refused": share(refused),
        "precise": share(precise),
        "not_certified": len(traces) - len(certified),
        "covered_at_the_end": sum(covers(r, t.truth) for r, t in zip(final, traces, strict=True)),
    }


def promised(trace: Trace) -> tuple[float, float]:
    """The certified range; without a certificate, the 90 % interval at the stop."""
    last, end = at_the_stop(trace), trace.ending
    if end is None or not end.certified:
        return last.lower, last.upper
    if end.lower is None or end.upper is None:
        # Version 3 certified the interval of the fit, by another rule.
        raise SystemExit(f"{trace.policy}: certified without a range: play it anew with study.py")
    return end.lower, end.upper


def missed(lower: float, upper: float, truth: float) -> float:
    """How far the truth lies outside; the ends are crossings found to a tolerance."""
    outside = max(lower - truth, truth - upper)
    return outside if outside > XTOL else 0.0


def at_the_stop(trace: Trace) -> Round:
    """The fit at which a campaign ends: its stop rules', whatever they say, or the last."""
    return trace.rounds[-1 if trace.ending is None else trace.ending.round]


def ranges(traces: list[Trace]) -> list[list[float]]:
    """Ends of what was certified, and the full runs spent by then; plays of version 3 have none."""
    return [
        [t.ending.lower, t.ending.upper, t.rounds[t.ending.round].spent / t.full_run]
        for t in traces
        if t.ending and t.ending.lower is not None and t.ending.upper is not None
    ]
