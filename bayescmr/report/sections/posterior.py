"""G. The posterior of the critical mixture ratio and of the law."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr import ESTIMANDS
from bayescmr.report import bands
from bayescmr.report.asked import Asked
from bayescmr.report.curves import plot_cmr_size, plot_cmr_tokens
from bayescmr.report.document import Block, Figure, Number, Section, Text
from bayescmr.report.forest import cmr_forest, forest_height, plot_forest
from bayescmr.report.parameters import most_correlated_pair, plot_pair
from bayescmr.report.ridges import plot_cmr
from bayescmr.report.sentences import ESTIMAND_WORDS, text
from bayescmr.report.tables import Column, table_of
from bayescmr.report.trajectories import plot_trajectories
from bayescmr.words import name, short

Float = npt.NDArray[np.float64]

#: Trajectory figures: probed sizes nearest to the target.
_PANELS = 4
_CMR = (
    Column("words", "estimand"),
    Column("mean", "mean (%)", "%", error="mcse"),
    Column("sd", "sd (%)", "%", 2),
    Column("median", "median (%)", "%", error="median_mcse"),
    Column("lower", "lower (%)", "%", error="lower_mcse"),
    Column("upper", "upper (%)", "%", error="upper_mcse"),
    Column("p_none", "P(none feasible)", "", 2),
    Column("p_all", "P(all feasible)", "", 2),
)
_LAW = (
    Column("model", "model"),
    Column("loss", "loss"),
    Column("parameter", "parameter"),
    Column("unit", "unit"),
    Column("mean", "mean", error="mcse"),
    Column("sd", "sd", digits=2),
    Column("median", "median", error="mcse"),
    Column("lower", "lower", error="mcse"),
    Column("upper", "upper", error="mcse"),
)


def posterior(asked: Asked) -> Section:
    """Tables and figures of the CMR, of the law at the target, and of the curves."""
    level = f"{100 * asked.prob:g} % equal-tailed interval"
    blocks: list[Block] = [
        table_of(
            "cmr",
            f"The three critical mixture ratios at the target, with {level}s. No more digits"
            " are printed than the Monte Carlo error supports.",
            cmr_table(asked),
            _CMR,
        ),
        _binding(asked),
        *_sets(asked),
        Figure(
            "cmr_density",
            f"Posterior of the three critical mixture ratios: density, median and {level}; stems"
            " are probabilities that no ratio, or every ratio, is feasible.",
            "Densities of three critical mixture ratios; their figures are in the table above.",
            bands.cmr_densities(asked.cmr),
            lambda ax: plot_cmr(asked.cmr, prob=asked.prob, ax=ax),
        ),
    ]
    if (asked.general["domain"] == asked.target.domain).any():
        blocks += _curves(asked)
    else:
        blocks.append(
            text(
                f"No probe of {asked.domain} was made: curves against tokens and size are not"
                " drawn."
            )
        )
    blocks.append(_forest(asked))
    blocks.append(
        table_of(
            "law",
            f"Law parameters at the target on their natural scale, with {level}s.",
            law_table(asked),
            _LAW,
        )
    )
    for i, (model, fit) in enumerate(asked.models.items(), 1):
        pair = most_correlated_pair(
            fit,
            size=asked.target.size,
            domain=asked.target.domain,
            eval_set=asked.cmr.eval_sets[0],
        )
        blocks.append(
            Figure(
                f"pair_{i}",
                f"The two law parameters of {name(model, 60)} that are most correlated at the"
                " target.",
                f"Scatter of {pair.columns[0]} against {pair.columns[1]}.",
                pair,
                functools.partial(_draw_pair, pair),
                (3.6, 3.0),
            )
        )
    return Section("G", "Posterior", tuple(blocks))


def _draw_pair(pair: pd.DataFrame, ax: Any) -> Any:
    return plot_pair(pair, ax=ax)


def cmr_table(asked: Asked) -> pd.DataFrame:
    """Mean, sd, median, interval and atoms of each estimand, with Monte Carlo errors."""
    rows = []
    for estimand in ESTIMANDS:
        draws = asked.cmr.draws[estimand]
        summary = asked.cmr.summary(estimand, asked.prob)
        tail = (1.0 - asked.prob) / 2.0
        rows.append(
            {
                "estimand": estimand,
                "words": ESTIMAND_WORDS[estimand],
                "mean": float(draws.mean()),
                "sd": float(draws.std(ddof=1)),
                "mcse": _mcse(draws, "mean"),
                **vars(summary),
                "median_mcse": _mcse(draws, "median"),
                "lower_mcse": _mcse(draws, "quantile", tail),
                "upper_mcse": _mcse(draws, "quantile", 1.0 - tail),
            }
        )
    return pd.DataFrame(rows)


def law_table(asked: Asked) -> pd.DataFrame:
    """Law parameters of every loss and model at the target."""
    tail = (1.0 - asked.prob) / 2.0
    rows = []
    for model, fit in asked.models.items():
        for role, block in fit.blocks.items():
            known = block.hierarchy.eval_sets
            for eval_set in [s for s in asked.cmr.eval_sets if s in known] or known[:1]:
                theta = block.theta(asked.target.size, asked.target.domain, eval_set)
                for parameter in block.spec.law.parameters:
                    draws = theta[parameter.name].reshape(block.shape)
                    lower, median, upper = np.quantile(draws, [tail, 0.5, 1.0 - tail])
                    rows.append(
                        {
                            "model": model,
                            "loss": role if len(known) == 1 else f"{role}, {eval_set}",
                            "parameter": parameter.name,
                            "unit": parameter.unit,
                            "mean": float(draws.mean()),
                            "sd": float(draws.std(ddof=1)),
                            "mcse": _mcse(draws, "mean"),
                            "median": float(median),
                            "lower": float(lower),
                            "upper": float(upper),
                        }
                    )
    return pd.DataFrame(rows)


def _mcse(draws: Float, method: str, prob: float | None = None) -> float:
    """Monte Carlo standard error; 0 where every draw is the same."""
    from arviz_stats.base.array import array_stats

    if np.ptp(draws) == 0:
        return 0.0
    more = {} if prob is None else {"prob": prob}
    error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method=method, **more)
    return float(np.atleast_1d(error)[0])


def _binding(asked: Asked) -> Text:
    binds = asked.cmr.p_tolerance_binds
    return text(
        "Of the two bounds of Gu et al. the tolerance binds with probability ",
        Number("p_tolerance_binds", binds, "", 2),
        " and the turning point with probability ",
        Number("p_turning_point_binds", 1.0 - binds, "", 2),
        ".",
    )


def _sets(asked: Asked) -> list[Block]:
    shares = asked.cmr.binding(asked.estimand)
    if len(shares) == 1:
        return []
    table = pd.DataFrame({"set": list(shares), "binds": list(shares.values())})
    return [
        table_of(
            "binding_sets",
            "How often each general set is the one that binds. Users lose code or a language"
            " while the average improves: look at the first.",
            table.sort_values("binds", ascending=False, kind="stable"),
            (Column("set", "general set"), Column("binds", "binds (%)", "%", 3)),
        )
    ]


def _curves(asked: Asked) -> list[Block]:
    target, fit = asked.target, asked.posterior
    common: dict[str, Any] = {
        "domain": target.domain,
        "tolerance": asked.tolerance_nats,
        "estimand": asked.estimand,
        "prob": asked.prob,
    }
    known = np.sort(asked.probed["size"].unique())
    tokens = asked.probed["tokens"]
    low, high = float(tokens.min()), max(float(tokens.max()), target.tokens)
    budgets = [float(t) for t in np.geomspace(low, high, 40)]
    sizes = sorted({*_nearest(known, target.size, 3), float(target.size)})
    words = ESTIMAND_WORDS[asked.estimand]
    found: list[Block] = [
        Figure(
            "cmr_tokens",
            f"{words[0].upper()}{words[1:]} against the token budget; sizes that were not probed"
            " are dashed, budgets that were not probed shaded.",
            f"{words} of {asked.domain} against tokens for {len(sizes)} sizes.",
            bands.cmr_against_tokens(fit, sizes=sizes, tokens=budgets, **common),
            lambda ax: plot_cmr_tokens(fit, sizes=sizes, tokens=budgets, ax=ax, **common),
        ),
        Figure(
            "cmr_size",
            f"{words[0].upper()}{words[1:]} against model size at {short(target.tokens)} tokens;"
            " sizes outside those probed are shaded.",
            f"{words} of {asked.domain} against model size.",
            bands.cmr_against_size(fit, tokens=target.tokens, **common),
            lambda ax: plot_cmr_size(fit, tokens=target.tokens, ax=ax, **common),
        ),
    ]
    eval_set = asked.cmr.eval_sets[0]
    for i, size in enumerate(_nearest(known, target.size, _PANELS), 1):
        found.append(
            Figure(
                f"trajectories_{i}",
                f"Rise of the general loss ({name(eval_set)}) of the probes of"
                f" {short(size)} parameters: points are measured, lines and bands are medians and"
                f" {100 * asked.prob:g} % equal-tailed intervals of the mean curve.",
                f"Measured and fitted rise against tokens at {short(size)} parameters.",
                bands.trajectory_bands(
                    fit,
                    domain=target.domain,
                    sizes=[size],
                    eval_set=eval_set,
                    prob=asked.prob,
                ),
                functools.partial(_draw_trajectories, asked, size, eval_set),
            )
        )
    return found


def _draw_trajectories(asked: Asked, size: float, eval_set: str, ax: Any) -> Any:
    return plot_trajectories(
        asked.posterior,
        domain=asked.target.domain,
        sizes=[size],
        eval_set=eval_set,
        prob=asked.prob,
        ax=ax,
    )


def _forest(asked: Asked) -> Figure:
    target = asked.target
    table = cmr_forest(
        asked.posterior,
        tokens=target.tokens,
        tolerance=asked.tolerance_nats,
        estimand=asked.estimand,
        prob=asked.prob,
    )
    return Figure(
        "forest",
        f"The {ESTIMAND_WORDS[asked.estimand]} of every probed domain and size at"
        f" {short(target.tokens)} tokens: medians and {100 * asked.prob:g} % equal-tailed"
        " intervals.",
        f"Intervals of {len(table)} groups of domain and size.",
        table,
        lambda ax: plot_forest(table, ax=ax),
        (5.5, forest_height(table)),
    )


def _nearest(known: npt.NDArray[Any], size: float, n: int) -> list[float]:
    """The ``n`` probed sizes nearest to a size, ascending."""
    order = np.abs(np.log(known / size)).argsort(kind="stable")[:n]
    return sorted(float(s) for s in known[order])
