"""The answer in sentences that can be acted upon without statistics."""

from __future__ import annotations

import numpy as np

from bayescmr.report.asked import Asked
from bayescmr.report.decision import decision_words
from bayescmr.report.document import Number, Piece, Text

#: How the text calls the estimands.
ESTIMAND_WORDS = {
    "tolerance": "tolerance CMR",
    "turning_point": "turning-point CMR",
    "gu": "CMR of Gu et al.",
}


def text(*pieces: Piece) -> Text:
    """Make a paragraph."""
    return Text(pieces)


def decision(asked: Asked) -> tuple[Piece, ...]:
    """Say what to do, and what the chance is that it hurts."""
    before, between = decision_words(asked.target, asked.ratio, asked.risk, asked.estimand)
    return (
        before,
        Number("safe_ratio", asked.ratio, "%", 3, "down"),
        between,
        Number("chance_at_safe_ratio", asked.chance, "%", 2),
        ".",
    )


def nearest_probe(asked: Asked) -> str:
    """How far the nearest probe of the domain is, in size and tokens."""
    target, rows = asked.target, asked.probed
    of_domain = bool((asked.general["domain"] == target.domain).any())
    whose = "" if of_domain else " (of another domain: none of this one was made)"
    sizes = rows["size"].to_numpy(dtype=float)
    nearest = float(sizes[np.abs(np.log(sizes / target.size)).argmin()])
    factor = target.size / nearest
    if abs(factor - 1.0) < 1e-9:
        first = f"Probes of exactly this size were made{whose}"
    elif factor > 1.0:
        first = f"The nearest probe{whose} is {factor:.2g} times smaller"
    else:
        first = f"The nearest probe{whose} is {1.0 / factor:.2g} times larger"
    longest = float(rows["tokens"].max())
    if target.tokens > longest * (1 + 1e-6):
        return f"{first}; the longest is {target.tokens / longest:.2g} times shorter."
    return f"{first}; the longest covers the token budget."


def answer(asked: Asked) -> Text:
    """The one-sentence answer, with its interval and how far the runs are."""
    if asked.from_prior:
        start: tuple[Piece, ...] = (
            "These are draws from the prior: no run has been learnt from. ",
        )
    elif not asked.cmr.converged:
        start = (
            "The posterior did not converge: do not use these numbers. If they could be trusted, "
            "they would say: ",
        )
    else:
        start = ()
    summary = asked.cmr.summary(asked.estimand, asked.prob)
    return text(
        *start,
        *decision(asked),
        f" The {ESTIMAND_WORDS[asked.estimand]} has a median of ",
        Number("answer_median", summary.median, "%", 3),
        f" and a {100 * asked.prob:g} % equal-tailed interval from ",
        Number("answer_lower", summary.lower, "%", 3),
        " to ",
        Number("answer_upper", summary.upper, "%", 3),
        f". {nearest_probe(asked)}",
    )
