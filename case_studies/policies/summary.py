"""From traces to numbers: docs/policies/*.json.

    python case_studies/policies/summary.py

Reads every journal in build/policies/; plays of more policies in the same worlds may lie in a
journal of their own (``study.py prior --policies bisection --results build/policies/more.jsonl``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from settings import BUDGET, ERROR, FULL_RUN, LEVELS, RISK, SHOWN, WIDTH

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

ROOT = Path(__file__).resolve().parents[2]
Float = npt.NDArray[np.float64]
SEED = 5
#: A fit made as soon as a level was passed counts at that level although it cost a little more.
SLACK = 1.25
#: Root mean square error that is waited for.
RMSE = 0.04
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


def compared(traces: list[dict[str, Trace]], cap: float, slack: float = SLACK) -> dict[str, Any]:
    """Every policy against the first: FLOPs to an error and to a width, in full runs."""
    names = list(traces[0])
    unit = traces[0][names[0]].full_run
    cap_runs = cap / unit
    found: dict[str, Any] = {}
    measures = {"settled": settled, "narrowed": narrowed}
    costs = {
        m: {
            n: restricted([f(t[n], ERROR if m == "settled" else WIDTH) / unit for t in traces],
                          cap_runs)
            for n in names
        }
        for m, f in measures.items()
    }  # fmt: skip
    for name in names:
        found[name] = {
            "rmse": [_rmse([at(t[name], slack * b) for t in traces], traces, name)
                     for b in levels(cap)],
            "median_error": [float(np.median([abs(at(t[name], slack * b).median - t[name].truth)
                                              for t in traces])) for b in levels(cap)],
            "regret": [float(np.mean([regret(at(t[name], slack * b), t[name].truth, RISK)
                                      for t in traces])) for b in levels(cap)],
            "coverage": [float(np.mean([covers(at(t[name], slack * b), t[name].truth)
                                        for t in traces])) for b in levels(cap)],
            "width": [float(np.mean([at(t[name], slack * b).width for t in traces]))
                      for b in levels(cap)],
            "runs": float(np.mean([t[name].rounds[-1].runs for t in traces])),
        }  # fmt: skip
        for m in measures:
            own, first = costs[m][name], costs[m][names[0]]
            ratio = ratio_interval(first, own, seed=SEED)
            found[name][m] = {
                "mean": float(own.mean()),
                "reached": int((own < cap_runs).sum()),
                "ratio": ratio[0],
                "ratio_lower": ratio[1],
                "ratio_upper": ratio[2],
            }
    return found


def levels(cap: float) -> list[float]:
    """Spends at which policies are compared, FLOPs."""
    return [cap * level / LEVELS[-1] for level in SHOWN]


def _rmse(rounds: list[Any], traces: list[dict[str, Trace]], name: str) -> float:
    errors = [r.median - t[name].truth for r, t in zip(rounds, traces, strict=True)]
    return float(np.sqrt(np.mean(np.square(errors))))


def ending(traces: list[Trace]) -> dict[str, Any]:
    """What the stop rules said, and whether what was certified is true."""
    certified = [t for t in traces if t.ending and t.ending.certified]
    refused = [t for t in traces if t.ending and t.ending.reason == "model check"]
    # Precise enough, whatever the checks said: what a campaign without them would have reported.
    precise = certified + refused

    def share(which: list[Trace]) -> dict[str, Any]:
        ends = [t.rounds[t.ending.round] for t in which if t.ending]
        n = len(which)
        hits = sum(covers(r, t.truth) for r, t in zip(ends, which, strict=True))
        return {
            "worlds": n,
            "covered": hits,
            "wrong_by_0.04": sum(
                abs(r.median - t.truth) > 2 * ERROR for r, t in zip(ends, which, strict=True)
            ),
            "spent": float(np.mean([r.spent for r in ends]) / FULL_RUN) if n else None,
        }

    final = [t.rounds[-1] for t in traces]
    return {
        "worlds": len(traces),
        "certified": share(certified),
        "refused": share(refused),
        "precise": share(precise),
        "not_certified": len(traces) - len(certified),
        "covered_at_the_end": sum(covers(r, t.truth) for r, t in zip(final, traces, strict=True)),
    }


def at_the_stop(trace: Trace) -> Any:
    """The fit at which a campaign ends: its stop rules', whatever they say, or the last."""
    return trace.rounds[-1 if trace.ending is None else trace.ending.round]


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
    unit = next(iter(traces[0].values())).full_run
    spends = np.geomspace(0.03, BUDGET / FULL_RUN, 80)
    return {
        "spend": spends.round(4).tolist(),
        "rmse": {
            name: [round(_rmse([at(t[name], s * unit) for t in traces], traces, name), 4)
                   for s in spends]
            for name in traces[0]
        },
        "width": {
            name: [round(float(np.median([at(t[name], s * unit).width for t in traces])), 4)
                   for s in spends]
            for name in traces[0]
        },
    }  # fmt: skip


def reached(spend: list[float], error: list[float]) -> float | None:
    """Spend from which an error stays at most RMSE; None where it does not."""
    above = [s for s, e in zip(spend, error, strict=True) if e > RMSE]
    left = [s for s in spend if not above or s > above[-1]]
    return left[0] if left else None


def prior(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the worlds drawn from the prior."""
    inside = [w for w in worlds if 0 < w["truth"] < 1]
    names = max((list(w["traces"]) for w in worlds), key=len)
    traces = together(inside, names)
    return {
        "worlds": len(worlds),
        "inside": len(traces),
        "budget": BUDGET / FULL_RUN,
        "spends": [level / FULL_RUN for level in SHOWN],
        "policies": compared(traces, BUDGET),
        "curves": (found := curves(traces)),
        "rmse_reached": {name: reached(found["spend"], v) for name, v in found["rmse"].items()},
        "target_rmse": RMSE,
        "endings": {n: ending([t[n] for t in traces]) for n in names},
        "convergence": {n: convergence([t[n] for t in traces]) for n in names},
        "calibration": calibrated([w["traces"]["active"] for w in worlds]),
    }


def misspecified(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the worlds with a law that is not the fitted one, by kind."""
    found = {}
    for kind in dict.fromkeys(w["kind"] for w in worlds):
        own = [w for w in worlds if w["kind"] == kind]
        traces = together(own, own[0]["traces"])
        found[kind] = {
            "worlds": len(traces),
            "policies": compared(traces, BUDGET),
            "endings": {n: ending([t[n] for t in traces]) for n in traces[0]},
            "convergence": {n: convergence([t[n] for t in traces]) for n in traces[0]},
        }
    return found


def replayed(worlds: list[dict[str, Any]], truths: dict[str, Any]) -> dict[str, Any]:
    """Summary of the replays, by table: worlds differ by the policies' own chance alone."""
    found = {}
    for kind in dict.fromkeys(w["kind"] for w in worlds):
        traces = together(own := [w for w in worlds if w["kind"] == kind], own[0]["traces"])
        # All play to the same budget; what they had spent by then differs by a run at most.
        cap = max(t.rounds[-1].spent for trace in traces for t in trace.values())
        found[kind] = {
            "plays": len(traces),
            "truth": truths[kind],
            "budget": cap / next(iter(traces[0].values())).full_run,
            "policies": compared(traces, cap),
            "endings": {n: ending([t[n] for t in traces]) for n in traces[0]},
            "convergence": {n: convergence([t[n] for t in traces]) for n in traces[0]},
        }
    return found


def main() -> None:
    """Write what there are traces of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, default=ROOT / "build/policies")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/policies")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    truths = json.loads((Path(__file__).parent / "truths.json").read_text(encoding="utf-8"))
    for study in ("prior", "misspecified", "replay", "published"):
        worlds = read(options.traces, study)
        if not worlds:
            print(f"{study}: no traces")
            continue
        if study == "prior":
            data = prior(worlds)
        elif study == "misspecified":
            data = misspecified(worlds)
        else:
            data = replayed(worlds, truths)
        path = options.out / f"{study}.json"
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
