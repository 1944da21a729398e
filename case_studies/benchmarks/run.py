"""Measure the engine against the textbook and against least squares, side by side.

    python case_studies/benchmarks/run.py [--out FILE.json] [--stages nutpie,rows,...]

Prints ratios. Stages may be run one by one: each adds its part to the file, and
the ratios are computed from what is there. `make benchmark` runs them all.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import tables
import textbook
from least_squares import LeastSquares
from measure import TARGET, answers, clock, describe, fresh_process, machine, spread

import bayescmr as bc
from bayescmr.demo import demo_runs
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.data import block_data, hierarchy_of, reference_of
from bayescmr.model.density import nutpie_model
from bayescmr.model.settings import Settings
from bayescmr.model.spec import load_model
from bayescmr.model.start import Density, log_density

HERE = Path(__file__).resolve().parent
RESULT = HERE / "engine.json"
SCHEMA = 1
_ASKED = ("size", "domain", "tokens", "tolerance")
#: Replicates of a bootstrap that anybody would publish; fewer are run, and scaled up.
REPLICATES = 1000


@dataclass(frozen=True)
class Plan:
    """How much is run."""

    rows: int = 720
    draws: int = Settings.draws
    tune: int = Settings.tune
    repetitions: int = 5
    textbook: tuple[tuple[str, int], ...] = (("nutpie", 3), ("numpyro", 2), ("pymc", 1))
    textbook_draws: int = 1000
    replicates: int = 50
    starts: int = 8
    table_rows: tuple[tuple[int, int], ...] = ((60, 5), (7200, 1), (72000, 1))
    gradient_rows: tuple[int, ...] = (60, 720, 7200, 72000)
    fresh: int = 3


FULL = Plan()
#: For the tests: every stage, nothing converges.
SMOKE = Plan(
    rows=60,
    draws=50,
    tune=50,
    repetitions=1,
    textbook=(("nutpie", 1),),
    textbook_draws=20,
    replicates=1,
    starts=1,
    table_rows=((60, 1),),
    gradient_rows=(60, 720),
    fresh=1,
)


@cache
def demo() -> bc.Posterior:
    """Posterior of the published runs, from which tables are simulated."""
    return bc.fit(demo_runs(), seed=1, cores=1)


def race(sampler: str, plan: Plan) -> Iterator[dict[str, Any]]:
    """Fit one table by every contender in turn: ours, least squares, the textbook, ours, ...

    Ours is run twice: from scratch, whose draws are judged, and as a refit, whose seconds are.
    """
    runs = tables.simulate(demo(), plan.rows, seed=1)
    settings: dict[str, Any] = {"draws": plan.draws, "tune": plan.tune, "cores": 1}
    # What was fitted before the newest runs arrived.
    names = runs.frame["run"].unique()
    newest = max(1, len(names) // 12)
    older = runs.frame["run"].isin(names[:-newest])
    wide = runs.frame.rename(columns={"change": "change_general"})
    wide = wide[["run", "size", "domain", "ratio", "tokens", "change_general"]]
    earlier = bc.fit(bc.RunTable.from_frame(wide[older]), seed=1, **settings)
    # What can be kept of a compilation on disk is there from here on, for either side.
    textbook.sample(textbook.textbook(runs), sampler, 1, draws=2, tune=2)

    records: dict[str, list[dict[str, Any]]] = {}
    posteriors: dict[str, bc.Posterior] = {}

    def keep(name: str, record: dict[str, Any], posterior: bc.Posterior | None = None) -> None:
        records.setdefault(name, []).append(record)
        if posterior is not None:
            posteriors.setdefault(name, posterior)
        print(f"{name}: {record}", file=sys.stderr)

    theirs = dict(plan.textbook)[sampler]
    first = sampler == plan.textbook[0][0]
    for i in range(plan.repetitions if first else theirs + 1):
        keep("ours", *_ours(runs, 1 + i, settings))
        keep("refit", *_ours(runs, 1 + i, settings, earlier))
        if first:
            keep("bootstrap", _bootstrap(runs, i, plan))
        if i < theirs:
            keep("textbook", *_textbook(runs, sampler, 1 + i, plan))
        if first and i == 0:
            spec = textbook.driftless(load_model("turning_point"))
            posteriors["ours_without_drift"] = bc.fit(runs, seed=1, model=spec, **settings)
        yield {
            "rows": len(runs.frame),
            "runs": runs.n_runs,
            "newest": newest,
            "records": records,
            "answers": {name: answers(posterior) for name, posterior in posteriors.items()},
        }


def _ours(
    runs: bc.RunTable, seed: int, settings: dict[str, Any], previous: bc.Posterior | None = None
) -> tuple[dict[str, Any], bc.Posterior]:
    fit, seconds = clock(partial(bc.fit, runs, seed=seed, previous=previous, **settings))
    steps = float(fit.general.statistics["n_steps"].mean())
    # Timing is by the clock; its shares carry over to CPU seconds.
    timing = fit.timing
    total = timing.build + timing.compile + timing.sample + timing.post_process
    record = describe(fit, seconds * timing.sample / total, steps)
    return record | {"total_seconds": seconds}, fit


def _bootstrap(runs: bc.RunTable, seed: int, plan: Plan) -> dict[str, Any]:
    squares = LeastSquares(runs, TARGET.domain)
    task = partial(squares.bootstrap, TARGET, starts=plan.starts, seed=seed)
    _, once = clock(partial(task, replicates=0))
    found, seconds = clock(partial(task, replicates=plan.replicates))
    # Replicates cost alike: what is run is scaled to what would be published.
    whole = once + max(seconds - once, 0.0) * REPLICATES / plan.replicates
    lower, upper = np.quantile(found[1:], [0.05, 0.95])
    return {
        "total_seconds": whole,
        "replicates_run": plan.replicates,
        "turning_point": {"point": float(found[0]), "lower": float(lower), "upper": float(upper)},
    }


def _textbook(
    runs: bc.RunTable, sampler: str, seed: int, plan: Plan
) -> tuple[dict[str, Any], bc.Posterior]:
    book, written = clock(partial(textbook.textbook, runs))
    task = partial(textbook.sample, book, sampler, seed)
    # Two draws: what is compilation and not sampling.
    _, compiling = clock(partial(task, draws=2, tune=2))
    count = plan.textbook_draws
    (posterior, steps), seconds = clock(partial(task, draws=count, tune=count))
    # What cannot be compilation is never taken off.
    sampling = max(seconds - compiling, 0.5 * seconds)
    record = describe(posterior, sampling, steps)
    return record | {"total_seconds": written + seconds, "compile_seconds": compiling}, posterior


def rows(plan: Plan) -> Iterator[dict[str, Any]]:
    """Fit tables of other lengths, each in a process of its own: seconds, memory, verdict."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = demo().save(Path(folder) / "demo.nc")
        for length, times in plan.table_rows:
            for i in range(times):
                code = (
                    "import json, time, tables, bayescmr as bc\n"
                    "from bayescmr.posterior.files import load\n"
                    f"runs = tables.simulate(load({str(source)!r}), {length}, seed={i})\n"
                    "started = time.process_time()\n"
                    f"fit = bc.fit(runs, seed=1, cores=1, draws={plan.draws}, tune={plan.tune})\n"
                    "spent = time.process_time() - started\n"
                    "print(json.dumps({'fit_seconds': spent, 'converged': fit.converged,"
                    " 'min_bulk_ess': fit.verdict.min_ess_bulk, 'max_rhat': fit.verdict.max_rhat,"
                    " 'divergences': fit.verdict.divergences, 'leapfrog_steps_per_draw':"
                    " float(fit.general.statistics['n_steps'].mean())}))"
                )
                found.setdefault(str(length), []).append(fresh_process(code))
                print(f"{length}: {found[str(length)][-1]}", file=sys.stderr)
                yield {"fits": found}


def gradient(plan: Plan) -> Iterator[dict[str, Any]]:
    """Time one gradient against rows, where checkpoints share their standard error and not."""
    block = load_model("turning_point").blocks["general"]
    seconds: dict[str, dict[str, float]] = {"shared": {}, "own_se": {}}
    for length in plan.gradient_rows:
        frame = tables.simulate(demo(), length, seed=1).select("general")
        rng = np.random.default_rng(1)
        for kind in seconds:
            own = (
                frame if kind == "shared" else frame.assign(se=rng.uniform(1e-4, 1e-3, len(frame)))
            )
            hierarchy = hierarchy_of(own, block.size_length, reference_of(own))
            data = block_data(own, hierarchy)
            coordinates = Coordinates.non_centred(block, data.groups)
            model = nutpie_model(coordinates, {**data.arrays(), **coordinates.arrays()})
            density = log_density(model)
            point = 0.1 * rng.standard_normal(model.n_dim)
            density(point)
            batch = max(1, 20_000 // length)
            task = partial(_repeat, density, point, batch)
            times = [clock(task)[1] / batch for _ in range(15)]
            seconds[kind][str(length)] = float(np.median(times))
    slopes = {}
    for kind, by_rows in seconds.items():
        (few, least), (many, most) = ((int(k), v) for k, v in list(by_rows.items())[-2:])
        slopes[kind] = {
            "ns_per_row": 1e9 * (most - least) / (many - few),
            # 1: linear.
            "exponent": float(np.log(most / least) / np.log(many / few)),
        }
    yield {"gradient_seconds": seconds, "gradient_slope": slopes}


def _repeat(density: Density, point: Any, times: int) -> None:
    for _ in range(times):
        density(point)


def fresh(plan: Plan) -> Iterator[dict[str, Any]]:
    """Cold starts: everything from the start of a process, compiled code on disk."""
    sampling = f"draws={plan.draws}, tune={plan.tune}"
    cold, command = [], []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "runs.csv"
        frame = tables.simulate(demo(), plan.rows, seed=1).frame
        wide = frame.rename(columns={"change": "change_general"})
        wide[["run", "size", "domain", "ratio", "tokens", "change_general"]].to_csv(
            table, index=False
        )
        code = (
            "import bayescmr as bc\n"
            f"bc.fit(bc.read_runs({str(table)!r}), seed=1, cores=1, {sampling})"
        )
        published = HERE.parent / "gu2024" / "runs.csv"
        words = ["fit", str(published), "--cores", "1", "--out", str(Path(folder) / "fit.nc")]
        words += ["--draws", str(plan.draws), "--tune", str(plan.tune)]
        shell = (
            "import contextlib, io, sys\n"
            f"sys.argv = ['bayescmr', *{words!r}]\n"
            "from bayescmr.cli import main\n"
            "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
            "    main()"
        )
        for _ in range(plan.fresh):
            cold.append(fresh_process(code)["seconds"])
            command.append(fresh_process(shell)["seconds"])
    yield {"cold_seconds": spread(cold), "demo_command_seconds": spread(command)}


#: Each yields what it has so far, so that a run that is cut off keeps it.
STAGES: dict[str, Callable[[Plan], Iterator[dict[str, Any]]]] = {
    "gradient": gradient,
    "fresh": fresh,
    "nutpie": partial(race, "nutpie"),
    "rows": rows,
    "numpyro": partial(race, "numpyro"),
    "pymc": partial(race, "pymc"),
}
SAMPLERS = ("nutpie", "numpyro", "pymc")


def ratios(stages: dict[str, Any]) -> dict[str, Any]:
    """Ratios of medians, from whatever stages there are."""
    found: dict[str, Any] = {}
    by_rows: dict[str, float] = {}
    speed, refit, steps, spreads = {}, {}, {}, {}
    for sampler in [name for name in SAMPLERS if name in stages]:
        records = stages[sampler]["records"]
        for key, name, better, ratio in (
            ("ess_per_second", "ours", 1, speed),
            ("total_seconds", "refit", -1, refit),
        ):
            own, theirs = ([r[key] for r in records[which]] for which in (name, "textbook"))
            ratio[sampler] = float((np.median(own) / np.median(theirs)) ** better)
            spreads[f"{key}, textbook by {sampler}"] = spread(theirs)
            spreads[f"{key}, {name} beside {sampler}"] = spread(own)
        steps[sampler] = float(
            np.median([r["leapfrog_steps_per_draw"] for r in records["textbook"]])
        )
    # `pm.sample` takes nutpie where it is installed, as it is here.
    if "nutpie" in stages:
        stage = stages["nutpie"]
        ours, again = (
            spread([r["total_seconds"] for r in stage["records"][name]])
            for name in ("ours", "refit")
        )
        bootstrap = spread([r["total_seconds"] for r in stage["records"]["bootstrap"]])
        own_steps = [r["leapfrog_steps_per_draw"] for r in stage["records"]["ours"]]
        by_rows[str(stage["rows"])] = ours["median"]
        spreads["total_seconds, ours"] = ours
        spreads["total_seconds, bootstrap"] = bootstrap
        found |= {
            "ess_per_second_ratio": speed["nutpie"],
            "ess_per_second_ratio_by_sampler": speed,
            "refit_ratio": refit["nutpie"],
            "refit_ratio_by_sampler": refit,
            "bootstrap_ratio": bootstrap["median"] / again["median"],
            "leapfrog_steps_per_draw": {"ours": float(np.median(own_steps)), **steps},
            "spread": spreads,
            "same_posterior": _difference(stage["answers"]),
        }
    for length, fits in stages.get("rows", {}).get("fits", {}).items():
        by_rows[length] = float(np.median([f["fit_seconds"] for f in fits]))
    found["seconds_by_rows"] = dict(sorted(by_rows.items(), key=lambda item: int(item[0])))
    if "rows" in stages:
        longest = max(stages["rows"]["fits"], key=int)
        fits = stages["rows"]["fits"][longest]
        found["longest_table"] = {
            "rows": int(longest),
            "peak_gb": max(f["peak_gb"] for f in fits),
            "converged": all(f["converged"] for f in fits),
            "repetitions": len(fits),
        }
    if "gradient" in stages:
        found["gradient_slope"] = stages["gradient"]["gradient_slope"]
    if "fresh" in stages:
        found["demo_command_seconds"] = stages["fresh"]["demo_command_seconds"]["median"]
    return found


def _difference(answers: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Ours without drift minus the textbook, which is the same model: only Monte Carlo error."""
    ours, theirs = answers["ours_without_drift"], answers["textbook"]
    return {
        name: {
            **{key: ours[name][key] - theirs[name][key] for key in ("median", "lower", "upper")},
            "posterior_sd": theirs[name]["sd"],
            "mcse_of_median": float(
                np.hypot(ours[name]["mcse_median"], theirs[name]["mcse_median"])
            ),
        }
        for name in ours
    }


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process and its children on one core, the last one that it may use."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def run(plan: Plan, names: list[str], out: Path) -> dict[str, Any]:
    """Run stages, add them to the file and return all of it."""
    for name in names:
        started = time.perf_counter()
        with one_core():
            for measured in STAGES[name](plan):
                stages = json.loads(out.read_text())["stages"] if out.exists() else {}
                stages[name] = measured
                result = {
                    "schema": SCHEMA,
                    "unit": "CPU seconds on one core",
                    "machine": machine(),
                    "target": {k: getattr(TARGET, k) for k in _ASKED},
                    "starts": plan.starts,
                    **ratios(stages),
                    "stages": stages,
                }
                text = json.dumps(result, indent=2, allow_nan=False) + "\n"
                out.write_text(text, encoding="utf-8")
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return result


def main() -> None:
    """Parse the command line, run, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--stages", default=",".join(STAGES))
    chosen = parser.parse_args()
    result = run(FULL, chosen.stages.split(","), chosen.out)
    for name, value in result.items():
        if name.endswith("ratio"):
            print(f"{name}: {value:.3g}")


if __name__ == "__main__":
    main()
