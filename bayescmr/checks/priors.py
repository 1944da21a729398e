"""Would another prior answer otherwise? Refits under alternatives, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import yaml

from bayescmr.cmr import CMR, Estimand, Target
from bayescmr.comparison.steps import Progress, Step
from bayescmr.errors import ModelError
from bayescmr.model.settings import Effort
from bayescmr.model.spec import ModelSpec, load_model, parse_model
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import PROB
from bayescmr.posterior.refit import refit
from bayescmr.posterior.subject import one_posterior
from bayescmr.values import is_number
from bayescmr.yaml_loader import Loader


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
) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame, index model
        The posterior's own model first: converged, median, lower, upper, prob, decision,
        median_shift, decision_shift (alternative minus own).

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
    own = fit.cmr(target)
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
    return table.assign(
        median_shift=table["median"] - table["median"].iloc[0],
        decision_shift=table["decision"] - table["decision"].iloc[0],
    )
