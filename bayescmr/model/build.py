"""The PyMC model of one block: hierarchy, law, noise."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pymc as pm
import pytensor.tensor as pt

from bayescmr.laws import Law, Reference
from bayescmr.model import bend
from bayescmr.model.data import RunBlocks
from bayescmr.model.ops import group_values, run_log_likelihood
from bayescmr.model.scales import natural_scales
from bayescmr.model.spec import FACTORS, NOISE

Arrays = Mapping[str, npt.NDArray[Any]]


def build_model(law: Law, values: Arrays) -> pm.Model:
    """Build the graph of a block; every number in it is swappable data.

    Free variables, all standard normal a priori: ``z`` (parameters, anchors),
    coordinates of the law parameters; ``shift`` (parameters, factors), log sds
    of the effects; ``noise`` (6,) (but for its bend, see :mod:`bayescmr.model.bend`).
    :class:`bayescmr.model.coordinates.Coordinates` maps them back to coefficients.

    Parameters
    ----------
    law : Law
        The only thing that shapes the graph, besides the number of anchors.
    values : mapping of str to ndarray
        ``BlockData.arrays()`` and ``Coordinates.arrays()``.
    """
    coords = {
        "parameter": [p.name for p in law.parameters],
        "anchor": np.arange(values["components"].shape[1]),
        "factor": list(FACTORS),
        "quantity": list(NOISE),
    }
    # check_bounds only guards against sds <= 0, which are exponentials here.
    with pm.Model(coords=coords, check_bounds=False) as model:
        z = pm.Normal("z", dims=("parameter", "anchor"))
        shift = pm.Normal("shift", dims=("parameter", "factor"))
        noise = pm.Normal("noise", dims="quantity")
        # In C order, which nutpie takes for granted when it swaps them.
        data = {name: pm.Data(name, np.array(value, order="C")) for name, value in values.items()}
        deviation, density = group_values(z, data["effect_spread"] * shift, data)
        pm.Potential("centring_density", density)
        sampled = data["prior_mean"][:, None] + deviation
        theta = {p.name: p.natural(sampled[i], pt)[:, None] for i, p in enumerate(law.parameters)}
        # The reference is data too: other runs move it, and must not recompile.
        centre = SimpleNamespace(
            tokens=data["reference_tokens"], ratio=data["reference_ratio"], size=None
        )
        mean = law.change(
            theta, data["tokens"], data["ratio"][:, None], cast(Reference, centre), pt
        )
        blocks = RunBlocks(**{k: data[k] for k in RunBlocks.__dataclass_fields__})
        standard = bend.outward(noise, data["bend"], pt)
        # Standard normal is z, not the coordinate that it is bent from.
        slope = bend.log_slope(noise, data["bend"], pt)
        pm.Potential("bend_density", slope + 0.5 * (noise**2 - standard**2))
        scales = natural_scales(data["noise_mean"] + data["noise_scale"] * standard, pt)
        pm.Potential("runs", run_log_likelihood(mean, scales, blocks))
    return model
