"""Checks of the ratios: whether runs lie on both sides of the critical mixture ratio."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from bayescmr.checks.outcome import Check, judged
from bayescmr.checks.review.design import Design, listed
from bayescmr.words import count

#: Size, domain and general set.
Cell = tuple[float, str, str]


def tolerance_bracket(design: Design) -> Check:
    """Of each size and domain, one ratio below 1 keeps the tolerance and one breaks it."""
    above: list[Cell] = []
    below: list[Cell] = []
    cells = 0
    for key, runs in design.ends.groupby(["size", "domain", "eval_set"], sort=True):
        cells += 1
        cell = cast(Cell, key)
        breaks = (runs["change"] > runs["tolerance"]) & (runs["ratio"] < 1)
        if not breaks.any():
            above.append(cell)
        elif not (runs["change"] <= runs["tolerance"]).any():
            below.append(cell)
    advice = []
    if above:
        runs = _cell(design, above)
        inner = runs.loc[runs["ratio"] < 1, "ratio"]
        top = float(inner.max()) if len(inner) else 0.0
        advice.append(
            f"No ratio below 1 breaks the tolerance in {_names(above)}: the CMR lies above every"
            f" one of them, where the form of the law decides. Add"
            f" {design.run(ratio=(1 + top) / 2, size=float(runs['size'].iloc[0]))}."
        )
    if below:
        runs = _cell(design, below)
        low = float(runs["ratio"].min())
        advice.append(
            f"Every ratio breaks the tolerance in {_names(below)}. Add"
            f" {design.run(ratio=low / 2, size=float(runs['size'].iloc[0]))}."
        )
    good = cells - len(above) - len(below)
    return judged(
        "tolerance bracketed",
        good == cells,
        value=f"in {good} of {cells} sizes, domains and sets",
        threshold="a ratio on either side of the tolerance, below 1",
        source="a CMR between probed ratios is read off, one beyond them is extrapolated",
        advice=" ".join(advice),
    )


def turning_bracket(design: Design) -> Check:
    """The general loss of some runs has peaked, and that of others has not."""
    curves = design.rows.groupby(["run", "eval_set"], sort=True)  # each sorted by tokens
    position = curves.cumcount()
    # Two checkpoints after the peak: one alone is as often noise.
    at_peak = position.loc[curves["change"].idxmax()].to_numpy()
    trajectories = len(at_peak)
    peaked = int((at_peak < curves.size().to_numpy() - 2).sum())
    rising = trajectories - peaked
    more = (
        f"Train the run of the lowest ratio longer ({design.run(ratio=_lowest(design))} and more)"
        if not peaked
        else f"Add {design.run(ratio=(1 + _highest(design)) / 2)}"
    )
    return judged(
        "turning point bracketed",
        0 < peaked < trajectories,
        value=f"{peaked} of {trajectories} general losses have peaked, {rising} have not",
        threshold="some of either kind",
        source="a turning-point CMR lies between runs that have turned and runs that have not",
        advice=f"The turning-point CMR will be extrapolated. {more}; or ask for the tolerance CMR"
        " alone.",
    )


def no_replay(design: Design) -> Check:
    """There are runs at R = 1, and others beside them."""
    ratio = design.table["ratio"]
    at_one, below = int((ratio == 1).sum()), int((ratio < 1).sum())
    advice = (
        "Without replay is a regime of its own and says nothing of mixtures. Add"
        f" {design.run(ratio=0.5)}."
        if not below
        else "Between the largest ratio and 1 the form of the law decides. If that matters,"
        f" add {design.run(ratio=1.0, size=min(design.runs.sizes))}: the smallest size costs least."
    )
    return judged(
        "runs without replay",
        at_one > 0 and below > 0,
        value=f"{at_one} runs at R = 1, {below} below",
        threshold="at least one of each",
        source="R = 1 is fitted as a regime of its own (docs: laws)",
        advice=advice,
        otherwise="REVIEW" if below else "FAIL",
    )


def sizes_cross_ratios(design: Design) -> Check:
    """Size, ratio and length of the runs vary independently of each other."""
    columns = {
        "ln size": np.log(design.table["size"]),
        "ratio": design.table["ratio"],
        "ln tokens": np.log(design.table["tokens"]),
    }
    frame = pd.DataFrame(columns)
    # What does not vary is no confounder; other checks look at it. Nor is rounding a variation.
    frame = frame.loc[:, frame.std(ddof=0) > 1e-9]
    worst, pair = 0.0, ""
    for i, one in enumerate(frame.columns):
        for other in frame.columns[i + 1 :]:
            shared = float(np.corrcoef(frame[one], frame[other])[0, 1]) ** 2
            if shared > worst:
                worst, pair = shared, f"{one} and {other}"
    largest = max(design.runs.sizes)
    return judged(
        "effects that can be told apart",
        worst < 0.5,
        value=f"r² {worst:.2f} at most" + (f" ({pair})" if pair else ""),
        threshold="r² < 0.5 between size, ratio and length over runs",
        source="the variance of an effect grows by 1 / (1 - r²): at 0.5 it is doubled",
        advice=f"{pair.capitalize()} go together, so their effects cannot be told apart. Add"
        f" {design.run(ratio=_lowest(design), size=largest)} and"
        f" {design.run(ratio=_highest(design), size=min(design.runs.sizes))}.",
    )


def _lowest(design: Design) -> float:
    return float(design.table["ratio"].min())


def _highest(design: Design) -> float:
    return float(design.table["ratio"].max())


def _cell(design: Design, cells: list[Cell]) -> pd.DataFrame:
    """Return runs of the cell whose size is nearest the main one."""
    size, domain, eval_set = min(
        cells, key=lambda cell: abs(np.log(float(cell[0]) / design.main_size))
    )
    ends = design.ends
    return ends[
        (ends["size"] == size) & (ends["domain"] == domain) & (ends["eval_set"] == eval_set)
    ]


def _names(cells: list[Cell]) -> str:
    several = len({cell[2] for cell in cells}) > 1
    return listed([f"{count(c[0])} {c[1]}" + (f" on {c[2]}" if several else "") for c in cells], 3)
