"""K. The decision: which ratio, at what risk, for what rise and what gain."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

from bayescmr.cmr import ESTIMANDS
from bayescmr.model.spec import Role
from bayescmr.posterior.intervals import interval
from bayescmr.report.asked import Asked
from bayescmr.report.decision import harm_words, tolerance_words
from bayescmr.report.document import Block, Figure, Number, Section, Text
from bayescmr.report.rise import plot_rise, rise_against_ratio
from bayescmr.report.sentences import (
    ESTIMAND_WORDS,
    decision,
    nearest_probe,
    text,
)
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name

#: Ratios at which risk and gain are tabulated.
_RATIOS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_RISKS = (0.01, 0.05, 0.1, 0.2, 0.5)


def choice(asked: Asked) -> Section:
    """Recommendation, what it costs and gains, and what other ratios and risks would mean."""
    by_ratio = ratio_table(asked)
    gains = [c for c in by_ratio.columns if c.startswith("gain_")]
    columns = [
        Column("ratio", "ratio (%)", "%", 4),
        Column("chance", "risk (%)", "%", 2),
        Column("rise", "expected rise (nats/token)"),
        Column("rise_lower", "lower", digits=3),
        Column("rise_upper", "upper", digits=3),
    ]
    of = {c: "" if len(gains) == 1 else f" ({name(c.removeprefix('gain_'))})" for c in gains}
    columns += [Column(c, f"expected change of domain loss{of[c]} (nats/token)") for c in gains]
    risk_columns = [Column("risk", "allowed risk (%)", "%", 3)] + [
        Column(e, f"{ESTIMAND_WORDS[e]} (%)", "%", 4, rounding="down") for e in ESTIMANDS
    ]
    harm = harm_words(asked.target, asked.estimand)
    blocks: list[Block] = [
        text(*decision(asked)),
        *_expected(asked),
        text(nearest_probe(asked)),
        _regret(asked),
        table_of(
            "risk_by_ratio",
            f"What each ratio means. Risk: chance that {harm} in a run at this ratio"
            " or a smaller one, its own scatter included. Expected rise: the largest over the"
            f" general sets, with its {100 * asked.prob:g} % equal-tailed interval (mean of all"
            " such runs). Gain in the domain is a negative change.",
            by_ratio,
            columns,
        ),
        table_of(
            "ratio_by_risk",
            "Largest ratio for other allowed risks and bounds. Costs of too much (c_over) and too"
            " little (c_under) domain data give the risk c_under / (c_over + c_under).",
            risk_table(asked),
            risk_columns,
        ),
    ]
    if not asked.stacked:
        fit = next(iter(asked.models.values()))
        for i, eval_set in enumerate(asked.cmr.eval_sets, 1):
            table = rise_against_ratio(
                fit, asked.target, risk=asked.risk, eval_set=eval_set, prob=asked.prob
            )
            blocks.append(
                Figure(
                    f"rise_{i}",
                    f"Rise of the general loss ({name(eval_set)}) at the target against the ratio,"
                    " with the tolerance and the decision (by the"
                    f" {ESTIMAND_WORDS[asked.estimand]}).",
                    "Rise against ratio; the table above has its figures.",
                    table,
                    functools.partial(_draw_rise, table, asked.ratio),
                )
            )
    else:
        blocks.append(
            text("The figure of rise against ratio needs one model; ask each component for it.")
        )
    return Section("K", "Decision", tuple(blocks))


def _draw_rise(table: pd.DataFrame, ratio: float, ax: Any) -> Any:
    return plot_rise(table, decision=ratio, ax=ax)


def ratio_table(asked: Asked) -> pd.DataFrame:
    """Risk, expected rise and expected domain change at a few ratios and at the decision."""
    ratios = np.unique([*_RATIOS, asked.ratio])
    rises = _rises(asked, ratios)
    bounds = np.array([interval(r, asked.prob) for r in rises.T])
    table = pd.DataFrame(
        {
            "ratio": ratios,
            "chance": [asked.cmr.risk_at(float(r), asked.estimand) for r in ratios],
            "rise": rises.mean(axis=0),
            "rise_lower": bounds[:, 0],
            "rise_upper": bounds[:, 1],
        }
    )
    for eval_set, change in _domain_changes(asked, ratios).items():
        table[f"gain_{eval_set}"] = change.mean(axis=0)
    return table


def risk_table(asked: Asked) -> pd.DataFrame:
    """Largest ratio of each estimand for a few risks, rounded down."""
    risks = sorted({*_RISKS, asked.risk})
    return pd.DataFrame(
        [{"risk": risk, **{e: asked.cmr.decide(risk, e) for e in ESTIMANDS}} for risk in risks]
    )


def _expected(asked: Asked) -> list[Text]:
    ratio = np.array([asked.ratio])
    found = []
    for i, eval_set in enumerate(asked.cmr.eval_sets, 1):
        change = _change(asked, "general", eval_set, ratio)[:, 0]
        lower, upper = interval(change, asked.prob)
        found.append(
            text(
                f"At this ratio the general loss ({name(eval_set, 60)}) is expected to rise by ",
                Number(f"expected_rise_{i}", float(change.mean()), "nats/token", 3),
                f" ({100 * asked.prob:g} % equal-tailed interval of the mean of such runs: ",
                Number(f"expected_rise_{i}_lower", lower, "", 3),
                " to ",
                Number(f"expected_rise_{i}_upper", upper, "", 3),
                f"; a negative rise is a fall). The tolerance is {tolerance_words(asked.target)}.",
            )
        )
    for i, (eval_set, change) in enumerate(_domain_changes(asked, ratio).items(), 1):
        found.append(
            text(
                f"The domain loss ({name(eval_set, 60)}) is expected to change by ",
                Number(f"expected_gain_{i}", float(change.mean()), "nats/token", 3),
                ".",
            )
        )
    if len(found) == len(asked.cmr.eval_sets):
        found.append(text("NOT REPORTED: the gain in the domain; no domain loss was fitted."))
    return found


def _regret(asked: Asked) -> Text:
    """Expected distance between the decision and the ratio that a known law would allow."""
    draws = asked.cmr.draws[asked.estimand].ravel()
    over = np.maximum(asked.ratio - draws, 0.0)
    under = np.maximum(draws - asked.ratio, 0.0)
    return text(
        "If the law were known, the ratio could on average be higher by ",
        Number("expected_regret_under", float(under.mean()), "%", 2),
        " of the mixture and would have to be lower by ",
        Number("expected_regret_over", float(over.mean()), "%", 2),
        " of it; the first is the price of caution, and what further probes could save.",
    )


def _rises(asked: Asked, ratios: np.ndarray) -> np.ndarray:
    """Largest rise over the general sets, shape (draws, ratios)."""
    return np.max([_change(asked, "general", s, ratios) for s in asked.cmr.eval_sets], axis=0)


def _domain_changes(asked: Asked, ratios: np.ndarray) -> dict[str, np.ndarray]:
    """Change of every domain loss, shape (draws, ratios); none where none was fitted."""
    if not all("domain" in fit.blocks for fit in asked.models.values()):
        return {}
    sets = asked.posterior.eval_sets("domain")
    return {s: _change(asked, "domain", s, ratios) for s in sets}


def _change(asked: Asked, role: Role, eval_set: str, ratios: np.ndarray) -> np.ndarray:
    target = asked.target
    return asked.posterior.changes(
        role,
        size=target.size,
        domain=target.domain,
        tokens=target.tokens,
        ratio=ratios,
        eval_set=eval_set,
    )
