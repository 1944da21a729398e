"""What a check of the model says to the rules that stop a campaign."""

from __future__ import annotations

from dataclasses import dataclass

# The checks without which nothing is certified, unless the caller asks for others.
SMALLEST_SIZE_OUT = "smallest size left out"
FAR_RATIOS_OUT = "far ratios left out"
PREQUENTIAL = "prediction of probes"


@dataclass(frozen=True)
class ModelCheck:
    """What one check of the model said.

    Parameters
    ----------
    name : str
        What is checked.
    passed : bool or None
        None where the check could not be made: then nothing is certified either.
    value : float
        Its statistic; NaN where it could not be made.
    sentence : str
        What was found.
    span : (float, float) or None
        Shortest range that holds the interval of the CMR with and without what was left out;
        None where nothing was.
    """

    name: str
    passed: bool | None
    value: float
    sentence: str
    span: tuple[float, float] | None = None
