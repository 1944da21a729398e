"""A report before it is rendered: everything it says, once, for every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bayescmr.cmr import Estimand, Target
from bayescmr.errors import TargetError
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import KIND, PROB, check_prob
from bayescmr.report.asked import Asked
from bayescmr.report.document import Check, Checks, Figure, Number, Section, Table, Text
from bayescmr.report.explorer import Explorer, explorer
from bayescmr.report.sections.barg import barg
from bayescmr.report.sections.calibration import calibration
from bayescmr.report.sections.choice import choice
from bayescmr.report.sections.computation import computation
from bayescmr.report.sections.data import data
from bayescmr.report.sections.header import header
from bayescmr.report.sections.limitations import limitations
from bayescmr.report.sections.model import model
from bayescmr.report.sections.posterior import posterior as posterior_section
from bayescmr.report.sections.preamble import preamble
from bayescmr.report.sections.predictive import predictive
from bayescmr.report.sections.prior import prior
from bayescmr.report.sections.reproducibility import reproducibility
from bayescmr.report.sections.review import review
from bayescmr.report.sections.sensitivity import sensitivity
from bayescmr.report.sentences import answer
from bayescmr.report.studies import NONE, Studies
from bayescmr.report.verdicts import checks
from bayescmr.words import short

#: Raised by one whenever ``report.json`` or ``posterior_card.json`` change their layout.
SCHEMA = 1


@dataclass(frozen=True)
class ReportData:
    """Everything that a report says; renderers know nothing else.

    Parameters
    ----------
    title : str
        One line.
    answer : Text
        The answer in a sentence or two, with interval and distance from the probes.
    banner : tuple of Check
        Checks that failed; page one of every rendering shows them.
    sections : tuple of Section
        A to O.
    provenance : mapping
        Plain data: question, fingerprints, versions.
    explorer : Explorer
        Answers on a grid of budgets, tolerances and risks.
    """

    title: str
    answer: Text
    banner: tuple[Check, ...]
    sections: tuple[Section, ...]
    provenance: Mapping[str, Any]
    explorer: Explorer

    def __post_init__(self) -> None:
        for what, names in (
            ("number", [n.name for n in self.numbers]),
            ("table", [t.name for t in self.tables]),
            ("figure", [f.name for f in self.figures]),
        ):
            twice = [n for n, times in Counter(names).items() if times > 1]
            if twice:
                raise ValueError(f"{what} {twice[0]!r}: got it twice, expected names to be unique")

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check."""
        return tuple(
            check
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Checks)
            for check in block.items
        )

    @property
    def numbers(self) -> Iterator[Number]:
        """Every number of the answer, the texts and the tables; each name once."""
        seen: set[Number] = set()
        for number in [
            *(p for p in self.answer.pieces if isinstance(p, Number)),
            *(n for s in self.sections for n in s.numbers),
        ]:
            # The answer is quoted again where it is explained.
            if number not in seen:
                seen.add(number)
                yield number

    @property
    def tables(self) -> Iterator[Table]:
        """Every table, in order."""
        return (b for s in self.sections for b in s.blocks if isinstance(b, Table))

    @property
    def figures(self) -> Iterator[Figure]:
        """Every figure, in order."""
        return (b for s in self.sections for b in s.blocks if isinstance(b, Figure))


def report_data(
    posterior: Answers,
    target: Target,
    *,
    risk: float = 0.1,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
    file: str = "posterior.nc",
    studies: Studies = NONE,
) -> ReportData:
    """Put a report together; nothing is fitted.

    Parameters
    ----------
    posterior : Answers
        A fit, a stacked posterior, or draws from the prior (which the report then says).
    target : Target
        Size, domain, tokens, tolerance.
    risk : float
        Allowed chance of breaking the bound, in (0, 1).
    estimand : {"tolerance", "turning_point", "gu"}
        The bound of the decision.
    prob : float
        Probability of every equal-tailed interval.
    file : str
        How commands in the report call the posterior file.
    studies : Studies
        Results of checks that take fits; what is not there is reported as NOT RUN.

    Raises
    ------
    TargetError
        The question cannot be asked of this posterior.
    ReportError
        A study is of another model, run table, posterior or question.
    """
    if not isinstance(target, Target):
        raise TargetError(f"target: got {type(target).__name__}, expected a Target")
    risk, prob = check_prob(risk, "risk", "0.1"), check_prob(prob)
    asked = Asked(posterior, target, risk, estimand, prob, file, studies)
    studies.check(posterior, asked.about)
    found = checks(asked)
    sections = [
        header(asked),
        preamble(asked),
        data(asked),
        model(asked),
        prior(asked),
        computation(asked),
        posterior_section(asked),
        predictive(asked),
        sensitivity(asked),
        calibration(asked),
        choice(asked),
        reproducibility(asked),
        review(found),
    ]
    last = limitations(asked)
    by_letter = {s.letter: s for s in [*sections, last]}
    return ReportData(
        title=f"Critical mixture ratio of {asked.domain} at {short(target.size)} parameters and"
        f" {short(target.tokens)} tokens",
        answer=answer(asked),
        banner=tuple(check for check in found if check.status == "FAIL"),
        sections=(*sections, barg(by_letter), last),
        provenance=_provenance(asked),
        explorer=explorer(asked),
    )


def _provenance(asked: Asked) -> dict[str, Any]:
    provenance = asked.posterior.provenance
    return {
        "question": asked.cmr.to_dict(asked.risk, asked.prob, asked.estimand)["target"],
        "risk": asked.risk,
        "estimand": asked.estimand,
        "prob": asked.prob,
        "interval_kind": KIND,
        "converged": asked.cmr.converged,
        "kind": asked.posterior.kind,
        "models": {name: fit.model.fingerprint for name, fit in asked.models.items()},
        "runs": {"source": asked.source, "fingerprint": provenance.fingerprint},
        "posterior_fingerprint": asked.posterior_fingerprint,
        "seed": provenance.seed,
        "settings": dict(provenance.settings),
        # Of every model: a mixture was not sampled as such.
        "made": {
            name: {
                "seconds": dict(fit.provenance.seconds),
                "machine": dict(fit.provenance.machine),
            }
            for name, fit in asked.models.items()
        },
        "versions": dict(provenance.versions),
        "exclusions": list(provenance.exclusions),
        "notes": list(provenance.notes),
    }
