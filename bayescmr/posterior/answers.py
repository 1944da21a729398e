"""What answers questions about the critical mixture ratio: one model's posterior, or several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.errors import TargetError
from bayescmr.model.spec import Role
from bayescmr.posterior.diagnostics import Verdict
from bayescmr.posterior.intervals import PROB, check_prob

if TYPE_CHECKING:
    from bayescmr.cmr import CMR, Estimand, Target
    from bayescmr.posterior.posterior import Provenance
    from bayescmr.report.studies import Studies

Float = npt.NDArray[np.float64]
Kind = Literal["posterior", "prior"]


class Answers(ABC):
    """Draws that can be asked for a CMR and for a loss, whatever laws they come from.

    Attributes
    ----------
    frame : DataFrame
        The run table that was fitted, in canonical form.
    kind : {"posterior", "prior"}
        Prior draws answer the same questions.
    provenance : Provenance
        Table, seed, settings, versions.
    """

    frame: pd.DataFrame
    kind: Kind
    provenance: Provenance

    @property
    @abstractmethod
    def verdict(self) -> Verdict:
        """Convergence of every parameter and of the CMR of every probed group."""

    @property
    def converged(self) -> bool:
        """True if every parameter and every CMR of a probed group has converged."""
        return self.verdict.converged

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Chains and draws per chain of the CMR; a mixture counts as one chain."""

    @abstractmethod
    def eval_sets(self, role: Role) -> tuple[str, ...]:
        """Evaluation sets of a role; TargetError where its loss was not measured."""

    @abstractmethod
    def ratios(self, target: Target, *, lam: float, new_run: bool) -> dict[Estimand, Float]:
        """CMR of every general set and draw, shape (sets, draws); see ``cmr.estimands``."""

    @abstractmethod
    def diagnose(self, cmr: CMR) -> Verdict:
        """Convergence of the three CMRs of an answer."""

    @abstractmethod
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

    @abstractmethod
    def save(self, path: str | Path) -> Path:
        """Write to a netCDF file; see :func:`bayescmr.posterior.load`."""

    def cmr(self, target: Target, *, lam: float = np.inf) -> CMR:
        """Posterior of the critical mixture ratio at a target.

        Parameters
        ----------
        target : Target
            Size, domain, tokens and tolerance.
        lam : float
            Weight of the general loss in the Lagrangian of Gu et al. (Eq. 3);
            infinity looks at the general loss alone. Finite values need the domain loss.

        Raises
        ------
        TargetError
            The target cannot be asked of this posterior.
        """
        from bayescmr.cmr import critical_mixture_ratio

        return critical_mixture_ratio(self, target, lam=lam)

    def report(
        self,
        folder: str | Path,
        target: Target,
        *,
        risk: float = 0.1,
        estimand: Estimand = "tolerance",
        prob: float = PROB,
        formats: Sequence[str] | None = None,
        studies: Studies | None = None,
    ) -> Path:
        """Write a report about one question: the decision, the posterior, the checks.

        Nothing is fitted; what was not run says so. The same posterior gives the same bytes.

        Parameters
        ----------
        folder : str or Path
            New, or empty; it appears whole or not at all.
        target : Target
            Size, domain, tokens and tolerance.
        risk : float
            Allowed chance of breaking the bound, in (0, 1).
        estimand : {"tolerance", "turning_point", "gu"}
            The bound of the decision.
        prob : float
            Probability of every equal-tailed interval.
        formats : sequence of str, optional
            Some of html, json, tex, pdf; default: all but pdf.
        studies : Studies, optional
            What calibration, refits under other priors and refits without single runs found.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        TargetError
            The target cannot be asked of this posterior.
        ReportError
            Unknown format, a folder that holds something or cannot be written, or a study of
            another model, run table, posterior or question.
        """
        # A renderer of answers lies above them; only this convenience looks up.
        from bayescmr.report.data import report_data
        from bayescmr.report.studies import NONE
        from bayescmr.report.write import DEFAULT, check_folder, check_formats, write_report

        chosen = DEFAULT if formats is None else formats
        check_formats(chosen)
        check_folder(Path(folder))
        data = report_data(
            self, target, risk=risk, estimand=estimand, prob=prob, studies=studies or NONE
        )
        return write_report(data, folder, chosen)

    def predict(
        self,
        role: Role,
        *,
        size: float,
        domain: str,
        tokens: npt.ArrayLike,
        ratio: npt.ArrayLike,
        eval_set: str | None = None,
        prob: float = PROB,
    ) -> pd.DataFrame:
        """Expected change of a loss (loss minus base) with equal-tailed intervals.

        Parameters
        ----------
        role : {"general", "domain"}
            Which loss.
        size : float
            Non-embedding parameters (count); need not have been probed.
        domain : str
            Domain; need not have been probed.
        tokens, ratio : array_like
            CPT tokens (count) and domain share; broadcast against each other.
        eval_set : str, optional
            Needed only where the role has several.
        prob : float
            Probability of the intervals.

        Returns
        -------
        DataFrame
            tokens, ratio, median, lower, upper, prob; nats/token.
        """
        check_prob(prob)
        draws = self.changes(
            role, size=size, domain=domain, tokens=tokens, ratio=ratio, eval_set=eval_set
        )
        t, r = np.broadcast_arrays(
            np.atleast_1d(np.asarray(tokens, float)), np.atleast_1d(np.asarray(ratio, float))
        )
        lower, median, upper = np.quantile(draws, [0.5 - prob / 2, 0.5, 0.5 + prob / 2], axis=0)
        return pd.DataFrame(
            {"tokens": t, "ratio": r, "median": median, "lower": lower, "upper": upper}
        ).assign(prob=prob)

    def only_set(self, role: Role, eval_set: str | None) -> str:
        """Return the given evaluation set, or the only one there is."""
        sets = self.eval_sets(role)
        if eval_set is not None:
            return eval_set
        if len(sets) > 1:
            raise TargetError(f"eval_set: got none, expected one of {', '.join(sets)}")
        return sets[0]
