"""F. How the draws were made, and whether they may be used."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.model.spec import ROLES
from bayescmr.posterior.diagnostics import convergence_table
from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Figure, Section, Table
from bayescmr.report.ranks import chain_ranks, plot_ranks
from bayescmr.report.sentences import text
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name

Float = npt.NDArray[np.float64]

_SETTINGS = ("sampler", "chains", "tune", "draws", "seed", "target_accept", "max_checkpoints")
_COLUMNS = (
    Column("quantity", "quantity (on its sampled scale)"),
    Column("mean", "mean", error="mcse"),
    Column("sd", "sd", digits=2),
    Column("mcse", "MCSE of mean", digits=2),
    Column("rhat", "R-hat", digits=5),
    Column("ess_bulk", "bulk ESS", digits=4),
    Column("ess_tail", "tail ESS", digits=4),
)
#: Rank plots: the CMRs, and the worst quantities.
_RANKED = 6


def computation(asked: Asked) -> Section:
    """Settings, convergence of every quantity, ranks of the worst."""
    cmr = asked.cmr
    problems = [*asked.posterior.verdict.problems, *cmr.verdict.problems]
    verdict = "; ".join(name(problem, 200) for problem in dict.fromkeys(problems))
    blocks: list[Block] = [
        text(
            "Converged: every parameter and the CMR have R-hat < 1.01, bulk and tail ESS >= 400,"
            " no divergences and E-BFMI >= 0.3."
            if cmr.converged
            else f"NOT CONVERGED, do not use: {verdict}."
        ),
        _settings(asked),
    ]
    for i, (model, fit) in enumerate(asked.models.items(), 1):
        quantities = _quantities(asked, model)
        table = convergence_table(quantities)
        worst = table.sort_values("rhat", ascending=False, kind="stable")["quantity"]
        chosen = [*list(quantities)[:3], *worst[:_RANKED]]
        ranks = chain_ranks({q: quantities[q] for q in dict.fromkeys(chosen)})
        tag = f"_{i}" if asked.stacked else ""
        blocks.append(
            table_of(
                f"convergence{tag}",
                f"Convergence of the CMR and of every parameter of {name(model, 60)}. MCSE: Monte"
                " Carlo standard error; empty where a quantity is the same in every draw.",
                table,
                _COLUMNS,
            )
        )
        if len(ranks) and fit.shape[0] > 1:
            blocks.append(
                Figure(
                    f"ranks{tag}",
                    "Ranks of the CMRs and of the quantities that mix worst, a line for each"
                    " chain. Chains that agree run level.",
                    "Rank plots; the table above has R-hat and effective sample size of each.",
                    ranks,
                    functools.partial(_draw_ranks, ranks),
                    (5.5, 0.6 + 0.45 * ranks["quantity"].nunique()),
                )
            )
    return Section("F", "Computation", tuple(blocks))


def _draw_ranks(table: pd.DataFrame, ax: Any) -> Any:
    return plot_ranks(table, ax=ax)


def _quantities(asked: Asked, model: str) -> dict[str, Float]:
    """The CMRs at the target first, then everything that was sampled."""
    fit = asked.models[model]
    found = {f"CMR {e}": draws for e, draws in fit.cmr(asked.target).draws.items()}
    for role in ROLES:
        if role in fit.blocks:
            found |= fit.blocks[role].quantities()
    return found


def _settings(asked: Asked) -> Table:
    rows: list[tuple[str, ...]] = []
    for model, fit in asked.models.items():
        settings = fit.provenance.settings
        for key in _SETTINGS:
            if key in settings:
                rows.append((name(model, 60), key.replace("_", " "), str(settings[key])))
        for role, block in fit.blocks.items():
            tries = len(settings.get("attempts", {}).get(role, [])) or 1
            rows.append((name(model, 60), f"{role} loss: attempts until converged", str(tries)))
            rows += [
                (name(model, 60), f"{role} loss: {words}", value)
                for words, value in _sampler_facts(block.statistics)
            ]
    if fit.kind == "prior":
        rows.append((name(model, 60), "kind", "independent draws from the prior"))
    rows.append(
        ("all", "start", "chains start at optimised points, unjittered, and share one rehearsal")
    )
    rows.append(("all", "wall time and hardware", "NOT RECORDED in the posterior file"))
    return Table("settings", "How the draws were made.", ("model", "setting", "value"), tuple(rows))


def _sampler_facts(statistics: object) -> list[tuple[str, str]]:
    import xarray as xr

    assert isinstance(statistics, xr.Dataset)
    found = []
    for key, words in (
        ("diverging", "divergences"),
        ("reached_max_treedepth", "draws at the largest tree depth"),
    ):
        if key in statistics:
            found.append((words, str(int(statistics[key].sum()))))
    if "n_steps" in statistics:
        found.append(("mean leapfrog steps", f"{float(statistics['n_steps'].mean()):.3g}"))
    return found
