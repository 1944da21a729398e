"""Published facts of Que et al. (2024), "D-CPT Law", and the formulas of its third usage.

Source: NeurIPS 2024, arXiv 2406.01375, Tables 5 and 6 and the text on Usage 3. The
tables lie in ``bayescmr/data`` as they were printed. No fitted coefficient of the
law is published.

Sizes and tokens are counts in :func:`usage1` and :func:`usage2`. The law's own
coefficients, A and B, are those of sizes and tokens in billions: the published
allocation is reproduced only so, and :class:`Allocation` keeps that unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

#: Parameters of the model of both tables (count): Qwen1.5-1.8B.
SIZE = 1.8e9
#: Usage 1 (Chemistry): tokens of every run (count).
USAGE1_TOKENS = 10e9
#: Usage 1: general loss before CPT, nats/token.
USAGE1_BASE = 2.8602
#: Usage 1: allowed rise of the general loss, as a share of its base.
USAGE1_TOLERANCE = 0.03
#: Usage 1: the published largest domain share within the tolerance.
USAGE1_RATIO = 0.924
#: Usage 2 (Music): domain tokens in all (count).
USAGE2_DOMAIN_TOKENS = 5e9
#: Usage 2: the published domain share of the lowest domain loss.
USAGE2_RATIO = 0.732
#: Usage 3 (Law, ratio 1/2): training compute, FLOPs.
USAGE3_FLOPS = 5e19

_BILLION = 1e9


def usage1() -> pd.DataFrame:
    """Table 5: Chemistry, one size, 10e9 tokens, seven domain shares, as a run table.

    Returns
    -------
    DataFrame
        run, size (count), domain, ratio, tokens (count), loss_general, loss_domain,
        base_loss_general (nats/token). The domain loss before CPT is not published.
    """
    table = _read("que2024_table5.csv")
    return _runs(table, "chemistry", USAGE1_TOKENS).assign(base_loss_general=USAGE1_BASE)


def usage2() -> pd.DataFrame:
    """Table 6: Music, one size, 5e9 domain tokens in every run, ten domain shares.

    Returns
    -------
    DataFrame
        run, size (count), domain, ratio, tokens (count, 5e9 / ratio), loss_domain
        (nats/token). Neither the general loss nor the loss before CPT is published.
    """
    table = _read("que2024_table6.csv")
    return _runs(table, "music", USAGE2_DOMAIN_TOKENS / table["ratio"])


def _read(name: str) -> pd.DataFrame:
    with files("bayescmr").joinpath("data", name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


def _runs(table: pd.DataFrame, domain: str, tokens: float | pd.Series) -> pd.DataFrame:
    names = [f"{domain}-{ratio:g}" for ratio in table["ratio"]]
    runs = table.assign(run=names, size=SIZE, domain=domain, tokens=tokens)
    first = ["run", "size", "domain", "ratio", "tokens"]
    return runs[[*first, *table.columns.drop("ratio")]]


@dataclass(frozen=True)
class Allocation:
    """Usage 3: how to split compute between size and tokens, at one domain share.

    For a loss E0 + A/N^alpha + B0/D^beta under C = 6 N D (Que et al. 2024, Usage 3;
    Hoffmann et al. 2022, arXiv 2203.15556, Eq. 4): N_opt = G (C/6)^a and
    D_opt = (C/6)^b / G, N and D in billions, C/6 in billions squared.

    Attributes
    ----------
    g : float
        G, in billions^(1 - 2 a).
    a, b : float
        Exponents of compute, a + b = 1.
    """

    g: float
    a: float
    b: float

    @classmethod
    def of(
        cls, *, size_factor: float, alpha: float, tokens_factor: float, beta: float
    ) -> Allocation:
        """Return the allocation that coefficients of the law imply.

        Parameters
        ----------
        size_factor, tokens_factor : float
            A and B0 = B r^eta, for N and D in billions.
        alpha, beta : float
            Exponents of N and D.
        """
        g = (alpha * size_factor / (beta * tokens_factor)) ** (1.0 / (alpha + beta))
        return cls(g, beta / (alpha + beta), alpha / (alpha + beta))

    def size(self, flops: float) -> float:
        """Optimal size (count) for training compute in FLOPs."""
        return float(_BILLION * self.g * _product(flops) ** self.a)

    def tokens(self, flops: float) -> float:
        """Optimal tokens (count) for training compute in FLOPs."""
        return float(_BILLION / self.g * _product(flops) ** self.b)


def _product(flops: float) -> float:
    """Return N D in billions squared."""
    return flops / 6.0 / _BILLION**2


#: Usage 3: the published coefficients (Law domain, ratio 1/2).
USAGE3 = Allocation(g=4.1282, a=0.6252, b=0.3748)
#: Usage 3: published optimal size and tokens at :data:`USAGE3_FLOPS` (counts).
USAGE3_SIZE, USAGE3_TOKENS = 15.54e9, 0.536e9
