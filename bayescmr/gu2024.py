"""Published facts of Gu et al. (2024), "CMR Scaling Law", and what follows from them.

Source: EMNLP 2024 main, doi 10.18653/v1/2024.emnlp-main.903, arXiv 2407.17467v2,
Tables 2, 4 and 5. The tables lie in ``bayescmr/data`` as they were printed.

Sizes and tokens are counts; the paper's unit of T is 0.2e9 tokens (:data:`UNIT`).
The published critical mixture ratios are *turning-point* CMRs: the ratio whose
general loss peaks exactly at the token budget. They are not the largest ratios
within the tolerance of 0.05 nats, which are about twice as large
(:func:`tolerance_cmr`).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq, minimize_scalar

Floats = NDArray[np.float64]

#: Tokens in one unit of the paper's T.
UNIT = 0.2e9
#: Token budget of every run: T = 100.
BUDGET = 20e9
#: The paper's tolerance on the rise of the general loss, nats/token.
TOLERANCE = 0.05
#: Model sizes as the paper labels them (count).
SIZES = {"460M": 460e6, "940M": 940e6, "1.6B": 1.6e9, "3.1B": 3.1e9}
#: Non-embedding parameters of the same models (count), computed from the printed
#: architectures: layers * (4 hidden^2 + 3 hidden * intermediate). The labels also
#: count two embedding matrices of 65,632 rows.
NON_EMBEDDING = {
    460e6: 24 * (4 * 1024**2 + 3 * 1024 * 3072),
    940e6: 24 * (4 * 1536**2 + 3 * 1536 * 4608),
    1.6e9: 24 * (4 * 2048**2 + 3 * 2048 * 6144),
    3.1e9: 32 * (4 * 2560**2 + 3 * 2560 * 7680),
}
#: Domain shares of the Finance runs.
RATIOS = tuple(Fraction(text) for text in ("1/8", "1/4", "1/3", "1/2", "3/4", "1"))
#: Residual scales of the published curves (nats/token), implied by R^2 in Table 3.
SE_GENERAL = 1e-4
SE_DOMAIN = 2.5e-3

#: Where a turning point is looked for, in units of T: from 20 kilotokens to 200 teratokens.
_SEARCH = (1e-4, 1e6)


@dataclass(frozen=True)
class TokenLaw:
    """One row of Table 4: the loss changes of one run against tokens (Eq. 6).

    Attributes
    ----------
    size : float
        Parameters (count).
    ratio : float
        Domain share.
    alpha1, s1, alpha2, s2, beta1 : float
        General loss: ``alpha1 T^s1 + alpha2 T^s2 + beta1``, T in units of 0.2e9 tokens.
    alpha3, s3, beta2 : float
        Domain loss: ``alpha3 T^s3 + beta2``.
    """

    size: float
    ratio: float
    alpha1: float
    s1: float
    alpha2: float
    s2: float
    beta1: float
    alpha3: float
    s3: float
    beta2: float

    def general(self, tokens: ArrayLike) -> Floats:
        """Change of the general loss (nats/token) at ``tokens`` (count, any shape)."""
        t = np.asarray(tokens, dtype=float) / UNIT
        return np.asarray(self.alpha1 * t**self.s1 + self.alpha2 * t**self.s2 + self.beta1)

    def domain(self, tokens: ArrayLike) -> Floats:
        """Change of the domain loss (nats/token) at ``tokens`` (count, any shape)."""
        t = np.asarray(tokens, dtype=float) / UNIT
        return np.asarray(self.alpha3 * t**self.s3 + self.beta2)

    def slope_general(self, tokens: ArrayLike) -> Floats:
        """Derivative of :meth:`general` with respect to ln tokens, nats/token per e-fold."""
        t = np.asarray(tokens, dtype=float) / UNIT
        return np.asarray(self.alpha1 * self.s1 * t**self.s1 + self.alpha2 * self.s2 * t**self.s2)

    def slope_domain(self, tokens: ArrayLike) -> Floats:
        """Derivative of :meth:`domain` with respect to ln tokens, nats/token per e-fold."""
        t = np.asarray(tokens, dtype=float) / UNIT
        return np.asarray(self.alpha3 * self.s3 * t**self.s3)


@dataclass(frozen=True)
class ReducedForm:
    """General loss change written as ``T^s (a - b ln T) + c``, T in units of 0.2e9 tokens.

    The two powers of a row with a turning point have nearly equal exponents and
    amplitudes of opposite sign, so three numbers carry what four print.
    """

    a: float
    b: float
    s: float
    c: float

    def general(self, tokens: ArrayLike) -> Floats:
        """Change of the general loss (nats/token) at ``tokens`` (count, any shape)."""
        t = np.asarray(tokens, dtype=float) / UNIT
        return np.asarray(t**self.s * (self.a - self.b * np.log(t)) + self.c)

    @property
    def turning_point(self) -> float:
        """Tokens (count) at the peak."""
        return float(UNIT * np.exp(self.a / self.b - 1.0 / self.s))


@dataclass(frozen=True)
class PowerLaw:
    """``y = alpha x^s + beta``, the shape of Eq. 8 and of the paper's loss-against-ratio law."""

    alpha: float
    s: float
    beta: float

    def __call__(self, x: ArrayLike) -> Floats:
        """Evaluate at ``x`` > 0 (any shape)."""
        return np.asarray(self.alpha * np.asarray(x, dtype=float) ** self.s + self.beta)


# -- tables -------------------------------------------------------------------------------------


def _rows(name: str) -> list[dict[str, str]]:
    text = files("bayescmr").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def table4() -> tuple[TokenLaw, ...]:
    """Table 4: 24 token laws, ordered by size, then ratio."""
    return tuple(
        TokenLaw(
            size=float(row["size"]),
            ratio=float(Fraction(row["ratio"])),
            alpha1=float(row["alpha1"]),
            s1=float(row["s1"]),
            alpha2=float(row["alpha2"]),
            s2=float(row["s2"]),
            beta1=float(row["beta1"]),
            alpha3=float(row["alpha3"]),
            s3=float(row["s3"]),
            beta2=float(row["beta2"]),
        )
        for row in _rows("gu2024_table4.csv")
    )


def table2() -> pd.DataFrame:
    """Table 2: domain loss (nats/token) after 20e9 tokens.

    Returns
    -------
    DataFrame
        Columns size, ratio, loss_domain, loss_domain_predicted; the last is the
        authors' prediction of the ratio they held out (1/4), nan elsewhere.
    """
    return pd.DataFrame(
        [
            {
                "size": float(row["size"]),
                "ratio": float(Fraction(row["ratio"])),
                "loss_domain": float(row["loss_domain"]),
                "loss_domain_predicted": float(row["loss_domain_predicted"] or "nan"),
            }
            for row in _rows("gu2024_table2.csv")
        ]
    )


def token_law(size: float, ratio: float) -> TokenLaw:
    """Return the row of Table 4 for ``size`` (count) and ``ratio`` (to within 1e-3).

    Raises
    ------
    ValueError
        If the paper has no such run.
    """
    for row in table4():
        if np.isclose(row.size, size) and abs(row.ratio - ratio) < 1e-3:
            return row
    raise ValueError(
        f"Gu et al. 2024: no run of size {size:g} at ratio {ratio:g};"
        f" sizes are {', '.join(f'{s:g}' for s in SIZES.values())},"
        f" ratios {', '.join(str(r) for r in RATIOS)}"
    )


def _table5(size: float, domain: str) -> dict[str, str]:
    for row in _rows("gu2024_table5.csv"):
        if np.isclose(float(row["size"]), size) and row["domain"] == domain:
            return row
    raise ValueError(f"Gu et al. 2024: no CMR published for size {size:g}, domain {domain!r}")


def cmr_law(size: float, tokens: ArrayLike) -> Floats:
    """Eq. 8 with the coefficients of Table 5 (Finance), as printed.

    Parameters
    ----------
    size : float
        One of the four sizes (count).
    tokens : array_like
        Token budget (count, any shape).

    Returns
    -------
    ndarray
        Ratio, the shape of ``tokens``. Not clipped: the printed law leaves
        [0, 1] below about 3e9 tokens and, for the two smallest sizes, above 200e9.
    """
    row = _table5(size, "finance")
    law = PowerLaw(float(row["alpha4"]), float(row["s4"]), float(row["beta3"]))
    return law(np.asarray(tokens, dtype=float) / UNIT)


def published_cmr(size: float, domain: str = "finance") -> float:
    """Critical mixture ratio at 20e9 tokens that the paper states (a turning-point CMR).

    ``domain`` is "finance" (four sizes) or "academic" (460M only).
    """
    return float(_table5(size, domain)["published_cmr"])


# -- turning points and CMRs --------------------------------------------------------------------


def turning_point(row: TokenLaw, lam: float = np.inf) -> float:
    """Tokens after which ``domain + lam * general`` falls for good.

    Parameters
    ----------
    row : TokenLaw
        One run.
    lam : float
        Weight of the general loss (Eq. 3), positive; infinity asks for the peak
        of the general loss alone, which is what the published CMRs use.

    Returns
    -------
    float
        Tokens (count) at the last maximum; nan if there is none between 20e3 and
        200e12 tokens (the loss keeps rising, or never rises).
    """
    if not lam > 0:
        raise ValueError(f"lam must be positive, got {lam}")

    def slope(log_t: float | Floats) -> Floats:
        tokens = UNIT * np.exp(log_t)
        general = row.slope_general(tokens)
        return general if np.isinf(lam) else row.slope_domain(tokens) + lam * general

    grid = np.linspace(np.log(_SEARCH[0]), np.log(_SEARCH[1]), 2001)
    sign = np.sign(slope(grid))
    falls = np.flatnonzero((sign[:-1] > 0) & (sign[1:] <= 0))
    if falls.size == 0:
        return float("nan")
    left, right = grid[falls[-1]], grid[falls[-1] + 1]
    return float(UNIT * np.exp(brentq(lambda x: float(slope(x)), left, right, xtol=1e-12)))


def reduced_form(row: TokenLaw) -> ReducedForm:
    """Return the identified form of a row's general loss.

    With ``s1 = s - d`` and ``s2 = s + d`` the two powers are
    ``T^s ((alpha1 + alpha2) cosh(d ln T) - (alpha1 - alpha2) sinh(d ln T))``, and d
    is about 0.002 wherever the row has a turning point; to first order in d that is
    the reduced form. Within the budget it leaves 2e-6 nats/token, a fifth of the last
    printed digit (a least-squares refit of the four numbers leaves 1e-9).

    Raises
    ------
    ValueError
        If the exponents are not close (a row without a peak), where the form is wrong.
    """
    half = 0.5 * (row.s2 - row.s1)
    if abs(half) > 0.01:
        raise ValueError(f"exponents {row.s1} and {row.s2} are too far apart for the reduced form")
    return ReducedForm(
        a=row.alpha1 + row.alpha2,
        b=(row.alpha1 - row.alpha2) * half,
        s=0.5 * (row.s1 + row.s2),
        c=row.beta1,
    )


def is_feasible(row: TokenLaw, tokens: float = BUDGET) -> bool:
    """Return whether the general loss peaks within ``tokens`` (count): the paper's rule.

    The tolerance, the other half of the paper's Definition 2, is not looked at.
    """
    return bool(turning_point(row) < tokens)


def fit_power_law(x: ArrayLike, y: ArrayLike, bounds: tuple[float, float] = (-4, 4)) -> PowerLaw:
    """Fit ``y = alpha x^s + beta`` by least squares.

    Given s the other two are linear, so the search is over one number within
    ``bounds``; the basis ``(x^s - 1) / s`` is smooth through s = 0.

    Parameters
    ----------
    x, y : array_like
        At least three points, shape (n,), x > 0.
    bounds : tuple of float
        Range of s.
    """
    x_, y_ = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x_.shape != y_.shape or x_.ndim != 1 or x_.size < 3 or np.any(x_ <= 0):
        raise ValueError("a power law with offset needs three or more points with x > 0")
    centre = np.exp(np.log(x_).mean())
    log_x = np.log(x_ / centre)

    def solve(s: float) -> tuple[Floats, float]:
        basis = log_x if abs(s) < 1e-12 else np.expm1(s * log_x) / s
        design = np.column_stack([basis, np.ones_like(basis)])
        coefficients = np.linalg.lstsq(design, y_, rcond=None)[0]
        return coefficients, float(np.sum((design @ coefficients - y_) ** 2))

    # The profile of s may have a second, worse minimum: scan before refining.
    grid = np.linspace(*bounds, 161)
    best = int(np.argmin([solve(s)[1] for s in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    s = float(
        minimize_scalar(
            lambda v: solve(v)[1], bounds=(low, high), method="bounded", options={"xatol": 1e-10}
        ).x
    )
    # At s = 0 the law is a logarithm, which alpha and beta cannot say; 1e-6 is as good as one.
    s = s if abs(s) > 1e-6 else 1e-6
    (slope, level), _ = solve(s)
    return PowerLaw(alpha=float(slope / s * centre**-s), s=s, beta=float(level - slope / s))


def cmr_from_turning_points(
    size: float,
    tokens: float = BUDGET,
    ratios: Sequence[float] = (1 / 8, 1 / 4, 1 / 3, 1 / 2),
) -> float:
    """Repeat the paper's pipeline: Eq. 8 through the points (turning point, ratio).

    Three coefficients through four points; the published coefficients come from
    the same points. 460M at 1/3 and 1/2 and the other sizes at 1/2 turn after
    the last measured token, so their points are extrapolations.

    Parameters
    ----------
    size : float
        One of the four sizes (count).
    tokens : float
        Budget (count) at which the ratio is asked.
    ratios : sequence of float
        Runs used; each must have a turning point.

    Returns
    -------
    float
        Turning-point CMR.
    """
    turns = [turning_point(token_law(size, ratio)) for ratio in ratios]
    if np.any(np.isnan(turns)):
        raise ValueError(f"size {size:g}: some of the ratios {list(ratios)} have no turning point")
    law = fit_power_law(np.array(turns) / UNIT, np.asarray(ratios, dtype=float))
    return float(law(tokens / UNIT))


def tolerance_cmr(size: float, tolerance: float = TOLERANCE, tokens: float = BUDGET) -> float:
    """Largest ratio whose general loss has risen by at most ``tolerance`` (nats/token).

    Interpolates the six runs of a size at ``tokens`` by a monotone cubic (PCHIP)
    over the ratio; above 3/4 the value leans on the run without replay. The
    size's base loss is uncertain, and with it this number.

    Returns
    -------
    float
        nan if the smallest ratio run is above the tolerance already; 1 if none is.
    """
    rows = [row for row in table4() if np.isclose(row.size, size)]
    ratio = np.array([row.ratio for row in rows])
    rise = np.array([float(row.general(tokens)) for row in rows])
    if rise[0] > tolerance:
        return float("nan")
    if np.all(rise <= tolerance):
        return 1.0
    first = int(np.argmax(rise > tolerance))
    curve = PchipInterpolator(ratio, rise)
    return float(brentq(lambda r: float(curve(r)) - tolerance, ratio[first - 1], ratio[first]))


# -- run table ----------------------------------------------------------------------------------


def trajectories(checkpoints: int = 16) -> pd.DataFrame:
    """Evaluate Table 4 as a run table: 24 runs, Finance, 0.2e9 to 20e9 tokens.

    The curves are published fits, hence smooth: they carry no noise, and the
    standard errors are the residual scales around those fits, not seed-to-seed
    variation. See ``case_studies/gu2024/README.md`` before drawing conclusions.

    Parameters
    ----------
    checkpoints : int
        Log-spaced checkpoints per run, at least 2.

    Returns
    -------
    DataFrame
        Columns run, size, domain, ratio, tokens (whole tokens), change_general,
        se_general, change_domain, se_domain (nats/token, changes rounded to 1e-7),
        source.
    """
    if checkpoints < 2:
        raise ValueError(f"checkpoints must be at least 2, got {checkpoints}")
    tokens = np.rint(np.geomspace(UNIT, BUDGET, checkpoints))
    label = {size: name for name, size in SIZES.items()}
    runs = [
        pd.DataFrame(
            {
                "run": f"gu-{label[row.size]}-{row.ratio:.3g}",
                "size": row.size,
                "domain": "finance",
                "ratio": row.ratio,
                "tokens": tokens,
                "change_general": np.round(row.general(tokens), 7),
                "se_general": SE_GENERAL,
                "change_domain": np.round(row.domain(tokens), 7),
                "se_domain": SE_DOMAIN,
                "source": "arXiv:2407.17467v2 Table 4",
            }
        )
        for row in table4()
    ]
    return pd.concat(runs, ignore_index=True)
