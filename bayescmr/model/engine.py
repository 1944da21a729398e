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
from bayescmr.model.settings import Attempt, Settings, Timing
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
    """Draws of coefficients, with the statistics, coordinates and attempts of the sampler."""

    posterior: xr.Dataset
    statistics: xr.Dataset
    coordinates: Coordinates
    attempts: tuple[Attempt, ...]


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
    attempts = []
    for target_accept in settings.accept_rates():
        if settings.sampler == "nutpie":
            model = _nutpie_model(informed, values, timing)
            tree = _sample_nutpie(model, start, settings, target_accept)
        else:
            starts = [informed.named(start(settings.seed + i)) for i in range(settings.chains)]
            tree = _sample_pymc(spec.law, values, starts, settings, target_accept)
        statistics = _rename_statistics(tree["sample_stats"].to_dataset())
        attempts.append(Attempt(target_accept, int(statistics["diverging"].sum())))
        if not attempts[-1].divergences:
            break
    draws = informed.coefficients(tree["posterior"].to_dataset(), hierarchy, settings.seed)
    timing.sample += time.perf_counter() - started
    return Sampled(draws, statistics, informed, tuple(attempts))


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


def _sample_nutpie(
    compiled: Any, start: Callable[[int], Float], settings: Settings, target_accept: float
) -> Any:
    import nutpie

    try:
        return nutpie.sample(
            replace(compiled, initial_point_func=start),
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            seed=settings.seed,
            target_accept=target_accept,
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
    target_accept: float,
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
            target_accept=target_accept,
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
