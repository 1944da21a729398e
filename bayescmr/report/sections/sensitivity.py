"""I. Whether the answer rests on the prior, on one run, or on one law."""

from __future__ import annotations

import pandas as pd

from bayescmr.checks.sensitivity import THRESHOLD
from bayescmr.posterior.stacked import StackedPosterior
from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Code, Section
from bayescmr.report.sections.otherwise import other_priors, single_runs
from bayescmr.report.sentences import text
from bayescmr.report.tables import Column, table_of

_COLUMNS = (
    Column("model", "model"),
    Column("quantity", "quantity"),
    Column("prior", "prior", digits=2),
    Column("prior_error", "its chance level", digits=2),
    Column("likelihood", "likelihood", digits=2),
    Column("law", "prior of the law", digits=2),
    Column("effect_sd", "prior of effect sds", digits=2),
    Column("noise", "prior of the noise", digits=2),
    Column("diagnosis", "diagnosis"),
)


def sensitivity(asked: Asked) -> Section:
    """Power-scaling table, weights of laws, and the refits that were not run."""
    blocks: list[Block] = []
    if asked.from_prior:
        blocks.append(text("NOT RUN: no run has been learnt from."))
    else:
        table = pd.concat(
            [s.table.reset_index().assign(model=m) for m, s in asked.sensitivities.items()]
        )
        blocks += [
            text(
                "Power-scaling: how far the distribution of a CMR moves when the prior, or the"
                f" likelihood, is raised to a power. From {THRESHOLD:g} on it matters, unless the"
                " chance level (what unrelated draws of the same number show) is as large."
            ),
            table_of("sensitivity", "Power-scaling sensitivity at the target.", table, _COLUMNS),
        ]
        if asked.stacked:
            blocks.append(
                text(
                    "Power-scaling needs one model: each row is about the posterior of one"
                    " component, not about the mixture."
                )
            )
    if isinstance(asked.posterior, StackedPosterior):
        weights = pd.DataFrame(
            {"model": list(asked.posterior.weights), "w": list(asked.posterior.weights.values())}
        )
        blocks.append(
            table_of(
                "weights",
                "Stacking weights: how much each law contributes, by how it predicts left-out"
                " probes.",
                weights,
                (Column("model", "model"), Column("w", "weight", digits=3)),
            )
        )
    else:
        blocks.append(
            text(
                "NOT RUN: other laws. To weigh them by how they predict left-out probes: ",
                Code(f"bayescmr compare {asked.table} --seed 1 --out stacked.nc"),
                ".",
            )
        )
    blocks += [*other_priors(asked), *single_runs(asked)]
    return Section("I", "Sensitivity", tuple(blocks))
