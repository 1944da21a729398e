"""Run tables made elsewhere, as the store keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayescmr.campaign.checked import whole
from bayescmr.errors import CampaignError
from bayescmr.runs import RunTable

#: Optional columns of the run table that are kept as they are.
ABOUT = ("lr", "schedule", "loss_mode", "unique_domain_tokens", "source")


@dataclass(frozen=True)
class AddedRun:
    """A run with its measured losses.

    Parameters
    ----------
    run : str
        Name.
    identity : dict
        run, size, domain, ratio and seed (None where the table has none).
    about : dict
        Further columns of the run table.
    rows : list of dict
        Losses: tokens, role, eval_set, kind, value, se; the base as a row at tokens 0.
    """

    run: str
    identity: dict[str, Any]
    about: dict[str, Any]
    rows: list[dict[str, Any]]


def added_runs(frame: pd.DataFrame, source: str) -> tuple[list[AddedRun], list[dict[str, Any]]]:
    """Validate a run table and take it apart.

    Parameters
    ----------
    frame : DataFrame
        In any form that `RunTable.from_frame` takes.
    source : str
        Name of the table in messages.

    Returns
    -------
    runs : list of AddedRun
        Sorted by name.
    left_out : list of dict
        reason and runs: what the run table leaves out.

    Raises
    ------
    RunTableError
        The table cannot be used.
    CampaignError
        A run has several domain sets, which a campaign cannot keep apart, or fractions of tokens.
    """
    table = RunTable.from_frame(frame, source=source)
    left_out = [{"reason": out.reason, "runs": list(out.runs)} for out in table.exclusions]
    return [
        _run(str(run), rows, source) for run, rows in table.frame.groupby("run", sort=True)
    ], left_out


def _run(run: str, rows: pd.DataFrame, source: str) -> AddedRun:
    first = rows.iloc[0]
    sets = rows.loc[rows["role"] == "domain", "eval_set"].unique()
    if len(sets) > 1:
        raise CampaignError(
            f"{source}: run {run}: got the domain sets {', '.join(sets)}, expected one; keep the"
            " one of the domain, and give the others the role general"
        )
    identity = {
        "run": run,
        "size": float(first["size"]),
        "domain": str(first["domain"]),
        "ratio": float(first["ratio"]),
        "seed": int(first["seed"]) if "seed" in rows and pd.notna(first["seed"]) else None,
    }
    about = {
        name: first[name] if isinstance(first[name], str) else float(first[name])
        for name in ABOUT
        if name in rows and pd.notna(first[name]) and first[name] != ""
    }
    losses = []
    for (role, eval_set), one in rows.groupby(["role", "eval_set"], sort=True):
        name = {"role": str(role), "eval_set": "domain" if role == "domain" else str(eval_set)}
        base = one["base"].dropna()
        if len(base):
            base_loss = {"kind": "loss", "value": float(base.iloc[0]), "se": None}
            losses.append({"tokens": 0, **name, **base_loss})
        for tokens, loss, change, se in zip(
            *(one[column] for column in ("tokens", "loss", "change", "se")), strict=True
        ):
            is_loss = not math.isnan(loss)
            losses.append(
                {
                    "tokens": whole(tokens, f"{source}: run {run}: tokens"),
                    **name,
                    "kind": "loss" if is_loss else "change",
                    "value": float(loss if is_loss else change),
                    "se": float(se) or None,
                }
            )
    return AddedRun(run, identity, about, losses)
