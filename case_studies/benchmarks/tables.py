"""Simulated run tables of any length: the law of the published runs, carried to three domains.

A draw of the posterior of the demonstration (24 published runs, one domain) gives
the law at four sizes. Two more domains get effects drawn from the spread over
domains of the same draw. The noise is at the prior medians of the model, which
small real runs show: the published curves are smoothed (1e-4 nats).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.model.spec import FACTORS
from bayescmr.posterior.predictive import simulate_runs

DOMAINS = ("finance", "law", "medicine")
RATIOS = (0.0625, 0.25, 0.5, 0.75, 1.0)
CHECKPOINTS = 12
#: Rows of the smallest table: one domain, one seed, 4 sizes x 3 ratios x 5 checkpoints.
SMALL = 60


def design(rows: int) -> pd.DataFrame:
    """Lay out a table of 60, 720, 7,200 or 72,000 checkpoints.

    720 rows are 4 sizes x 3 domains x 5 ratios x 12 checkpoints. Longer tables
    repeat them, each time at other ratios below 1, for runs that differ in
    nothing but the seed would be cheaper; the 60 rows are 4 sizes x 3 ratios x
    5 checkpoints of one domain.
    """
    small = rows == SMALL
    tokens = np.geomspace(0.5e9, gu2024.BUDGET, 5 if small else CHECKPOINTS).round()
    cells = [
        (size, domain, ratio)
        for size in gu2024.SIZES.values()
        for domain in (DOMAINS[:1] if small else DOMAINS)
        for ratio in (RATIOS[1:4] if small else RATIOS)
    ]
    seeds, rest = divmod(rows, len(cells) * len(tokens))
    if rest or not seeds:
        raise ValueError(f"rows: got {rows}, expected {SMALL} or a multiple of 720")
    rng = np.random.default_rng(rows)
    records = [
        (f"{size:g}-{domain}-{ratio:g}-{seed}", size, domain, own, seed, t)
        for seed in range(seeds)
        for size, domain, ratio in cells
        for own in [ratio if seed == 0 or ratio == 1 else round(rng.uniform(0.02, 0.95), 4)]
        for t in tokens
    ]
    return pd.DataFrame(records, columns=["run", "size", "domain", "ratio", "seed", "tokens"])


def truth(demo: bc.Posterior, draw: int, seed: int) -> bc.Posterior:
    """One draw of the demonstration's posterior, with the domains it has not seen."""
    block = demo.general
    hierarchy = replace(block.hierarchy, domains=DOMAINS)
    ln_sd = block.ln_effect_sd.reshape(-1, *block.ln_effect_sd.shape[2:])[draw]
    coef = block.coef.reshape(-1, *block.coef.shape[2:])[draw]
    rng = np.random.default_rng(seed)
    fresh = np.exp(ln_sd[:, [FACTORS.index("domain")]]) * rng.standard_normal((len(coef), 2))
    own = replace(
        block,
        hierarchy=hierarchy,
        coef=np.hstack([coef, fresh])[None, None],
        ln_effect_sd=ln_sd[None, None],
        noise=block.spec.noise_mean[None, None],
        statistics=xr.Dataset(),
    )
    return replace(demo, blocks={"general": own}, kind="prior")


def simulate(demo: bc.Posterior, rows: int, *, seed: int, draw: int = 0) -> bc.RunTable:
    """Simulate the general loss of a table of ``rows`` checkpoints; same seed, same table."""
    frame = design(rows)
    empty = bc.RunTable.from_frame(frame.assign(change_general=0.0))
    known = replace(truth(demo, draw, 0), frame=empty.frame)
    losses = simulate_runs(known, draw=0, seed=seed)[["run", "tokens", "change"]]
    table = frame.merge(losses.rename(columns={"change": "change_general"}), on=["run", "tokens"])
    return bc.RunTable.from_frame(table, source=f"{rows} simulated rows")
