"""Check of the law: which of its parameters the runs will tell, and which are left to the prior.

The law is linearised at the prior's centre, and the share of prior variance that the runs of
one size and domain take away is computed for each parameter: an account of the design alone,
for no loss is looked at. What other sizes and domains tell comes on top.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.checks.outcome import Check, judged
from bayescmr.checks.review.design import Design
from bayescmr.laws import Law, Reference
from bayescmr.model.data import reference_of
from bayescmr.model.scales import covariance, natural_scales
from bayescmr.model.spec import BlockSpec

Float = npt.NDArray[np.float64]

_TOLD = 0.5
#: Ratios of which the advice may choose.
_CANDIDATES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 1.0)


def law_parameters(design: Design) -> Check:
    """Parameters of the law that the runs of the best-covered size and domain tell."""
    block = design.model.blocks["general"]
    cell = _best_cell(design)
    reference = reference_of(design.rows)
    told = _information(block, cell, reference)
    names = np.array([p.symbol for p in block.law.parameters])
    left = variance_left(told)
    weak = names[left > _TOLD]
    n = len(names)
    return judged(
        "parameters of the law",
        not len(weak),
        value=f"{n - len(weak)} of {n} told by {len({ratio for _, ratio in cell})} ratios"
        + (f"; left to the prior: {', '.join(weak)}" if len(weak) else ""),
        threshold="runs of one size take away half of each prior variance",
        source=f"{block.law.title}, linearised at the centre of its prior",
        advice="The answer will lean on the prior there (check sensitivity says how much). Most is"
        f" told by {design.run(ratio=_most_telling(block, cell, told, reference))}.",
    )


def run_information(block: BlockSpec, tokens: Float, ratio: float, reference: Reference) -> Float:
    """Fisher information of one run about the law, in units of the prior.

    Parameters
    ----------
    block : BlockSpec
        Model of the general loss.
    tokens : ndarray, shape (checkpoints,)
        CPT tokens.
    ratio : float
        Domain share.
    reference : Reference
        Where priors are stated.

    Returns
    -------
    ndarray, shape (parameters, parameters)
        For parameters on their sampled scale, divided by their prior sds.
    """
    slopes = _slopes(block.law, block.prior_mean, tokens, ratio, reference) * _prior_sd(block)
    scales = natural_scales(block.noise_mean)
    x = np.log(tokens / reference.tokens)
    noise = covariance(scales, x, np.zeros(len(x)), ratio == 1.0)
    return np.asarray(slopes.T @ np.linalg.solve(noise, slopes))


def _information(block: BlockSpec, runs: list[tuple[Float, float]], reference: Reference) -> Float:
    # Thousands of runs have a few patterns of checkpoints and ratios.
    alike: dict[tuple[bytes, float], list[tuple[Float, float]]] = {}
    for run in runs:
        alike.setdefault((run[0].tobytes(), run[1]), []).append(run)
    n = len(block.parameters)
    told = np.zeros((n, n))
    for same in alike.values():
        told += len(same) * run_information(block, *same[0], reference)
    return told


def variance_left(information: Float) -> Float:
    """Share of prior variance that is left of each parameter, shape (parameters,)."""
    return np.asarray(np.diag(np.linalg.inv(np.eye(len(information)) + information)))


def _prior_sd(block: BlockSpec) -> Float:
    # Of one size, domain and set at the reference size: the slope in size plays no part.
    return np.asarray(np.sqrt(np.delete(block.variances, 1, axis=1).sum(axis=1)))


def _slopes(law: Law, centre: Float, tokens: Float, ratio: float, reference: Reference) -> Float:
    """Derivatives of the change by each sampled parameter, shape (checkpoints, parameters)."""
    step = 1e-4

    def change(values: Float) -> Float:
        theta = {p.name: p.natural(v) for p, v in zip(law.parameters, values, strict=True)}
        return np.asarray(law.change(theta, tokens, np.float64(ratio), reference), dtype=float)

    moves = step * np.eye(len(centre))
    return np.stack([(change(centre + m) - change(centre - m)) / (2 * step) for m in moves], axis=1)


def _best_cell(design: Design) -> list[tuple[Float, float]]:
    """Tokens and ratio of each run of the size, domain and set with the most ratios."""
    cells = design.rows.groupby(["size", "domain", "eval_set"], sort=True)
    ratios = cells["ratio"].nunique()
    distance = pd.Series(
        np.abs(np.log(ratios.index.get_level_values("size").to_numpy() / design.main_size)),
        index=ratios.index,
    )
    best = min(ratios.index, key=lambda cell: (-ratios[cell], distance[cell]))
    return [
        (np.sort(rows["tokens"].to_numpy(dtype=float)), float(rows["ratio"].iloc[0]))
        for _, rows in cells.get_group(best).groupby("run", sort=True)
    ]


def _most_telling(
    block: BlockSpec, cell: list[tuple[Float, float]], told: Float, reference: Reference
) -> float:
    """Ratio of the further run, as long as the longest, that leaves least variance in all."""
    tokens = max((run[0] for run in cell), key=lambda t: (t[-1], len(t)))
    left = [
        variance_left(told + run_information(block, tokens, ratio, reference)).sum()
        for ratio in _CANDIDATES
    ]
    return _CANDIDATES[int(np.argmin(left))]
