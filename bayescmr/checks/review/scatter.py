"""Checks of what tells runs apart that should be alike: seeds, copies, losses of runs, rounding."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from bayescmr.checks.outcome import Check, judged
from bayescmr.checks.review.design import Design, listed
from bayescmr.runs.smoothness import LEAST_ERROR, scatter, too_smooth

_REPEATS = 3
_ALIKE = ["size", "domain", "ratio"]


def repeats(design: Design) -> Check:
    """There are runs that differ in their seed alone."""
    table = design.table
    keys = [*_ALIKE, *(c for c in ("lr", "schedule", "loss_mode") if c in table)]
    if "seed" in table:
        # A blank seed may be any seed: such runs count as different.
        own = table["seed"].astype("Float64").fillna(pd.Series(-1.0 - table.index.to_numpy()))
        table = table.assign(seed=own).drop_duplicates([*keys, "seed"])
    n = int((table.groupby(keys, dropna=False).size() - 1).sum())
    cheap = table[table["size"] == table["size"].min()].sort_values("ratio")
    middle = cheap.iloc[len(cheap) // 2]
    seeds = int(table["seed"].nunique()) if "seed" in table else 1
    return judged(
        "repeated runs",
        n >= _REPEATS,
        value=f"{n} runs repeat another with a new seed" + (" (one seed only)" * (seeds == 1)),
        threshold=f"{_REPEATS} or more",
        source="an sd from k repeats is known to 1 / sqrt(2 k): 71 % at 1, 41 % at 3",
        advice="How much runs of one recipe differ rests on the prior and on the fit of the law; a"
        f" decision contains it. Repeat run {middle['run']} with {_REPEATS - n} other seeds (the"
        " smallest size is cheapest; the middle ratio is nearest a CMR).",
    )


def copies(design: Design) -> Check:
    """No trajectory is in the table twice, under two names."""
    rows = design.rows[["eval_set", "tokens", "change"]]
    hashed = pd.util.hash_pandas_object(rows, index=False).rename("content")
    keys = design.rows[["run", "eval_set"]].assign(content=hashed)
    curves = keys.groupby(["run", "eval_set"], sort=True)["content"].agg(["sum", "size"])
    curves = curves[curves["size"] >= 2].reset_index()  # one equal loss may be chance
    same = curves.groupby(["eval_set", "sum", "size"])["run"].agg(list)
    twins = [runs for runs in same if len(runs) > 1]
    return judged(
        "copies",
        not twins,
        value=f"{sum(len(runs) - 1 for runs in twins)} runs have all losses of another",
        threshold="none",
        source="a run counted twice makes intervals too narrow",
        advice=f"Drop one of each: {listed([' = '.join(runs[:3]) for runs in twins], 3)}.",
        otherwise="FAIL",
    )


def frozen(design: Design) -> Check:
    """No run has the same loss at checkpoint after checkpoint."""
    curves = design.rows.groupby(["run", "eval_set"], sort=True)["change"]
    still = (curves.diff() == 0).groupby([design.rows["run"], design.rows["eval_set"]]).sum()
    steps = curves.size() - 1
    found = (steps >= 2) & (still > steps / 2)
    stuck = sorted(set(found[found].index.get_level_values("run")))
    return judged(
        "losses that move",
        not stuck,
        value=f"{len(stuck)} runs repeat a loss at more than half of their checkpoints",
        threshold="none",
        source="losses of a run that trains differ; equal ones are copied, cached or rounded",
        advice=f"Look at {listed(stuck)}: was the last loss filled in where none was measured, or"
        " rounded? Leave such rows out, or give the digits.",
    )


def rounding(design: Design) -> Check:
    """Losses are given with digits enough for the tolerance."""
    rows = design.rows
    values = rows["loss"].where(rows["loss"].notna(), rows["change"])
    digits = max(_decimals(v) for v in values)
    error = 10.0**-digits / np.sqrt(12)
    allowed = float(design.ends["tolerance"].min()) / 20
    stated = bool((rows["se"] >= error).all())
    return judged(
        "digits of the losses",
        error <= allowed or stated,
        value=f"{digits} decimals, an error of {error:.1e} nats"
        + (", stated as se" if stated else ""),
        threshold=f"{allowed:.1e} nats, a twentieth of the tolerance",
        source="rounding to q has an sd of q / sqrt(12); the scatter of runs should be the larger",
        advice="Take losses from the logger's files rather than from the console, or state the"
        f" rounding in a column se_general = {error:.1e}.",
    )


def smoothness(design: Design) -> Check:
    """Losses scatter as measured ones do, or state what was smoothed away."""
    seen, stated = scatter(design.rows), float(design.rows["se"].median())
    return judged(
        "scatter of the losses",
        not too_smooth(design.rows),
        value="no run with four checkpoints"
        if np.isnan(seen)
        else f"{seen:.1e} nats between checkpoints, "
        + (f"{stated:.1e} stated as se" if stated else "none stated"),
        threshold=f"{LEAST_ERROR:g} nats, seen or stated",
        source="the law follows the shape of smooth curves and lets their height go: on published"
        f" ones the CMR was off by 14 points, and with an error of {LEAST_ERROR:g} by less than 1",
        advice="If the curves were smoothed or fitted, take the raw losses, or state the error that"
        f" is gone as se_general = {LEAST_ERROR:g} or more.",
    )


def lost_runs(design: Design) -> Check:
    """No runs were left out that ended badly."""
    lost = [r for e in design.runs.exclusions if e.reason.startswith("status") for r in e.runs]
    share = len(lost) / (len(lost) + len(design.table))
    return judged(
        "runs that ended badly",
        not lost,
        value=f"{len(lost)} diverged or failed ({share:.0%})",
        threshold="none",
        source="if runs diverge for their ratio, those that are left look safer than the ratio is",
        advice=f"Make {listed(lost)} again with a lower learning rate, and do not decide for a"
        " ratio above theirs.",
    )


def _decimals(value: float) -> int:
    exponent = Decimal(repr(float(value))).normalize().as_tuple().exponent
    return max(0, -int(exponent))
