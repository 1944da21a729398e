"""The decision in words, for the command line and for reports: one source of what they say."""

from __future__ import annotations

from collections.abc import Mapping

from bayescmr.cmr import Estimand, Target
from bayescmr.words import name, short


def tolerance_words(target: Target) -> str:
    """The tolerance with its unit: ``0.05 nats/token``."""
    nats = target.tolerance_unit == "nats"
    scale, unit = (1.0, "nats/token") if nats else (100.0, "% of its base")
    if isinstance(target.tolerance, Mapping):
        each = [f"{value * scale:g} ({name(s)})" for s, value in target.tolerance.items()]
        return f"{' or '.join(each)} {unit}"
    return f"{target.tolerance * scale:g} {unit}"


def where_words(target: Target) -> str:
    """The place of the question: ``At 3.1B parameters and 20B tokens``."""
    return f"At {short(target.size)} parameters and {short(target.tokens)} tokens"


def harm_words(target: Target, estimand: Estimand) -> str:
    """What a run that breaks the bound does, to follow "the chance that"."""
    beyond = f"the general loss then rises by more than {tolerance_words(target)}"
    rising = f"still rising at {short(target.tokens)} tokens"
    return {
        "tolerance": beyond,
        "turning_point": f"the general loss is then {rising}",
        "gu": f"{beyond}, or is {rising},",
    }[estimand]


def decision_words(
    target: Target, ratio: float, risk: float, estimand: Estimand
) -> tuple[str, str]:
    """Sentence around two numbers: before the safe ratio, and from there to the chance of harm.

    Parameters
    ----------
    target : Target
        The question.
    ratio : float
        What is safe; 0 where nothing is, 1 where everything is.
    risk : float
        Allowed chance of breaking the bound.
    estimand : {"tolerance", "turning_point", "gu"}
        The bound.
    """
    where, domain = where_words(target), name(target.domain, 60)
    harm = f"the chance that {harm_words(target, estimand)} is "
    if ratio == 0.0:
        return (
            f"{where} no {domain} share is safe at {100 * risk:g} % risk: the safe share is ",
            f", and even at the smallest share {harm}",
        )
    if ratio == 1.0:
        return (
            f"{where} every {domain} share is safe at {100 * risk:g} % risk, up to ",
            f": without any replay {harm}",
        )
    return f"{where}, keep the {domain} share at or below ", f"; {harm}"
