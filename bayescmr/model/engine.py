"""Find where chains start and how they move, then sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayescmr.errors import SamplingError
from bayescmr.laws import Law
from bayescmr.model import density
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.data import BlockData
from bayescmr.model.frame import Frame
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.settings import Settings, Timing
from bayescmr.model.spec import BlockSpec
from bayescmr.model.start import Float, curvature, find_modes, log_density, start_of_chains

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


class Draws(NamedTuple):
    """Draws of an earlier posterior, in the terms of the block that is to be sampled.

    Parameters
    ----------
    coef : ndarray, shape (draws, parameters, terms)
    ln_effect_sd : ndarray, shape (draws, parameters, factors)
    noise : ndarray, shape (draws, 6)
    """

    coef: Float
    ln_effect_sd: Float
    noise: Float


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
        Centred as the data deserve.
    runs : mapping of str to ndarray
        What the compiled model reads of the runs.
    modes : ndarray, shape (modes, dimension)
        In these coordinates, the best first.
    last : ndarray, shape (draws, dimension), or None
        Draws of an earlier posterior, in these coordinates.
    """

    hierarchy: Hierarchy
    coordinates: Coordinates
    runs: Mapping[str, npt.NDArray[Any]]
    modes: Float
    last: Float | None

    @property
    def values(self) -> dict[str, npt.NDArray[Any]]:
        """All numbers that the compiled model reads."""
        return {**self.runs, **self.coordinates.arrays()}


def prepare_block(
    spec: BlockSpec,
    hierarchy: Hierarchy,
    data: BlockData,
    seed: int,
    timing: Timing,
    last: Draws | None = None,
) -> Prepared:
    """Find the modes of a block, and from them the coordinates of its chains.

    Parameters
    ----------
    spec, hierarchy, data : BlockSpec, Hierarchy, BlockData
        Model and runs.
    seed : int
        Of the starts of the search.
    timing : Timing
        Grows by the seconds of each stage.
    last : Draws, optional
        Of an earlier posterior with the same terms: the search starts at some of them.

    Raises
    ------
    SamplingError
        There is no finite starting point.
    """
    plain = Coordinates.non_centred(spec, data.groups)
    runs = data.arrays()
    compiled = _nutpie_model(plain, {**runs, **plain.arrays()}, timing)
    started = time.perf_counter()
    points = None if last is None else plain.points(*last)
    starts = compiled.initial_point_func if points is None else start_of_chains(points)
    modes = find_modes(log_density(compiled), starts, seed)
    informed = plain.informed(modes.points[0], modes.covariance)
    moved = None if points is None else informed.convert(points, plain)
    timing.sample += time.perf_counter() - started
    return Prepared(hierarchy, informed, runs, informed.convert(modes.points, plain), moved)


def starts_from_draws(law: Law, settings: Settings) -> bool:
    """Whether chains of this law and sampler can start from draws of an earlier posterior."""
    return settings.sampler == "nutpie" and density.knows(law)


def sample_block(block: Prepared, settings: Settings, timing: Timing) -> Sampled:
    """Sample the posterior of one block.

    Raises
    ------
    SamplingError
        The sampler failed.
    """
    coordinates = block.coordinates
    law = coordinates.spec.law
    start = start_of_chains(block.modes)
    started = time.perf_counter()
    if settings.sampler == "pymc":
        starts = [coordinates.named(start(settings.seed + i)) for i in range(settings.chains)]
        tree = _sample_pymc(law, block.values, starts, settings)
    elif starts_from_draws(law, settings):
        coordinates, tree = _sample_framed(block, settings, timing)
    else:
        model = _nutpie_model(coordinates, block.values, timing)
        # What runs determine together is correlated; a low-rank mass matrix straightens that.
        tree = _sample_nutpie(model, start, settings, "low_rank")
    sampled = Sampled(
        coordinates.coefficients(tree["posterior"].to_dataset(), block.hierarchy, settings.seed),
        _rename_statistics(tree["sample_stats"].to_dataset()),
        coordinates,
    )
    timing.sample += time.perf_counter() - started
    return sampled


def _sample_framed(block: Prepared, settings: Settings, timing: Timing) -> tuple[Coordinates, Any]:
    """Sample in coordinates and a frame that all chains of a rehearsal have learned together.

    With draws of an earlier posterior there is no rehearsal: these take its place.
    """
    rough = block.coordinates
    mode = block.modes[0]
    target = log_density(density.nutpie_model(rough, block.values))
    frame = Frame.around(mode, curvature(target, mode))
    # Of the warm-up, the last fifth follows the rehearsal, whose first half is its own warm-up.
    final = max(1, settings.tune // 5)
    half = max(2, (settings.tune - final) // 2)
    if block.last is None:
        rehearsal = _sample_nutpie(
            density.nutpie_model(rough, block.values, frame),
            start_of_chains(frame.inward(block.modes)),
            replace(settings, draws=half, tune=half),
            "diag",
        )
        draws = rehearsal["posterior"].to_dataset()
        points = rough.stacked(draws)
    else:
        points = block.last
    bent = rough.bent(points)
    values = {**block.runs, **bent.arrays()}
    points = bent.convert(points, rough)
    frame = Frame(points.mean(axis=0), frame.factor)
    target = log_density(density.nutpie_model(bent, values, frame))
    inner = frame.inward(points)
    frame = frame.refined(inner, np.array([target(point)[1] for point in inner]))
    starts = points if block.last is None else bent.convert(block.modes, rough)
    tree = _sample_nutpie(
        density.nutpie_model(bent, values, frame),
        start_of_chains(frame.inward(starts)),
        replace(settings, tune=final),
        "diag",
    )
    return bent, tree


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
    compiled: Any,
    start: Callable[[int], Float],
    settings: Settings,
    adaptation: Literal["diag", "draw_diag", "low_rank"],
) -> Any:
    import nutpie

    try:
        sampler = nutpie.sample(
            replace(compiled, initial_point_func=start),
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            seed=settings.seed,
            target_accept=settings.target_accept,
            adaptation=adaptation,
            progress_bar=settings.progress,
            save_warmup=False,
            blocking=False,
        )
        # Not nutpie's own wait: it takes Ctrl-C for the end, and returns draws that are not there.
        try:
            return sampler.wait()
        except BaseException:
            sampler.cancel()
            raise
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
