"""The permutation that needs no memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bayescmr.probes.permutation import permute

KEYS = st.integers(0, 2**64 - 1)


@given(n=st.integers(1, 300), key=KEYS)
def test_every_place_is_taken_once(n: int, key: int) -> None:
    assert sorted(permute(np.arange(n), n, key)) == list(range(n))


@given(n=st.integers(1, 2**62), key=KEYS, data=st.data())
def test_an_item_alone_goes_where_it_goes_in_company(n: int, key: int, data: st.DataObject) -> None:
    items = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5)))
    together = permute(items, n, key)
    alone = [permute(items[[i]], n, key)[0] for i in range(len(items))]
    assert together.tolist() == alone
    assert together.min() >= 0 and together.max() < n
    assert len(set(together.tolist())) == len(set(items.tolist()))


@pytest.mark.parametrize("n", [7, 16, 50])
def test_each_item_goes_to_each_place_equally_often(n: int) -> None:
    """Chi-squared over all n x n cells, 4,000 keys: p above 1e-4, by chance missed 1 in 10^4."""
    keys = 4_000
    table = np.zeros((n, n))
    for key in range(keys):
        table[np.arange(n), permute(np.arange(n), n, key * 0x9E3779B97F4A7C15 % 2**64)] += 1
    statistic = ((table - keys / n) ** 2 / (keys / n)).sum()
    # Rows and columns have fixed sums: (n - 1)^2 degrees of freedom, with the statistic's mean
    # n (n - 1) scaled to it, as for permutation matrices.
    assert stats.chi2.sf(statistic * (n - 1) / n, (n - 1) ** 2) > 1e-4


def test_neighbours_are_parted() -> None:
    """Of 10^5 in a row, about 2 pairs stay neighbours: Poisson, 13 come in 1 of 10^7."""
    places = permute(np.arange(100_000), 100_000, 1)
    assert (np.abs(np.diff(places)) == 1).sum() < 13


def test_order_is_the_same_on_every_machine() -> None:
    assert permute(np.arange(8), 8, 2026).tolist() == [7, 3, 5, 6, 0, 2, 4, 1]
