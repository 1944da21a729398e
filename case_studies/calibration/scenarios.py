"""Where coverage hurts: each scenario is a world, a design, a target and a model that is fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from worlds import (
    NARROW,
    design,
    draw_world,
    effective_tokens,
    nothing_added,
    size_by_time,
    variant,
)

from bayescmr.cmr import Target
from bayescmr.runs import RunTable

TOLERANCE = 0.03
#: Noise of runs whose checkpoints hang together: a drift that lasts e^2 in tokens.
_CORRELATED = {
    "run_offset": (0.004, 0.3),
    "run_slope": (0.004, 0.3),
    "residual": (0.008, 0.3),
    "measurement_share": (0.03, 0.3),
    "drift_length": (2.0, 0.3),
}
#: Every twentieth checkpoint is off by 0.03 nats on average, upwards.
_SPIKES, _SPIKE = 0.05, 0.03


def _as_simulated(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame


def _with_spikes(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng([seed, 13])
    spikes = rng.exponential(_SPIKE, len(frame)) * (rng.uniform(size=len(frame)) < _SPIKES)
    return frame.assign(change=frame["change"] + spikes)


@dataclass(frozen=True)
class Scenario:
    """One way in which an interval may fail.

    Parameters
    ----------
    title, what : str
        For tables; what is hard about it.
    truth, fitted : str
        Shipped models that runs are simulated from, and that are fitted.
    runs : RunTable
        Design.
    size, tokens : float
        Target.
    noise : dict
        Noise priors that replace those of the truth.
    extra : callable
        What the truth has and the law does not.
    spoil : callable
        What happens to the measured losses.
    other : str or None
        Where the fitted law is wrong: another, stacked with it.
    """

    title: str
    what: str
    truth: str = "turning_point"
    fitted: str = "turning_point"
    runs: RunTable = field(default_factory=design)
    size: float = 4e8
    tokens: float = 20e9
    noise: dict[str, tuple[float, float]] = field(default_factory=dict)
    extra: Callable = nothing_added
    spoil: Callable[[pd.DataFrame, int], pd.DataFrame] = _as_simulated
    other: str | None = None

    @property
    def target(self) -> Target:
        """Where the CMR is asked."""
        return Target(self.size, "law", self.tokens, TOLERANCE)

    def simulate(self, seed: int) -> tuple[RunTable, dict[str, float]]:
        """Return a run table and the true CMRs."""
        world = draw_world(
            self.runs, variant(self.truth, narrow=NARROW, noise=self.noise), seed, self.extra
        )
        frame = self.spoil(world.runs(seed + 1), seed)
        return RunTable.from_frame(frame), world.cmr(self.target)


SCENARIOS = {
    "control": Scenario("control", "the law is true, the target was probed"),
    "few_runs": Scenario(
        "few runs", "4 runs: 2 sizes, R = 0.2 and 0.6", runs=design(ratios=(0.2, 0.6))
    ),
    "size_8x": Scenario("size 8 times", "the target is 8 times the largest size", size=3.2e9),
    "tokens_4x": Scenario("tokens 4 times", "the target has 4 times the tokens", tokens=80e9),
    "spikes": Scenario(
        "spikes", "every 20th checkpoint is off, by 0.03 nats on average", spoil=_with_spikes
    ),
    "correlated": Scenario(
        "correlated checkpoints",
        "16 checkpoints of a run share a slow drift",
        runs=design(checkpoints=16),
        noise=_CORRELATED,
    ),
    "missing_ratio": Scenario(
        "no large ratio", "probed at R = 0.1, 0.2, 0.3 only", runs=design(ratios=(0.1, 0.2, 0.3))
    ),
    "shift_gain_truth": Scenario(
        "shift_gain is true",
        "fitted with turning_point",
        truth="shift_gain",
        other="shift_gain",
    ),
    "turning_point_truth": Scenario(
        "turning_point is true",
        "fitted with shift_gain",
        fitted="shift_gain",
        other="turning_point",
    ),
    "effective_tokens": Scenario(
        "effective tokens are true",
        "a law of neither family",
        extra=effective_tokens,
        other="shift_gain",
    ),
    "size_by_time": Scenario(
        "size x time left out", "a tilt in tokens that grows with size, at 8 times the size",
        extra=size_by_time, size=3.2e9,
    ),
}  # fmt: skip
