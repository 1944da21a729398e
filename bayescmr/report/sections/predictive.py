"""H. How the model predicts the probes, and each of them from the others."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Code, Figure, Section, Text
from bayescmr.report.ecdf import ecdf_difference, plot_ecdf
from bayescmr.report.predictive_check import plot_predictive
from bayescmr.report.sentences import text
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name

_GROUPS = (
    Column("model", "model"),
    Column("size", "size", "count"),
    Column("domain", "domain"),
    Column("eval_set", "general set"),
    Column("runs", "probes"),
    Column("residual", "mean residual (nats/token)", digits=2),
    Column("inside", "inside (%)", "%", 3),
    Column("left_out", "probes left out"),
    Column("inside_loo", "inside, left out (%)", "%", 3),
)
_LOO = (
    Column("model", "model"),
    Column("run", "probe"),
    Column("size", "size", "count"),
    Column("domain", "domain"),
    Column("ratio", "ratio (%)", "%", 4),
    Column("elpd", "elpd (nats)", digits=4),
    Column("p_loo", "p_loo (nats)", digits=2),
    Column("khat", "Pareto k", digits=2),
)
_TOTALS = (
    Column("model", "model"),
    Column("elpd", "elpd (nats)", digits=5),
    Column("se", "se (nats)", digits=2),
    Column("p_loo", "p_loo (nats)", digits=3),
    Column("unreliable", "probes with unreliable weights"),
    Column("limit", "limit of Pareto k", digits=2),
)
#: PITs of fewer runs say nothing about uniformity.
_FEWEST = 5


def predictive(asked: Asked) -> Section:
    """Posterior predictive check by group, LOO by re-weighting, LOO-PIT; what was not run."""
    title = "Predictive checks"
    if asked.from_prior:
        return Section("H", title, (text("NOT RUN: no run has been learnt from."),))
    level = f"{100 * asked.prob:g} %"
    blocks: list[Block] = [
        text(
            "The last checkpoint of every probe against what the model predicts of another run"
            " at the same place, run effect and noise included."
        ),
        table_of(
            "predictive",
            f"Share of probes whose last general loss lies inside the {level} predictive"
            " interval, with the probe fitted and with it left out. Residual: measured minus"
            " predicted median.",
            by_group(asked),
            _GROUPS,
        ),
    ]
    for i, (model, table) in enumerate(asked.predictions.items(), 1):
        blocks.append(
            Figure(
                f"predictive_{i}",
                f"Measured minus predicted last general loss of every probe ({name(model, 60)})"
                f" with its {level} predictive interval.",
                f"{int(table['inside'].sum())} of {len(table)} probes lie inside.",
                table,
                functools.partial(_draw_predictive, table),
                (7.0, 2.8),
            )
        )
    if not asked.loos:
        blocks.append(
            text("NOT RUN: leave-one-run-out; a general set was measured in one run only.")
        )
        return Section("H", title, (*blocks, holdout(asked)))
    blocks += [
        text(
            "Each probe is predicted from all others by re-weighting the draws"
            " (Pareto-smoothed importance sampling); a whole run, not a checkpoint, is left out."
        ),
        table_of(
            "loo_total",
            "Expected log predictive density (elpd) of left-out probes, general loss.",
            totals(asked),
            _TOTALS,
        ),
        table_of(
            "loo",
            "Each left-out probe. Above the limit of Pareto k its weights are unreliable.",
            pd.concat([loo.table.assign(model=m) for m, loo in asked.loos.items()]),
            _LOO,
        ),
    ]
    for i, (model, pits) in enumerate(asked.loo_pits.items(), 1):
        if len(pits) >= _FEWEST:
            table = ecdf_difference(pits["pit"])
            blocks.append(
                Figure(
                    f"loo_pit_{i}",
                    f"LOO-PIT of {name(model, 60)}: ECDF minus uniform of {len(pits)} left-out"
                    " probes, with a band that calibrated predictions leave with 5 % probability.",
                    f"p-value of uniformity {float(table['p_value'].iloc[0]):.2g}.",
                    table,
                    functools.partial(_draw_ecdf, table),
                    (4.5, 2.6),
                )
            )
    return Section("H", title, (*blocks, holdout(asked)))


def holdout(asked: Asked) -> Text:
    """Say that prediction of a size left out was not run."""
    return text(
        "NOT RUN: hold-out of the largest probes and of late tokens. To run it, for this and other"
        " laws: ",
        Code(f"bayescmr compare {asked.table} --seed 1 --out stacked.nc"),
        ".",
    )


def by_group(asked: Asked) -> pd.DataFrame:
    """Coverage for each model, size, domain and general set."""
    rows = []
    keys = ["size", "domain", "eval_set"]
    for model, table in asked.predictions.items():
        pits = asked.loo_pits.get(model)
        for key, group in table.groupby(keys, sort=True):
            without = pd.Series(dtype=float)
            if pits is not None:
                same = np.logical_and.reduce([pits[k] == v for k, v in zip(keys, key, strict=True)])
                without = pits.loc[same, "pit"]
            rows.append(
                {
                    "model": model,
                    **dict(zip(keys, key, strict=True)),
                    "runs": len(group),
                    "residual": float((group["change"] - group["median"]).mean()),
                    "inside": float(group["inside"].mean()),
                    "left_out": len(without),
                    "inside_loo": float(((without - 0.5).abs() <= asked.prob / 2).mean())
                    if len(without)
                    else np.nan,
                }
            )
    return pd.DataFrame(rows)


def totals(asked: Asked) -> pd.DataFrame:
    """Sum over probes for each model."""
    return pd.DataFrame(
        [
            {
                "model": model,
                "elpd": loo.elpd,
                "se": loo.se,
                "p_loo": float(loo.table["p_loo"].sum()),
                "unreliable": int((~loo.reliable).sum()),
                "limit": loo.max_khat,
            }
            for model, loo in asked.loos.items()
        ]
    )


def _draw_predictive(table: pd.DataFrame, ax: Any) -> Any:
    return plot_predictive(table, ax=ax)


def _draw_ecdf(table: pd.DataFrame, ax: Any) -> Any:
    return plot_ecdf(table, ax=ax)
