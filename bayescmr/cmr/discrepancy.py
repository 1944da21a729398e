"""How much more a run may miss its law beyond the largest ratio probed.

A run adds to its law an effect that runs of the table tell: an offset, a slope in ln tokens and a
drift. In tokens that effect grows by itself, along its slope. In the ratio it grows from the last
probed ratio below 1, where it is what runs scatter by, to R = 1, where it is ``no_replay_factor``
times as much: evenly in the logarithm of the replay that is left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr.target import Target

Float = npt.NDArray[np.float64]

#: Added to the replay share, so that its logarithm ends at R = 1: about where the laws have it end.
_NO_REPLAY = 0.05


def way_to_one(ratio: Float, last: float) -> Float:
    """Share of the way from the last probed ratio to R = 1, in ln replay; 0 up to the former."""
    left = 1.0 - last + _NO_REPLAY
    gone = np.log(left / (1.0 - ratio + _NO_REPLAY)) / np.log(left / _NO_REPLAY)
    return np.asarray(np.maximum(gone, 0.0))


def last_ratio(frame: pd.DataFrame, target: Target) -> float:
    """Largest ratio below 1 at which the target's domain was probed; 0 if there is none.

    For a domain never probed: of all domains.
    """
    rows = frame[(frame["role"] == "general") & (frame["ratio"] < 1.0)]
    own = rows[rows["domain"] == target.domain]
    ratios = (rows if own.empty else own)["ratio"]
    return float(ratios.max()) if len(ratios) else 0.0
