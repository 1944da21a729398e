"""Write the numbers of docs/calibration.md from the JSON files beside it.

    python case_studies/calibration/page.py

Blocks between ``<!-- numbers: NAME -->`` and ``<!-- end -->`` are replaced; the rest is prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"(<!-- numbers: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_METHODS = {
    "ours": "ours",
    "iid": "no run effects",
    "bootstrap": "bootstrap",
    "ours_next": "ours, next run",
    "stacked": "ours, stacked laws",
    "stacked_next": "ours, stacked laws, next run",
}
_ESTIMANDS = {"tolerance": "tolerance CMR", "turning_point": "turning-point CMR"}
_PROBS = ("0.5", "0.8", "0.9")
#: Monte Carlo errors below its nominal value from which coverage counts as too low.
_CLEAR = 2.0


def render(text: str, folder: Path = DOCS / "calibration") -> str:
    """Return the page with its blocks written anew from the JSON files in ``folder``."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}{_BLOCKS[match[2]](folder)}\n{match[3]}"

    return _BLOCK.sub(block, text)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _sbc(folder: Path) -> str:
    rows = []
    for path in sorted(folder.glob("sbc_*.json")):
        r = _read(path)
        worst = r["quantities"][0]
        reasons = ", ".join(f"{name} {n}" for name, n in r["reasons"].items()) or "none"
        rows.append(
            [
                f"`{r['study']['model']}`",
                r["outcome"],
                str(r["simulations"]),
                f"{r['failed']} / {r['not_converged']} ({reasons})",
                f"{len(r['not_uniform'])} of {len(r['quantities'])}",
                f"{worst['name']}: {min(worst['p_all'], worst['p_converged']):.2g}"
                f" (fails below {r['threshold']:.2g})",
                str(r["absurd_tables"]),
            ]
        )
    head = [
        "model", "verdict", "simulations", "failed / not converged (why)",
        "quantities not uniform", "smallest p", "tables beyond 10 nats",
    ]  # fmt: skip
    return _table(head, rows)


def _sbc_cmr(folder: Path) -> str:
    rows = []
    for path in sorted(folder.glob("sbc_*.json")):
        r = _read(path)
        for q in sorted(r["quantities"], key=lambda q: q["name"]):
            if q["name"].startswith(("CMR", "log")):
                p = f"{q['p_all']:.2g} / {q['p_converged']:.2g}"
                rows.append(
                    [f"`{r['study']['model']}`", q["name"], p, f"{q['bias']:+.3f}",
                     f"{q['spread']:.2f}"]
                )  # fmt: skip
    return _table(["model", "quantity", "p, all / converged", "bias", "spread"], rows)


def _coverage(estimand: str) -> Callable[[Path], str]:
    def block(folder: Path) -> str:
        rows = []
        for s in _read(folder / "coverage.json")["scenarios"].values():
            for method in s["methods"]:
                title = _METHODS[method]
                by_prob = s["methods"][method][estimand]
                cells = [f"{100 * by_prob[p]['coverage']:.0f}" for p in _PROBS]
                first = f"{s['title']} ({s['replicates']})" if method == "ours" else ""
                stretch = by_prob["0.9"]["stretch"]
                rows.append(
                    [first, title, *cells, f"{by_prob['0.9']['width']:.2f}",
                     "-" if stretch is None else f"{stretch:.1f}"]
                )  # fmt: skip
        errors = _read(folder / "coverage.json")["scenarios"].values()
        n = min(s["replicates"] for s in errors)
        note = ", ".join(f"{100 * (float(p) * (1 - float(p)) / n) ** 0.5:.0f}" for p in _PROBS)
        head = [
            "scenario (replicates)",
            "method",
            "50 %",
            "80 %",
            "90 %",
            "width of 90 %",
            "stretch",
        ]
        return (
            _table(head, rows)
            + f"\n\nMonte Carlo error of the three columns: {note} percentage points."
        )

    return block


def _too_low(method: str) -> Callable[[Path], str]:
    def block(folder: Path) -> str:
        lines = []
        for s in _read(folder / "coverage.json")["scenarios"].values():
            for estimand, title in _ESTIMANDS.items():
                low = []
                for p in _PROBS:
                    c = s["methods"][method][estimand][p]
                    if c["coverage"] < float(p) - _CLEAR * c["mc_error"]:
                        held = f"{100 * c['coverage']:.0f} %"
                        low.append(f"{100 * float(p):.0f} % intervals held {held}")
                if low:
                    lines.append(f"- **{s['title']}** ({s['what']}), {title}: {', '.join(low)}.")
        if not lines:
            return "In no scenario is coverage clearly (by two Monte Carlo errors) too low."
        return "\n".join(lines)

    return block


def _convergence(folder: Path) -> str:
    study = _read(folder / "coverage.json")
    rows = []
    for s in study["scenarios"].values():
        lost, truth = s["not_converged"], s["truth"]["tolerance"]
        counts = [s["replicates"], lost["ours"], lost["iid"]]
        atoms = [f"{100 * truth[name]:.0f}" for name in ("at_zero", "at_one")]
        rows.append([s["title"], *map(str, counts), *atoms])
    head = [
        "scenario", "replicates", "not converged: ours", "no run effects",
        "true tolerance CMR is 0, %", "is 1, %",
    ]  # fmt: skip
    return _table(head, rows)


def _settings(folder: Path) -> str:
    s = _read(folder / "coverage.json")["study"]
    return (
        f"Tolerance {s['tolerance']:g} nats; fits with the defaults of the package"
        " (without run effects: no second attempt);"
        f" {s['bootstrap_replicates']} bootstrap replicates; prior scales of the worlds times"
        f" {s['prior_narrowed_to']:g}."
    )


_BLOCKS: dict[str, Callable[[Path], str]] = {
    "sbc": _sbc,
    "sbc_cmr": _sbc_cmr,
    "coverage_tolerance": _coverage("tolerance"),
    "coverage_turning_point": _coverage("turning_point"),
    "too_low": _too_low("ours"),
    "too_low_next": _too_low("ours_next"),
    "convergence": _convergence,
    "settings": _settings,
}

if __name__ == "__main__":
    page = DOCS / "calibration.md"
    page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
