"""E. What the model expects before any run."""

from __future__ import annotations

import pandas as pd

from bayescmr.checks.prior_predictive import absurd_shares, prior_cmrs
from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Figure, Section
from bayescmr.report.parameters import plot_prior_posterior, prior_against_posterior
from bayescmr.report.sentences import ESTIMAND_WORDS, text
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name

_ABSURD = (
    Column("model", "model"),
    Column("loss", "loss"),
    Column("low", "fall beyond (nats/token)"),
    Column("high", "rise beyond (nats/token)"),
    Column("points", "places"),
    Column("share", "absurd, all places (%)", "%", 2),
    Column("worst", "absurd, worst place (%)", "%", 2),
)
_CMRS = (
    Column("model", "model"),
    Column("estimand", "estimand"),
    Column("when", "draws"),
    Column("median", "median (%)", "%", 3),
    Column("lower", "lower (%)", "%", 3),
    Column("upper", "upper (%)", "%", 3),
    Column("p_none", "P(none feasible)", "", 2),
    Column("p_all", "P(all feasible)", "", 2),
)


def prior(asked: Asked) -> Section:
    """Share of absurd prior draws, and CMRs before and after the runs."""
    blocks: list[Block] = [
        text(
            "1,000 draws from the prior of each model, asked for the last checkpoint of every"
            " probe. Absurd is a general loss that rises to blind guessing or falls to nothing,"
            " and a domain loss that rises by more than 1 nat or falls by more than 10."
        ),
        table_of(
            "prior_predictive",
            "Share of prior draws that expect an absurd change of loss.",
            absurd(asked),
            _ABSURD,
        ),
    ]
    if asked.from_prior:
        blocks.append(text("NOT RUN: prior against posterior, for no run has been learnt from."))
        return Section("E", "Before any run: the prior", tuple(blocks))
    tables = []
    for model, fit in asked.models.items():
        table = prior_cmrs(asked.priors[model], fit, asked.target, asked.prob)
        tables.append(table.assign(model=model))
    cmrs = pd.concat(tables, ignore_index=True)
    cmrs["estimand"] = [ESTIMAND_WORDS[e] for e in cmrs["estimand"]]
    blocks.append(
        table_of(
            "prior_cmr",
            f"Critical mixture ratios at the target before and after the runs; {100 * asked.prob:g}"
            " % equal-tailed intervals. Where both rows agree, the runs have told nothing.",
            cmrs,
            _CMRS,
        )
    )
    for i, (model, fit) in enumerate(asked.models.items(), 1):
        blocks += [_figure(asked, i, model, fit, s) for s in asked.cmr.eval_sets[:1]]
    return Section("E", "Before any run: the prior", tuple(blocks))


def absurd(asked: Asked) -> pd.DataFrame:
    """Absurd shares of every model."""
    return pd.concat(
        [absurd_shares(draws).assign(model=model) for model, draws in asked.priors.items()],
        ignore_index=True,
    )


def _figure(asked: Asked, i: int, model: str, fit: object, eval_set: str) -> Figure:
    target = asked.target
    table = prior_against_posterior(
        asked.models[model],
        asked.priors[model],
        size=target.size,
        domain=target.domain,
        eval_set=eval_set,
    )
    return Figure(
        f"prior_posterior_{i}",
        f"Law parameters of {name(model, 60)} at the target (set {name(eval_set)}): prior in"
        " grey, posterior in colour, on the scale of the prior. A narrow hill is what the runs"
        " have told.",
        f"Prior and posterior densities of {table['parameter'].nunique()} law parameters.",
        table,
        lambda ax: plot_prior_posterior(table, ax=ax),
    )
