"""The published facts, and validation case V13 against them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import bayescmr as bc
from bayescmr import que2024


def test_usage1_is_a_run_table() -> None:
    table = que2024.usage1()
    runs = bc.RunTable.from_frame(table.drop(columns="loss_domain"))
    assert runs.n_runs == 7
    # Rises in % of the base, as the paper's figures give them.
    share = 100 * runs.frame.sort_values("ratio")["change"] / que2024.USAGE1_BASE
    np.testing.assert_allclose(share, [1.57, 2.07, 2.71, 2.95, 3.64, 4.36, 21.2], atol=0.006)


def test_usage1_by_interpolation() -> None:
    """The cap of 3 % is crossed at 0.9245, next to the published 0.924."""
    table = que2024.usage1()
    cap = que2024.USAGE1_BASE * (1 + que2024.USAGE1_TOLERANCE)
    crossing = np.interp(cap, table["loss_general"], table["ratio"])
    assert crossing == pytest.approx(0.9245, abs=5e-5)
    assert crossing == pytest.approx(que2024.USAGE1_RATIO, abs=6e-4)


def test_usage2_spends_the_same_domain_tokens_in_every_run() -> None:
    table = que2024.usage2()
    np.testing.assert_allclose(table["ratio"] * table["tokens"], que2024.USAGE2_DOMAIN_TOKENS)
    assert table.loc[table["loss_domain"].idxmin(), "ratio"] == que2024.USAGE2_RATIO


def test_usage3_gives_the_published_allocation() -> None:
    """V13: to the digits printed (15.54, 0.536)."""
    size, tokens = (f(que2024.USAGE3_FLOPS) for f in (que2024.USAGE3.size, que2024.USAGE3.tokens))
    assert size == pytest.approx(que2024.USAGE3_SIZE, abs=0.005e9)
    assert tokens == pytest.approx(que2024.USAGE3_TOKENS, abs=0.0005e9)
    # Printed coefficients are rounded, so 6 N D is C to their precision.
    assert 6 * size * tokens == pytest.approx(que2024.USAGE3_FLOPS, rel=1e-12)


@given(st.floats(0.1, 5), st.floats(0.1, 0.8), st.floats(0.1, 5), st.floats(0.1, 0.8),
       st.floats(1e17, 1e23))  # fmt: skip
def test_allocation_minimises_the_loss(
    size_factor: float, alpha: float, tokens_factor: float, beta: float, flops: float
) -> None:
    found = que2024.Allocation.of(
        size_factor=size_factor, alpha=alpha, tokens_factor=tokens_factor, beta=beta
    )
    log_product = np.log(flops / 6e18)

    def loss(log_size: float) -> float:
        by_size = np.log(size_factor) - alpha * log_size
        by_tokens = np.log(tokens_factor) - beta * (log_product - log_size)
        # Of the logarithm, so that the minimum is as sharp at any scale.
        return float(np.logaddexp(by_size, by_tokens))

    best = minimize_scalar(loss, bracket=(-5.0, 5.0), tol=1e-10).x
    assert np.log(found.size(flops) / 1e9) == pytest.approx(best, abs=1e-5)
    assert 6 * found.size(flops) * found.tokens(flops) == pytest.approx(flops, rel=1e-9)
