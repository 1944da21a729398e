"""Posterior of one loss: draws, and the law evaluated on them for any group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.scales import natural_scales
from bayescmr.model.spec import FACTORS, NOISE, ROLES, BlockSpec
from bayescmr.posterior.diagnostics import Verdict, measure

Float = npt.NDArray[np.float64]
Theta = dict[str, Float]


@dataclass(frozen=True)
class BlockPosterior:
    """Draws of one block (general or domain loss).

    Parameters
    ----------
    spec : BlockSpec
        Law, hierarchy and priors.
    hierarchy : Hierarchy
        Levels that were probed.
    coef : ndarray, shape (chains, draws, parameters, terms)
        Hierarchy coefficients on the sampled scale.
    ln_effect_sd : ndarray, shape (chains, draws, parameters, factors)
        Log sds of the effects.
    noise : ndarray, shape (chains, draws, 6)
        Noise quantities on their sampled scale.
    statistics : xarray.Dataset
        Sampler statistics; empty for draws from the prior.
    seed : int
        For the effects of groups and runs never seen.
    """

    spec: BlockSpec
    hierarchy: Hierarchy
    coef: Float
    ln_effect_sd: Float
    noise: Float
    statistics: xr.Dataset
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        """Chains and draws per chain."""
        return self.coef.shape[0], self.coef.shape[1]

    @property
    def n_draws(self) -> int:
        """Draws in all chains."""
        return self.shape[0] * self.shape[1]

    def take(self, draws: Sequence[int]) -> BlockPosterior:
        """Some draws, indices over all chains, as one chain; for groups that were probed."""

        def some(values: Float) -> Float:
            return values.reshape(self.n_draws, *values.shape[2:])[None, draws]

        return replace(
            self,
            coef=some(self.coef),
            ln_effect_sd=some(self.ln_effect_sd),
            noise=some(self.noise),
            statistics=xr.Dataset(),
        )

    @cached_property
    def scales(self) -> Float:
        """Noise scales, shape (draws, 6), in the order of ``bayescmr.model.scales.SCALES``."""
        return np.asarray(natural_scales(self.noise.reshape(self.n_draws, -1)))

    @cached_property
    def _fresh(self) -> Float:
        """Standard normals for a new size and a new domain, shape (2, draws, parameters).

        The same for every target, so that results are smooth in the target and
        all evaluation sets of one target share them. The two losses do not.
        """
        rng = np.random.default_rng([self.seed, 1, ROLES.index(self.spec.role)])
        return rng.standard_normal((2, self.n_draws, len(self.spec.parameters)))

    def sampled(self, size: float, domain: str, eval_set: str) -> Theta:
        """Law parameters of one group on the sampled (unconstrained) scale, each of shape (draws,).

        Groups never probed get effects of their own, drawn from the hierarchy.

        Raises
        ------
        TargetError
            Unknown evaluation set, or size not > 0.
        """
        place = self.hierarchy.place(size, domain, eval_set)
        n = self.n_draws
        sampled = self.coef.reshape(n, *self.coef.shape[2:]) @ place.row
        if place.new_size or place.new_domain:
            sd = np.exp(self.ln_effect_sd.reshape(n, *self.ln_effect_sd.shape[2:]))
            sampled = (
                sampled
                + place.new_size * sd[:, :, FACTORS.index("size")] * self._fresh[0]
                + place.new_domain * sd[:, :, FACTORS.index("domain")] * self._fresh[1]
            )
        return {p.name: sampled[:, i] for i, p in enumerate(self.spec.law.parameters)}

    def theta(self, size: float, domain: str, eval_set: str) -> Theta:
        """Law parameters of one group on the natural scale, each of shape (draws,).

        See :meth:`sampled`.
        """
        sampled = self.sampled(size, domain, eval_set)
        return {p.name: np.asarray(p.natural(sampled[p.name])) for p in self.spec.law.parameters}

    def thetas(self, sizes: Sequence[float], domain: str, eval_set: str) -> list[Theta]:
        """Law parameters of several sizes at once, each as :meth:`theta` has them.

        Sizes never probed share part of their effects with each other, as near sizes do; one at a
        time, they would all share everything. The first is as :meth:`theta` alone has it.

        Parameters
        ----------
        sizes : sequence of float
            Distinct non-embedding parameters (count).
        domain, eval_set : str
            As in :meth:`sampled`.
        """
        n, n_par = self.n_draws, len(self.spec.parameters)
        covariance = self.hierarchy.unexplained(sizes)
        # Zero for probed sizes, whose rows rounding would otherwise make indefinite.
        new = [self.hierarchy.place(size, domain, eval_set).new_size > 0 for size in sizes]
        weights = np.zeros_like(covariance)
        if any(new):
            weights[np.ix_(new, new)] = np.linalg.cholesky(covariance[np.ix_(new, new)])
        rng = np.random.default_rng([self.seed, 5, ROLES.index(self.spec.role)])
        innovations = rng.standard_normal((len(sizes), n, n_par))
        if any(new):
            innovations[new.index(True)] = self._fresh[0]
        sd = np.exp(self.ln_effect_sd.reshape(n, n_par, -1)[:, :, FACTORS.index("size")])
        found = []
        for size, row in zip(sizes, weights, strict=True):
            place = self.hierarchy.place(size, domain, eval_set)
            alone = self.sampled(size, domain, eval_set)
            shift = sd * (np.tensordot(row, innovations, 1) - place.new_size * self._fresh[0])
            found.append(
                {
                    p.name: np.asarray(p.natural(alone[p.name] + shift[:, i]))
                    for i, p in enumerate(self.spec.law.parameters)
                }
            )
        return found

    def change(
        self, size: float, domain: str, eval_set: str, tokens: npt.ArrayLike, ratio: npt.ArrayLike
    ) -> Float:
        """Expected change of loss, nats/token, shape (draws, points).

        ``tokens`` (count) and ``ratio`` broadcast against each other to (points,).
        """
        theta = {k: v[:, None] for k, v in self.theta(size, domain, eval_set).items()}
        t, r = np.broadcast_arrays(
            np.atleast_1d(np.asarray(tokens, float)), np.atleast_1d(np.asarray(ratio, float))
        )
        return np.asarray(
            self.spec.law.change(theta, t[None, :], r[None, :], self.hierarchy.reference)
        )

    @property
    def no_replay_factor(self) -> Float:
        """How many times as much a run at R = 1 misses its law by, shape (draws,)."""
        return np.asarray(self.scales[:, 5])

    def run_effect(self, tokens: float, stream: int = 0) -> tuple[Float, Float]:
        """Effect of a new run at ``tokens`` on its loss and on its slope in ln tokens.

        Parameters
        ----------
        tokens : float
            CPT tokens (count).
        stream : int
            Index of the evaluation set; effects of different sets are independent.

        Returns
        -------
        level, slope : ndarray, shape (draws,)
            nats/token and nats/token per e-fold. The drift has a slope at no point; its slope
            here is that over the last e-fold of tokens.
        """
        rng = np.random.default_rng([self.seed, 2, stream])
        z = rng.standard_normal((4, self.n_draws))
        offset, slope, drift, length = (self.scales[:, i] for i in range(4))
        x = np.log(tokens / self.hierarchy.reference.tokens)
        kept = np.exp(-1.0 / length)
        now = drift * z[2]
        before = kept * now + drift * np.sqrt(1.0 - kept**2) * z[3]
        return offset * z[0] + slope * z[1] * x + now, slope * z[1] + (now - before)

    @cached_property
    def verdict(self) -> Verdict:
        """Convergence of every sampled quantity."""
        return measure(self.quantities(), self.statistics)

    def quantities(self) -> dict[str, Float]:
        """Every sampled quantity by name, each of shape (chains, draws).

        Law parameters of the probed groups too: runs determine these, while
        coefficients are in part drawn afresh and look better mixed than they are.
        """
        found: dict[str, Float] = {}
        role = self.spec.role
        cells = self.hierarchy.spanning_cells
        values = self.coef @ self.hierarchy.design(cells).T
        for i, parameter in enumerate(self.spec.parameters):
            for j, cell in enumerate(cells):
                found[f"{role} {parameter.name}[{cell[0]:g}, {cell[1]}, {cell[2]}]"] = values[
                    :, :, i, j
                ]
            for j, term in enumerate(self.hierarchy.terms):
                found[f"{role} {parameter.name}[{term}]"] = self.coef[:, :, i, j]
            for j, factor in enumerate(FACTORS):
                found[f"{role} {parameter.name}[sd over {factor}]"] = self.ln_effect_sd[:, :, i, j]
        for i, name in enumerate(NOISE):
            found[f"{role} noise[{name}]"] = self.noise[:, :, i]
        return found
