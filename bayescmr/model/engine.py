"""Compile once per model structure, swap the data, sample."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayescmr.errors import ModelError, SamplingError
from bayescmr.model.build import build_model
from bayescmr.model.data import BlockData
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.spec import BlockSpec
from bayescmr.model.start import starting_point

Sampler = Literal["nutpie", "pymc"]

#: One vocabulary for sampler statistics, whatever the sampler calls them.
_STATISTICS = {
    "diverging": ("diverging",),
    "reached_max_treedepth": ("reached_max_treedepth", "maxdepth_reached"),
    "tree_depth": ("tree_depth", "depth"),
    "n_steps": ("n_steps",),
    "acceptance_rate": ("acceptance_rate", "mean_tree_accept"),
    "energy": ("energy",),
    "lp": ("lp", "logp"),
}


@dataclass(frozen=True)
class Settings:
    """How to sample.

    Parameters
    ----------
    seed : int
        Same seed, same draws, whatever the number of cores.
    draws, tune, chains : int
        Kept and warm-up draws per chain; number of chains (>= 4 for R-hat).
    target_accept : float
        In (0, 1); at 0.95 one fit in three of the published runs keeps a divergence.
    cores : int or None
        None uses all.
    sampler : {"nutpie", "pymc"}
        The likelihood is a numba kernel, so JAX samplers cannot run it.
    progress : bool
        Show a progress bar.
    """

    seed: int
    draws: int = 2000
    tune: int = 800
    chains: int = 4
    target_accept: float = 0.98
    cores: int | None = None
    sampler: Sampler = "nutpie"
    progress: bool = False

    def __post_init__(self) -> None:
        if self.sampler not in ("nutpie", "pymc"):
            raise ModelError(
                f"sampler: got {self.sampler!r}, expected nutpie or pymc (JAX samplers cannot run"
                " the numba likelihood)"
            )
        counts = (("draws", 1), ("tune", 1), ("chains", 1), ("seed", 0), ("cores", 1))
        for name, least in counts:
            value = getattr(self, name)
            if name == "cores" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ModelError(f"{name}: got {value!r}, expected a whole number >= {least}")
        accept: Any = self.target_accept
        if not (isinstance(accept, int | float) and 0 < accept < 1):
            raise ModelError(
                f"target_accept: got {self.target_accept!r}, expected a number in (0, 1)"
            )


@dataclass
class Timing:
    """Seconds spent in each stage."""

    build: float = 0.0
    compile: float = 0.0
    sample: float = 0.0
    post_process: float = 0.0


@dataclass(frozen=True)
class Sampled:
    """Raw result of the sampler: draws on the sampled scale and statistics."""

    posterior: xr.Dataset
    statistics: xr.Dataset


@dataclass
class _Cache:
    """Compiled functions of this process, by model structure."""

    compiled: dict[Any, Any] = field(default_factory=dict)


_CACHE = _Cache()


def _structure(spec: BlockSpec, hierarchy: Hierarchy) -> Any:
    """What is baked into the compiled function: law, priors, number of groups."""
    return (
        spec.law.name,
        spec.parameters.__repr__(),
        repr(spec.noise),
        spec.effect_spread,
        hierarchy.factor_columns.tobytes(),
        hierarchy.factor_columns.shape,
    )


def sample_block(
    spec: BlockSpec, hierarchy: Hierarchy, data: BlockData, settings: Settings, timing: Timing
) -> Sampled:
    """Sample the posterior of one block.

    Raises
    ------
    SamplingError
        The sampler could not find a finite starting point, or failed.
    """
    if settings.sampler == "pymc":
        return _sample_pymc(spec, hierarchy, data, settings, timing)
    import nutpie

    key = _structure(spec, hierarchy)
    compiled = _CACHE.compiled.get(key)
    if compiled is None:
        started = time.perf_counter()
        model = build_model(spec, hierarchy, data)
        timing.build += time.perf_counter() - started
        started = time.perf_counter()
        compiled = nutpie.compile_pymc_model(model, freeze_model=False)
        timing.compile += time.perf_counter() - started
        _CACHE.compiled[key] = compiled
    started = time.perf_counter()
    compiled = compiled.with_data(**data.arrays())
    compiled = replace(compiled, initial_point_func=starting_point(compiled, settings.seed))
    try:
        tree = nutpie.sample(
            compiled,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            seed=settings.seed,
            target_accept=settings.target_accept,
            # Means, slopes and effects are correlated by construction; a low-rank
            # mass matrix straightens that at a tenth of the leapfrog steps.
            adaptation="low_rank",
            progress_bar=settings.progress,
            save_warmup=False,
        )
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise SamplingError(
            f"the sampler failed: {first}. Check the run table for extreme values"
            " (`bayescmr fit` prints its summary) or try another seed"
        ) from error
    timing.sample += time.perf_counter() - started
    return Sampled(
        tree["posterior"].to_dataset(), _rename_statistics(tree["sample_stats"].to_dataset())
    )


def _sample_pymc(
    spec: BlockSpec, hierarchy: Hierarchy, data: BlockData, settings: Settings, timing: Timing
) -> Sampled:
    import pymc as pm

    started = time.perf_counter()
    model = build_model(spec, hierarchy, data)
    timing.build += time.perf_counter() - started
    started = time.perf_counter()
    with model:
        tree = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            random_seed=settings.seed,
            target_accept=settings.target_accept,
            nuts_sampler="pymc",
            progressbar=settings.progress,
            compute_convergence_checks=False,
        )
    timing.sample += time.perf_counter() - started
    return Sampled(
        tree["posterior"].to_dataset(), _rename_statistics(tree["sample_stats"].to_dataset())
    )


def _rename_statistics(statistics: xr.Dataset) -> xr.Dataset:
    kept = {}
    for name, sources in _STATISTICS.items():
        for source in sources:
            if source in statistics:
                values = statistics[source].drop_attrs()
                # netCDF has no booleans, and samplers count in different types.
                if values.dtype == bool:
                    values = values.astype(np.int8)
                elif name in ("tree_depth", "n_steps"):
                    values = values.astype(np.int64)
                kept[name] = values
    return xr.Dataset(kept)
