"""The posterior: what a fit returns, and what every later step reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.errors import TargetError
from bayescmr.machine import machine
from bayescmr.model.spec import ModelSpec, Role
from bayescmr.posterior.answers import Answers, Kind
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.diagnostics import Verdict, measure
from bayescmr.runs import RunTable

if TYPE_CHECKING:
    from bayescmr.cmr import CMR, Estimand, Target
    from bayescmr.model.settings import Timing

Float = npt.NDArray[np.float64]

#: Packages whose version may change a result.
_PACKAGES = ("bayescmr", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy", "arviz-stats")
#: Tolerance of the CMRs that take part in the convergence verdict of a fit, nats/token.
_VERDICT_TOLERANCE = 0.05


@dataclass(frozen=True)
class Provenance:
    """Where a posterior comes from.

    Parameters
    ----------
    source, fingerprint : str
        File name and SHA-256 of the run table.
    exclusions, notes : tuple of str
        What was left out of the table and why; what was assumed.
    seed : int
        Of the sampler and of all later draws.
    settings : mapping
        Sampler settings.
    versions : mapping from str to str
        Package versions.
    seconds : mapping from str to float
        Wall time of the stages of the fit; empty where nothing was sampled.
    machine : mapping
        What it was made on; empty in files of earlier versions. Neither counts where
        provenances are compared: they change no draw.
    """

    source: str
    fingerprint: str
    exclusions: tuple[str, ...]
    notes: tuple[str, ...]
    seed: int
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    machine: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        runs: RunTable,
        seed: int,
        settings: Mapping[str, Any],
        notes: tuple[str, ...] = (),
    ) -> Provenance:
        """Provenance of a table and a seed in this process; ``notes`` beyond the table's own."""
        return cls(
            source=runs.source,
            fingerprint=runs.fingerprint,
            exclusions=tuple(
                f"{e.rows} losses of {len(e.runs)} runs: {e.reason}" for e in runs.exclusions
            ),
            notes=(*runs.notes, *notes),
            seed=seed,
            settings=dict(settings),
            versions={name: version(name) for name in _PACKAGES},
            machine=machine(),
        )


@dataclass(frozen=True)
class Posterior(Answers):
    """Posterior of the loss laws of a family of CPT runs.

    Parameters
    ----------
    model : ModelSpec
        What was fitted.
    blocks : dict from role to BlockPosterior
        Draws of the general loss and, where measured, of the domain loss. The
        two share no parameters, so their draws may be paired at will.
    frame : DataFrame
        The run table that was fitted, in canonical form.
    provenance : Provenance
        Table, seed, settings, versions.
    kind : {"posterior", "prior"}
        Prior draws answer the same questions.
    timing : Timing or None
        Seconds per stage of the fit; None where nothing was sampled in this process.
    """

    model: ModelSpec
    blocks: dict[Role, BlockPosterior]
    frame: pd.DataFrame
    provenance: Provenance
    kind: Kind = "posterior"
    timing: Timing | None = field(default=None, compare=False)

    @property
    def general(self) -> BlockPosterior:
        """Block of the general loss."""
        return self.blocks["general"]

    def domain_block(self) -> BlockPosterior:
        """Block of the domain loss; TargetError where none was measured."""
        if "domain" not in self.blocks:
            raise TargetError(
                "domain loss: none in this posterior; fit a table that has loss_domain"
            )
        return self.blocks["domain"]

    @cached_property
    def verdict(self) -> Verdict:
        """Convergence of every parameter and of the CMR of every probed group.

        The CMRs are those at the largest tokens of the table, with a tolerance
        of 0.05 nats.
        """
        from bayescmr.cmr import Target

        quantities: dict[str, Float] = {}
        verdicts = []
        for block in self.blocks.values():
            verdicts.append(block.verdict)
        tokens = float(self.frame["tokens"].max())
        groups = self.frame[["size", "domain"]].drop_duplicates()
        for size, domain in groups.itertuples(index=False):
            target = Target(float(size), str(domain), tokens, _VERDICT_TOLERANCE)
            cmr = self.cmr(target)
            for name, draws in cmr.draws.items():
                quantities[f"CMR {name} of {size:g} {domain}"] = draws
        verdicts.append(measure(quantities))
        return worst(verdicts)

    @property
    def shape(self) -> tuple[int, int]:
        """Chains and draws per chain."""
        return self.general.shape

    def eval_sets(self, role: Role) -> tuple[str, ...]:
        """Evaluation sets of a role; TargetError where its loss was not measured."""
        return self._block(role).hierarchy.eval_sets

    def ratios(self, target: Target, *, lam: float, new_run: bool) -> dict[Estimand, Float]:
        """CMR of every general set and draw, shape (sets, draws); see ``cmr.estimands``."""
        from bayescmr.cmr.estimands import ratios_by_set

        return ratios_by_set(self, target, lam=lam, new_run=new_run)

    def diagnose(self, cmr: CMR) -> Verdict:
        """Convergence of the three CMRs of an answer."""
        return measure({f"CMR {name}": draws for name, draws in cmr.draws.items()})

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
        chosen = self.only_set(role, eval_set)
        return self._block(role).change(size, domain, chosen, tokens, ratio)

    def _block(self, role: Role) -> BlockPosterior:
        return self.general if role == "general" else self.domain_block()

    def save(self, path: str | Path) -> Path:
        """Write the posterior to a netCDF file; see :func:`bayescmr.posterior.load`."""
        from bayescmr.posterior.files import save

        return save(self, Path(path))


def worst(verdicts: list[Verdict]) -> Verdict:
    """Combine verdicts of parts into one of the whole."""
    rhat = max(verdicts, key=lambda v: v.max_rhat)
    bulk = min(verdicts, key=lambda v: v.min_ess_bulk)
    tail = min(verdicts, key=lambda v: v.min_ess_tail)
    ebfmi = [v.min_ebfmi for v in verdicts if np.isfinite(v.min_ebfmi)]
    return Verdict(
        rhat.max_rhat,
        bulk.min_ess_bulk,
        tail.min_ess_tail,
        {"rhat": rhat.worst["rhat"], "bulk": bulk.worst["bulk"], "tail": tail.worst["tail"]},
        sum(v.divergences for v in verdicts),
        min(ebfmi, default=float("nan")),
    )
