"""Simulated worlds: a law drawn from a prior or a posterior, and what it may not contain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq

from bayescmr.cmr import Target
from bayescmr.errors import DesignError
from bayescmr.laws import Reference
from bayescmr.model.scales import covariance
from bayescmr.model.spec import FACTORS, ModelSpec
from bayescmr.planning.space import Space
from bayescmr.posterior import Posterior, prior_predictive
from bayescmr.posterior.block import BlockPosterior, Theta
from bayescmr.runs import RunTable
from bayescmr.worlds.departures import Departure, Mean

Float = npt.NDArray[np.float64]

#: Ratios between which the sign of the excess is looked at: a hump narrower than a step is missed.
_LOOK = np.linspace(0.0, 1.0, 2001)


@dataclass(frozen=True)
class SimulatedWorld:
    """A world whose truth is known.

    Parameters
    ----------
    law : BlockPosterior
        Of the general loss; a single draw.
    space : Space
        What can be run.
    target : Target
        Where the CMR is asked; its tolerance in nats.
    seed : int
        Of the noise of all runs.
    departures : tuple of Departure
        What the law does not contain, in the order in which it is applied.
    """

    law: BlockPosterior
    space: Space
    target: Target
    seed: int
    departures: tuple[Departure, ...] = ()

    def __post_init__(self) -> None:
        if self.law.n_draws != 1:
            raise DesignError(f"world: got {self.law.n_draws} draws of a law, expected one")
        if self.space.domain != self.target.domain:
            raise DesignError(
                f"world: the space is of {self.space.domain!r}, the target of"
                f" {self.target.domain!r}; expected the same domain"
            )

    def departing(self, *departures: Departure) -> SimulatedWorld:
        """The same world but for departures from its law: same draw, same noise."""
        return replace(self, departures=(*self.departures, *departures))

    @property
    def reference(self) -> Reference:
        """Point at which priors are stated."""
        return self.law.hierarchy.reference

    @cached_property
    def _by_size(self) -> dict[float, Theta]:
        sizes = list(dict.fromkeys([float(self.target.size), *self.space.sizes]))
        eval_set = self.law.hierarchy.eval_sets[0]
        return dict(zip(sizes, self.law.thetas(sizes, self.target.domain, eval_set), strict=True))

    @cached_property
    def _mean(self) -> Mean:
        size, tokens = self.target.size, self.target.tokens

        def law(n: float, t: Float, ratio: Float) -> Float:
            theta = self._by_size[self._size(n * size)]
            return np.asarray(self.law.spec.law.change(theta, t * tokens, ratio, self.reference))

        mean: Mean = law
        for departure in self.departures:
            mean = departure.mean(mean)
        return mean

    def _size(self, size: float) -> float:
        return min(self._by_size, key=lambda one: abs(one - size))

    def mean(self, size: float, tokens: npt.ArrayLike, ratio: npt.ArrayLike) -> Float:
        """Mean change over all runs, nats/token, of tokens and ratios that broadcast."""
        t, r = np.asarray(tokens, float) / self.target.tokens, np.asarray(ratio, float)
        # Parameters of one draw have an axis of their own.
        found = self._mean(size / self.target.size, t, r)
        return found.reshape(np.broadcast_shapes(t.shape, r.shape))

    @cached_property
    def truth(self) -> float:
        """Tolerance CMR at the target: first ratio at which the mean change exceeds it."""
        allowed = self.target.tolerance_of(self.law.hierarchy.eval_sets[0], np.nan)
        return first_root(
            lambda ratio: self.mean(self.target.size, self.target.tokens, ratio) - allowed
        )

    def losses(self, size: float, ratio: float, seed: int) -> Float:
        """Change at every checkpoint of a run; see `World`."""
        tokens = np.asarray(self.space.checkpoints[size], float)
        x = np.log(tokens / self.reference.tokens)
        scales = self.law.scales[0]
        root = np.linalg.cholesky(covariance(scales, x, np.zeros(len(x)), ratio == 1.0))
        # A stream for each run, so that no policy's choices shift the noise of another's runs.
        rng = np.random.default_rng([self.seed, 6, round(size), round(1e6 * ratio), seed])
        luck = rng.random(2)
        innovations = rng.standard_normal(len(x))
        residual = root @ innovations
        for departure in self.departures:
            residual = departure.residual(residual, innovations, root, luck)
        return self.mean(size, tokens, ratio) + residual

    def se(self, size: float, ratio: float, seed: int) -> Float:
        """None is stated: all scatter is the world's own; see `World`."""
        return np.zeros(len(self.space.checkpoints[size]))


def first_root(excess: Callable[[Float], Float]) -> float:
    """Largest R with no excess > 0 up to it: 0 where there is none, 1 where every ratio is."""
    above = np.asarray(excess(_LOOK)) > 0
    if not above.any():
        return 1.0
    first = int(above.argmax())
    if first == 0:
        return 0.0
    low, high = float(_LOOK[first - 1]), float(_LOOK[first])
    return float(brentq(lambda r: float(excess(np.array([r]))[0]), low, high, xtol=1e-10))


def off_law(
    world: SimulatedWorld, deviations: float, parameters: Sequence[str] = ("a", "delta")
) -> SimulatedWorld:
    """The same world, its target size off what sizes have in common; smaller sizes are not.

    Parameters
    ----------
    world : SimulatedWorld
        Its target's size is the largest of its law.
    deviations : float
        By how many standard deviations of the size effects.
    parameters : sequence of str
        Of the law: those that set the height of the rise, by default of ``turning_point``.

    Raises
    ------
    DesignError
        The target's size is not the largest, or the law has no such parameter.
    """
    law, size = world.law, world.target.size
    levels = law.hierarchy
    if not np.isclose(size, levels.sizes[-1]):
        raise DesignError(
            f"off the law: the target's size {size:g} is not the law's largest,"
            f" {levels.sizes[-1]:g}; expected the same"
        )
    names = [p.name for p in law.spec.law.parameters]
    unknown = [name for name in parameters if name not in names]
    if unknown:
        raise DesignError(f"off the law: no parameter {unknown[0]!r}, expected {', '.join(names)}")
    # The last innovation belongs to the largest size alone.
    column = levels.terms.index(f"size innovation {len(levels.sizes)}")
    weight = levels.place(size, world.target.domain, levels.eval_sets[0]).row[column]
    coef = law.coef.copy()
    for name in parameters:
        i = names.index(name)
        sd = np.exp(law.ln_effect_sd[:, :, i, FACTORS.index("size")])
        coef[:, :, i, column] += deviations * sd / weight
    return replace(world, law=replace(law, coef=coef))


def prior_world(space: Space, target: Target, model: str | ModelSpec, seed: int) -> SimulatedWorld:
    """Draw a world from the prior of a model.

    Parameters
    ----------
    space : Space
        What can be run; its centre is where priors are stated.
    target : Target
        Question; its tolerance in nats.
    model : str or ModelSpec
        Only its general loss is looked at.
    seed : int
        Same seed, same world.
    """
    return SimulatedWorld(
        prior_predictive(_design(space, target), model, seed=seed, draws=1).general.take([0]),
        space,
        target,
        seed,
    )


def posterior_world(
    posterior: Posterior, space: Space, target: Target, *, draw: int, seed: int
) -> SimulatedWorld:
    """Draw a world from a posterior: what the runs so far leave open.

    Parameters
    ----------
    posterior : Posterior
        Of one model, with the target's domain.
    space, target
        As for :func:`prior_world`.
    draw : int
        Index over all chains.
    seed : int
        Of the noise, and of the effects of sizes never probed.
    """
    return SimulatedWorld(replace(posterior.general.take([draw]), seed=seed), space, target, seed)


def _design(space: Space, target: Target) -> RunTable:
    """Every size with every ratio, and the target's size, which the space may lack."""
    rows = [
        {
            "run": f"{size:g}-{ratio:g}",
            "size": size,
            "domain": space.domain,
            "ratio": ratio,
            "tokens": tokens,
            "change_general": 0.0,
        }
        for size in dict.fromkeys([*space.sizes, float(target.size)])
        for ratio in space.ratios
        for tokens in space.checkpoints.get(size, (target.tokens,))
    ]
    return RunTable.from_frame(pd.DataFrame(rows), source="space of runs")
