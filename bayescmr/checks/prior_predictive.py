"""Whether the prior, before any run, expects things that no language model does."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescmr.cmr import ESTIMANDS, Target
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.predictive import prior_predictive
from bayescmr.runs import RunTable

#: A rise that ends at blind guessing, and a fall to all but nothing, nats/token: a loss of 3
#: rises to ln(50,000) = 10.8 when a model guesses among 50,000 tokens, and falls to 0.
ABSURD = {"general": (-3.0, 8.0), "domain": (-10.0, 1.0)}
#: Gabry et al. 2019, doi 10.1111/rssa.12378, ask that absurd data be rare; how rare is a rule
#: of thumb of this package.
MAX_ABSURD = 0.05
_DRAWS = 250


def prior_of(posterior: Posterior) -> Posterior:
    """Draws from the prior of the model at the design of its runs: 4 chains of 250."""
    provenance = posterior.provenance
    runs = RunTable(posterior.frame, (), (), provenance.fingerprint, provenance.source)
    return prior_predictive(runs, posterior.model, seed=provenance.seed, draws=_DRAWS)


def absurd_shares(prior: Posterior) -> pd.DataFrame:
    """Share of prior draws that expect an absurd change at some checkpoint of the runs.

    Parameters
    ----------
    prior : Posterior
        From :func:`prior_of`.

    Returns
    -------
    DataFrame
        loss, low, high (changes beyond which it is absurd, nats/token), points (the last
        checkpoint of every run), share (of draws and points), worst (share of draws at the
        point where it is largest).
    """
    found = []
    for role, block in prior.blocks.items():
        rows = prior.frame[prior.frame["role"] == role]
        last = rows.loc[rows.groupby(["run", "eval_set"])["tokens"].idxmax()]
        low, high = ABSURD[role]
        parts = []
        for _, g in last.groupby(["size", "domain", "eval_set"]):
            size, domain, eval_set = g.iloc[0][["size", "domain", "eval_set"]]
            changes = block.change(float(size), domain, eval_set, g["tokens"], g["ratio"])
            parts.append(_share(changes, low, high))
        shares = np.concatenate(parts)
        found.append(
            {
                "loss": role,
                "low": low,
                "high": high,
                "points": len(shares),
                "share": float(shares.mean()),
                "worst": float(shares.max()),
            }
        )
    return pd.DataFrame(found)


def prior_cmrs(prior: Posterior, posterior: Posterior, target: Target, prob: float) -> pd.DataFrame:
    """Critical mixture ratios before and after the runs.

    Returns
    -------
    DataFrame
        estimand, when ("prior" or "posterior"), median, lower, upper, p_none, p_all.
    """
    found = []
    for when, draws in (("prior", prior), ("posterior", posterior)):
        cmr = draws.cmr(target)
        for estimand in ESTIMANDS:
            found.append({"estimand": estimand, "when": when, **vars(cmr.summary(estimand, prob))})
    table = pd.DataFrame(found).sort_values("estimand", kind="stable", ignore_index=True)
    return table[["estimand", "when", "median", "lower", "upper", "p_none", "p_all"]]


def _share(changes: np.ndarray, low: float, high: float) -> np.ndarray:
    """Share of draws beyond the bounds at each point; what is not finite is absurd, too."""
    return np.asarray((~((changes >= low) & (changes <= high))).mean(axis=0))
