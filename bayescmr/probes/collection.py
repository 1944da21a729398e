"""Results of probes as a run table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bayescmr.errors import ProbeError
from bayescmr.probes.config import Training
from bayescmr.probes.record import RESULT, read_json, wide_losses
from bayescmr.probes.schedule import describe


def collect(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Gather finished probes.

    Parameters
    ----------
    folders : sequence of str or Path
        Searched, with all below them, for ``result.json`` of probes; bases are passed over.

    Returns
    -------
    DataFrame
        A run table in wide form, one row per checkpoint, T = 0 included; sorted. No ``se``
        columns: every checkpoint is measured on the same validation text, whose sampling
        error is common to run and base and is no scatter between checkpoints (``result.json``
        has it). Where the rate decays, only T = 0 and the end are rows, for the checkpoints
        between them are no shorter runs.

    Raises
    ------
    ProbeError
        A result cannot be read, two of them are one run, or there is none.
    """
    rows: list[dict[str, Any]] = []
    seen: dict[str, Path] = {}
    for path in sorted({file for folder in folders for file in Path(folder).rglob(RESULT)}):
        result = read_json(path)
        try:
            if result["config"]["kind"] != "probe":
                continue
            run = str(result["run"])
            if run in seen:
                raise ProbeError(
                    f"{path}: run {run} is there twice, also in {seen[run]}; delete one of them"
                )
            seen[run] = path
            rows += _rows(result)
        except (KeyError, TypeError) as error:
            raise ProbeError(f"{path}: not the result of a probe ({error!r})") from None
    if not rows:
        where = ", ".join(str(folder) for folder in folders)
        raise ProbeError(f"{where}: no finished probe ({RESULT}) here or below")
    frame = pd.DataFrame(rows)
    order = ["size", "domain", "ratio", "seed", "run", "tokens"]
    return frame.sort_values(order, kind="stable").reset_index(drop=True)


def _rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    config = result["config"]
    training = Training(**config["training"])
    measured = wide_losses(result["measurements"])
    if training.schedule != "constant":
        measured = {t: losses for t, losses in measured.items() if t in (0, result["tokens"])}
    domain = [use for use in result["corpora"] if use["role"] == "domain"]
    about = {
        "run": f"{config['domain']}-{result['size']}-{config['ratio']:g}-{config['seed']}-"
        f"{result['run'][:6]}",
        "size": result["size"],
        "domain": config["domain"],
        "ratio": config["ratio"],
    }
    also = {
        "seed": config["seed"],
        "lr": training.learning_rate,
        "schedule": f"{describe(training)}; optimizer {result['optimizer_state']}",
        "loss_mode": config["loss_mode"]
        + ("" if config["beta"] == 1 else f" beta={config['beta']:g}"),
        "unique_domain_tokens": sum(use["available"] for use in domain),
        "status": result["status"],
        "source": "bayescmr probe",
    }
    return [{**about, "tokens": t, **losses, **also} for t, losses in sorted(measured.items())]
