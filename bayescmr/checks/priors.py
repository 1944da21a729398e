"""Would another prior answer otherwise? Refits under alternatives, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import yaml

from bayescmr.checks.about import About, Shifts, read_study, rows_of, study_dict, write_study
from bayescmr.cmr import CMR, Estimand, Target
from bayescmr.comparison.steps import Progress, Step
from bayescmr.errors import CheckError, ModelError
from bayescmr.model.settings import Effort
from bayescmr.model.spec import ModelSpec, load_model, parse_model
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import KIND, PROB
from bayescmr.posterior.refit import refit
from bayescmr.posterior.subject import one_posterior
from bayescmr.values import is_number
from bayescmr.yaml_loader import Loader

#: Posterior sds by which other priors may move the answer. Power-scaling calls a prior
#: influential from about 0.3 sds for each doubling of its power on.
MAX_SHIFT = 0.5

_ROWS: Mapping[str, type] = {
    "model": str,
    "converged": bool,
    "median": float,
    "lower": float,
    "upper": float,
    "prob": float,
    "decision": float,
    "median_shift": float,
    "decision_shift": float,
}


@dataclass(frozen=True)
class PriorAlternatives(Shifts):
    """What the answer at one target would be under other priors.

    Parameters
    ----------
    about : About
        Question, and the answer under the model's own priors.
    table : DataFrame, index model
        The posterior's own model first: converged, median, lower, upper, prob, decision,
        median_shift, decision_shift (alternative minus own).
    """

    limit: ClassVar[float] = MAX_SHIFT

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``alternatives`` and what they are about."""
        result = {
            "kind": KIND,
            "alternatives_passed": self.passed,
            "alternatives_threshold": self.limit,
            "largest_shift": self.largest_shift,
            "alternatives": self.table.reset_index().to_dict(orient="records"),
        }
        return study_dict("sensitivity", self.about, result)

    def write(self, path: str | Path) -> None:
        """Write to a JSON file that ``bayescmr report --sensitivity`` takes; whole or not at all.

        Raises
        ------
        CheckError
            It cannot be written.
        """
        write_study(Path(path), self.to_dict())

    @classmethod
    def read(cls, path: str | Path) -> PriorAlternatives:
        """Read what :meth:`write` or ``bayescmr check sensitivity --out`` wrote.

        Raises
        ------
        CheckError
            The file cannot be read, is damaged, another one, or holds no refit.
        """
        about, records = read_study(Path(path), "sensitivity", "alternatives")
        if len(records) < 2:
            raise CheckError(
                f"{path}: got no refit under other priors, expected at least one: run `bayescmr"
                " check sensitivity` with --widen 2 or --alternative"
            )
        return cls(about, rows_of(Path(path), records, _ROWS).set_index("model"))


def widen_priors(model: str | ModelSpec, factor: float, names: Sequence[str] = ()) -> ModelSpec:
    """Return a model with wider (or narrower) priors of the general loss.

    Parameters
    ----------
    model : str or ModelSpec
        A shipped name, the path of a YAML file, or a specification.
    factor : float
        > 0. Multiplies the prior sd of the population mean and of the slope in ln size of law
        parameters, and the prior sd of noise quantities, all on the sampled scale.
    names : sequence of str
        Law parameters and noise quantities; default: all law parameters.

    Raises
    ------
    ModelError
        Unknown name, or a factor that is not > 0.
    """
    spec = model if isinstance(model, ModelSpec) else load_model(model)
    if not (is_number(factor) and factor > 0):
        raise ModelError(f"factor: got {factor!r}, expected a number > 0, for example 2")
    data = yaml.load(spec.text, Loader)
    parameters, noise = data["general"]["parameters"], data["general"]["noise"]
    for name in names or parameters:
        if name not in parameters and name not in noise:
            known = ", ".join([*parameters, *noise])
            raise ModelError(f"names: got {name!r}, expected some of {known}")
        entry = parameters.get(name) or noise[name]
        entry["prior"] = {f: [at, factor * sd] for f, (at, sd) in entry["prior"].items()}
        if "size_slope" in entry:
            entry["size_slope"] *= factor
        entry["because"] = f"Sensitivity: {factor:g} times the scale of {spec.name}."
    data["name"] = f"{spec.name}, {' '.join(names) or 'law'} x {factor:g}"
    return parse_model(yaml.safe_dump(data, sort_keys=False), data["name"])


def prior_alternatives(
    posterior: Answers,
    target: Target,
    alternatives: Sequence[str | ModelSpec],
    *,
    risk: float = 0.1,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
    effort: Effort | None = None,
    progress: Progress | None = None,
) -> PriorAlternatives:
    """Fit the general loss again under other priors, and ask the same question.

    Parameters
    ----------
    posterior : Posterior
        Fit of one model.
    target : Target
        The question.
    alternatives : sequence of str or ModelSpec
        Paths of YAML files or specifications with the same law of the general loss; see
        :func:`widen_priors`.
    risk, estimand, prob
        Of decision, CMR and equal-tailed interval.
    effort : Effort, optional
        Draws of the refits.
    progress : callable, optional
        Told one line before each refit.

    Raises
    ------
    ModelError
        An alternative has another law (that is a comparison of models, not of priors).
    TargetError
        Draws from the prior, a stacked posterior, or a target that cannot be asked.
    """
    fit = one_posterior(posterior)
    specs = [a if isinstance(a, ModelSpec) else load_model(a) for a in alternatives]
    law = fit.general.spec.law.name
    for spec in specs:
        if spec.blocks["general"].law.name != law:
            raise ModelError(
                f"alternatives: {spec.name} has the law {spec.blocks['general'].law.name}, expected"
                f" {law}; compare() compares laws"
            )
    about, own = About.of(fit, target, risk, estimand, prob), fit.cmr(target)
    answers: list[tuple[str, CMR]] = [(fit.model.name, own)]
    everything = np.ones(len(fit.frame), dtype=bool)
    for done, spec in enumerate(specs, 1):
        if progress is not None:
            progress(Step(f"{spec.name}: refit to all runs", len(specs) - done))
        again = refit(fit, everything, f"priors of {spec.name}", effort or Effort(), spec)
        answers.append((spec.name, again.cmr(target)))
    rows = []
    for name, cmr in answers:
        summary = cmr.summary(estimand, prob)
        rows.append(
            {
                "model": name,
                "converged": cmr.converged,
                "median": summary.median,
                "lower": summary.lower,
                "upper": summary.upper,
                "prob": prob,
                "decision": cmr.decide(risk, estimand),
            }
        )
    table = pd.DataFrame(rows).set_index("model")
    shifts = {f"{name}_shift": table[name] - table[name].iloc[0] for name in ("median", "decision")}
    return PriorAlternatives(about, table.assign(**shifts))
