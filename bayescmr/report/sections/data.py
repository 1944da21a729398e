"""C. The probes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescmr.report.asked import Asked
from bayescmr.report.coverage import design_coverage, plot_design
from bayescmr.report.document import Block, Figure, Section, Text
from bayescmr.report.sentences import text
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name

_COLUMNS = (
    Column("run", "probe"),
    Column("domain", "domain"),
    Column("size", "size (parameters)", "count"),
    Column("ratio", "ratio (%)", "%", 4),
    Column("first", "first tokens", "count"),
    Column("last", "last tokens", "count"),
    Column("checkpoints", "checkpoints"),
    Column("change", "last change of general loss (nats/token)", "", 3),
    Column("se", "stated se (nats/token)", "", 2),
    Column("source", "source"),
)


def data(asked: Asked) -> Section:
    """Table of the probes, what was left out, and what the design covers."""
    frame = probes(asked.general)
    provenance = asked.posterior.provenance
    own = asked.target.domain if len(asked.probed) < len(asked.general) else None
    design = design_coverage(asked.posterior, domain=own)
    blocks: list[Block] = [
        table_of(
            "probes",
            "The probes. The change is that of the first general set at the last checkpoint;"
            " 0 se means that none was stated.",
            frame,
            _COLUMNS,
        ),
        _list("Left out", provenance.exclusions, "Nothing was left out of the run table."),
        _list("Assumed when reading", provenance.notes, "Nothing had to be assumed."),
        Figure(
            "design",
            f"What the probes {f'of {asked.domain} ' if own else ''}cover: a disc for each size"
            " and ratio, its area the number of probes, its colour the tokens of the longest."
            " The line is the size that is asked about.",
            f"Domain share against model size for {int(design['runs'].sum())} probes.",
            design,
            lambda ax: plot_design(design, target=asked.target, ax=ax),
        ),
    ]
    return Section("C", "Data", tuple(blocks))


def probes(general: pd.DataFrame) -> pd.DataFrame:
    """Summarise the general rows: one row per probe, by domain, size and ratio."""
    rows = general[general["eval_set"] == general["eval_set"].iloc[0]]
    rows = rows.sort_values(["run", "tokens"])
    groups = rows.groupby("run", sort=True)
    table = groups[["domain", "size", "ratio"]].first()
    table["first"], table["last"] = groups["tokens"].min(), groups["tokens"].max()
    table["checkpoints"] = groups.size().astype(int)
    table["change"], table["se"] = groups["change"].last(), groups["se"].max()
    table["source"] = groups["source"].first() if "source" in rows else ""
    table["source"] = [s if isinstance(s, str) and s else np.nan for s in table["source"]]
    whole: pd.DataFrame = table.reset_index()
    order = ["domain", "size", "ratio", "run"]
    return whole.sort_values(order, ignore_index=True, kind="stable")


def _list(heading: str, sentences: tuple[str, ...], none: str) -> Text:
    if not sentences:
        return text(none)
    return text(f"{heading}: {'; '.join(name(s, 1000) for s in sentences)}.")
