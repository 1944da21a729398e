"""Campaign and full grid side by side: the tables of README.md, and progress.png.

    python case_studies/active_cpu/compare.py

Needs the export of the campaign and the committed results of cpu_probes; fits nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescmr as bc
from bayescmr.campaign.config import Config, config_of
from bayescmr.report import style
from bayescmr.report.progress import campaign_progress, plot_progress

HERE = Path(__file__).parent
GRID = HERE.parent / "cpu_probes"


class Study:
    """What a campaign left, and the grid.

    Parameters
    ----------
    folder : Path
        Export of the campaign.
    """

    def __init__(self, folder: Path = HERE) -> None:
        self.about = json.loads((folder / "campaign.json").read_text(encoding="utf-8"))
        self.config: Config = config_of(self.about["config"], "campaign.json")
        self.runs = pd.read_csv(folder / "runs.csv")
        self.attempts = pd.read_csv(folder / "attempts.csv")
        rounds = pd.read_csv(folder / "rounds.csv")
        for name in ("posterior", "decision"):
            rounds[name] = rounds[name].map(json.loads)
        self.rounds = rounds
        self.fits = rounds[rounds["posterior"].map(bool)]
        grid = bc.read_runs(GRID / "runs.csv").select("general")
        self.grid = grid[grid["domain"] == self.config.target.domain]

    @property
    def grid_flops(self) -> float:
        """Cost of the grid's runs of this domain, by the campaign's own prices."""
        sizes = self.grid.groupby("run")["size"].first()
        return float(sum(self.config.space.full_cost(float(size)) for size in sizes))

    def grid_answers(self) -> dict[str, dict[str, Any]]:
        """Answers of the grid's posteriors at the target."""
        found = json.loads((GRID / "predictions.json").read_text(encoding="utf-8"))["answers"]
        target = self.config.target
        return {
            name: next(
                one for one in answers
                if one["domain"] == target.domain and one["size"] == target.size
            )
            for name, answers in found.items()
        }  # fmt: skip

    def fresh(self) -> pd.DataFrame:
        """Rises of the fresh runs at the target's size, mean over seeds by ratio."""
        frame = bc.read_runs(GRID / "fresh.csv").select("general")
        target = self.config.target
        some = frame[
            (frame["domain"] == target.domain)
            & (frame["size"] == target.size)
            & (frame["tokens"] == target.tokens)
        ]
        return some.groupby("ratio", as_index=False)["change"].mean()


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def interval(cmr: dict[str, Any], digits: int) -> str:
    """Median and interval in one cell."""
    middle, low, high = (f"{cmr[key]:.{digits}f}" for key in ("median", "lower", "upper"))
    return f"{middle} [{low}, {high}]"


def spend(study: Study) -> str:
    """Runs and FLOPs of both."""
    spent, whole = study.about["budget"]["spent"], study.grid_flops
    made, share = study.attempts["run"].nunique(), f"{spent / whole:.0%}"
    return table(
        ("", "runs", "attempts", "FLOPs", "of the grid's"),
        [
            ("campaign", str(made), str(len(study.attempts)), f"{spent:.3g}", share),
            ("full grid", str(study.grid["run"].nunique()), "", f"{whole:.3g}", "100%"),
        ],
    )


def answers(study: Study) -> str:
    """Interval and decision of both, and where the fresh runs cross."""
    last = study.fits.iloc[-1]
    cmr, risk = last["posterior"]["cmr"], study.config.risk
    rows = [
        (
            "campaign, `turning_point`",
            interval(cmr, 3),
            f"{cmr['upper'] - cmr['lower']:.3f}",
            f"{last['decision']['ratio']:.3f}",
        )
    ]
    for name in ("turning_point", "stacked"):
        one = study.grid_answers()[name]
        rows.append(
            (
                f"full grid, `{name}`" if name != "stacked" else "full grid, stacked",
                interval(one, 3),
                f"{one['upper'] - one['lower']:.3f}",
                f"{one['ratio_at_risk'][f'{risk:g}']:.3f}",
            )
        )
    fresh = study.fresh()
    crossing = float(np.interp(study.config.target.tolerance, fresh["change"], fresh["ratio"]))
    rows.append(("fresh runs, interpolated", f"{crossing:.3f}", "", ""))
    return table(("", "CMR, median [90 %]", "width", f"decision at risk {risk:g}"), rows)


def ending(study: Study) -> str:
    """How the campaign ended, in its own words."""
    stop = study.fits.iloc[-1]["decision"]["stop"]
    words = study.about["reason"] or "still running"
    certified = bool(stop and stop["certified"])
    return f"State: {study.about['state']}, {'' if certified else 'not '}certified. {words}"


def rounds(study: Study) -> str:
    """What every round knew and did."""
    rows = []
    for one in study.rounds.itertuples(index=False):
        cmr = one.posterior.get("cmr")
        paused = one.decision.get("pause", [])
        made = [
            f"{a.size / 1e3:.0f}k R={a.ratio:g} to {a.until:,} (seed {a.seed})"
            for a in study.attempts[study.attempts["round"] == one.number].itertuples()
        ]
        rows.append(
            (
                str(one.number), one.policy, f"{one.spent:.3g}",
                "" if cmr is None else interval(cmr, 2),
                "; ".join(made + [f"pauses {key}" for key in paused]),
            )
        )  # fmt: skip
    return table(("round", "rule", "spent", "CMR", "runs begun, gone on with or paused"), rows)


def progress(study: Study) -> pd.DataFrame:
    """The campaign's record, as the figure takes it."""
    found, before = [], 0.0
    for one in study.fits.itertuples(index=False):
        made = study.attempts[study.attempts["round"] == one.number]
        cmr = one.posterior["cmr"]
        found.append(
            {
                "step": one.number, "flops": one.spent - before, "lower": cmr["lower"],
                "median": cmr["median"], "upper": cmr["upper"],
                "ratio": made["ratio"].iloc[0] if len(made) else np.nan,
            }
        )  # fmt: skip
        before = one.spent
    return campaign_progress(pd.DataFrame(found))


def figure(study: Study, path: Path) -> None:
    """Draw the interval against what was spent, with the grid's beside it."""
    one = study.grid_answers()["stacked"]
    with style.paper():
        made = style.new_figure(5.0, 3.2)
        ax = plot_progress(progress(study), ax=made.subplots())
        power = math.floor(math.log10(study.grid_flops))
        ax.axhspan(
            one["lower"], one["upper"], color="0.5", alpha=0.3, lw=0, zorder=0,
            label=f"full grid (${study.grid_flops / 10**power:.2g} \\times 10^{{{power}}}$ FLOPs)",
        )  # fmt: skip
        # Above the axes: in them a name would lie on one of the bands.
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
        made.savefig(path, dpi=150, metadata={"Software": None})


def render(text: str, study: Study) -> str:
    """Return the README with its tables written anew."""
    tables = {
        name: make(study)
        for name, make in (
            ("spend", spend), ("answers", answers), ("ending", ending), ("rounds", rounds),
        )
    }  # fmt: skip

    def fill(found: re.Match[str]) -> str:
        return f"<!-- {found[1]} -->\n{tables[found[1]]}\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main() -> None:
    """Write README.md and the figure."""
    study = Study()
    path = HERE / "README.md"
    path.write_text(render(path.read_text(encoding="utf-8"), study), encoding="utf-8")
    figure(study, HERE / "progress.png")


if __name__ == "__main__":
    main()
