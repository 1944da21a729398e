"""Find where chains start and how they move, then sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayescmr.errors import SamplingError
from bayescmr.laws import Law
from bayescmr.model import density
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.data import BlockData
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.settings import Settings, Timing
from bayescmr.model.spec import BlockSpec
from bayescmr.model.start import Float, find_modes, log_density, start_of_chains

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
class Sampled:
    """Draws of coefficients, the sampler's statistics, and the coordinates that it moved in."""

    posterior: xr.Dataset
    statistics: xr.Dataset
    coordinates: Coordinates


#: Functions that PyTensor compiled in this process, by law and number of anchors: all numbers are
#: data, so nothing else tells two of them apart.
_COMPILED: dict[tuple[str, int], Any] = {}


@dataclass(frozen=True)
class Prepared:
    """All that is found out about a block before it is sampled.

    Parameters
    ----------
    hierarchy : Hierarchy
        Terms of the coefficients.
    coordinates : Coordinates
        In which chains move.
    values : mapping of str to ndarray
        All numbers that the compiled model reads.
    start : callable
        From the seed of a chain to its starting point.
    """

    hierarchy: Hierarchy
    coordinates: Coordinates
    values: Mapping[str, npt.NDArray[Any]]
    start: Callable[[int], Float]


def prepare_block(
    spec: BlockSpec, hierarchy: Hierarchy, data: BlockData, seed: int, timing: Timing
) -> Prepared:
    """Find the modes of a block, and from them the coordinates and starts of its chains.

    Raises
    ------
    SamplingError
        There is no finite starting point.
    """
    plain = Coordinates.non_centred(spec, data.groups)
    runs = data.arrays()
    compiled = _nutpie_model(plain, {**runs, **plain.arrays()}, timing)
    started = time.perf_counter()
    modes = find_modes(log_density(compiled), compiled.initial_point_func, seed)
    informed = plain.informed(modes.points[0], modes.covariance)
    start = start_of_chains(informed.convert(modes.points, plain))
    timing.sample += time.perf_counter() - started
    return Prepared(hierarchy, informed, {**runs, **informed.arrays()}, start)


def sample_block(block: Prepared, settings: Settings, timing: Timing) -> Sampled:
    """Sample the posterior of one block.

    Raises
    ------
    SamplingError
        The sampler failed.
    """
    coordinates, start = block.coordinates, block.start
    started = time.perf_counter()
    if settings.sampler == "nutpie":
        tree = _sample_nutpie(_nutpie_model(coordinates, block.values, timing), start, settings)
    else:
        starts = [coordinates.named(start(settings.seed + i)) for i in range(settings.chains)]
        tree = _sample_pymc(coordinates.spec.law, block.values, starts, settings)
    draws = tree["posterior"].to_dataset()
    sampled = Sampled(
        coordinates.coefficients(draws, block.hierarchy, settings.seed),
        _rename_statistics(tree["sample_stats"].to_dataset()),
        coordinates,
    )
    timing.sample += time.perf_counter() - started
    return sampled


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
