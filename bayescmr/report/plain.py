"""The report as JSON: every number at full precision, and the card of the posterior."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bayescmr.report.data import SCHEMA, ReportData
from bayescmr.report.document import Checks, Equation, Figure, Number, Piece, Table, Text
from bayescmr.values import plain


def write(data: ReportData, folder: Path) -> None:
    """Write ``report.json`` and ``posterior_card.json`` to a folder."""
    for name, content in (
        ("report.json", report_dict(data)),
        ("posterior_card.json", card_dict(data)),
    ):
        text = json.dumps(plain(content), indent=1, allow_nan=False, ensure_ascii=False)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")


def report_dict(data: ReportData) -> dict[str, Any]:
    """The stable format of ``report.json``."""
    return {
        "schema": SCHEMA,
        "title": data.title,
        "answer": _words(data.answer.pieces),
        "failed": [check.name for check in data.banner],
        "provenance": dict(data.provenance),
        "numbers": {
            n.name: {"value": n.value, "unit": n.unit, "shown": n.shown} for n in data.numbers
        },
        "checks": [vars(check) for check in data.checks],
        "sections": [
            {
                "letter": section.letter,
                "title": section.title,
                "blocks": [_block(block) for block in section.blocks],
            }
            for section in data.sections
        ],
        "figures": {f.name: f.data.to_dict(orient="list") for f in data.figures},
        "explorer": data.explorer.to_dict(),
    }


def card_dict(data: ReportData) -> dict[str, Any]:
    """Provenance as posteriordb writes it, with fingerprints: ``posterior_card.json``."""
    source = data.provenance
    settings = source["settings"]
    numbers = {n.name: n.value for n in data.numbers}
    return {
        "schema": SCHEMA,
        "name": f"{source['runs']['source']}-{'+'.join(source['models'])}",
        "title": data.title,
        "keywords": ["critical mixture ratio", "continued pre-training"],
        "model_name": "+".join(source["models"]),
        "data_name": source["runs"]["source"],
        "references": ["arXiv 2407.17467"],
        "dimensions": _dimensions(data),
        "inference": {
            "method": settings.get("sampler", source["kind"]),
            "method_arguments": settings,
            "seed": source["seed"],
            "made": source["made"],
        },
        "diagnostics": {
            "converged": source["converged"],
            "checks": {check.name: check.status for check in data.checks},
        },
        "versions": source["versions"],
        "fingerprints": {
            "runs": source["runs"]["fingerprint"],
            "models": source["models"],
            "draws": source["posterior_fingerprint"],
        },
        "n_runs": numbers["n_runs"],
        "n_losses_general": numbers["n_losses_general"],
        "n_losses_domain": numbers["n_losses_domain"],
        "licence": "NOT REPORTED",
    }


def _dimensions(data: ReportData) -> dict[str, int]:
    """Sampled quantities and, of these, the critical mixture ratios, by table."""
    return {t.name: len(t.rows) for t in data.tables if t.name.startswith("convergence")}


def _block(block: Any) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"kind": "text", "text": _words(block.pieces)}
    if isinstance(block, Table):
        return {
            "kind": "table",
            "name": block.name,
            "caption": block.caption,
            "columns": list(block.columns),
            "rows": [[_cell(cell) for cell in row] for row in block.rows],
        }
    if isinstance(block, Equation):
        return {"kind": "equation", "tex": block.tex, "plain": block.plain}
    if isinstance(block, Figure):
        return {"kind": "figure", "name": block.name, "caption": block.caption, "alt": block.alt}
    assert isinstance(block, Checks)
    return {"kind": "checks"}


def _cell(cell: Piece | None) -> Any:
    return cell.value if isinstance(cell, Number) else cell


def _words(pieces: tuple[Piece, ...]) -> str:
    return "".join(f"{p.shown} {p.suffix}".strip() if isinstance(p, Number) else p for p in pieces)
