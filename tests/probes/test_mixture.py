"""What a run trains on: share, order, resumption, accounts, disjoint parts."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora import Corpus
from bayescmr.probes.mixture import Mixture, Source, validation_sequences

CONTEXT = 16
RATIOS = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.125, 0.5, 1 / 3]))
SEEDS = st.integers(0, 2**32 - 1)


def mix(
    general: Corpus, domain: Corpus, *, ratio: float = 0.5, sequences: int = 4, seed: int = 1
) -> Mixture:
    sources = [Source(general, "general"), Source(domain, "domain")]
    return Mixture(sources, ratio=ratio, context=CONTEXT, sequences=sequences, seed=seed)


def drawn(mixture: Mixture, steps: int) -> tuple[list[bytes], list[bytes]]:
    """Replay and domain sequences of the first steps, in order."""
    batches = [mixture.batch(step) for step in range(steps)]
    rows = [
        (row.tobytes(), is_domain)
        for batch in batches
        for row, is_domain in zip(batch.tokens, batch.is_domain, strict=True)
    ]
    return [r for r, d in rows if not d], [r for r, d in rows if d]


@cache
def windows_of(file: Path, dtype: str) -> set[bytes]:
    tokens = np.fromfile(file, dtype).astype(np.int64)
    starts = range(0, len(tokens) - CONTEXT, CONTEXT)
    found = [tokens[i : i + CONTEXT + 1].tobytes() for i in starts]
    assert len(set(found)) == len(found), "a window comes twice: the counts below would be off"
    return set(found)


def windows(corpus: Corpus, split: str = "train") -> set[bytes]:
    """All windows of a split, as a slow loop finds them."""
    return windows_of(corpus.folder / f"{split}.bin", corpus.dtype)


# --- the share --------------------------------------------------------------------------


@given(ratio=RATIOS, seed=SEEDS, sequences=st.integers(1, 9), steps=st.integers(1, 12))
def test_share_is_within_one_sequence_of_the_ratio_at_any_time(
    general: Corpus, domain: Corpus, ratio: float, seed: int, sequences: int, steps: int
) -> None:
    mixture = mix(general, domain, ratio=ratio, sequences=sequences, seed=seed)
    flags = np.concatenate([mixture.batch(step).is_domain for step in range(steps)])
    for i, so_far in enumerate(np.cumsum(flags), 1):
        assert abs(int(so_far) - Fraction(ratio) * i) < 1
    assert mixture.domain_share(steps) == flags.mean()


@pytest.mark.parametrize("step", [0, 10**9, 2**52])
@pytest.mark.parametrize("ratio", [0.0, 1.0, math.nextafter(1, 0), math.nextafter(0, 1)])
def test_share_is_exact_at_the_ends_and_for_the_longest_runs(
    general: Corpus, domain: Corpus, ratio: float, step: int
) -> None:
    for seed in range(5):
        batch = mix(general, domain, ratio=ratio, seed=seed).batch(step)
        wrong = batch.is_domain != (ratio > 0.5)
        assert wrong.sum() <= (0 if ratio in (0.0, 1.0) else 1)


def test_first_domain_sequence_comes_anywhere_over_seeds(general: Corpus, domain: Corpus) -> None:
    """At a ratio of 1/4 it is the 1st to 4th with equal chance: 600 seeds, within 5 sd (53)."""
    firsts = Counter(
        int(mix(general, domain, ratio=0.25, seed=seed).batch(0).is_domain.argmax())
        for seed in range(600)
    )
    assert sorted(firsts) == [0, 1, 2, 3]
    assert all(abs(count - 150) < 53 for count in firsts.values())


# --- the order --------------------------------------------------------------------------


@given(seed=SEEDS, step=st.integers(0, 10**6), ratio=RATIOS)
def test_a_batch_depends_on_seed_and_step_alone(
    general: Corpus, domain: Corpus, seed: int, step: int, ratio: float
) -> None:
    one = mix(general, domain, ratio=ratio, seed=seed)
    one.batch(step + 7)
    again = mix(general, domain, ratio=ratio, seed=seed)  # a process that resumes at this step
    first, second = one.batch(step), again.batch(step)
    assert np.array_equal(first.tokens, second.tokens)
    assert np.array_equal(first.is_domain, second.is_domain)


@given(ratios=st.tuples(RATIOS, RATIOS), seed=SEEDS, sequences=st.integers(1, 9))
def test_replay_and_domain_order_are_the_same_for_every_ratio(
    general: Corpus, domain: Corpus, ratios: tuple[float, float], seed: int, sequences: int
) -> None:
    first, second = (
        drawn(mix(general, domain, ratio=ratio, sequences=sequences, seed=seed), 12)
        for ratio in ratios
    )
    for mine, yours in zip(first, second, strict=True):
        shared = min(len(mine), len(yours))
        assert mine[:shared] == yours[:shared]


def test_order_does_not_depend_on_the_size_of_the_batch(general: Corpus, domain: Corpus) -> None:
    small = drawn(mix(general, domain, sequences=2), 12)
    large = drawn(mix(general, domain, sequences=8), 3)
    assert small == large


def test_seeds_give_different_orders(general: Corpus, domain: Corpus) -> None:
    orders = {tuple(drawn(mix(general, domain, seed=seed), 3)[0]) for seed in range(20)}
    assert len(orders) == 20


def test_every_epoch_has_each_sequence_once_in_a_new_order(general: Corpus, domain: Corpus) -> None:
    there = windows(domain)
    n = len(there)
    _, rows = drawn(mix(general, domain, ratio=1.0, sequences=1), 3 * n)
    epochs = [rows[i * n : (i + 1) * n] for i in range(3)]
    assert all(set(epoch) == there for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


# --- the accounts -----------------------------------------------------------------------


@given(
    ratio=RATIOS,
    seed=SEEDS,
    weights=st.tuples(st.floats(0.05, 20), st.floats(0.05, 20), st.floats(0.05, 20)),
    part=st.tuples(st.floats(0, 0.4), st.floats(0.6, 1)),
    steps=st.integers(0, 40),
)
def test_account_is_what_counting_finds(
    general: Corpus,
    domain: Corpus,
    other: Corpus,
    ratio: float,
    seed: int,
    weights: tuple[float, float, float],
    part: tuple[float, float],
    steps: int,
) -> None:
    sources = [
        Source(domain, "domain", weights[0], part),
        Source(general, "general", weights[1]),
        Source(other, "general", weights[2]),
    ]
    mixture = Mixture(sources, ratio=ratio, context=CONTEXT, sequences=7, seed=seed)
    seen = Counter(row for role in drawn(mixture, steps) for row in role)
    uses = mixture.account(steps)
    assert {use.corpus for use in uses} == {"general", "domain", "other"}
    for use in uses:
        corpus = {"general": general, "domain": domain, "other": other}[use.corpus]
        mine = [count for row, count in seen.items() if row in windows(corpus)]
        assert use.tokens == CONTEXT * sum(mine)
        assert use.distinct == CONTEXT * len(mine)
        assert use.repetitions == use.tokens / use.available
    assert sum(use.tokens for use in uses) == steps * 7 * CONTEXT
    general_use = next(use for use in uses if use.corpus == "general")
    assert general_use.available == CONTEXT * len(windows(general))


@given(
    weights=st.lists(st.floats(0.01, 100), min_size=2, max_size=3),
    steps=st.integers(1, 50),
    seed=SEEDS,
)
def test_sources_of_a_role_take_turns_by_weight(
    general: Corpus, domain: Corpus, other: Corpus, weights: list[float], steps: int, seed: int
) -> None:
    corpora = [general, other, domain][: len(weights)]
    sources = [Source(c, "general", w) for c, w in zip(corpora, weights, strict=True)]
    mixture = Mixture(sources, ratio=0.0, context=CONTEXT, sequences=3, seed=seed)
    for use, weight in zip(mixture.account(steps), weights, strict=True):
        # Within one sequence against the rest, whose own turns are within one: two in all.
        expected = weight / sum(weights) * steps * 3
        assert abs(use.tokens / CONTEXT - expected) < 2


# --- the parts --------------------------------------------------------------------------


@given(cut=st.floats(0.1, 0.9), seeds=st.tuples(SEEDS, SEEDS))
def test_parts_share_no_sequence_whatever_the_seeds_and_lose_none(
    general: Corpus, cut: float, seeds: tuple[int, int]
) -> None:
    found = []
    for part, seed in zip(((0.0, cut), (cut, 1.0)), seeds, strict=True):
        source = Source(general, "general", part=part)
        mixture = Mixture([source], ratio=0.0, context=CONTEXT, sequences=25, seed=seed)
        (use,) = mixture.account(0)
        n = use.available // CONTEXT
        found.append(set(drawn(mixture, n // 25 + 1)[0][:n]))
    assert not found[0] & found[1]
    assert found[0] | found[1] == windows(general)
    assert abs(len(found[0]) - cut * len(windows(general))) <= 1


def test_parts_are_spread_over_the_corpus(general: Corpus) -> None:
    """Half of the sequences: both halves of the corpus give as many to it, within 5 sd."""
    source = Source(general, "general", part=(0.0, 0.5))
    mixture = Mixture([source], ratio=0.0, context=CONTEXT, sequences=1, seed=1)
    (use,) = mixture.account(0)
    n = use.available // CONTEXT
    rows = set(drawn(mixture, n)[0])
    tokens = general.tokens("train").astype(np.int64)
    early = sum(tokens[i * CONTEXT : (i + 1) * CONTEXT + 1].tobytes() in rows for i in range(n))
    sd = math.sqrt(n) / 2
    assert abs(early - n / 2) < 5 * sd


# --- what is refused --------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [-0.1, 1.1, math.nan, math.inf, True, "0.5"])
def test_ratio_must_be_a_share(general: Corpus, domain: Corpus, ratio: float) -> None:
    with pytest.raises(CorpusError, match=r"ratio: got .*, expected a number in \[0, 1\]"):
        mix(general, domain, ratio=ratio)


@pytest.mark.parametrize(
    ("ratio", "role", "missing"), [(0.5, "general", "domain"), (0, "domain", "general")]
)
def test_a_role_with_a_share_needs_a_source(
    general: Corpus, ratio: float, role: str, missing: str
) -> None:
    with pytest.raises(CorpusError, match=f"sources: none is {missing}"):
        Mixture(
            [Source(general, role)],  # type: ignore[arg-type]
            ratio=ratio,
            context=CONTEXT,
            sequences=2,
            seed=1,
        )


def test_domain_smaller_than_a_batch_is_refused(general: Corpus, domain: Corpus) -> None:
    n = len(windows(domain))
    mix(general, domain, sequences=n)
    with pytest.raises(CorpusError, match=f"'domain': {n} training sequences .* batch of {n + 1}"):
        mix(general, domain, sequences=n + 1)


def test_corpus_shorter_than_a_sequence_is_refused(general: Corpus) -> None:
    with pytest.raises(CorpusError, match="0 training sequences of 1000000 tokens"):
        Mixture([Source(general, "general")], ratio=0, context=10**6, sequences=1, seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": 0.0}, "weight 0.0"),
        ({"weight": math.nan}, "weight nan"),
        ({"part": (0.5, 0.5)}, "part"),
        ({"part": (-0.1, 0.5)}, "part"),
        ({"part": (0.0, math.nan)}, "part"),
        ({"role": "legal"}, "role 'legal'"),
    ],
)
def test_sources_out_of_range_are_refused(
    general: Corpus, change: dict[str, object], message: str
) -> None:
    arguments = {"corpus": general, "role": "general"} | change
    with pytest.raises(CorpusError, match=message):
        Mixture([Source(**arguments)], ratio=0, context=CONTEXT, sequences=1, seed=1)  # type: ignore[arg-type]


def test_tokenizers_must_agree(general: Corpus, bpe_corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match=r"different tokenizers: 'general' by bytes .*bpe1024"):
        mix(general, bpe_corpus)


# --- validation sequences ---------------------------------------------------------------


def test_validation_sequences_are_spread_and_never_trained_on(general: Corpus) -> None:
    held_out = windows(general, "validation")
    rows = validation_sequences(general, CONTEXT, 10 * CONTEXT + 5)
    assert rows.shape == (10, CONTEXT + 1)
    assert rows.dtype == np.int64
    assert {row.tobytes() for row in rows} <= held_out
    assert len({row.tobytes() for row in rows}) == 10
    assert not {row.tobytes() for row in rows} & windows(general)
    everything = validation_sequences(general, CONTEXT, len(held_out) * CONTEXT)
    assert {row.tobytes() for row in everything} == held_out
    place = [everything.tolist().index(row) for row in rows.tolist()]
    strides = np.diff(place)
    assert strides.max() - strides.min() <= 1


@pytest.mark.parametrize("tokens", [CONTEXT - 1, 10**9])
def test_validation_set_that_cannot_be_had_is_refused(general: Corpus, tokens: int) -> None:
    with pytest.raises(CorpusError, match=f"{tokens} tokens were asked for; expected 16 to"):
        validation_sequences(general, CONTEXT, tokens)
