"""Write the tables of README.md from the committed results.

    python case_studies/cpu_probes/page.py

Each table stands between `<!-- name -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grid

import bayescmr as bc

HERE = Path(__file__).parent


def render(text: str) -> str:
    """Return the README with its tables written anew."""
    tables = {
        "costs": costs(),
        "rises": rises(),
        "answers": answers(),
        "verification": verification(),
        "by_cell": by_cell(),
        "second_base": second_base(),
        "first_order": first_order(),
    }

    def fill(found: re.Match[str]) -> str:
        return f"<!-- {found[1]} -->\n{tables[found[1]]}\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def read(name: str) -> Any:
    """Return a committed result."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def last_rises(name: str) -> Any:
    """Return general-loss rises at the end of every run of a table."""
    frame = bc.read_runs(HERE / name).select("general")
    return frame[frame["tokens"] == grid.TOKENS]


def names_of_sizes() -> dict[float, str]:
    """Return the names of the sizes by their counts."""
    return {one["size"]: name for name, one in read("costs.json").items()}


def costs() -> str:
    """Bases, and CPU seconds of a probe."""
    return table(
        ("size", "parameters", "base loss", "rate held", "base, CPU s", "probes", "probe, CPU s"),
        [
            (
                name, f"{one['size']:,}", f"{one['base_loss']:.3f}",
                f"{one['last_learning_rate']:g}", f"{one['base_cpu_seconds']:.0f}",
                str(one["probes"]), f"{one['probe_cpu_seconds']:.0f}",
            )
            for name, one in read("costs.json").items()
        ],
    )  # fmt: skip


def rises() -> str:
    """Rise of the general loss at the end, by ratio; replicates averaged."""
    frame, names = last_rises("runs.csv"), names_of_sizes()
    mean = frame.groupby(["domain", "size", "ratio"])["change"].mean()
    return table(
        ("domain", "size", *(f"R = {ratio:g}" for ratio in grid.RATIOS)),
        [
            (domain, names[size], *(f"{mean[domain, size, r]:+.3f}" for r in grid.RATIOS))
            for domain in grid.DOMAINS
            for size in sorted(names)
        ],
    )


def answers() -> str:
    """CMR by law and stacked, with 90 % intervals."""
    data, names = read("predictions.json"), names_of_sizes()
    laws = list(data["answers"])
    found = {(law, one["domain"], one["size"]): one for law in laws for one in data["answers"][law]}

    def safe(one: dict[str, Any]) -> float:
        return math.floor(100 * one["ratio_at_risk"]["0.1"]) / 100  # never rounded up

    def cell(one: dict[str, Any]) -> str:
        return f"{one['median']:.2f} [{one['lower']:.2f}, {one['upper']:.2f}]"

    heading = [
        f"`{law}` (weight {data['weights'][law]:.2f})" if law in data["weights"] else law
        for law in laws
    ]
    return table(
        ("domain", "size", *heading, "safe ratio"),
        [
            (
                domain, names[size], *(cell(found[law, domain, size]) for law in laws),
                f"{safe(found['stacked', domain, size]):.2f}",
            )
            for domain in grid.DOMAINS
            for size in sorted(names)
        ],
    )  # fmt: skip


def verification() -> str:
    """How often the tolerance held, against what was promised."""
    return table(
        ("risk stated", "tolerance held, promised", "held", "90 % range of a count if promised"),
        [
            (
                risk, f"{one['promised']:.0%}".replace("%", " %"),
                f"{one['held']} of {one['runs']}", f"{one['range'][0]} to {one['range'][1]}",
            )
            for risk, one in read("verification.json")["by_risk"].items()
        ],
    )  # fmt: skip


def by_cell() -> str:
    """Rises of the fresh runs, cell by cell."""
    runs = read("verification.json")["runs"]
    risks = sorted({one["risk"] for one in runs})

    def cell(size: str, domain: str, risk: float) -> str:
        some = [r for r in runs if (r["size"], r["domain"], r["risk"]) == (size, domain, risk)]
        return f"{some[0]['ratio']:.3f}: " + ", ".join(f"{r['rise']:+.3f}" for r in some)

    return table(
        ("domain", "size", *(f"risk {risk:g}" for risk in risks)),
        [
            (domain, size, *(cell(size, domain, risk) for risk in risks))
            for domain in grid.DOMAINS
            for size in grid.SIZES
        ],
    )


def second_base() -> str:
    """Rises from a base with other weights, beside those of the grid."""
    theirs, ours = last_rises("second_base.csv"), last_rises("runs.csv")
    mean = ours.groupby(["domain", "size", "ratio"])["change"].mean()
    return table(
        ("domain", "size", "R", "first base", "second base"),
        [
            (
                row.domain, names_of_sizes()[row.size], f"{row.ratio:g}",
                f"{mean[row.domain, row.size, row.ratio]:+.4f}", f"{row.change:+.4f}",
            )
            for row in theirs[["domain", "size", "ratio", "change"]].itertuples(index=False)
        ],
    )  # fmt: skip


def first_order() -> str:
    """First-order critical ratio, and where the change of the loss is zero after some steps."""
    results = read("first_order.json")["results"]
    steps = list(results[0]["zero_after_steps"])

    def bound(one: dict[str, float]) -> str:
        return f"{one['ratio']:.2f} [{one['lower']:.2f}, {one['upper']:.2f}]"

    return table(
        ("base", "domain", "first-order ratio", "rate", *(f"after {k} steps" for k in steps)),
        [
            (
                one["size"], one["domain"], bound(one["influence"]["adam"]), f"x {one['rate']:g}",
                *(f"{zero:.2f}" for zero in one["zero_after_steps"].values()),
            )
            for one in results
        ],
    )  # fmt: skip


def main() -> None:
    """Write README.md."""
    path = HERE / "README.md"
    path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
