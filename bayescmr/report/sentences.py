"""The answer in sentences that can be acted upon without statistics."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayescmr.report.asked import Asked
from bayescmr.report.document import Number, Piece, Text
from bayescmr.report.words import name, short

#: How the text calls the estimands.
ESTIMAND_WORDS = {
    "tolerance": "tolerance CMR",
    "turning_point": "turning-point CMR",
    "gu": "CMR of Gu et al.",
}


def text(*pieces: Piece) -> Text:
    """Make a paragraph."""
    return Text(pieces)


def tolerance_words(asked: Asked) -> str:
    """The tolerance with its unit: ``0.05 nats/token``."""
    target = asked.target
    nats = target.tolerance_unit == "nats"
    scale, unit = (1.0, "nats/token") if nats else (100.0, "% of its base")
    if isinstance(target.tolerance, Mapping):
        each = [f"{value * scale:g} ({name(s)})" for s, value in target.tolerance.items()]
        return f"{' or '.join(each)} {unit}"
    return f"{target.tolerance * scale:g} {unit}"


def where_words(asked: Asked) -> str:
    """The place of the question: ``At 3.1B parameters and 20B tokens``."""
    return f"At {short(asked.target.size)} parameters and {short(asked.target.tokens)} tokens"


def harm_words(asked: Asked) -> str:
    """What a run that breaks the bound does, to follow "the chance that"."""
    beyond = f"general loss then rises by more than {tolerance_words(asked)}"
    still = f"general loss is then still rising at {short(asked.target.tokens)} tokens"
    if asked.estimand == "tolerance":
        return beyond
    if asked.estimand == "turning_point":
        return still
    return f"{beyond}, or is still rising at {short(asked.target.tokens)} tokens,"


def decision(asked: Asked) -> tuple[Piece, ...]:
    """Say what to do, and what the chance is that it hurts."""
    chance = Number("chance_at_safe_ratio", asked.chance, "%", 2)
    risk = f"{100 * asked.risk:g} % risk"
    where, harm = where_words(asked), harm_words(asked)
    if asked.ratio == 0.0:
        return (
            f"{where} no share of {asked.domain} is safe at {risk}: even at the smallest share"
            f" the chance that {harm} is ",
            chance,
            ".",
        )
    if asked.ratio == 1.0:
        return (
            f"{where} every share of {asked.domain} is safe at {risk}: without any replay the"
            f" chance that {harm} is ",
            chance,
            ".",
        )
    return (
        f"{where}, keep the {asked.domain} share at or below ",
        Number("safe_ratio", asked.ratio, "%", 3, "down"),
        f"; the chance that {harm} is ",
        chance,
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
