"""What people use today: the same law by robust least squares, and a bootstrap over runs.

Runs of one domain, law parameters linear in ln size, scipy's Huber loss from many
starts, then 1,000 tables of runs drawn with replacement, each fitted from the
best point: the cheapest form that gives an interval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import least_squares

import bayescmr as bc
from bayescmr.cmr.crossing import first_crossing
from bayescmr.laws import get_law
from bayescmr.model.data import reference_of
from bayescmr.model.spec import load_model

Float = npt.NDArray[np.float64]
#: Residuals beyond this count less: the usual 1.345 standard deviations of a loss of 0.003 nats.
_HUBER = 0.004


class LeastSquares:
    """Robust fit of the runs of one domain."""

    def __init__(self, runs: bc.RunTable, domain: str) -> None:
        rows = runs.select("general")
        self.law = get_law("turning_point")
        self.reference = reference_of(rows)
        rows = rows[rows["domain"] == domain].sort_values(["run", "tokens"])
        self.members = list(rows.groupby("run").indices.values())
        self.rows = rows
        # Prior medians are where starts lie, and the widths how far apart.
        block = load_model("turning_point").blocks["general"]
        self.centre = np.concatenate([block.prior_mean, np.zeros(len(block.parameters))])
        self.width = np.sqrt(block.variances[:, :2]).T.ravel()

    def theta(self, point: Float, size: Float | float) -> dict[str, Float]:
        """Law parameters at a size, natural scale."""
        mean, slope = point.reshape(2, -1)
        at = np.log(np.asarray(size) / self.reference.size)
        pairs = zip(self.law.parameters, mean, slope, strict=True)
        return {p.name: p.natural(m + s * at) for p, m, s in pairs}

    def fit(self, rows: pd.DataFrame, start: Float) -> tuple[float, Float]:
        """Cost and optimum from one start."""
        size, tokens, ratio, change = (
            rows[name].to_numpy(dtype=float) for name in ("size", "tokens", "ratio", "change")
        )

        def residuals(point: Float) -> Float:
            theta = self.theta(point, size)
            return np.asarray(self.law.change(theta, tokens, ratio, self.reference)) - change

        # Within 8 prior widths, or a start may overflow.
        low, high = self.centre - 8 * self.width, self.centre + 8 * self.width
        found = least_squares(
            residuals,
            start,
            bounds=(low, high),
            x_scale=self.width,
            loss="huber",
            f_scale=_HUBER,
            max_nfev=200,
        )
        return float(found.cost), found.x

    def cmr(self, point: Float, target: bc.Target) -> float:
        """Turning-point CMR of one fit."""
        theta = {k: np.array([v]) for k, v in self.theta(point, target.size).items()}
        tokens = np.float64(target.tokens)
        found = first_crossing(
            lambda t, ratio: self.law.slope(t, tokens, ratio, self.reference), theta
        )
        return float(found[0])

    def bootstrap(self, target: bc.Target, *, replicates: int, starts: int, seed: int) -> Float:
        """Turning-point CMRs: of the table itself, then of each replicate."""
        rng = np.random.default_rng(seed)
        points = self.centre + self.width * rng.standard_normal((starts, len(self.centre)))
        points = np.clip(points, self.centre - 3 * self.width, self.centre + 3 * self.width)
        best = min((self.fit(self.rows, p) for p in points), key=lambda found: found[0])[1]
        answers = [self.cmr(best, target)]
        for _ in range(replicates):
            chosen = rng.integers(len(self.members), size=len(self.members))
            rows = self.rows.iloc[np.concatenate([self.members[i] for i in chosen])]
            answers.append(self.cmr(self.fit(rows, best)[1], target))
        return np.array(answers)
