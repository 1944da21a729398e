"""Were losses foretold? PIT values of what comes in, by the draws of the last fit.

The prediction is the posterior's own: a mixture over draws, each with its own noise. Between two
fits draws are re-weighted by each loss that comes, and a PIT value is kept only as long as enough
of them count: a rule that looks at the past alone, so that what is kept is uniform all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, logsumexp

from bayescmr.design.outlook import Candidate
from bayescmr.laws import Reference
from bayescmr.model.scales import covariance
from bayescmr.posterior import Posterior

Float = npt.NDArray[np.float64]

#: Effective draws below which re-weighted ones predict nothing.
MIN_DRAWS = 100.0


class Foretold:
    """Predictions of one fit, for all that comes in until the next.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    domain : str
        Of the runs.
    sizes : sequence of float
        Of all runs that may come: effects of sizes not yet probed are the same throughout.
    """

    def __init__(self, posterior: Posterior, domain: str, sizes: Sequence[float]) -> None:
        self._block = posterior.general
        thetas = self._block.thetas(list(sizes), domain, self._block.hierarchy.eval_sets[0])
        self._theta = {
            size: {name: values[:, None] for name, values in theta.items()}
            for size, theta in zip(sizes, thetas, strict=True)
        }
        self.log_weights: Float = np.full(self._block.n_draws, -np.log(self._block.n_draws))

    @property
    def effective(self) -> float:
        """How many draws count."""
        return float(np.exp(-logsumexp(2.0 * self.log_weights)))

    def compare(self, run: Candidate, tokens: Float, change: Float, se: Float) -> list[float]:
        """PIT values of a run's new losses, each given those before.

        Parameters
        ----------
        run : Candidate
            Up to ``run.reached`` its losses are in the fit.
        tokens, change, se : ndarray, shape (checkpoints,)
            All its losses so far and their stated standard errors, nats/token.

        Returns
        -------
        list of float
            At most one for each new loss: fewer where too few draws count.
        """
        block = self._block
        reference: Reference = block.hierarchy.reference
        mean = block.spec.law.change(
            self._theta[run.size], tokens[None, :], np.float64(run.ratio), reference
        )
        x = np.log(tokens / reference.tokens)
        root = np.linalg.cholesky(covariance(block.scales, x, se**2, run.ratio == 1.0))
        # Its leading blocks are the factors of shorter runs: what is new is told given the rest.
        whitened = np.linalg.solve(root, (change - mean)[..., None])[..., 0]
        scale = np.diagonal(root, axis1=1, axis2=2)
        pit = []
        for k in np.flatnonzero(tokens > run.reached):
            if self.effective >= MIN_DRAWS:
                found = float(np.exp(logsumexp(self.log_weights + log_ndtr(whitened[:, k]))))
                # So few draws cannot tell how improbable it was that none of them foresaw it.
                least = 0.5 / self.effective
                pit.append(min(max(found, least), 1.0 - least))
            self.log_weights = self.log_weights - 0.5 * whitened[:, k] ** 2 - np.log(scale[:, k])
            self.log_weights = self.log_weights - logsumexp(self.log_weights)
        return pit
