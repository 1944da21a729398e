"""First-order critical ratio: what a few gradients of the base say before any run is made.

The two-source form of group influence (TiKMiX, arXiv 2508.17677, with a diagonal in place of the
inverse Hessian). After a small step on a mixture with domain share R, the general loss changes by

    -eta [ (1 - R) <g_val, P g_general> + R <g_val, P g_domain> ],

with P the preconditioner. It falls for R below

    R0 = <g_val, P g_general> / (<g_val, P g_general> - <g_val, P g_domain>).

It says what *the first steps* do. Later the loss bends: a probe tells how.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from bayescmr.errors import ProbeError
from bayescmr.probes.config import ProbeConfig
from bayescmr.probes.jobs import Plan, plan
from bayescmr.probes.mixture import Mixture, validation_sequences

if TYPE_CHECKING:
    import torch

    from bayescmr.probes.interface import LanguageModel

#: With fewer batches a bootstrap says too little about their scatter.
MIN_BATCHES = 8

Preconditioner = Literal["adam", "identity"]


@dataclass(frozen=True, eq=False)
class Influence:
    """First-order critical ratio with its sampling error.

    Parameters
    ----------
    general, domain : ndarray, shape (validation batches, training batches)
        Inner products of the gradient of the general validation loss with the preconditioned
        gradients of replay and of domain batches.
    draws : ndarray, shape (draws,)
        Bootstrap draws of R0 in [0, 1]: batches drawn with replacement, validation and training
        apart. 1 where no share hurts at first, 0 where even replay does.
    tokens : int
        Tokens that gradients were taken of.
    seconds : float
        Time taken.
    preconditioner : {"adam", "identity"}
        P.
    """

    general: npt.NDArray[np.float64]
    domain: npt.NDArray[np.float64]
    draws: npt.NDArray[np.float64]
    tokens: int
    seconds: float
    preconditioner: Preconditioner

    @property
    def ratio(self) -> float:
        """R0 of all batches together."""
        return float(first_order_ratio(self.general.mean(), self.domain.mean()))

    def interval(self, prob: float = 0.9) -> tuple[float, float]:
        """Equal-tailed bootstrap interval of R0.

        Parameters
        ----------
        prob : float
            Its probability, in (0, 1).
        """
        if not 0 < prob < 1:
            raise ProbeError(f"prob: got {prob!r}, expected a number in (0, 1)")
        low, high = np.quantile(self.draws, [(1 - prob) / 2, (1 + prob) / 2])
        return float(low), float(high)


def first_order_ratio(general: npt.ArrayLike, domain: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the share at which the first-order change of the general loss is zero.

    Parameters
    ----------
    general, domain : array_like, of one shape
        <g_val, P g_general> and <g_val, P g_domain>.

    Returns
    -------
    ndarray, of that shape
        In [0, 1]: 0 where replay itself does not lower the general loss, 1 where the domain does
        not raise it.
    """
    replay, shift = np.asarray(general, dtype=float), np.asarray(domain, dtype=float)
    bound = (replay > 0) & (shift < 0)
    inside = np.divide(replay, replay - shift, out=np.ones_like(replay), where=bound)
    return np.where(replay <= 0, np.where(shift > 0, 1.0, 0.0), inside)


def influence(
    config: ProbeConfig,
    *,
    batches: int = 16,
    sequences: int = 32,
    preconditioner: Preconditioner = "adam",
    draws: int = 2000,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Influence:
    """Measure the first-order critical ratio of a base.

    Parameters
    ----------
    config : ProbeConfig
        Base, corpora, context and seed; its ratio and length are of no account.
    batches : int
        Batches of each kind: general validation, replay, domain. At least `MIN_BATCHES`.
    sequences : int
        Sequences in a batch.
    preconditioner : {"adam", "identity"}
        1 / (sqrt(v) + eps) from the base's saved second moments, as AdamW's first steps with
        kept moments have it; or none, as plain gradient descent.
    draws : int
        Bootstrap draws.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU where there is one.

    Returns
    -------
    Influence
        Cost: 3 x batches forward and backward passes. Memory: ``batches`` gradients.

    Raises
    ------
    ProbeError, CorpusError
        Base or corpora do not serve, or the base has no moments and ``adam`` is asked for.
    """
    import torch

    from bayescmr.probes.parallel import Parallel

    began = time.monotonic()
    for name, value, least in (("batches", batches, MIN_BATCHES), ("sequences", sequences, 1)):
        if value < least:
            raise ProbeError(f"{name}: got {value}, expected a whole number >= {least}")
    planned = plan(config)
    where = Parallel.from_environment(device=device, strategy="none").device
    model = planned.model().to(where)
    scale = _scale(planned, model, preconditioner)
    general: list[list[float]] = []
    domain: list[list[float]] = []
    weighted = []
    for tokens in _validation(planned, batches, sequences):
        gradient = _gradient(model, tokens)
        weighted.append([g if s is None else g * s for g, s in zip(gradient, scale, strict=True)])
    for products, ratio in ((general, 0.0), (domain, 1.0)):
        mixture = Mixture(
            planned.sources,
            ratio=ratio,
            context=config.training.context,
            sequences=sequences,
            seed=config.seed,
        )
        for step in range(batches):
            gradient = _gradient(model, mixture.batch(step).tokens)
            products.append(
                [
                    sum(float(torch.sum(a * b)) for a, b in zip(gradient, other, strict=True))
                    for other in weighted
                ]
            )
    general_products, domain_products = np.array(general).T, np.array(domain).T
    return Influence(
        general=general_products,
        domain=domain_products,
        draws=_bootstrap(general_products, domain_products, draws, config.seed),
        tokens=3 * batches * sequences * config.training.context,
        seconds=time.monotonic() - began,
        preconditioner=preconditioner,
    )


def _validation(planned: Plan, batches: int, sequences: int) -> list[npt.NDArray[np.int64]]:
    context = planned.config.training.context
    corpora = [source.corpus for source in planned.sources if source.role == "general"]
    each = -(-batches * sequences // len(corpora))
    found = np.concatenate(
        [validation_sequences(corpus, context, each * context) for corpus in corpora]
    )
    # Every batch goes through the whole of the validation text.
    return [found[k::batches] for k in range(batches)]


def _gradient(model: LanguageModel, tokens: npt.NDArray[np.int64]) -> list[torch.Tensor]:
    import torch

    from bayescmr.probes.losses import sequence_losses

    weights = list(model.parameters())
    ids = torch.from_numpy(tokens).to(weights[0].device)
    loss = sequence_losses(model(ids[:, :-1]), ids[:, 1:]).mean()
    return list(torch.autograd.grad(loss, weights))


def _scale(
    planned: Plan, model: LanguageModel, preconditioner: Preconditioner
) -> list[torch.Tensor | None]:
    names = [name for name, _ in model.named_parameters()]
    if preconditioner == "identity":
        return [None] * len(names)
    assert planned.base is not None
    moments = planned.base.moments()
    if not moments:
        raise ProbeError(
            f"{planned.base.folder}: no optimizer moments are saved, which the preconditioner adam"
            " needs; use the preconditioner identity"
        )
    device = next(model.parameters()).device
    epsilon = planned.config.training.epsilon
    beta = planned.config.training.beta2
    scales: list[torch.Tensor | None] = []
    for name in names:
        step = float(moments[f"optimizer.{name}.step"])
        second = moments[f"optimizer.{name}.exp_avg_sq"].to(device) / (1 - beta**step)
        scales.append(1 / (second.sqrt() + epsilon))
    return scales


def _bootstrap(
    general: npt.NDArray[np.float64], domain: npt.NDArray[np.float64], draws: int, seed: int
) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    rows, columns = general.shape

    def weights(n: int) -> npt.NDArray[np.float64]:
        return rng.multinomial(n, np.full(n, 1 / n), size=draws) / n

    validation = weights(rows)
    return first_order_ratio(
        np.einsum("dv,vt,dt->d", validation, general, weights(columns)),
        np.einsum("dv,vt,dt->d", validation, domain, weights(columns)),
    )
