"""The PyMC model of one block: hierarchy, law, noise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescmr.laws import Reference
from bayescmr.model.data import BlockData
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.noise import RunBlocks, natural_scales, run_log_likelihood
from bayescmr.model.spec import FACTORS, NOISE, BlockSpec


def build_model(spec: BlockSpec, hierarchy: Hierarchy, data: BlockData) -> pm.Model:
    """Build the graph; every number that comes from runs is swappable data.

    Free variables: ``coef`` (parameters, terms), ``ln_effect_sd`` (parameters,
    factors) and ``noise`` (6,), all on their sampled scale. Groups are centred:
    a run informs its group's parameters directly, which is the better geometry
    where a group has a few runs of several checkpoints.
    """
    names = [p.name for p in spec.parameters]
    columns = hierarchy.factor_columns
    prior_mean = np.zeros((len(names), columns.shape[1]))
    prior_mean[:, 0] = spec.prior_mean
    fixed_ln_sd = np.zeros_like(prior_mean)
    fixed_ln_sd[:, 0] = np.log(spec.prior_scale)
    fixed_ln_sd[:, 1] = np.log(spec.slope_scale)
    coords = {
        "parameter": names,
        "term": hierarchy.terms,
        "factor": list(FACTORS),
        "quantity": list(NOISE),
    }
    # check_bounds only guards against sds <= 0, which are exponentials here.
    with pm.Model(coords=coords, check_bounds=False) as model:
        ln_effect_sd = pm.Normal(
            "ln_effect_sd",
            np.log(spec.effect_median),
            spec.effect_spread,
            dims=("parameter", "factor"),
        )
        noise = pm.Normal("noise", spec.noise_mean, spec.noise_scale, dims="quantity")
        coef = pm.Normal(
            "coef",
            prior_mean,
            pt.exp(fixed_ln_sd + pt.dot(ln_effect_sd, columns)),
            dims=("parameter", "term"),
        )
        arrays = {name: pm.Data(name, value) for name, value in data.arrays().items()}
        sampled = pt.dot(coef, arrays["design"].T)
        theta = {
            p.name: p.natural(sampled[i], pt)[:, None] for i, p in enumerate(spec.law.parameters)
        }
        # The reference is data too: other runs move it, and must not recompile.
        centre = SimpleNamespace(
            tokens=arrays["reference_tokens"], ratio=arrays["reference_ratio"], size=None
        )
        mean = spec.law.change(
            theta, arrays["tokens"], arrays["ratio"][:, None], cast(Reference, centre), pt
        )
        blocks = RunBlocks(**{k: arrays[k] for k in RunBlocks.__dataclass_fields__})
        pm.Potential("runs", run_log_likelihood(mean, natural_scales(noise, pt), blocks))
    return model
