"""Checks of sizes, tokens and checkpoints: whether their effects can be seen at all."""

from __future__ import annotations

from bayescmr.checks.outcome import Check, judged
from bayescmr.checks.review.design import Design
from bayescmr.words import count

#: Height, growth, exponent and turning point: what a curve of one run has to tell.
CURVE = 4


def checkpoints(design: Design) -> Check:
    """The typical run has as many checkpoints as its curve has parameters."""
    typical = int(design.table["checkpoints"].median())
    few = int((design.table["checkpoints"] < CURVE).sum())
    return judged(
        "checkpoints per run",
        typical >= CURVE,
        value=f"{typical} in the typical run; fewer than {CURVE} in {few} of"
        f" {len(design.table)} runs",
        threshold=f"{CURVE} or more",
        source="a curve over tokens has a height, a growth, an exponent and a turning point",
        advice="Evaluate every run at 4 to 16 checkpoints, even in ln tokens, from about a 64th of"
        " its length: evaluations cost little beside training.",
    )


def token_budgets(design: Design) -> Check:
    """Losses were measured at more than one number of tokens."""
    low, high = float(design.rows["tokens"].min()), float(design.rows["tokens"].max())
    return judged(
        "range of tokens",
        high >= 4 * low,
        value=f"{count(low)} to {count(high)} tokens, a factor {high / low:.3g}",
        threshold="a factor 4 or more",
        source="two doublings are the least that shows a bend, not a slope alone",
        advice="Answers at other budgets rest on the prior. Measure earlier checkpoints of the same"
        f" runs (from {count(high / 64)} tokens on), or add {design.run(tokens=4 * high)}.",
        # One number of tokens says nothing whatever of growth.
        otherwise="REVIEW" if high > low else "FAIL",
    )


def sizes(design: Design) -> Check:
    """Several sizes were trained, so that a trend in ln N can be seen."""
    n = len(design.runs.sizes)
    asked = design.target is not None and design.runs.sizes == (design.target.size,)
    return judged(
        "sizes",
        n >= 3 or asked,
        value=f"{n}: {', '.join(count(size) for size in design.runs.sizes[:6])}",
        threshold="3, or the size of the target alone",
        source="two points make a line and leave nothing to see whether it is one",
        advice=f"The trend in size rests on {'the prior' if n == 1 else 'two points'}. Add the"
        f" ratios probed at another size, for example"
        f" {design.run(size=_another(design.runs.sizes))}.",
    )


def base_loss(design: Design) -> Check:
    """The loss before CPT is known of every run."""
    known = int(design.rows.groupby("run")["base"].count().gt(0).sum())
    total = len(design.table)
    return judged(
        "base losses",
        known == total,
        value=f"known of {known} of {total} runs",
        threshold="of all",
        source="a rise is a loss minus its base; a tolerance in % is a share of the base",
        advice="Add a row at tokens 0 for every size, or a column base_loss_general: with changes"
        " alone a tolerance must be in nats, and an error of the base cannot be seen.",
    )


def _another(sizes: tuple[float, ...]) -> float:
    """Return a size a factor 4 off: half as large again costs as much and tells less of a trend."""
    return sizes[0] / 4 if len(sizes) > 1 else sizes[0] * 4
