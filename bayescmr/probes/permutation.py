"""A shuffled order that needs no memory: the place of any item, at once."""

from __future__ import annotations

import numpy as np

_ROUNDS = 6


def permute(items: np.ndarray, n: int, key: int) -> np.ndarray:
    """Return the places of items in a pseudo-random permutation of 0, ..., n - 1.

    A Feistel network permutes the smallest square of a power of two that holds n; what falls
    outside walks on until it falls inside (Black and Rogaway 2002). Any item can be asked for
    alone, at the same cost, and nothing is stored: a corpus may have 10^9 sequences.

    Parameters
    ----------
    items : array of int, shape (m,)
        In [0, n).
    n : int
        Number of items, at most 2^62.
    key : int
        In [0, 2^64): which permutation.

    Returns
    -------
    array of int64, shape (m,)
        Places, different for different items.
    """
    half = np.uint64(max(1, ((n - 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    places = items.astype(np.uint64)
    outside = np.ones(places.shape, dtype=bool)
    while outside.any():
        left, right = places[outside] >> half, places[outside] & mask
        for round_ in range(_ROUNDS):
            left, right = right, left ^ (_mix(right, key, round_) & mask)
        places[outside] = left << half | right
        outside = places >= np.uint64(n)
    return places.astype(np.int64)


def _mix(values: np.ndarray, key: int, round_: int) -> np.ndarray:
    """The finaliser of splitmix64 on value, key and round: every bit in moves every bit out."""
    step = (key + (round_ + 1) * 0x9E3779B97F4A7C15) % 2**64
    mixed = values * np.uint64(0xD1342543DE82EF95) + np.uint64(step)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
