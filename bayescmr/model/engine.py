"""Find where chains start and how they move, then sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayescmr.errors import ModelError, SamplingError
from bayescmr.laws import Law
from bayescmr.model import density
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.data import BlockData
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.spec import BlockSpec
from bayescmr.model.start import Float, find_modes, log_density, start_of_chains

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
        In (0, 1).
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
    target_accept: float = 0.95
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
    """Draws of coefficients, the sampler's statistics, and the coordinates that it moved in."""

    posterior: xr.Dataset
    statistics: xr.Dataset
    coordinates: Coordinates


#: Functions that PyTensor compiled in this process, by law and number of anchors: all numbers are
#: data, so nothing else tells two of them apart.
_COMPILED: dict[tuple[str, int], Any] = {}


def sample_block(
    spec: BlockSpec, hierarchy: Hierarchy, data: BlockData, settings: Settings, timing: Timing
) -> Sampled:
    """Sample the posterior of one block.

    Raises
    ------
    SamplingError
        The sampler could not find a finite starting point, or failed.
    """
    coordinates = Coordinates.non_centred(spec, data.groups)
    runs = data.arrays()
    compiled = _nutpie_model(coordinates, {**runs, **coordinates.arrays()}, timing)
    started = time.perf_counter()
    modes = find_modes(log_density(compiled), compiled.initial_point_func, settings.seed)
    informed = coordinates.informed(modes.points[0], modes.covariance)
    start = start_of_chains(informed.convert(modes.points, coordinates))
    values = {**runs, **informed.arrays()}
    if settings.sampler == "nutpie":
        tree = _sample_nutpie(_nutpie_model(informed, values, timing), start, settings)
    else:
        starts = [informed.named(start(settings.seed + i)) for i in range(settings.chains)]
        tree = _sample_pymc(spec.law, values, starts, settings)
    draws = informed.coefficients(tree["posterior"].to_dataset(), hierarchy, settings.seed)
    timing.sample += time.perf_counter() - started
    return Sampled(draws, _rename_statistics(tree["sample_stats"].to_dataset()), informed)


def _nutpie_model(
    coordinates: Coordinates, values: Mapping[str, npt.NDArray[Any]], timing: Timing
) -> Any:
    """Return the block as nutpie samples it: fused, or for other laws compiled by PyTensor."""
    law = coordinates.spec.law
    if density.knows(law):
        started = time.perf_counter()
        model = density.nutpie_model(coordinates, values)
        timing.compile += time.perf_counter() - started
        return model
    key = (law.name, len(coordinates.groups.rows))
    if key not in _COMPILED:
        import nutpie

        from bayescmr.model.build import build_model

        started = time.perf_counter()
        graph = build_model(law, values)
        built = time.perf_counter()
        _COMPILED[key] = nutpie.compile_pymc_model(graph, freeze_model=False)
        timing.build += built - started
        timing.compile += time.perf_counter() - built
    return _COMPILED[key].with_data(**values)


def _sample_nutpie(compiled: Any, start: Callable[[int], Float], settings: Settings) -> Any:
    import nutpie

    try:
        return nutpie.sample(
            replace(compiled, initial_point_func=start),
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            seed=settings.seed,
            target_accept=settings.target_accept,
            # What runs determine together is correlated; a low-rank mass matrix
            # straightens that at a tenth of the leapfrog steps.
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


def _sample_pymc(
    law: Law,
    values: Mapping[str, npt.NDArray[Any]],
    starts: list[dict[str, Float]],
    settings: Settings,
) -> Any:
    import pymc as pm

    from bayescmr.model.build import build_model

    with build_model(law, values):
        return pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            random_seed=settings.seed,
            target_accept=settings.target_accept,
            nuts_sampler="pymc",
            init="adapt_diag",
            initvals=starts,
            progressbar=settings.progress,
            compute_convergence_checks=False,
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
