"""Is each probe what was predicted of it? PIT values, and a bet against the model on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, log_ndtr, logsumexp

from bayescmr.design.model_check import PREQUENTIAL, ModelCheck
from bayescmr.design.outlook import Float
from bayescmr.errors import DesignError

# Beta densities that are bet on: too low, too high, too narrow, too wide, and the model itself.
_SHAPES = (0.5, 0.7, 1.0, 1.4, 2.0)


@dataclass(frozen=True)
class Predicted:
    """A probe against its prediction.

    Parameters
    ----------
    pit : ndarray, shape (checkpoints,)
        Probability that was given to less than what came, of each checkpoint given those before:
        independent and uniform on (0, 1) if the model is right.
    log_score : float
        Log of the predictive density of the whole trajectory (losses in nats/token).
    log_weights : ndarray, shape (draws,)
        Log weight of each draw after this probe; they sum to 1. For the next probe that was
        predicted from the same draws.
    effective : ndarray, shape (checkpoints,)
        How many draws each checkpoint was predicted by, those counting less that told the ones
        before badly. Of few, a PIT value says nothing.
    """

    pit: Float
    log_score: float
    log_weights: Float
    effective: Float


def predict(
    mean: Float, noise: Float, observed: Float, log_weights: Float | None = None
) -> Predicted:
    """Compare a probe with what the draws said of it beforehand.

    The prediction is a mixture of one normal for each draw. Its conditionals are followed along
    the trajectory (Rosenblatt's transform): each checkpoint is judged given the ones before, with
    the draws re-weighted by how well they told those. Nothing is random.

    Parameters
    ----------
    mean : ndarray, shape (draws, checkpoints)
        Change of the loss without noise, of each draw.
    noise : ndarray, shape (checkpoints, checkpoints) or (draws, checkpoints, checkpoints)
        Covariance of what is measured about it; of each draw, where draws differ in it.
    observed : ndarray, shape (checkpoints,)
        What was measured.
    log_weights : ndarray, shape (draws,), optional
        Of the draws beforehand; equal where None.

    Raises
    ------
    DesignError
        Where shapes do not fit, a number is not finite, or noise is not a covariance.
    """
    draws, k = mean.shape if mean.ndim == 2 else (0, 0)
    start = np.full(draws, -np.log(max(draws, 1))) if log_weights is None else log_weights
    shapes = noise.shape[-2:], observed.shape, start.shape
    by_draw = noise.shape[:-2] in ((), (draws,))
    if draws == 0 or not by_draw or shapes != ((k, k), (k,), (draws,)):
        got = mean.shape, noise.shape, *shapes[1:]
        raise DesignError(
            f"prediction: got shapes {got}, expected (draws, checkpoints), twice (checkpoints,),"
            " checkpoints, and draws"
        )
    if not (np.isfinite(mean).all() and np.isfinite(observed).all()):
        raise DesignError("prediction: got a value that is no number, expected finite losses")
    try:
        root = np.linalg.cholesky(noise)
    except np.linalg.LinAlgError:
        raise DesignError("prediction: noise: expected a positive definite covariance") from None
    # Leading blocks of the factor are those of shorter runs: each is told given the ones before.
    residual = np.linalg.solve(root, (observed - mean)[..., None])[..., 0].T
    scale = np.log(np.diagonal(root, axis1=-2, axis2=-1)).reshape(-1, k).T
    log_density = -0.5 * residual**2 - 0.5 * np.log(2 * np.pi) - scale
    weights = np.vstack([start, start + np.cumsum(log_density, axis=0)])
    evidence = logsumexp(weights, axis=1)
    weights -= evidence[:, None]
    pit = np.exp(logsumexp(weights[:-1] + log_ndtr(residual), axis=1))
    return Predicted(
        np.clip(pit, 0.0, 1.0),
        float(evidence[-1] - evidence[0]),
        weights[-1],
        np.exp(-logsumexp(2.0 * weights[:-1], axis=1)),
    )


def evidence_against(pit: Float) -> Float:
    """Log wealth of a bet against the model, after each PIT value.

    The bet is a mixture, fixed beforehand, of products of Beta densities. If the model is right,
    each factor has expectation 1 given the past, for designs chosen from the past in any way; so
    the wealth is a martingale that starts at 1, and the probability that it ever reaches
    ``1 / alpha`` is at most ``alpha`` (Ville's inequality), whenever one looks and stops.

    Parameters
    ----------
    pit : ndarray, shape (values,)
        In the order in which they came.

    Returns
    -------
    ndarray, shape (values,)
        Natural log.

    References
    ----------
    Vovk & Wang 2021, Annals of Statistics 49(3): e-values. Ramdas et al. 2023, Statistical
    Science 38(4): testing by betting.
    """
    if pit.ndim != 1 or not ((pit >= 0) & (pit <= 1)).all():
        raise DesignError("PIT: expected a list of numbers from 0 to 1")
    if len(pit) == 0:
        return np.empty(0)
    u = np.clip(pit, 1e-12, 1 - 1e-12)  # A density may be infinite at the ends.
    a, b = (axis.ravel()[:, None] for axis in np.meshgrid(_SHAPES, _SHAPES))
    bets = np.cumsum((a - 1) * np.log(u) + (b - 1) * np.log1p(-u) - betaln(a, b), axis=1)
    wealth: Float = logsumexp(bets, axis=0) - np.log(len(a))
    return wealth


def prequential_check(pit: Float, *, alpha: float = 0.05) -> ModelCheck:
    """Judge all probes so far: fails for good once the bet has won ``1 / alpha``.

    Parameters
    ----------
    pit : ndarray, shape (values,)
        Of all probes, in the order in which they came. Once the model was changed, only those of
        the changed one: an alarm against the old says nothing of it.
    alpha : float
        Probability of an alarm, ever, if the model is right.
    """
    if not 0 < alpha < 1:
        raise DesignError(f"alpha: got {alpha}, expected a number between 0 and 1")
    if len(pit) == 0:
        return ModelCheck(
            PREQUENTIAL, None, float("nan"), f"{PREQUENTIAL}: no probe was predicted yet"
        )
    most = float(np.exp(min(evidence_against(pit).max(), 700.0)))
    passed = most < 1 / alpha
    return ModelCheck(
        PREQUENTIAL,
        passed,
        most,
        f"{PREQUENTIAL}: a bet against the model grew to {most:.3g} times its stake"
        f" ({'less than' if passed else 'at least'} {1 / alpha:g}; a right model lets it reach"
        f" that with probability {alpha:g} at most)",
    )
