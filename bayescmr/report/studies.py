"""What was run before, because it takes fits, and is put into a report."""

from __future__ import annotations

from dataclasses import dataclass

from bayescmr.checks.about import About
from bayescmr.checks.influence import Influence
from bayescmr.checks.priors import PriorAlternatives
from bayescmr.checks.sbc_result import SBCResult
from bayescmr.errors import ReportError
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.fingerprint import models_of


@dataclass(frozen=True)
class Studies:
    """Results of checks that take fits; those that are None are reported as NOT RUN.

    Parameters
    ----------
    sbc : SBCResult, optional
        Simulation-based calibration of a model of the posterior at the design of its runs.
    sensitivity : PriorAlternatives, optional
        The same question under other priors.
    influence : Influence, optional
        The same question without each run in turn.
    """

    sbc: SBCResult | None = None
    sensitivity: PriorAlternatives | None = None
    influence: Influence | None = None

    def check(self, posterior: Answers, about: About) -> None:
        """Refuse results of something else.

        Raises
        ------
        ReportError
            A result is of another model, run table, posterior or question.
        """
        if self.sbc is not None:
            _check_sbc(self.sbc, posterior)
        for name, study in (("sensitivity", self.sensitivity), ("influence", self.influence)):
            if study is not None:
                for difference in study.about.differences(about):
                    raise ReportError(
                        f"{name}: got {difference}: run `bayescmr check {name}` again with the"
                        " posterior and the options of the report"
                    )


#: Nothing was run before.
NONE = Studies()


def _check_sbc(found: SBCResult, posterior: Answers) -> None:
    study = found.header
    models = {fit.model.fingerprint: name for name, fit in models_of(posterior).items()}
    if study["model_fingerprint"] not in models:
        raise ReportError(
            f"sbc: got a study of the model {study['model']}, expected one of"
            f" {', '.join(models.values())} with the priors of this posterior"
        )
    if study["design_fingerprint"] != posterior.provenance.fingerprint:
        raise ReportError(
            f"sbc: got a study of another design ({study['design']}), expected that of the runs of"
            " this posterior: run `bayescmr check sbc --design` with their table"
        )
