"""Losses on fixed validation sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from bayescmr.probes.losses import sequence_losses
from bayescmr.probes.precision import autocast

if TYPE_CHECKING:
    from bayescmr.probes.parallel import Parallel


@dataclass(frozen=True, eq=False)
class EvalSet:
    """A validation set.

    Parameters
    ----------
    name : str
        Name in the run table.
    role : {"general", "domain"}
        Role.
    tokens : ndarray of int64, shape (sequences, context + 1)
        The same at every evaluation.
    """

    name: str
    role: Literal["general", "domain"]
    tokens: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Measurement:
    """Loss of one set after some tokens.

    Parameters
    ----------
    tokens : int
        CPT tokens seen; 0 is the base.
    eval_set, role : str
        Which set.
    loss : float
        Mean cross-entropy, nats/token.
    se : float
        Standard error of that mean over sequences, nats/token: what another sample of
        validation text would change.
    change_se : float
        The same of loss minus base, sequence by sequence: most of ``se`` cancels.
    """

    tokens: int
    eval_set: str
    role: str
    loss: float
    se: float
    change_se: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data; a loss that is no number becomes null."""
        return {
            key: value if not isinstance(value, float) or np.isfinite(value) else None
            for key, value in asdict(self).items()
        }


def measure(
    model: torch.nn.Module,
    sets: Sequence[EvalSet],
    parallel: Parallel,
    sequences: int,
    dtype: torch.dtype,
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the mean loss of every sequence of every set.

    Parameters
    ----------
    model : Module
        Token ids (B, L) to logits (B, L, V).
    sets : sequence of EvalSet
        What to measure.
    parallel : Parallel
        Processes that share the work.
    sequences : int
        Sequences in a forward pass.
    dtype : torch.dtype
        Of the forward pass.

    Returns
    -------
    dict of str to ndarray, shape (sequences,)
        nats/token, by name of the set.
    """
    was_training = model.training
    model.eval()
    losses = {}
    with torch.no_grad():
        for one in sets:
            found = torch.zeros(len(one.tokens), dtype=torch.float64, device=parallel.device)
            # Every process makes as many passes, since sharded weights are gathered in each:
            # those that would have none take the first sequence once more, and do not count it.
            for first in range(0, len(one.tokens), sequences * parallel.world):
                rows = np.arange(first + parallel.rank, len(one.tokens), parallel.world)[:sequences]
                tokens = torch.from_numpy(one.tokens[rows if rows.size else [0]])
                tokens = tokens.to(parallel.device)
                with autocast(dtype, parallel.device):
                    logits = model(tokens[:, :-1])
                values = sequence_losses(logits, tokens[:, 1:]).double()
                if rows.size:
                    found[torch.from_numpy(rows).to(parallel.device)] = values
            losses[one.name] = parallel.sum_over_ranks(found).cpu().numpy()
    model.train(was_training)
    return losses


def summarise(
    tokens: int,
    sets: Sequence[EvalSet],
    losses: Mapping[str, npt.NDArray[np.float64]],
    base: Mapping[str, npt.NDArray[np.float64]],
) -> list[Measurement]:
    """Return mean losses with their standard errors.

    Parameters
    ----------
    tokens : int
        CPT tokens seen.
    sets : sequence of EvalSet
        Sets, in the order of the result.
    losses, base : mapping of str to ndarray, shape (sequences,)
        From `measure`, now and at T = 0.
    """
    return [
        Measurement(
            tokens=tokens,
            eval_set=one.name,
            role=one.role,
            loss=float(losses[one.name].mean()),
            se=_standard_error(losses[one.name]),
            change_se=_standard_error(losses[one.name] - base[one.name]),
        )
        for one in sets
    ]


def _standard_error(values: npt.NDArray[np.float64]) -> float:
    if len(values) < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(len(values)))
