"""Write the numbers of docs/policies.md, and its plot, from the JSON files in docs/policies/.

    python case_studies/policies/page.py

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
NAMES = {
    "active": "active",
    "variance": "variance of the CMR",
    "v_optimal": "V-optimal",
    "sobol": "Sobol",
    "random": "random",
    "d_optimal": "D-optimal",
    "straddle": "straddle",
    "grid": "the paper's grid",
    "bisection": "bisection",
}
KINDS = {
    "size_by_time": "size and time interact",
    "heavy_tails": "Student's t, 3 degrees of freedom",
    "non_monotone": "a hump in the ratio",
    "off_law": "target size off the law by 2 sd",
    "cpu_legal": "CPU probes, `legal`",
    "cpu_code": "CPU probes, `code`",
    "gu2024": "Gu et al. 2024",
}
#: How many times cheaper the active policy was to be: fixed before any of this was run.
GOALS = {
    "grid": 5.0, "sobol": 1.5, "random": 1.5, "d_optimal": 1.5, "straddle": 1.5, "v_optimal": 1.1
}  # fmt: skip
MEASURES = {"settled": "error at most 0.02 for good", "narrowed": "90 % interval of width 0.08"}
SAFE = 0.8
#: Worlds from the prior that the comparison was to have.
ASKED = 100
#: Fewer plays have nothing to resample.
RESAMPLED = 8


def render(text: str, folder: Path = DOCS / "policies") -> str:
    """Return the page with its blocks written anew from the JSON files in ``folder``."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}{BLOCKS[match[2]](folder)}\n{match[3]}"

    return _BLOCK.sub(block, text)


def _read(folder: Path, name: str) -> Any:
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _order(policies: dict[str, Any]) -> list[str]:
    return [name for name in NAMES if name in policies]


def _costs(data: dict[str, Any]) -> str:
    """A table for each measure."""
    return "\n\n".join(
        f"*{words[0].upper()}{words[1:]}*\n\n{_cost(data['costs'], measure)}"
        for measure, words in MEASURES.items()
    )


def _cost(costs: dict[str, Any], measure: str) -> str:
    rows = []
    for name in _order(costs):
        worlds, m = costs[name]["worlds"], costs[name][measure]
        low, middle, high = m["quartiles"]
        times, single = f"{m['ratio']:.2f}", f"{middle:.1f}"
        if worlds >= RESAMPLED:
            times += f" [{m['ratio_lower']:.2f}, {m['ratio_upper']:.2f}]"
            single += f" ({low:.1f} to {high:.1f})"
        if name == "active":
            times = single = "1"
        share = f"{100 * m['reached'] / worlds:.0f} %"
        runs = f"{costs[name]['runs']:.0f}"
        rows.append([NAMES[name], str(worlds), f"{m['mean']:.2f}", share, times, single, runs])
    head = ["policy", "worlds", "mean spend", "reached", "times active", "in single worlds", "runs"]
    return _table(head, rows)


def _prior(folder: Path) -> str:
    data = _read(folder, "prior")
    note = (
        f"{data['worlds']} worlds from the prior, of {ASKED} that were asked for; in"
        f" {data['inside']} the CMR lies between 0 and 1, and there policies were compared. Spend"
        f" in runs of the target's size and tokens, counted as {data['budget']:g} where a policy"
        " had not arrived when its budget was gone, so ratios are the nearer to 1 the more often"
        " that was so. A policy is compared with *active* in the worlds in which both played; in"
        " brackets: 90 % bootstrap intervals, worlds in pairs; last of each, the median over worlds"
        " of how many times dearer it was there, and quartiles. Tables and plot below are of the"
        f" {data['together']} worlds in which all policies played that are in them."
    )
    return f"{note}\n\n{_costs(data)}"


def _goals(folder: Path) -> str:
    data = _read(folder, "prior")
    costs, budget = data["costs"], data["budget"]
    most = [f"{budget / costs['active'][m]['mean']:.1f} ({w})" for m, w in MEASURES.items()]
    lines = [
        f"- A policy that never arrives counts as having spent the budget of {budget:g}: the"
        f" largest ratios that could be seen are {' and '.join(most)}."
    ]
    for name, goal in GOALS.items():
        if name not in costs:
            continue
        found = []
        for measure, words in MEASURES.items():
            m = costs[name][measure]
            state = (
                "reached" if m["ratio"] >= goal
                else "not told apart from it" if m["ratio_upper"] >= goal
                else "**not reached**"
            )  # fmt: skip
            found.append(f"{words}: {m['ratio']:.2f} times, {state}")
        lines.append(f"- {goal:g} times fewer FLOPs than {NAMES[name]}: {'; '.join(found)}.")
    return "\n".join(lines)


def _by_level(measure: str, digits: int) -> Callable[[Path], str]:
    def block(folder: Path) -> str:
        data = _read(folder, "prior")
        policies = data["policies"]
        rows = [
            [NAMES[n], *(f"{v:.{digits}f}" for v in policies[n][measure])] for n in _order(policies)
        ]
        return _table(["policy", *(f"{s:g}" for s in data["spends"])], rows)

    return block


def _share(hits: int, of: int) -> str:
    return f"{hits} of {of} ({100 * hits / of:.0f} %)" if of else "-"


def _misspecified(folder: Path) -> str:
    kinds = {"well specified": _read(folder, "prior")["well_specified"]}
    kinds |= {KINDS[k]: v for k, v in (_read(folder, "misspecified") or {}).items()}
    rows = []
    for title, data in kinds.items():
        for name in data["endings"]:
            e, p = data["endings"][name], data["policies"][name]
            rows.append(
                [
                    f"{title} ({e['worlds']})" if name == "active" else "",
                    NAMES[name],
                    _share(e["certified"]["covered"], e["certified"]["worlds"]),
                    "-" if e["certified"]["width"] is None else f"{e['certified']['width']:.3f}",
                    _share(e["certified"]["covered_by_the_fit"], e["certified"]["worlds"]),
                    _share(e["certified"]["too_high"], e["certified"]["worlds"]),
                    _share(e["refused"]["covered"], e["refused"]["worlds"]),
                    str(e["worlds"] - e["precise"]["worlds"]),
                    _share(e["covered_at_the_end"], e["worlds"]),
                    f"{p['rmse'][-1]:.3f}",
                    f"{p['regret'][-1]:.3f}",
                ]
            )
    head = [
        "worlds", "policy", "certified: truth in the certified range", "its mean width",
        "truth in the 90 % interval of the last fit alone", "decision above the truth",
        "refused by a check: truth in the interval", "budget gone before",
        "truth in the interval at the end", "error at the end", "regret at the end",
    ]  # fmt: skip
    return _table(head, rows)


def _safe(folder: Path) -> str:
    lines, total, fresh, above, most = [], [0, 0], [0, 0], 0, 0.0
    for kind, data in (_read(folder, "misspecified") or {}).items():
        e = data["endings"]["active"]["certified"]
        ours, sobol = (data["policies"][n]["regret"][-1] for n in ("active", "sobol"))
        total = [total[0] + e["covered"], total[1] + e["worlds"]]
        fresh = [fresh[0] + data["fresh"]["covered"], fresh[1] + data["fresh"]["worlds"]]
        above += e["too_high"]
        most = max(most, e["missed_by"])
        first = _certified(e["covered"], e["worlds"])
        second = "no worse" if ours <= sobol else "**worse**"
        lines.append(
            f"- {KINDS[kind]}: {first}; regret {ours:.3f} against {sobol:.3f} of Sobol, {second}."
        )
    lines += [
        f"- All four together: {_certified(*total)}. Those that did not missed it by"
        f" {most:.3f} at most.",
        f"- In the worlds that had no part in choosing what is certified: {_certified(*fresh)}.",
        f"- Of these {total[1]} decisions, made at a risk of 10 %, {above} lay above the truth.",
    ]
    return "\n".join(lines)


def _certified(covered: int, worlds: int) -> str:
    """How often what was certified was true, and the least that so few worlds exclude."""
    from scipy.stats import beta

    if not worlds:
        return "nothing was certified"
    state = "holds" if covered / worlds >= SAFE else "**too low**"
    least = float(beta.ppf(0.1, covered, worlds - covered + 1)) if covered else 0.0
    return (
        f"of {worlds} certified answers {covered} held the truth, {state} (at least {SAFE:.0%}"
        f" asked for; so few worlds exclude, at 90 %, no more than what lies below {least:.0%})"
    )


def _calibration(folder: Path) -> str:
    data = _read(folder, "prior")
    c, spends = data["calibration"], [f"{s:g}" for s in data["spends"]]
    n = c["worlds"]
    lines = [
        f"- {n} worlds, {c['truth_at_zero']} with a true CMR of 0 and {c['truth_at_one']} of 1. The"
        f" truth lies among the central 90 % of the posterior at the stop in"
        f" **{_coverage(c['central_90'], n)}**. An atom is on either side of it in the proportion"
        " in which draws are; an interval that ends at 0 or 1 holds all of one, so that intervals"
        f" hold the truth in {_coverage(c['covered'], n)}; in the {c['inside']} worlds with a CMR"
        f" between 0 and 1, in {_coverage(c['covered_inside'], c['inside'])}.",
        f"- Intervals after spends of {', '.join(spends[:-1])} and {spends[-1]}: "
        + ", ".join(f"{100 * k / n:.0f}" for k in c["covered_at_levels"])
        + " %.",
        "- Percentile of the truth at the stop, worlds by tenths: "
        + ", ".join(map(str, c["rank_deciles"]))
        + f" ({n / 10:.1f} expected).",
        f"- PIT of {c['pit_values']} losses that came in, by tenths: "
        + ", ".join(f"{100 * k / c['pit_values']:.1f}" for k in c["pit_deciles"])
        + " %. Below 0.05: "
        + _percent(c["pit_below_05"])
        + "; above 0.95: "
        + _percent(c["pit_above_95"])
        + " (5 % expected).",
    ]
    return "\n".join(lines)


def _coverage(hits: int, of: int) -> str:
    """Share with the range in which 90 % of such studies would find it, were it 90 %."""
    from scipy.stats import binom

    low, high = (float(binom.ppf(q, of, 0.9)) / of for q in (0.05, 0.95))
    return f"{100 * hits / of:.0f} % (if calibrated: {100 * low:.0f} to {100 * high:.0f})"


def _percent(found: list[float]) -> str:
    return f"{100 * found[0]:.1f} % (error {100 * found[1]:.1f})"


def _replay(folder: Path) -> str:
    parts = []
    found = (_read(folder, "replay") or {}) | (_read(folder, "published") or {})
    for kind, data in found.items():
        t = data["truth"]
        parts.append(
            f"**{KINDS[kind]}**: the whole table ({t['runs']} runs) says {t['median']:.3f}"
            f" [{t['lower']:.3f}, {t['upper']:.3f}]; the losses of the target's own size and tokens"
            f" cross the tolerance at {t['measured']:.3f}. Plays to a budget of"
            f" {data['budget']:.1f} full runs, which is that of the grid: {data['worlds']}.\n\n"
            + _costs(data)
        )
        told = [
            f"{NAMES[name]} {lower:.3f} to {upper:.3f} after {spent:.1f} full runs"
            for name, found in data["certified"].items()
            for lower, upper, spent in found
        ]
        if told:
            parts.append(f"Certified: {'; '.join(told)}.")
    return "\n\n".join(parts)


def _alike(folder: Path) -> str:
    parts = []
    for kind, data in (_read(folder, "posterior") or {}).items():
        least, middle, most = data["truth"]
        ends = data["endings"]["active"]
        told, budget = ends["certified"], data["budget"]
        width = "" if told["width"] is None else f", {told['width']:.3f} wide on average"
        parts.append(
            f"**Like {KINDS[kind]}**: {data['worlds']} worlds, CMR {least:.3f} to {most:.3f},"
            f" median {middle:.3f}; budget {budget:.1f} full runs. *Active* certified a range in"
            f" {told['worlds']}{width}; {told['covered']} of these hold the truth. At the end of"
            f" the budget its 90 % interval does in {ends['covered_at_the_end']} of"
            f" {ends['worlds']}.\n\n" + _costs(data)
        )
    return "\n\n".join(parts)


def _convergence(folder: Path) -> str:
    sources = {"prior": _read(folder, "prior")["convergence"]}
    for name, words in (
        ("misspecified", ""), ("posterior", "like "), ("replay", ""), ("published", "")
    ):  # fmt: skip
        for kind, data in (_read(folder, name) or {}).items():
            sources[words + KINDS[kind]] = data["convergence"]
    rows = []
    for title, found in sources.items():
        total = {k: sum(one[k] for one in found.values()) for k in next(iter(found.values()))}
        rows.append(
            [title, *(str(total[k]) for k in
                      ("fits", "cmr_not_mixed", "parameters_not_mixed", "divergences",
                       "gates_of_the_package"))]
        )  # fmt: skip
    head = [
        "worlds", "fits", "CMR: R-hat >= 1.05 or fewer than 100 effective draws",
        "a parameter: R-hat >= 1.05", "some divergence", "fails a gate of the package",
    ]  # fmt: skip
    return _table(head, rows)


BLOCKS: dict[str, Callable[[Path], str]] = {
    "prior": _prior,
    "goals": _goals,
    "rmse": _by_level("rmse", 3),
    "median_error": _by_level("median_error", 3),
    "regret": _by_level("regret", 2),
    "coverage": _by_level("coverage", 2),
    "misspecified": _misspecified,
    "safe": _safe,
    "calibration": _calibration,
    "replay": _replay,
    "alike": _alike,
    "convergence": _convergence,
}


def draw(folder: Path = DOCS / "policies") -> None:
    """Error and width against spend: spend.png."""
    from matplotlib.ticker import FixedLocator, NullLocator

    from bayescmr.report import style

    curves = _read(folder, "prior")["curves"]
    with style.paper():
        figure = style.new_figure(style.PAGE, 3.0)
        axes = figure.subplots(1, 2)
        names = [n for n in NAMES if n in curves["rmse"]]
        colours = ["#0072B2", "#56B4E9", "#E69F00", "#999999", "#009E73", "#CC79A7", "#D55E00", "k"]
        for ax, measure, label in zip(
            axes, ("rmse", "width"),
            ("root mean square error of the median", "median width of the 90 % interval"),
            strict=True,
        ):  # fmt: skip
            for name, colour in zip(names, colours, strict=False):
                ax.step(
                    curves["spend"], curves[measure][name], where="post", color=colour,
                    label=NAMES[name], lw=1.8 if name == "active" else 1.0,
                )  # fmt: skip
            ax.set(xscale="log", ylim=(0, None), ylabel=label)
            ax.set_xlabel("spend, full runs of the target")
            ticks = (0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 4)
            ax.xaxis.set_major_locator(FixedLocator(ticks))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.set_xticklabels([f"{t:g}" for t in ticks])
        axes[0].legend(frameon=False)
        figure.savefig(folder / "spend.png", dpi=200)


if __name__ == "__main__":
    page = DOCS / "policies.md"
    page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
    draw()
