"""The three critical mixture ratios, draw by draw; never mixed up.

tolerance      largest R up to which the rise stays within the tolerance
turning_point  largest R up to which the general loss is falling at the budget,
               which for a loss that rises and then falls is T0(R) <= T
               (Gu et al. 2024, Definition 2)
gu             largest R that satisfies both (Gu et al. 2024, Definition 3)

With several general sets each is, draw by draw, the smallest over the sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from bayescmr.cmr.crossing import GRID, Theta, first_crossing
from bayescmr.cmr.discrepancy import last_ratio, way_to_one
from bayescmr.cmr.target import Target
from bayescmr.errors import TargetError
from bayescmr.values import is_number

if TYPE_CHECKING:
    from bayescmr.posterior.block import BlockPosterior
    from bayescmr.posterior.posterior import Posterior

Float = npt.NDArray[np.float64]
Estimand = Literal["tolerance", "turning_point", "gu"]
ESTIMANDS: tuple[Estimand, ...] = get_args(Estimand)


def ratios_by_set(
    posterior: Posterior, target: Target, *, lam: float, new_run: bool
) -> dict[Estimand, Float]:
    """CMR of every general set and draw.

    Parameters
    ----------
    posterior : Posterior
        Draws.
    target : Target
        Question.
    lam : float
        Weight of the general loss in the Lagrangian; infinity drops the domain loss.
    new_run : bool
        Add the effect of a run not yet made (for decisions), see
        :mod:`bayescmr.cmr.discrepancy`, instead of asking about the mean of all such runs.

    Returns
    -------
    dict from estimand to ndarray, shape (sets, draws)
    """
    if not (is_number(lam, infinite=True) and lam > 0):
        raise TargetError(f"lam: got {lam!r}, expected a number > 0 or infinity")
    block = posterior.general
    law, ref = block.spec.law, block.hierarchy.reference
    tokens = np.float64(target.tokens)
    domain_slope = _domain_slope(posterior, target, lam)
    missed = _misses(last_ratio(posterior.frame, target)) if new_run else _nothing
    found: dict[Estimand, list[Float]] = {name: [] for name in ESTIMANDS}
    for stream, eval_set in enumerate(target.sets_of(block.hierarchy.eval_sets)):
        theta = block.theta(target.size, target.domain, eval_set)
        # Looking up base losses takes as long as evaluating the law.
        base = _base(posterior, target, eval_set) if target.tolerance_unit == "share" else np.nan
        allowed = np.full(block.n_draws, target.tolerance_of(eval_set, base))
        # Draw-wise constants travel with the parameters, so that they are sliced alike.
        carried = {**theta, "_allowed": allowed, **domain_slope[1]}
        if new_run:
            level, tilt = block.run_effect(target.tokens, stream)
            carried |= {
                "_level": level,
                "_tilt": tilt,
                "_ln_factor": np.log(block.no_replay_factor),
            }
        rise, slope = law.change_and_slope(theta, tokens, GRID[:, None], ref)
        tolerance = first_crossing(
            lambda t, ratio: (
                law.change(t, tokens, ratio, ref) + (missed("_level", t, ratio) - t["_allowed"])
            ),
            carried,
            rise + (missed("_level", carried, GRID[:, None]) - allowed),
        )
        turning = first_crossing(
            lambda t, ratio: (
                law.slope(t, tokens, ratio, ref)
                + (missed("_tilt", t, ratio) + domain_slope[0](t, ratio))
            ),
            carried,
            slope
            + (missed("_tilt", carried, GRID[:, None]) + domain_slope[0](carried, GRID[:, None])),
        )
        found["tolerance"].append(tolerance)
        found["turning_point"].append(turning)
        found["gu"].append(np.minimum(tolerance, turning))
    return {name: np.array(values) for name, values in found.items()}


def _nothing(name: str, theta: Theta, ratio: Float) -> Float:
    """The mean of all runs is what the law says."""
    return np.zeros(1)


def _misses(last: float) -> Callable[[str, Theta, Float], Float]:
    """What a run misses its law by at a ratio: ``_level`` or ``_tilt``, the sign included."""

    def missed(name: str, theta: Theta, ratio: Float) -> Float:
        return np.asarray(theta[name] * np.exp(theta["_ln_factor"] * way_to_one(ratio, last)))

    return missed


def _base(posterior: Posterior, target: Target, eval_set: str) -> float:
    """Mean base loss of the probed runs of the target's size; NaN where unknown."""
    frame = posterior.frame
    same = (
        (frame["role"] == "general")
        & (frame["eval_set"] == eval_set)
        & (np.abs(frame["size"] / target.size - 1) < 1e-9)
    )
    return float(frame.loc[same, "base"].mean())


def _domain_slope(
    posterior: Posterior, target: Target, lam: float
) -> tuple[Callable[[Theta, Float], Float | float], dict[str, Float]]:
    """Slope of the domain loss over lam, and the parameters it needs (prefixed)."""
    if np.isinf(lam):
        return (lambda theta, ratio: 0.0), {}
    block: BlockPosterior = posterior.domain_block()
    law, ref = block.spec.law, block.hierarchy.reference
    prefix = "_domain_"
    theta = block.theta(target.size, target.domain, block.hierarchy.eval_sets[0])
    # The losses share no parameters, so any pairing will do; one may have been sampled for longer.
    pairing = np.arange(posterior.general.n_draws) % block.n_draws
    theta = {name: values[pairing] for name, values in theta.items()}
    tokens = np.float64(target.tokens)

    def slope(carried: Theta, ratio: Float) -> Float:
        own = {k.removeprefix(prefix): v for k, v in carried.items() if k.startswith(prefix)}
        return np.asarray(law.slope(own, tokens, ratio, ref)) / lam

    return slope, {prefix + k: v for k, v in theta.items()}
