"""Seconds, effective draws and the facts of a machine."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import bayescmr as bc
from bayescmr.cmr import ESTIMANDS
from bayescmr.posterior import Posterior
from bayescmr.posterior.diagnostics import measure

ROOT = Path(__file__).resolve().parents[2]
#: The largest size and budget of the published runs. Rises of a few hundredths of a nat are
#: what the simulated tables show.
TARGET = bc.Target(size=3.1e9, domain="finance", tokens=20e9, tolerance=0.03)
_PACKAGES = ("bayescmr", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy")


def clock(task: Callable[[], Any]) -> tuple[Any, float]:
    """Run a task; its result and the CPU seconds of this process, all threads together.

    On one core that is no busier with anything else they are seconds of the
    clock; on a shared machine the clock would measure the neighbours.
    """
    started = time.process_time()
    result = task()
    return result, time.process_time() - started


def fresh_process(code: str) -> dict[str, float]:
    """Run Python code in a process of its own: CPU seconds and peak memory in GB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # Linux counts in KiB, macOS in bytes.
    unit = 2**10 if sys.platform == "linux" else 1
    *said, peak = done.stdout.split("\n")[:-1]
    found = {"seconds": seconds, "peak_gb": int(peak) * unit / 1e9}
    return found | (json.loads(said[-1]) if said else {})


def describe(posterior: Posterior, seconds: float, steps: float) -> dict[str, Any]:
    """Worst effective draws over all parameters and the CMRs, per CPU second of sampling."""
    cmr = posterior.cmr(TARGET)
    quantities = posterior.general.quantities()
    quantities |= {f"CMR {name}": cmr.draws[name] for name in ESTIMANDS}
    verdict = measure(quantities, posterior.general.statistics)
    return {
        "sampling_seconds": seconds,
        "min_bulk_ess": verdict.min_ess_bulk,
        "worst": verdict.worst["bulk"],
        "cmr_bulk_ess": cmr.verdict.min_ess_bulk,
        "ess_per_second": verdict.min_ess_bulk / seconds,
        "max_rhat": verdict.max_rhat,
        "divergences": verdict.divergences,
        "converged": verdict.converged,
        "leapfrog_steps_per_draw": steps,
    }


def answers(posterior: Posterior) -> dict[str, dict[str, float]]:
    """Median and 90 % interval of each CMR, with Monte Carlo errors of the median."""
    cmr = posterior.cmr(TARGET)
    found = {}
    for name in ESTIMANDS:
        summary = cmr.summary(name)
        sd = float(cmr.draws[name].std())
        ess = measure({name: cmr.draws[name]}).min_ess_bulk
        found[name] = {
            "median": summary.median,
            "lower": summary.lower,
            "upper": summary.upper,
            "prob": summary.prob,
            "sd": sd,
            # Of the median of a normal; the quantiles of the interval have about twice it.
            "mcse_median": float(np.sqrt(np.pi / 2) * sd / np.sqrt(max(ess, 1.0))),
        }
    return found


def spread(values: list[float]) -> dict[str, Any]:
    """Median, range and number of repetitions."""
    return {
        "median": float(np.median(values)),
        "min": float(min(values)),
        "max": float(max(values)),
        "repetitions": len(values),
    }


def machine() -> dict[str, Any]:
    """What numbers depend on, without names."""
    optional = {}
    for name in ("jax", "numpyro"):
        try:
            optional[name] = version(name)
        except ImportError:
            optional[name] = "not installed"
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores_of_the_machine": os.cpu_count(),
        "cores_used": 1,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES} | optional,
    }
