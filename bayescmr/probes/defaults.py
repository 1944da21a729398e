"""What is taken where a user says nothing about the training."""

from __future__ import annotations

from pathlib import Path

from bayescmr.errors import ProbeError
from bayescmr.probes.bases import open_base
from bayescmr.probes.config import Training

#: Share of the general corpus that a base is trained on; the rest is kept for replay.
BASE_PART = (0.0, 0.7)
#: Rate at the end of pre-training, as a share of its peak. CPT holds that rate.
FINAL_SHARE = 0.3
#: Share of the tokens that the warm-up takes.
WARMUP_SHARE = 0.02


def peak_learning_rate(size: float) -> float:
    """Return the peak rate of pre-training for a size.

    A power law through 4e-3 at 25k parameters and 2e-4 at 1.3B: it meets the rates that worked
    for 100k (3e-3) and 330k (2e-3) parameters within 10 %, and those of Brown et al. 2020
    (arXiv 2005.14165, table 2.1) within a factor of 1.6.

    Parameters
    ----------
    size : float
        Non-embedding parameters.
    """
    return float(f"{4e-3 * (size / 25e3) ** -0.276:.2g}")


def base_training(size: float, tokens: int, learning_rate: float | None = None) -> Training:
    """Return the training of a base: warm-up, constant rate, then a fall to a lower one.

    CPT then goes on at that lower rate. A base that ends at a higher rate than CPT uses would be
    annealed by the change of rate itself, and the CMR would measure the schedule.

    Parameters
    ----------
    size : float
        Non-embedding parameters.
    tokens : int
        Length of the run.
    learning_rate : float, optional
        Peak rate; default `peak_learning_rate`.
    """
    peak = peak_learning_rate(size) if learning_rate is None else learning_rate
    return Training(
        learning_rate=peak,
        schedule="wsd",
        final_learning_rate=float(f"{FINAL_SHARE * peak:.2g}"),
        warmup_tokens=round(WARMUP_SHARE * tokens),
    )


def probe_training(base: str | Path, tokens: int, learning_rate: float | None = None) -> Training:
    """Return the training of a probe: a short warm-up, then the rate at which the base ended.

    Parameters
    ----------
    base : str or Path
        Folder of the base.
    tokens : int
        Length of the run.
    learning_rate : float, optional
        Rate; default that of the base's last step.

    Raises
    ------
    ProbeError
        The base does not say at which rate it ended, and none is given.
    """
    rate = open_base(base).last_learning_rate if learning_rate is None else learning_rate
    if not rate:
        raise ProbeError(
            f"learning_rate: {base} does not say at which rate it was trained last; give the"
            " rate of this run"
        )
    return Training(learning_rate=rate, warmup_tokens=round(WARMUP_SHARE * tokens))
