"""Checks of the distance to the target, and of general sets that were not measured everywhere."""

from __future__ import annotations

from bayescmr.checks.outcome import Check, judged, not_run
from bayescmr.checks.review.design import Design, listed
from bayescmr.cmr.extrapolation import SIZE_FACTOR, TOKENS_FACTOR, extrapolation_of

_CHECKED = "as far as calibration has been checked by simulation (docs: calibration)"


def target_size(design: Design) -> Check:
    """The size of the target is near those that were trained."""
    if design.target is None:
        return _no_target("size of the target", f"within a factor {SIZE_FACTOR:g}")
    factor = extrapolation_of(design.runs.frame, design.target, 0.0).size_factor
    # Half way in ln N; two digits say it.
    step = float(f"{(design.main_size * design.target.size) ** 0.5:.2g}")
    return judged(
        "size of the target",
        1 / SIZE_FACTOR <= factor <= SIZE_FACTOR,
        value=_distance(factor),
        threshold=f"within a factor {SIZE_FACTOR:g}",
        source=_CHECKED,
        advice=f"The answer rests on the trend in size. Add {design.run(size=step, ratio=0.5)}.",
    )


def target_tokens(design: Design) -> Check:
    """The budget of the target is near those of the runs."""
    if design.target is None:
        return _no_target("budget of the target", f"within a factor {TOKENS_FACTOR:g}")
    factor = extrapolation_of(design.runs.frame, design.target, 0.0).tokens_factor
    return judged(
        "budget of the target",
        1 / TOKENS_FACTOR <= factor <= TOKENS_FACTOR,
        value=_distance(factor),
        threshold=f"within a factor {TOKENS_FACTOR:g}",
        source=_CHECKED,
        advice="The answer rests on the form of the law in tokens. Train some run for longer:"
        f" {design.run(size=min(design.runs.sizes), tokens=design.target.tokens)}.",
    )


def target_domain(design: Design) -> Check:
    """The domain of the target was trained."""
    if design.target is None:
        return _no_target("domain of the target", "trained")
    domain = design.target.domain
    return judged(
        "domain of the target",
        domain in design.runs.domains,
        value=f"trained: {listed(list(design.runs.domains))}",
        threshold=f"{domain} among them",
        source="a new domain draws its effect from the spread of domains",
        advice=f"Probe it: {design.run(domain=domain, ratio=0.5)}, and two other ratios.",
    )


def general_sets(design: Design) -> Check:
    """Every general set was measured in every run."""
    counts = design.rows.groupby("eval_set")["run"].nunique()
    short = counts[counts < len(design.table)]
    return judged(
        "general sets",
        short.empty,
        value=f"{len(counts)}; {len(short)} not measured in every run",
        threshold="each in every run",
        source="the CMR is the smallest over sets: one that is measured seldom may decide",
        advice=f"Evaluate {listed([str(s) for s in short.index])} in the other runs too, or leave"
        " it out of the target (--set-tolerance).",
    )


def _no_target(name: str, threshold: str) -> Check:
    return not_run(
        name,
        "no target given",
        threshold=threshold,
        source=_CHECKED,
        advice="Say what will be asked: --size and --tokens (in Python: a Target).",
    )


def _distance(factor: float) -> str:
    if factor == 1.0:
        return "inside the runs"
    if factor > 1:
        return f"{factor:.3g} times the largest"
    return f"{1 / factor:.3g} times below the smallest"
