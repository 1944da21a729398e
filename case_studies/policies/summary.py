"""From traces to numbers: docs/policies/*.json.

    python case_studies/policies/summary.py

Reads every journal in build/policies/; plays of more policies in the same worlds may lie in a
journal of their own (``study.py prior --policies bisection --results build/policies/more.jsonl``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from endings import at_the_stop, ending, ranges
from replays import TRUTHS, measured
from settings import (
    BUDGET,
    COMPARED,
    ERROR,
    FULL_RUN,
    LEVELS,
    RISK,
    SHOWN,
    WIDTH,
    WRONG_LAW,
)

from bayescmr.checks.journal import read_journal
from bayescmr.worlds import Trace
from bayescmr.worlds.metrics import (
    at,
    covers,
    narrowed,
    ratio_interval,
    regret,
    restricted,
    settled,
)
from bayescmr.worlds.trace import Round

ROOT = Path(__file__).resolve().parents[2]
Float = npt.NDArray[np.float64]
SEED = 5
#: A fit made as soon as a level was passed counts at that level although it cost a little more.
SLACK = 1.25
#: Worlds of each misspecified kind on which the certified range was chosen.
CHOSEN_ON = 12
#: Worlds from the prior beyond these the default plays alone, for its calibration.
COMPARED_IN = 100
#: What is waited for.
MEASURES: dict[str, tuple[Callable[[Trace, float], float], float]] = {
    "settled": (settled, ERROR),
    "narrowed": (narrowed, WIDTH),
}
#: Share of the worlds that a policy must have played to be shown beside others in the same ones.
MOST = 0.75
#: Of the CMR at the target, from 1,000 draws in four chains: what its interval can bear.
MAX_RHAT, MIN_ESS = 1.05, 100.0


def read(folder: Path, study: str) -> list[dict[str, Any]]:
    """Worlds of a study with the traces of all its journals, by kind and seed."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        head, records = read_journal(path)
        if head.get("study") != study:
            continue
        for record in records.values():
            world = found.setdefault(
                (record["kind"], record["seed"]),
                {"kind": record["kind"], "index": record["index"], "truth": record["truth"],
                 "traces": {}},
            )  # fmt: skip
            world["traces"] |= {name: Trace.of(t) for name, t in record["traces"].items()}
    # Worlds that take long are not all in yet: beyond the first that is missing it is the quick
    # ones that are there, and these are others.
    return list(complete(sorted(found.values(), key=lambda w: int(w["index"]))))


def complete(worlds: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Worlds up to the first that is missing."""
    for number, world in enumerate(worlds):
        if world["index"] != number:
            return
        yield world


def together(worlds: list[dict[str, Any]], policies: Iterable[str]) -> list[dict[str, Trace]]:
    """Traces of the worlds in which all of these policies played."""
    wanted = list(policies)
    return [w["traces"] for w in worlds if all(name in w["traces"] for name in wanted)]


def names_of(worlds: list[dict[str, Any]]) -> list[str]:
    """All policies that played somewhere, the one that others are compared with first."""
    found = dict.fromkeys(name for w in worlds for name in w["traces"])
    return sorted(found, key=lambda name: name != COMPARED[0])


def costs(worlds: list[dict[str, Any]], cap: float) -> dict[str, Any]:
    """FLOPs to an error and to a width, in full runs, of each policy in the worlds it played.

    What others cost is compared with the first in the worlds that both played: the ratio of means,
    which the worlds where neither arrives pull to 1, and quartiles of the ratio in each world.
    """
    names = names_of(worlds)
    found: dict[str, Any] = {}
    for name in names:
        pairs = together(worlds, (names[0], name))
        unit = pairs[0][name].full_run
        found[name] = {
            "worlds": len(pairs),
            "runs": float(np.mean([t[name].rounds[-1].runs for t in pairs])),
        }
        for measure, (reaches, goal) in MEASURES.items():
            first, own = (
                restricted([reaches(t[n], goal) / unit for t in pairs], cap / unit)
                for n in (names[0], name)
            )
            ratio, lower, upper = ratio_interval(first, own, seed=SEED)
            found[name][measure] = {
                "mean": float(own.mean()),
                "reached": int((own < cap / unit).sum()),
                "ratio": ratio,
                "ratio_lower": lower,
                "ratio_upper": upper,
                "quartiles": np.quantile(own / first, [0.25, 0.5, 0.75]).tolist(),
            }
    return found


def compared(traces: list[dict[str, Trace]], cap: float) -> dict[str, Any]:
    """Error, width, regret and coverage after each spend, of policies in the same worlds."""
    spends = [SLACK * spend for spend in levels(cap)]
    found = {}
    for name in traces[0]:
        own = [t[name] for t in traces]
        found[name] = {
            "rmse": rmse(own, spends),
            "median_error": averages(own, spends, lambda r, t: abs(r.median - t), np.median),
            "regret": averages(own, spends, lambda r, t: regret(r, t, RISK)),
            "coverage": averages(own, spends, covers),
            "width": averages(own, spends, lambda r, t: r.width),
        }
    return found


def averages(
    traces: list[Trace],
    spends: Iterable[float],
    of: Callable[[Round, float], float],
    average: Callable[[list[float]], Any] = np.mean,
) -> list[float]:
    """Average over worlds of something about the fit after each spend, and the truth."""
    return [float(average([of(at(t, spend), t.truth) for t in traces])) for spend in spends]


def rmse(traces: list[Trace], spends: Iterable[float]) -> list[float]:
    """Root mean square error of the median after each spend."""
    return [v**0.5 for v in averages(traces, spends, lambda r, t: (r.median - t) ** 2)]


def levels(cap: float) -> list[float]:
    """Spends at which policies are compared, FLOPs."""
    return [cap * level / LEVELS[-1] for level in SHOWN]


def randomised(rounds: list[Any], traces: list[Trace]) -> Float:
    """Percentiles of the truth, anywhere among ties: uniform if all is right, atoms too."""
    rng = np.random.default_rng(SEED)
    ties = [
        r.p_none if t.truth == 0 else r.p_all if t.truth == 1 else 0.0
        for r, t in zip(rounds, traces, strict=True)
    ]
    ranks = np.array([r.rank for r in rounds])
    return np.asarray(ranks + (rng.random(len(rounds)) - 0.5) * np.array(ties))


def calibrated(traces: list[Trace]) -> dict[str, Any]:
    """SBC with the loop inside: coverage at the stop, ranks of the truth, PIT of the probes."""
    rounds = [at_the_stop(t) for t in traces]
    ranks = randomised(rounds, traces)
    inside = [(r, t) for r, t in zip(rounds, traces, strict=True) if 0 < t.truth < 1]
    pit = np.array([u for t in traces for r in t.rounds for u in r.pit])
    by_world = [np.array([u for r in t.rounds for u in r.pit]) for t in traces]
    deciles = np.histogram(pit, bins=10, range=(0, 1))[0]
    low = np.array([(u <= 0.05).mean() for u in by_world if len(u)])
    high = np.array([(u >= 0.95).mean() for u in by_world if len(u)])
    return {
        "worlds": len(traces),
        "covered": sum(covers(r, t.truth) for r, t in zip(rounds, traces, strict=True)),
        "covered_at_levels": [
            sum(covers(at(t, SLACK * b), t.truth) for t in traces) for b in SHOWN
        ],
        "inside": len(inside),
        "covered_inside": sum(covers(r, t.truth) for r, t in inside),
        "central_90": int(((ranks > 0.05) & (ranks < 0.95)).sum()),
        "rank_deciles": np.histogram(ranks, bins=10, range=(0, 1))[0].tolist(),
        "pit_values": len(pit),
        "pit_deciles": deciles.tolist(),
        # Worlds are independent, values of one world hardly: the error is over worlds.
        "pit_below_05": [float(low.mean()), float(low.std(ddof=1) / np.sqrt(len(low)))],
        "pit_above_95": [float(high.mean()), float(high.std(ddof=1) / np.sqrt(len(high)))],
        "truth_at_zero": sum(t.truth == 0 for t in traces),
        "truth_at_one": sum(t.truth == 1 for t in traces),
    }


def convergence(traces: list[Trace]) -> dict[str, int]:
    """How many fits failed which gate."""
    rounds = [r for t in traces for r in t.rounds]
    return {
        "fits": len(rounds),
        "cmr_not_mixed": sum(r.cmr_rhat >= MAX_RHAT or r.cmr_ess < MIN_ESS for r in rounds),
        "parameters_not_mixed": sum(r.rhat >= MAX_RHAT for r in rounds),
        "divergences": sum(r.divergences > 0 for r in rounds),
        "gates_of_the_package": sum(bool(r.problems) for r in rounds),
    }


def curves(traces: list[dict[str, Trace]]) -> dict[str, Any]:
    """Root mean square error and median width at many spends: for the plot."""
    spends = np.geomspace(0.03, BUDGET / FULL_RUN, 80)
    own = {name: [t[name] for t in traces] for name in traces[0]}
    costs = spends * own[COMPARED[0]][0].full_run
    return {
        "spend": spends.round(4).tolist(),
        "rmse": {n: [round(v, 4) for v in rmse(o, costs)] for n, o in own.items()},
        "width": {
            n: [round(v, 4) for v in averages(o, costs, lambda r, t: r.width, np.median)]
            for n, o in own.items()
        },
    }


def prior(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the worlds drawn from the prior."""
    first = worlds[:COMPARED_IN]
    inside = [w for w in first if 0 < w["truth"] < 1]
    names = names_of(worlds)
    shown = [n for n in names if len(together(inside, [n])) >= MOST * len(inside)]
    traces = [{name: t[name] for name in shown} for t in together(inside, shown)]
    return {
        "worlds": len(first),
        "inside": len(inside),
        "together": len(traces),
        "budget": BUDGET / FULL_RUN,
        "spends": [level / FULL_RUN for level in SHOWN],
        "costs": costs(inside, BUDGET),
        "policies": compared(traces, BUDGET),
        "curves": curves(traces),
        "well_specified": ended([w for w in worlds if 0 < w["truth"] < 1], names[:1]),
        "convergence": {n: convergence([t[n] for t in together(worlds, [n])]) for n in names},
        "calibration": calibrated([t[names[0]] for t in together(worlds, names[:1])]),
    }


def misspecified(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the worlds with a law that is not the fitted one, by kind.

    What is certified was chosen on the first of them; *fresh* is about the others alone.
    """
    found = {}
    for kind, own in by_kind(worlds):
        fresh = [w["traces"][COMPARED[0]] for w in own[CHOSEN_ON:]]
        found[kind] = {**ended(own, WRONG_LAW), "fresh": ending(fresh)["certified"]}
    return found


def replayed(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the replays, by table: worlds differ by the policies' own chance alone."""
    truths = json.loads(TRUTHS.read_text(encoding="utf-8"))
    found = {}
    for kind, own in by_kind(worlds):
        names, cap, budget = names_of(own), *most_spent(own)
        found[kind] = {
            "truth": truths[kind] | {"measured": measured(kind)},
            "certified": {name: ranges([w["traces"][name] for w in own]) for name in names},
            "budget": budget,
            **summary(own, cap, names),
        }
    return found


def alike(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the worlds drawn from the posterior of a table, by table."""
    found = {}
    for kind, own in by_kind(worlds):
        names, cap, budget = names_of(own), *most_spent(own)
        found[kind] = {
            "truth": np.quantile([w["truth"] for w in own], [0, 0.5, 1]).tolist(),
            "budget": budget,
            **ended(own, names, cap),
        }
    return found


def most_spent(worlds: list[dict[str, Any]]) -> tuple[float, float]:
    """What the dearest play had spent at its end, in FLOPs and in full runs.

    All play to the same budget; what they had spent by then differs by a run at most.
    """
    ends = [t for w in worlds for t in w["traces"].values()]
    cap = max(t.rounds[-1].spent for t in ends)
    return cap, cap / ends[0].full_run


def by_kind(worlds: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Worlds of each kind."""
    for kind in dict.fromkeys(w["kind"] for w in worlds):
        yield kind, [w for w in worlds if w["kind"] == kind]


def summary(worlds: list[dict[str, Any]], cap: float, names: Iterable[str]) -> dict[str, Any]:
    """What is told of policies that played in worlds of one kind."""
    names = list(names)
    traces = [{name: t[name] for name in names} for t in together(worlds, names)]
    return {
        "worlds": len(traces),
        "costs": costs([{"traces": t} for t in traces], cap),
        "policies": compared(traces, cap),
        "convergence": {n: convergence([t[n] for t in traces]) for n in names},
    }


def ended(
    worlds: list[dict[str, Any]], names: Iterable[str], cap: float = BUDGET
) -> dict[str, Any]:
    """The same, and how their campaigns end."""
    names = list(names)
    traces = together(worlds, names)
    endings = {n: ending([t[n] for t in traces]) for n in names}
    return {**summary(worlds, cap, names), "endings": endings}


#: By study: what is told of it.
SUMMARIES: dict[str, Callable[[list[dict[str, Any]]], dict[str, Any]]] = {
    "prior": prior,
    "misspecified": misspecified,
    "posterior": alike,
    "replay": replayed,
    "published": replayed,
}


def main() -> None:
    """Write what there are traces of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, default=ROOT / "build/policies")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/policies")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for study, told in SUMMARIES.items():
        worlds = read(options.traces, study)
        if not worlds:
            print(f"{study}: no traces")
            continue
        path = options.out / f"{study}.json"
        path.write_text(json.dumps(told(worlds), indent=1) + "\n", encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
