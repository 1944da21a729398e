"""What people do today: one least-squares curve, and a bootstrap over its checkpoints.

Huber loss, several starts, the law with parameters shared by all sizes but for
a power of size in those that set height and turn; then the curve is fitted
again to resampled checkpoints, as if these were independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.optimize import least_squares

from bayescmr.model.data import hierarchy_of, reference_of
from bayescmr.model.spec import FACTORS, NOISE, ModelSpec
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.posterior import Posterior, Provenance
from bayescmr.runs import RunTable

Float = npt.NDArray[np.float64]

STARTS, REPLICATES = 3, 100
#: Nats beyond which a residual counts as an outlier.
_HUBER = 0.01
#: Parameters that are left at a constant, and those that vary with size, by law.
_FIXED = {"turning_point": {"kappa": 0.0, "nu": 0.0, "e": None}, "shift_gain": {}}
_SLOPES = {"turning_point": ("a", "delta"), "shift_gain": ("a", "b")}
#: Parameters stay within so many prior sds; slopes within one per e-fold of size.
_WIDTH = 4.0


@dataclass(frozen=True)
class Curve:
    """The curve to fit, as arrays of the checkpoints of a table."""

    spec: ModelSpec
    runs: RunTable

    def bootstrap(self, seed: int) -> Posterior:
        """Replicates of the fit in the place of draws, so that CMRs are found alike."""
        block = self.spec.blocks["general"]
        frame = self.runs.select("general")
        reference = reference_of(self.runs.frame)
        names = [p.name for p in block.law.parameters]
        fixed = _FIXED[block.law.name]
        free = [i for i, name in enumerate(names) if name not in fixed]
        # One size tells nothing about slopes.
        n_sizes = frame["size"].nunique()
        tilted = [names.index(s) for s in _SLOPES[block.law.name]] if n_sizes > 1 else []
        size, tokens, ratio, y = (
            frame[c].to_numpy(float) for c in ("size", "tokens", "ratio", "change")
        )
        x = np.log(size / reference.size)
        constant = block.prior_mean.copy()
        for name, value in fixed.items():
            if value is not None:
                constant[names.index(name)] = value

        def sampled(point: Float) -> tuple[Float, Float]:
            mean, slope = constant.copy(), np.zeros(len(names))
            mean[free], slope[tilted] = point[: len(free)], point[len(free) :]
            return mean, slope

        def residuals(point: Float, rows: npt.NDArray[np.intp]) -> Float:
            mean, slope = sampled(point)
            theta = {
                p.name: p.natural(mean[i] + slope[i] * x[rows])
                for i, p in enumerate(block.law.parameters)
            }
            return block.law.change(theta, tokens[rows], ratio[rows], reference) - y[rows]

        scale = np.concatenate(
            [[block.parameters[i].prior.scale for i in free], np.full(len(tilted), 1 / _WIDTH)]
        )
        centre = np.concatenate([constant[free], np.zeros(len(tilted))])
        bounds = (centre - _WIDTH * scale, centre + _WIDTH * scale)
        rng = np.random.default_rng([seed, 21])

        def fit(start: Float, rows: npt.NDArray[np.intp]) -> tuple[float, Float]:
            found = least_squares(
                residuals, start, args=(rows,), bounds=bounds, x_scale=scale, loss="huber",
                f_scale=_HUBER, max_nfev=25, ftol=1e-6, xtol=1e-6,
            )  # fmt: skip
            return float(found.cost), np.asarray(found.x)

        every = np.arange(len(y))
        starts = [centre, *(centre + scale * rng.standard_normal((STARTS - 1, len(centre))))]
        starts = [np.clip(s, bounds[0] + 1e-6 * scale, bounds[1] - 1e-6 * scale) for s in starts]
        best = min((fit(s, every) for s in starts), key=lambda f: f[0])[1]
        best = np.clip(best, bounds[0] + 1e-6 * scale, bounds[1] - 1e-6 * scale)
        points = [fit(best, rng.integers(len(y), size=len(y)))[1] for _ in range(REPLICATES)]

        hierarchy = hierarchy_of(frame, block.size_length, reference)
        coef = np.zeros((1, REPLICATES, len(names), len(hierarchy.terms)))
        for i, point in enumerate(points):
            coef[0, i, :, 0], coef[0, i, :, 1] = sampled(point)
        no_effects = np.full((1, REPLICATES, len(names), len(FACTORS)), -50.0)
        noise = np.zeros((1, REPLICATES, len(NOISE)))
        replicates = BlockPosterior(block, hierarchy, coef, no_effects, noise, xr.Dataset(), seed)
        provenance = Provenance.of(self.runs, seed, {"kind": "bootstrap"})
        return Posterior(self.spec, {"general": replicates}, self.runs.frame, provenance)
