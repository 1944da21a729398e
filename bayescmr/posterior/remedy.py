"""Sampling again, by the textbook's remedies, what has not converged.

Divergences: smaller steps, with a fifth of the rejections (0.95, 0.99, 0.998). Too few
effective draws, or chains that differ: twice the draws. Either way twice the warm-up, which
alone doubled the effective draws of a small noisy table. Only the last attempt is kept, no
threshold moves, and every attempt is recorded.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from bayescmr.model.settings import Settings
from bayescmr.posterior.diagnostics import MIN_ESS, Verdict


@dataclass(frozen=True)
class Attempt:
    """One attempt at sampling a loss: how, and what was wrong with the draws.

    Parameters
    ----------
    draws, tune : int
        Kept and warm-up draws per chain.
    target_accept : float
        Acceptance rate that was aimed at.
    problems : tuple of str
        Sentences of the verdict; empty where it converged.
    warm : bool
        Started from an earlier posterior.
    """

    draws: int
    tune: int
    target_accept: float
    problems: tuple[str, ...]
    warm: bool

    @classmethod
    def of(cls, settings: Settings, verdict: Verdict, *, warm: bool) -> Attempt:
        """Record what came of sampling with these settings."""
        return cls(settings.draws, settings.tune, settings.target_accept, verdict.problems, warm)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for files."""
        return asdict(self) | {"problems": list(self.problems)}


def remedied(settings: Settings, verdict: Verdict) -> Settings | None:
    """Return the settings to try next, or None where there is nothing left to try.

    Parameters
    ----------
    settings : Settings
        Those that the verdict is about; ``retries`` says how often more.
    verdict : Verdict
        Of the draws of one loss.
    """
    # Who asks for fewer draws than the gate needs wants a quick look, not another number of draws.
    enough = settings.draws * settings.chains >= 4 * MIN_ESS
    # Where chains diverge, effective draws near the gate are not to be counted on either.
    scarce = min(verdict.min_ess_bulk, verdict.min_ess_tail) < 2 * MIN_ESS
    longer = enough and (verdict.unmixed or (verdict.divergences > 0 and scarce))
    if not settings.retries or not (verdict.divergences or longer):
        return None
    accept = settings.target_accept
    return replace(
        settings,
        retries=settings.retries - 1,
        target_accept=1.0 - (1.0 - accept) / 5.0 if verdict.divergences else accept,
        draws=2 * settings.draws if longer else settings.draws,
        tune=2 * settings.tune,
    )
