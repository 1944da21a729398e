"""Write ``docs/benchmarks.md`` from ``engine.json``: every number of the page is computed here.

python case_studies/benchmarks/page.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bayescmr.model.settings import Settings

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
NAMES = {"nutpie": "nutpie (`pm.sample`'s default)", "numpyro": "NumPyro", "pymc": "PyMC's NUTS"}


def render(result: dict[str, Any]) -> str:
    """Return the page: the text of ``page.txt`` with the numbers of ``engine.json``."""
    stages = result["stages"]
    first = stages["nutpie"]
    race = []
    for sampler, ratio in result["ess_per_second_ratio_by_sampler"].items():
        theirs = stages[sampler]["records"]["textbook"]
        race.append(
            f"| {NAMES[sampler]} | {ratio:.3g} | {result['refit_ratio_by_sampler'][sampler]:.3g}"
            f" | {result['leapfrog_steps_per_draw'][sampler]:.0f} | {len(theirs)}"
            f" | {sum(r['converged'] for r in theirs)} of {len(theirs)} |"
        )
    ours, again = first["records"]["ours"], first["records"]["refit"]
    apart = [NAMES[name] for name in NAMES if "beside" in stages.get(name, {})]
    worst = [r["worst"] for r in ours]
    same = result["same_posterior"]
    close = all(abs(v["median"]) <= 4 * v["mcse_of_median"] for v in same.values())
    unit = result["seconds_by_rows"][str(first["rows"])]
    rows = [
        f"| {first['rows']:,} | 1 | {result['leapfrog_steps_per_draw']['ours']:.0f}"
        f" | {_median(ours, 'min_bulk_ess'):.0f} | {_count(ours)} | | {len(ours)} |"
    ]
    for length, fits in stages["rows"]["fits"].items():
        rows.append(
            f"| {int(length):,} | {_median(fits, 'fit_seconds') / unit:.2g}"
            f" | {_median(fits, 'leapfrog_steps_per_draw'):.0f}"
            f" | {_median(fits, 'min_bulk_ess'):.0f} | {_count(fits)}"
            f" | {max(f['peak_gb'] for f in fits):.2g} | {len(fits)} |"
        )
    rows.sort(key=lambda line: int(line.split("|")[1].replace(",", "")))
    slope = result["gradient_slope"]
    bootstrap = first["records"]["bootstrap"]
    fresh = stages["fresh"]
    return (
        (HERE / "page.txt")
        .read_text(encoding="utf-8")
        .format(
            checkpoints=first["rows"],
            runs=first["runs"],
            race="\n".join(race),
            missing="".join(
                f"\n{name}: not measured for the committed file; `run.py --stages {key}` adds it.\n"
                for key, name in NAMES.items()
                if key not in result["ess_per_second_ratio_by_sampler"]
            ),
            apart=(
                f"\n{' and '.join(apart)}: in a process apart on the same machine; the ratios are"
                " to ours beside nutpie.\n"
                if apart
                else ""
            ),
            draws=Settings.draws,
            tune=Settings.tune,
            newest=first["newest"],
            again_converged=sum(r["converged"] for r in again),
            again_times=len(again),
            again=_median(again, "total_seconds") / _median(ours, "total_seconds"),
            own_steps=result["leapfrog_steps_per_draw"]["ours"],
            own_converged=sum(r["converged"] for r in ours),
            own_times=len(ours),
            own_worst=max(worst, key=worst.count),
            ess_target=_reached(result["ess_per_second_ratio"] >= 100),
            refit_target=_reached(result["refit_ratio"] >= 30),
            **{k: result["target"][k] for k in ("size", "tokens", "tolerance")},
            same="\n".join(
                f"| {name} | {v['median']:+.4f} | {v['lower']:+.4f} | {v['upper']:+.4f}"
                f" | {v['mcse_of_median']:.4f} | {v['posterior_sd']:.4f} |"
                for name, v in same.items()
            ),
            same_note=(
                "All medians agree within four Monte Carlo errors."
                if close
                else "Not all medians agree within four Monte Carlo errors: more draws are needed."
            ),
            starts=result["starts"],
            replicates=bootstrap[0]["replicates_run"],
            bootstrap=result["bootstrap_ratio"],
            rows="\n".join(rows),
            shared_ns=slope["shared"]["ns_per_row"],
            shared_exponent=slope["shared"]["exponent"],
            own_ns=slope["own_se"]["ns_per_row"],
            own_exponent=slope["own_se"]["exponent"],
            demo=result["demo_command_seconds"],
            demo_times=fresh["demo_command_seconds"]["repetitions"],
            demo_target=_reached(result["demo_command_seconds"] < 15),
            cold=fresh["cold_seconds"]["median"] / unit,
        )
    )


def _median(records: list[dict[str, Any]], key: str) -> float:
    return float(sorted(r[key] for r in records)[len(records) // 2])


def _count(records: list[dict[str, Any]]) -> str:
    return f"{sum(r['converged'] for r in records)} of {len(records)}"


def _reached(held: bool) -> str:
    return "reached" if held else "not reached"


def write() -> None:
    """Bring the page up to date."""
    result = json.loads((HERE / "engine.json").read_text(encoding="utf-8"))
    PAGE.write_text(render(result), encoding="utf-8")


if __name__ == "__main__":
    write()
