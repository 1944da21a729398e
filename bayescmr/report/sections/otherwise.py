"""What the answer would be under other priors and without single runs: for section I."""

from __future__ import annotations

from collections.abc import Iterator

from bayescmr.checks.about import Shifts
from bayescmr.checks.influence import Influence
from bayescmr.checks.priors import PriorAlternatives
from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Code, Number, Piece, Text
from bayescmr.report.sentences import ESTIMAND_WORDS, text
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name

#: What both tables show of an answer.
_ANSWER = (
    Column("median", "median (%)", "%"),
    Column("lower", "lower (%)", "%"),
    Column("upper", "upper (%)", "%"),
    Column("decision", "safe (%)", "%", rounding="down"),
    Column("median_shift", "shift of median (points)", "%", 2),
    Column("decision_shift", "shift of safe ratio (points)", "%", 2),
    Column("sds", "larger shift (posterior sds)", digits=2),
)


def other_priors(asked: Asked) -> Iterator[Block]:
    """Refits under other priors, or how to run them."""
    found = asked.studies.sensitivity
    if found is None:
        yield _not_run(asked, "refits under wider and narrower priors", "sensitivity", " --widen 2")
        return
    yield text(
        "Refits under other priors: ",
        Number("alternatives_refits", len(found.table) - 1),
        "; of these not converged: ",
        Number("alternatives_not_converged", int((~found.table["converged"].iloc[1:]).sum())),
        ". ",
        *_verdict(asked, found, "alternatives"),
    )
    yield _alternatives(asked, found)


def _alternatives(asked: Asked, found: PriorAlternatives) -> Block:
    return table_of(
        "alternatives",
        f"{_caption(asked)} under the model's own priors, first, and under others.",
        found.table.reset_index().assign(sds=found.shifts.to_numpy()),
        (Column("model", "model"), *_ANSWER, Column("converged", "converged")),
    )


def single_runs(asked: Asked) -> Iterator[Block]:
    """The answer without each run in turn, or how to find it."""
    found = asked.studies.influence
    if found is None:
        yield _not_run(asked, "the answer without each probe in turn", "influence")
        return
    first = found.table.iloc[0]
    yield text(
        "The answer without each probe in turn: draws are re-weighted, and where the weights are"
        " unreliable the model is fitted again without the probe. Probes: ",
        Number("influence_probes", len(found.table)),
        "; refits: ",
        Number("influence_refits", int(found.table["exact"].sum())),
        "; of these not converged: ",
        Number("influence_not_converged", found.not_converged),
        f". The probe {name(str(first['run']), 60)} moves the answer"
        " most: without it the safe share is ",
        Number("influence_most_decision", float(first["decision"]), "%", 3, "down"),
        ", and what is called safe with it has then a risk of ",
        Number("influence_most_risk", float(first["risk_at_decision"]), "%", 2),
        ". ",
        *_verdict(asked, found, "influence"),
    )
    yield _influence(asked, found)


def _influence(asked: Asked, found: Influence) -> Block:
    how = ["refit" if exact else "weights" for exact in found.table["exact"]]
    return table_of(
        "influence",
        f"{_caption(asked)} without one probe, the one that moves it most first. Risk: that,"
        " without the probe, of the share that is safe given all. How: by weights, where their"
        " Pareto k is small enough, or by a refit.",
        found.table.assign(sds=found.shifts, how=how),
        (
            Column("run", "without"),
            Column("ratio", "ratio (%)", "%"),
            *_ANSWER,
            Column("risk_at_decision", "risk (%)", "%", 2),
            Column("khat", "Pareto k", digits=2),
            Column("how", "how"),
            Column("converged", "converged"),
        ),
    )


def _verdict(asked: Asked, found: Shifts, prefix: str) -> tuple[Piece, ...]:
    status = "PASS" if found.passed else "REVIEW"
    return (
        f"Median of the {ESTIMAND_WORDS[asked.estimand]} and safe share move by at most ",
        Number(f"{prefix}_largest_shift", found.largest_shift, "", 2),
        f" posterior sds of it. Verdict: {status} (PASS: at most {found.limit:g}, and all fits have"
        " converged).",
    )


def _caption(asked: Asked) -> str:
    return (
        f"The {ESTIMAND_WORDS[asked.estimand]}: median, {100 * asked.prob:g} % equal-tailed"
        f" interval and the share that is safe at {100 * asked.risk:g} % risk,"
    )


def _not_run(asked: Asked, what: str, study: str, more: str = "") -> Text:
    if asked.stacked:
        return text(
            f"NOT RUN: {what}; this needs the posterior of one model. Fit it by itself: ",
            Code(f"bayescmr fit {asked.table} --model {next(iter(asked.models))}"),
            ", and report that.",
        )
    return text(
        f"NOT RUN: {what}. To run it: ",
        Code(asked.check_command(study, more)),
        ", then ",
        Code(asked.report_command(f" --{study} {study}.json")),
        ".",
    )
