"""Named architectures: true to their names, and refused where impossible."""

from __future__ import annotations

import pytest

from bayescmr.errors import ProbeError
from bayescmr.probes.sizes import SIZES, Architecture, architecture

UNIT = {"k": 1e3, "M": 1e6, "B": 1e9}


@pytest.mark.parametrize("size", SIZES)
def test_a_name_is_true_within_10_percent(size: str) -> None:
    named = float(size[:-1]) * UNIT[size[-1]]
    assert architecture(size, 1024).non_embedding == pytest.approx(named, rel=0.1)


def test_small_sizes_tie_their_embedding_and_large_ones_share_keys() -> None:
    shapes = [architecture(size, 1024) for size in SIZES]
    assert [s.tied for s in shapes] == [True] * 8 + [False] * 2
    assert [s.kv_heads < s.heads for s in shapes] == [False] * 8 + [True] * 2


def test_round_trip_through_plain_values() -> None:
    shape = architecture("3M", 1024)
    assert Architecture.from_dict(shape.to_dict()) == shape


def test_an_unknown_size_lists_the_known() -> None:
    with pytest.raises(ProbeError, match=r"got '7B', expected one of 25k, .*, 1B"):
        architecture("7B", 1024)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"heads": 3}, "must be a multiple"),
        ({"heads": 16, "kv_heads": 16, "width": 48}, "even number"),
        ({"depth": 3}, "unknown depth"),
    ],
)
def test_an_impossible_shape_is_refused(changes: dict[str, int], message: str) -> None:
    values = {**architecture("25k", 1024).to_dict(), **changes}
    with pytest.raises(ProbeError, match=message):
        Architecture.from_dict(values)
