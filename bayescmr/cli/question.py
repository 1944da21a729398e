"""The question on a command line: options of size, domain, tokens and tolerance, read once."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bayescmr.cli.options import choice, named_numbers, naming_options, number
from bayescmr.cli.output import warn
from bayescmr.errors import TargetError

if TYPE_CHECKING:
    from bayescmr.cmr import Target
    from bayescmr.posterior.answers import Answers

_TOLERANCE = 0.05
_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in ("size", "domain", "tokens", "tolerance", "tolerance_unit", "base", "risk", "prob")
} | {"lam": "--lam", "estimand": "--estimand", "posterior": "POSTERIOR"}

PosteriorFile = Annotated[
    Path,
    typer.Argument(
        metavar="POSTERIOR", help="File written by `bayescmr fit` or `bayescmr compare`."
    ),
]
Size = Annotated[
    float, typer.Option("--size", parser=number("3.1e9"), help="Non-embedding parameters.")
]
Domain = Annotated[str, typer.Option("--domain", help="Domain corpus.")]
Tokens = Annotated[float, typer.Option("--tokens", parser=number("20e9"), help="CPT tokens.")]
Tolerance = Annotated[
    float | None,
    typer.Option(
        "--tolerance",
        parser=number("0.05"),
        help=f"Allowed rise of every general loss; default: {_TOLERANCE} nats/token.",
    ),
]
SetTolerance = Annotated[
    list[str] | None,
    typer.Option(
        "--set-tolerance",
        metavar="NAME=VALUE",
        help="Allowed rise of one general set; repeat it for each set to be looked at.",
    ),
]
ToleranceUnit = Annotated[
    str,
    typer.Option(
        "--tolerance-unit",
        **choice("nats", "share"),
        help="nats, or share (of the base loss).",
    ),
]
Base = Annotated[
    list[str] | None,
    typer.Option(
        "--base",
        metavar="[NAME=]VALUE",
        help="Base loss in nats/token, for a share where the run table has none.",
    ),
]
Risk = Annotated[
    float,
    typer.Option("--risk", parser=number("0.1"), help="Allowed chance of breaking the bound."),
]
EstimandOption = Annotated[
    str,
    typer.Option(
        "--estimand",
        **choice("tolerance", "turning_point", "gu"),
        help="Bound of the decision: tolerance, turning_point, gu.",
    ),
]
Prob = Annotated[
    float, typer.Option("--prob", parser=number("0.9"), help="Probability of the intervals.")
]
#: Of checks whose results a report can take.
ResultFile = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE.json", help="Keep the result, for `bayescmr report`; see there."
    ),
]


@dataclass(frozen=True)
class Question:
    """Values of the options, as they were typed."""

    size: float
    domain: str
    tokens: float
    tolerance: float | None
    set_tolerance: list[str] | None
    tolerance_unit: str
    base: list[str] | None

    def naming_options(self) -> AbstractContextManager[None]:
        """Let errors of the library name options of the command line."""
        named = {"tolerance": "--set-tolerance"} if self.set_tolerance else {}
        return naming_options(_OPTIONS | named)

    def target(self) -> Target:
        """Return the target; TargetError where options contradict each other."""
        from bayescmr.cmr import Target

        target = Target(
            self.size,
            self.domain,
            self.tokens,
            _tolerance(self.tolerance, self.set_tolerance or []),
            tolerance_unit=cast(Any, self.tolerance_unit),
            base=_base(self.base or []),
        )
        if self.base and self.tolerance_unit == "nats":
            raise TargetError(
                "base: got a base loss, which a tolerance in nats does not need; leave it out, or"
                " add --tolerance-unit share"
            )
        return target


def _tolerance(tolerance: float | None, named: Sequence[str]) -> float | dict[str, float]:
    if not named:
        return _TOLERANCE if tolerance is None else tolerance
    if tolerance is not None:
        raise TargetError(
            "--set-tolerance: got --tolerance too; name every general set, or give one number"
        )
    return named_numbers("--set-tolerance", named)


def _base(texts: Sequence[str]) -> float | dict[str, float] | None:
    if not texts:
        return None
    if len(texts) > 1 or "=" in texts[0]:
        return named_numbers("--base", texts)
    try:
        return float(texts[0])
    except ValueError:
        raise TargetError(
            f"--base: got {texts[0]!r}, expected a loss in nats/token, for example 2.5, or one per"
            " general set, for example web=2.5"
        ) from None


def warn_of_domain(posterior: Answers, domain: str) -> None:
    """Warn, with a guess at what was meant, where a domain was never trained."""
    known = sorted(str(name) for name in posterior.frame["domain"].unique())
    if domain in known:
        return
    close = difflib.get_close_matches(domain, known, n=1, cutoff=0.6)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    warn(
        f"--domain: {domain!r} was never trained, so the answer is that of an unseen domain."
        f"{meant} Domains in this posterior: {', '.join(known)}"
    )
