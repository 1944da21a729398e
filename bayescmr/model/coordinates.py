"""The coordinates in which chains move, and the way back to the hierarchy's coefficients.

A point is z (parameters, anchors), shift (parameters, factors) and noise (6,),
all standard normal a priori but for the centring of z and the bend of noise: see
:mod:`bayescmr.model.centring` and :mod:`bayescmr.model.bend`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayescmr.model.bend import inward, learn, outward, straight
from bayescmr.model.groups import Groups
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.spec import FACTORS, NOISE, ROLES, BlockSpec

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Coordinates:
    """Coordinates of one block.

    Parameters
    ----------
    spec : BlockSpec
        Priors.
    groups : Groups
        Anchors of the runs.
    centring : ndarray, shape (parameters, factors)
        0 (non-centred) to 1 (centred).
    bend : ndarray, shape (6, 3)
        Of the noise quantities.
    """

    spec: BlockSpec
    groups: Groups
    centring: Float
    bend: Float

    @classmethod
    def non_centred(cls, spec: BlockSpec, groups: Groups) -> Coordinates:
        """Coordinates that are standard normal a priori."""
        return cls(spec, groups, np.zeros_like(spec.effect_median), straight(len(NOISE)))

    def arrays(self) -> dict[str, Float]:
        """What the compiled model reads of the priors and the groups, by name."""
        return {
            "weights": self.groups.weights,
            "components": self.groups.components,
            "variances": self.spec.variances,
            "centring": self.centring,
            "bend": self.bend,
            "prior_mean": self.spec.prior_mean,
            "effect_spread": np.array(self.spec.effect_spread),
            "noise_mean": self.spec.noise_mean,
            "noise_scale": self.spec.noise_scale,
        }

    def informed(self, point: Float, covariance: Float) -> Coordinates:
        """Centre each effect by the share of its prior variance that data take away.

        That share is the optimal centring of a normal effect: Papaspiliopoulos,
        Roberts, Skold 2007, doi 10.1214/088342307000000014.

        Parameters
        ----------
        point : ndarray, shape (dimension,)
            A mode, in these coordinates, which must be non-centred.
        covariance : ndarray, shape (dimension, dimension)
            Of the posterior around it.
        """
        z, shift, _ = self._split(point)
        to_z = np.linalg.inv(self._factor(self.spec.effect_spread * shift))
        count, anchors = z.shape
        centring = np.zeros_like(self.centring)
        for p in range(count):
            own = slice(p * anchors, (p + 1) * anchors)
            for f in range(len(FACTORS)):
                # The effects' conditional mean, as a linear map of z.
                effects = self.groups.components[2 + f] @ to_z[p].T
                prior = np.sum(effects**2)
                if prior > 0:
                    left = np.sum((effects @ covariance[own, own]) * effects)
                    centring[p, f] = np.clip(1.0 - left / prior, 0.0, 1.0)
        return replace(self, centring=centring)

    def bent(self, points: Float) -> Coordinates:
        """Bend each noise quantity as draws tell.

        Parameters
        ----------
        points : ndarray, shape (draws, dimension)
            Near the posterior, in these coordinates, which must not be bent.
        """
        return replace(self, bend=learn(self._split(points)[2]))

    def convert(self, points: Float, source: Coordinates) -> Float:
        """Map points, shape (points, dimension), from other coordinates of the same block."""
        moved = np.array(points)
        z, shift, noise = self._split(moved)
        noise[:] = inward(outward(noise, source.bend), self.bend)
        spread = self.spec.effect_spread
        anchors = np.einsum("npij,npj->npi", source._factor(spread * shift), z)
        z[:] = np.linalg.solve(self._factor(spread * shift), anchors[..., None])[..., 0]
        return moved

    def named(self, point: Float) -> dict[str, Float]:
        """Split one point by variable."""
        return dict(zip(self.shapes, self._split(point), strict=True))

    def stacked(self, draws: xr.Dataset) -> Float:
        """Points of the draws of all chains, shape (draws, dimension)."""
        parts = [draws[name].to_numpy() for name in self.shapes]
        count = parts[0].shape[0] * parts[0].shape[1]
        return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)

    def coefficients(self, draws: xr.Dataset, hierarchy: Hierarchy, seed: int) -> xr.Dataset:
        """Map draws to coefficients, log sds of effects and noise, on the sampled scale.

        Parameters
        ----------
        draws : Dataset
            ``z``, ``shift``, ``noise`` with leading dimensions chain and draw.
        hierarchy : Hierarchy
            Terms of the coefficients.
        seed : int
            For what the anchors leave open, which is drawn from its exact conditional.

        Returns
        -------
        Dataset
            ``coef`` (chain, draw, parameter, term), ``ln_effect_sd`` (chain, draw,
            parameter, factor), ``noise`` (chain, draw, quantity).
        """
        spec = self.spec
        shift = spec.effect_spread * draws["shift"].to_numpy()
        anchors = np.einsum("...ij,...j->...i", self._factor(shift), draws["z"].to_numpy())
        ln_sd = np.log(spec.effect_median) + shift
        sd = np.exp(ln_sd @ hierarchy.factor_columns)
        sd[..., :2] = np.sqrt(spec.variances[:, :2])
        rng = np.random.default_rng([seed, 3, ROLES.index(spec.role)])
        coef = self.groups.coefficients(anchors, spec.prior_mean, sd, rng)
        noise = outward(draws["noise"].to_numpy(), self.bend)
        noise = spec.noise_mean + spec.noise_scale * noise
        leading = ("chain", "draw")
        return xr.Dataset(
            {
                "coef": ((*leading, "parameter", "term"), coef),
                "ln_effect_sd": ((*leading, "parameter", "factor"), ln_sd),
                "noise": ((*leading, "quantity"), noise),
            },
            coords={
                "parameter": [p.name for p in spec.parameters],
                "term": hierarchy.terms,
                "factor": list(FACTORS),
                "quantity": list(NOISE),
            },
        )

    def points(self, coef: Float, ln_effect_sd: Float, noise: Float) -> Float:
        """Map coefficients of the same terms back to points: inverse of :meth:`coefficients`.

        Parameters
        ----------
        coef : ndarray, shape (draws, parameters, terms)
        ln_effect_sd : ndarray, shape (draws, parameters, factors)
        noise : ndarray, shape (draws, 6)

        Returns
        -------
        ndarray, shape (draws, dimension)
        """
        spec = self.spec
        anchors = coef @ self.groups.rows.T - spec.prior_mean[:, None]
        shift = ln_effect_sd - np.log(spec.effect_median)
        z = np.linalg.solve(self._factor(shift), anchors[..., None])[..., 0]
        x = inward((noise - spec.noise_mean) / spec.noise_scale, self.bend)
        parts = (z, shift / spec.effect_spread, x)
        return np.concatenate([part.reshape(len(coef), -1) for part in parts], axis=1)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the variables, in the order in which they make a point."""
        count, factors = self.centring.shape
        return {
            "z": (count, len(self.groups.rows)),
            "shift": (count, factors),
            "noise": (len(NOISE),),
        }

    def _split(self, points: Float) -> tuple[Float, Float, Float]:
        """Views of z, shift and noise in points of shape (..., dimension)."""
        count, factors = self.centring.shape
        anchors = len(self.groups.rows)
        first, second = count * anchors, count * (anchors + factors)
        leading = points.shape[:-1]
        return (
            points[..., :first].reshape(*leading, count, anchors),
            points[..., first:second].reshape(*leading, count, factors),
            points[..., second:],
        )

    def _factor(self, shift: Float) -> Float:
        """Factor L of :mod:`bayescmr.model.centring`, shape (..., parameters, anchors, anchors)."""
        variances, components = self.spec.variances, self.groups.components
        frozen = variances[:, 2:] * np.exp(2.0 * (1.0 - self.centring) * shift)
        k = np.einsum("pf,fij->pij", variances[:, :2], components[:2])
        return np.linalg.cholesky(k + np.einsum("...pf,fij->...pij", frozen, components[2:]))
