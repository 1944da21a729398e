"""Checks of how runs were trained: one recipe for all, and domain text not repeated too often."""

from __future__ import annotations

import re

from bayescmr.checks.outcome import Check, judged, not_run
from bayescmr.checks.review.design import Design, listed
from bayescmr.words import count

#: Up to four epochs repeated text is nearly as good as new: Muennighoff et al. 2023, arXiv
#: 2305.16264.
MAX_EPOCHS = 4.0
_ONE = "no covariate of a law: runs of several kinds are fitted as if they were of one"


def schedules(design: Design) -> Check:
    """There is one kind of learning-rate schedule, and checkpoints stand for shorter runs."""
    if "schedule" not in design.table:
        return not_run(
            "schedules",
            "no column schedule",
            threshold="one kind",
            source=_ONE,
            advice="Add a column schedule (constant, cosine, wsd ...), if runs may differ in it.",
        )
    kinds = design.table["schedule"].map(_kind)
    names = sorted(set(kinds))
    # A schedule that falls to its end belongs to one length: before it, the rate is too high.
    falling = (kinds != "constant") & (design.table["checkpoints"] > 1)
    if len(names) > 1:
        advice = (
            f"Do not mix {listed(names)} in one table: a falling rate anneals the loss, which looks"
            " like an effect of ratio or length. Fit each kind on its own."
        )
    else:
        advice = (
            f"Checkpoints before the end of a {names[0]} schedule are not shorter runs: keep the"
            " last one of each, and vary the length of runs; or train at a constant rate."
        )
    return judged(
        "schedules",
        len(names) == 1 and not falling.any(),
        value=listed([f"{name} ({int((kinds == name).sum())} runs)" for name in names]),
        threshold="one kind; of a falling schedule the last checkpoint only",
        source=_ONE,
        advice=advice,
        otherwise="FAIL" if len(names) > 1 else "REVIEW",
    )


def learning_rates(design: Design) -> Check:
    """Runs of one size share a learning rate."""
    return _one_per_size(
        design,
        "lr",
        "learning rates",
        "A lower rate forgets less: fit each rate on its own, or make all runs at the rate that the"
        " final run will have.",
    )


def loss_modes(design: Design) -> Check:
    """All runs minimise the same loss."""
    return _one_per_size(
        design,
        "loss_mode",
        "loss modes",
        "Runs with another training loss forget differently: fit each mode on its own.",
    )


def domain_epochs(design: Design) -> Check:
    """Domain text was not repeated too often."""
    name, threshold = "repetitions of domain text", f"{MAX_EPOCHS:g} or fewer"
    source = "up to 4 epochs text is nearly as good as new (Muennighoff et al. 2023)"
    known = (
        design.table.dropna(subset=["unique_domain_tokens"])
        if ("unique_domain_tokens" in design.table)
        else design.table.iloc[:0]
    )
    known = known[known["unique_domain_tokens"] > 0] if len(known) else known
    if known.empty:
        return not_run(
            name,
            "no column unique_domain_tokens",
            threshold=threshold,
            source=source,
            advice="Add the number of distinct domain tokens that a run could draw from.",
        )
    epochs = known["ratio"] * known["tokens"] / known["unique_domain_tokens"]
    over = known[epochs > MAX_EPOCHS]
    longest = float((MAX_EPOCHS * known["unique_domain_tokens"] / known["ratio"].clip(1e-9)).min())
    return judged(
        name,
        over.empty,
        value=f"{epochs.max():.2g} at most",
        threshold=threshold,
        source=source,
        advice=f"{listed(list(over['run']))}: repeated text is memorised, and the curve is no"
        f" longer that of new text. Add domain text, or stop such runs at {count(longest)} tokens.",
    )


def _one_per_size(design: Design, column: str, name: str, advice: str) -> Check:
    if column not in design.table or design.table[column].isna().all():
        return not_run(
            name,
            f"no column {column}",
            threshold="one for each size",
            source=_ONE,
            advice=f"Add a column {column}, if runs may differ in it.",
        )
    each = design.table.groupby("size")[column].nunique()
    mixed = each[each > 1]
    most = int(each.max())
    return judged(
        name,
        mixed.empty,
        value="1 for each size" if most <= 1 else f"up to {most} at one size",
        threshold="one for each size",
        source=_ONE,
        advice=f"Sizes {listed([count(size) for size in mixed.index])}. {advice}",
    )


def _kind(text: object) -> str:
    """Return the first word: "constant, warm-up 10486 tokens" is a constant schedule."""
    found = re.match(r"[A-Za-z]+", str(text).strip())
    word = found[0].lower() if found else str(text)
    return "constant" if word.startswith("const") else word
