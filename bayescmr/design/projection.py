"""The part of the CMR that is linear in the losses at the target.

Covariances see the CMR only so far as it is linear in what is measured. Early on it is not: draws
are 0 or 1, or the loss crosses its tolerance at a shallow angle. The rest is not out of reach of
probes, since whoever knows the losses at the target knows the CMR; a planner that goes by
covariances alone would call it so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayescmr.design.outlook import Outlook

#: Directions of the losses at the target that are told apart, relative to the largest.
_SMALLEST = 1e-6


def linear_part(outlook: Outlook) -> tuple[Outlook, float]:
    """Put the CMR's linear regression on the losses at the target in its place.

    Parameters
    ----------
    outlook : Outlook
        Draws.

    Returns
    -------
    outlook : Outlook
        With ``cmr`` projected, and scaled to the variance that it had.
    share : float
        Share of the variance of the CMR that the regression explains, in [0, 1]; 1 for a CMR
        that is known.
    """
    if not outlook.variance > 0.0:
        return outlook, 1.0
    losses = outlook.excess - outlook.excess.mean(axis=0)
    centred = outlook.cmr - outlook.cmr.mean()
    u, size, _ = np.linalg.svd(losses, full_matrices=False)
    u = u[:, size > _SMALLEST * size[0]] if size[0] > 0 else u[:, :0]
    fitted = u @ (u.T @ centred)
    share = float(fitted @ fitted / (centred @ centred))
    if not share > 0.0:
        return outlook, 0.0
    return replace(outlook, cmr=outlook.cmr.mean() + fitted / np.sqrt(share)), share
