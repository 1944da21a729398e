"""BoTorch's multi-fidelity Gaussian process: what is there without a law. Extra ``botorch``."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.stats import norm

from bayescmr.design.baselines.common import costs, require_request
from bayescmr.design.outlook import Candidate, Float, Option, Outlook
from bayescmr.design.policy import Pick, Scores
from bayescmr.errors import DesignError

# With fewer measurements the surface has more parameters than data.
MIN_MEASURED = 6


@dataclass(frozen=True)
class Measured:
    """Losses of runs so far, one entry for each checkpoint.

    Parameters
    ----------
    size, ratio, tokens : ndarray, shape (measured,)
        Non-embedding parameters, domain share, CPT tokens.
    change : ndarray, shape (measured,)
        Of the general loss, nats/token.
    """

    size: Float
    ratio: Float
    tokens: Float
    change: Float

    def __post_init__(self) -> None:
        shapes = {c.shape for c in (self.size, self.ratio, self.tokens, self.change)}
        if self.change.ndim != 1 or len(shapes) != 1:
            raise DesignError(f"measured: got columns of shapes {shapes}, expected one length")
        if len(self.change) < MIN_MEASURED:
            raise DesignError(
                f"measured: got {len(self.change)} losses, expected at least {MIN_MEASURED}"
            )
        if not (
            np.isfinite(self.change).all() and (self.size > 0).all() and (self.tokens > 0).all()
        ):
            raise DesignError("measured: expected finite changes at sizes and tokens > 0")


@dataclass(frozen=True)
class MultiFidelityGP:
    """Learn the rise at the target, about where it crosses its tolerance, per cost.

    A ``SingleTaskMultiFidelityGP`` of (ratio; ln size, ln tokens) is fitted to what was measured;
    size and tokens are fidelities, 1 at the target. The value of a run is the drop of the
    variance of the rise at the target, weighted by how likely the tolerance is crossed at each
    ratio (tIMSE); all its checkpoints up to each stop are taken into account, and pending runs
    and earlier picks are conditioned on. The draws of the outlook are not used.

    Parameters
    ----------
    measured : Measured
        Of the runs so far: the policy is made anew after each round.
    size, tokens : float
        The target's.
    tolerance : float
        Allowed rise, nats/token.
    cost_power : float
        The score is the value by cost to this power.

    References
    ----------
    Wu et al. 2019, UAI (the kernel); Picheny et al. 2010, J. Mech. Design 132(7) (tIMSE).
    """

    measured: Measured
    size: float
    tokens: float
    tolerance: float
    cost_power: float = 0.7
    name: str = "multi-fidelity GP"

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose what to run next, see `bayescmr.design.policy.Policy`.

        Raises
        ------
        DesignError
            Without BoTorch, where the fit fails, or with candidates of several domains.
        """
        require_request(budget, batch)
        runs = [t.candidate for t in (*outlook.trajectories, *outlook.pending)]
        if len({run.domain for run in runs}) > 1:
            raise DesignError("multi-fidelity GP: got candidates of several domains, expected one")
        if not outlook.trajectories:
            return ()
        known = _Known.fitted(self, runs, outlook.grid)
        for run in runs[len(outlook.trajectories) :]:
            known = known.after(run, len(run.checkpoints))
        free = np.ones(len(outlook.trajectories), bool)
        picks: list[Pick] = []
        while len(picks) < batch:
            options, value = self._best(outlook, known, budget)
            cost = costs(outlook, options)
            score = np.where(free & (cost <= budget), value / cost**self.cost_power, -np.inf)
            best = int(np.argmax(score))
            if not np.isfinite(score[best]):
                break
            propensities = np.eye(1, len(options), best)[0]
            picks.append(Pick(best, Scores(options, value, cost, score), propensities))
            ((index, stop),) = options[best].parts
            known = known.after(outlook.trajectories[index].candidate, stop + 1)
            free[best] = False
            budget -= float(cost[best])
        return tuple(picks)

    def _best(
        self, outlook: Outlook, known: _Known, budget: float
    ) -> tuple[tuple[Option, ...], Float]:
        """Each trajectory at its best affordable stop, and the value of that."""
        options, best = [], np.empty(len(outlook.trajectories))
        for i, trajectory in enumerate(outlook.trajectories):
            value = known.values(trajectory.candidate)
            score = np.where(
                trajectory.cost <= budget, value / trajectory.cost**self.cost_power, -np.inf
            )
            stop = int(np.argmax(score))
            options.append(Option(((i, stop),)))
            best[i] = value[stop]
        return tuple(options), best


@dataclass(frozen=True)
class _Known:
    """Joint covariance of the surface at the target's ratios and at all places of candidates."""

    covariance: Float
    noise: float
    weight: Float
    index: dict[tuple[float, float, float], int]

    @classmethod
    def fitted(cls, policy: MultiFidelityGP, runs: list[Candidate], ratios: Float) -> _Known:
        """Fit the surface, and look at it."""
        places = sorted({(r.size, r.ratio, t) for r in runs for t in r.checkpoints})
        target = [(policy.size, float(r), policy.tokens) for r in ratios]
        mean, covariance, noise = _fit(policy, np.array(target + places))
        m = len(target)
        sd = np.sqrt(np.maximum(np.diag(covariance)[:m], 1e-18))
        # On a log scale first: far from a crossing every density may underflow.
        log_density = np.asarray(norm.logpdf(policy.tolerance, mean[:m], sd))
        weight = np.exp(log_density - log_density.max())
        index = {place: m + i for i, place in enumerate(places)}
        return cls(covariance, noise, weight / weight.sum(), index)

    def _columns(self, run: Candidate) -> list[int]:
        return [self.index[run.size, run.ratio, t] for t in run.checkpoints]

    def values(self, run: Candidate) -> Float:
        """Drop of weighted variance for every stop, shape (checkpoints,)."""
        at = self._columns(run)
        inner = self.covariance[np.ix_(at, at)] + self.noise * np.eye(len(at))
        across = self.covariance[at, : len(self.weight)]
        told: Float = solve_triangular(np.linalg.cholesky(inner), across, lower=True)
        return np.cumsum(told**2 @ self.weight)

    def after(self, run: Candidate, n: int) -> _Known:
        """What will be known once the first ``n`` checkpoints of a run are in."""
        at = self._columns(run)[:n]
        inner = self.covariance[np.ix_(at, at)] + self.noise * np.eye(n)
        told = solve_triangular(np.linalg.cholesky(inner), self.covariance[at], lower=True)
        return _Known(self.covariance - told.T @ told, self.noise, self.weight, self.index)


def _fit(policy: MultiFidelityGP, at: Float) -> tuple[Float, Float, float]:
    """Mean and covariance of the surface at (size, ratio, tokens), and the noise variance."""
    try:
        # TorchScript warns that it is deprecated while GPyTorch is imported.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            import torch
            from botorch.exceptions.errors import ModelFittingError
            from botorch.fit import fit_gpytorch_mll
            from botorch.models.gp_regression_fidelity import SingleTaskMultiFidelityGP
            from gpytorch.mlls import ExactMarginalLogLikelihood
    except ModuleNotFoundError as error:
        raise DesignError(
            f"multi-fidelity GP: {error.name} is not installed; `pip install 'bayescmr[botorch]'`"
        ) from None
    seen = policy.measured
    places = np.column_stack([seen.size, seen.ratio, seen.tokens])
    both = np.vstack([places, at])
    low = both[:, [0, 2]].min(axis=0)
    inputs = [_inputs(policy, low, torch.as_tensor(x, dtype=torch.float64)) for x in (places, at)]
    change = torch.as_tensor(seen.change, dtype=torch.float64)[:, None]
    # A fit that fails is tried again from random starts.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Any = SingleTaskMultiFidelityGP(inputs[0], change, data_fidelities=[1, 2])
        try:
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        except ModelFittingError as error:
            raise DesignError(f"multi-fidelity GP: the fit failed: {error}") from None
    with torch.no_grad():
        posterior = model.posterior(inputs[1])
        scale = float(model.outcome_transform.stdvs.squeeze()) ** 2
        return (
            posterior.mean.squeeze(-1).numpy(),
            posterior.distribution.covariance_matrix.numpy(),
            float(model.likelihood.noise.squeeze()) * scale,
        )


def _inputs(policy: MultiFidelityGP, low: Float, places: Any) -> Any:
    """Ratio, and size and tokens as fidelities: in ln, 0 at the least and 1 at the target."""
    inputs = places.clone()
    inputs[:, 0] = places[:, 1]
    for column, of, least, full in ((1, 0, low[0], policy.size), (2, 2, low[1], policy.tokens)):
        # Where nothing is below the target, a factor of e is a step of 1.
        span = float(np.log(full / least)) if full > least else 1.0
        inputs[:, column] = 1 + (places[:, of] / full).log() / span
    return inputs
