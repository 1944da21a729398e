"""Posteriors of several models mixed by weights: it answers like the posterior of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.errors import ModelError
from bayescmr.model.spec import Role
from bayescmr.posterior.answers import Answers, Kind
from bayescmr.posterior.diagnostics import Verdict
from bayescmr.posterior.posterior import Posterior, Provenance, worst

if TYPE_CHECKING:
    from bayescmr.cmr import CMR, Estimand, Target

Float = npt.NDArray[np.float64]

#: Draws of the mixture; a weight is represented to 1 / _DRAWS.
_DRAWS = 8000


@dataclass(frozen=True)
class StackedPosterior(Answers):
    """A mixture of posteriors, component by component, with fixed weights.

    Whatever is asked is asked of every component; of its draws an evenly spaced share
    is kept, in proportion to its weight. Nothing is resampled at random.

    Parameters
    ----------
    components : dict from model name to Posterior
        All fitted to the same table.
    weights : dict from model name to float
        Positive, of every component; sum to 1.
    provenance : Provenance
        Its ``settings`` hold the weights and the settings of every component.
    """

    components: dict[str, Posterior]
    weights: dict[str, float]
    provenance: Provenance

    @classmethod
    def of(
        cls, fits: Mapping[str, Posterior], weights: Mapping[str, float], how: Mapping[str, Any]
    ) -> StackedPosterior:
        """Mix posteriors; those whose weight is not worth a draw are left out, and recorded.

        Parameters
        ----------
        fits : mapping from model name to Posterior
            All of the same table.
        weights : mapping from model name to float
            At least 0; sum to 1.
        how : mapping
            Where the weights come from, for the provenance; plain data.

        Raises
        ------
        ModelError
            Weights that are no shares, or posteriors of different tables.
        """
        values = np.array([weights[name] for name in fits], dtype=float)
        if not (np.all(values >= 0) and np.isclose(values.sum(), 1.0)):
            raise ModelError(f"weights: got {dict(weights)}, expected shares that sum to 1")
        if len({fit.provenance.fingerprint for fit in fits.values()}) > 1:
            raise ModelError("fits: got posteriors of different tables, expected one table")
        kept = {name: fit for name, fit in fits.items() if weights[name] > 0.5 / _DRAWS}
        total = sum(weights[name] for name in kept)
        first = next(iter(kept.values())).provenance
        settings = {
            **how,
            "weights": {name: float(weights[name]) for name in fits},
            "components": {name: dict(fit.provenance.settings) for name, fit in kept.items()},
        }
        shares = {name: float(weights[name] / total) for name in kept}
        return cls(kept, shares, replace(first, settings=settings))

    @property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """The run table that was fitted, in canonical form."""
        return self._first.frame

    @property
    def kind(self) -> Kind:  # type: ignore[override]
        """Of the components."""
        return self._first.kind

    @property
    def _first(self) -> Posterior:
        return next(iter(self.components.values()))

    @cached_property
    def verdict(self) -> Verdict:
        """The worst of every figure over the components: a mixture has no chains of its own."""
        return worst([_named(name, fit.verdict) for name, fit in self.components.items()])

    @property
    def shape(self) -> tuple[int, int]:
        """One chain of as many draws as are kept."""
        return 1, _DRAWS

    def eval_sets(self, role: Role) -> tuple[str, ...]:
        """Evaluation sets of a role; TargetError where its loss was not measured."""
        return self._first.eval_sets(role)

    @cached_property
    def kept(self) -> dict[str, npt.NDArray[np.int64]]:
        """Draws of each component (index over all chains) that make the mixture."""
        exact = np.array(list(self.weights.values())) * _DRAWS
        counts = np.floor(exact).astype(int)
        # Largest remainders first, until all draws are given away.
        short = _DRAWS - counts.sum()
        counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
        return {
            name: ((np.arange(count) + 0.5) * fit.general.n_draws / count).astype(np.int64)
            for (name, fit), count in zip(self.components.items(), counts, strict=True)
        }

    def ratios(self, target: Target, *, lam: float, new_run: bool) -> dict[Estimand, Float]:
        """CMR of every general set and draw, shape (sets, draws); see ``cmr.estimands``."""
        parts = [
            {
                estimand: values[:, self.kept[name]]
                for estimand, values in fit.ratios(target, lam=lam, new_run=new_run).items()
            }
            for name, fit in self.components.items()
        ]
        return {e: np.concatenate([part[e] for part in parts], axis=1) for e in parts[0]}

    def diagnose(self, cmr: CMR) -> Verdict:
        """The worst convergence of the three CMRs over the components."""
        return worst(
            [
                _named(name, fit.cmr(cmr.target, lam=cmr.lam).verdict)
                for name, fit in self.components.items()
            ]
        )

    def changes(
        self,
        role: Role,
        *,
        size: float,
        domain: str,
        tokens: npt.ArrayLike,
        ratio: npt.ArrayLike,
        eval_set: str | None = None,
    ) -> Float:
        """Expected change of a loss, nats/token, shape (draws, points)."""
        return np.concatenate(
            [
                fit.changes(
                    role, size=size, domain=domain, tokens=tokens, ratio=ratio, eval_set=eval_set
                )[self.kept[name]]
                for name, fit in self.components.items()
            ]
        )

    def save(self, path: str | Path) -> Path:
        """Write all components to one netCDF file; see :func:`bayescmr.posterior.load`."""
        from bayescmr.posterior.files import save

        return save(self, Path(path))


def _named(component: str, verdict: Verdict) -> Verdict:
    """Say which component a quantity belongs to."""
    return replace(verdict, worst={k: f"{v} ({component})" for k, v in verdict.worst.items()})
