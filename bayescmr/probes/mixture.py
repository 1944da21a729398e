"""Which sequences a step trains on: a pure function of the seed and the step."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora.corpus import Corpus
from bayescmr.probes.permutation import permute
from bayescmr.values import is_number

Role = Literal["general", "domain"]
ROLES: tuple[Role, Role] = ("general", "domain")


@dataclass(frozen=True)
class Source:
    """One corpus of a mixture.

    Attributes
    ----------
    corpus : Corpus
        Its training split is drawn from.
    role : {"general", "domain"}
        Replay, or what is to be learnt.
    weight : float
        Share among the sources of its role, up to a common factor.
    part : tuple of float
        From which to which share of the sequences, in a shuffled order that depends on the
        corpus alone: (0, 0.7) and (0.7, 1) share no sequence, whatever the seeds.
    """

    corpus: Corpus
    role: Role
    weight: float = 1.0
    part: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Batch:
    """Sequences of one step.

    Attributes
    ----------
    tokens : array of int64, shape (sequences, context + 1)
        Inputs are ``tokens[:, :-1]``, targets ``tokens[:, 1:]``.
    is_domain : array of bool, shape (sequences,)
        Which come from a domain.
    """

    tokens: np.ndarray
    is_domain: np.ndarray


@dataclass(frozen=True)
class SourceUse:
    """What a run has taken from a source.

    Attributes
    ----------
    corpus : str
        Name of the corpus.
    role : {"general", "domain"}
        Its role.
    tokens : int
        Predicted tokens seen.
    distinct : int
        How many of these were different ones.
    available : int
        Different ones there are, in the part that is used.
    repetitions : float
        ``tokens / available``: above 1, some were seen again.
    """

    corpus: str
    role: Role
    tokens: int
    distinct: int
    available: int

    @property
    def repetitions(self) -> float:  # noqa: D102 (documented with the attributes)
        return self.tokens / self.available


class Mixture:
    """Sequences of a domain and of replay, in a fixed share.

    Among the first ``i`` sequences, ``floor(ratio i + u)`` are of the domain, with ``u`` in
    [0, 1) from the seed: within one sequence of ``ratio i`` at any time. Several sources of one
    role take turns in the same way. The k-th sequence of a role is the same for every ratio. A
    source is gone through in a shuffled order, a new one each time.

    Parameters
    ----------
    sources : sequence of Source
        What is mixed.
    ratio : float
        Share of the domain, in [0, 1].
    context : int
        Tokens predicted in a sequence; sequences are windows of ``context + 1`` tokens that
        share their first token with the window before, so that each token is predicted once.
    sequences : int
        Sequences of a batch.
    seed : int
        Decides the order; not which sequences make a part.

    Raises
    ------
    CorpusError
        The numbers are out of range, a role that is needed has no source, the tokenizers
        differ, or a source is smaller than one batch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        ratio: float,
        context: int,
        sequences: int,
        seed: int,
    ) -> None:
        _check(sources, ratio, context, sequences)
        self.ratio = float(ratio)
        self.context = context
        self.sequences = sequences
        self._split = _Turns(Fraction(self.ratio), seed, "ratio")
        self._general, self._domain = (_Role(role, sources, context, seed) for role in ROLES)
        self._general.check(1 - self.ratio, sequences)
        self._domain.check(self.ratio, sequences)

    def batch(self, step: int) -> Batch:
        """Return the sequences of a step, counted from 0."""
        if step < 0:
            raise CorpusError(f"step: got {step}, expected at least 0")
        start = step * self.sequences
        counts = [self._split.count(i) for i in range(start, start + self.sequences + 1)]
        is_domain = np.diff(counts).astype(bool)
        tokens = np.empty((self.sequences, self.context + 1), dtype=np.int64)
        for role, chosen, first in (
            (self._general, ~is_domain, start - counts[0]),
            (self._domain, is_domain, counts[0]),
        ):
            if chosen.any():
                tokens[chosen] = role.draw(first, int(chosen.sum()))
        return Batch(tokens, is_domain)

    def account(self, steps: int) -> tuple[SourceUse, ...]:
        """Return what the first ``steps`` steps take from each source, exactly."""
        total = steps * self.sequences
        domain = self._split.count(total)
        return (*self._general.account(total - domain), *self._domain.account(domain))

    def domain_share(self, steps: int) -> float:
        """Return the share of the domain in the first ``steps`` steps, at least 1."""
        total = steps * self.sequences
        return self._split.count(total) / total


def validation_sequences(corpus: Corpus, context: int, tokens: int) -> np.ndarray:
    """Return sequences to measure a loss on: the same ones at every call.

    Parameters
    ----------
    corpus : Corpus
        Its validation split is used.
    context : int
        Tokens predicted in a sequence.
    tokens : int
        Tokens to predict in all, rounded down to whole sequences.

    Returns
    -------
    array of int64, shape (tokens // context, context + 1)
        Windows spread evenly over the split.

    Raises
    ------
    CorpusError
        The split has fewer tokens, or they do not fill one sequence.
    """
    available = _n_windows(corpus, "validation", context)
    wanted = tokens // context
    if not 1 <= wanted <= available:
        raise CorpusError(
            f"corpus {corpus.name!r}: its validation split has {available} sequences of {context}"
            f" tokens, and {tokens} tokens were asked for; expected {context} to"
            f" {available * context}. More come from a larger share for validation, or more text"
        )
    # Middles of equal strides, in whole numbers: exact for any length.
    rows = (2 * np.arange(wanted, dtype=np.int64) + 1) * available // (2 * wanted)
    return _windows(corpus.tokens("validation"), rows, context)


def _check(sources: Sequence[Source], ratio: float, context: int, sequences: int) -> None:
    if not is_number(ratio) or not 0 <= ratio <= 1:
        raise CorpusError(f"ratio: got {ratio!r}, expected a number in [0, 1]")
    for name, value in (("context", context), ("sequences", sequences)):
        if value < 1:
            raise CorpusError(f"{name}: got {value}, expected at least 1")
    for source in sources:
        name = source.corpus.name
        if source.role not in ROLES:
            raise CorpusError(f"corpus {name!r}: got the role {source.role!r}, expected {ROLES}")
        if not is_number(source.weight) or source.weight <= 0:
            raise CorpusError(
                f"corpus {name!r}: got the weight {source.weight!r}, expected a number above 0"
            )
        low, high = source.part
        if not 0 <= low < high <= 1:
            raise CorpusError(
                f"corpus {name!r}: got the part {source.part}, expected 0 <= from < to <= 1"
            )
    made = {source.corpus.tokenizer_fingerprint: source.corpus for source in sources}
    if len(made) > 1:
        words = ", ".join(f"{c.name!r} by {c.tokenizer} ({key[:8]})" for key, c in made.items())
        raise CorpusError(f"sources: made by different tokenizers: {words}; expected one for all")


def _n_windows(corpus: Corpus, split: Literal["train", "validation"], context: int) -> int:
    return max(0, (corpus.n_tokens(split) - 1) // context)


def _windows(tokens: np.ndarray, rows: np.ndarray, context: int) -> np.ndarray:
    places = rows[:, None] * context + np.arange(context + 1)
    return tokens[places].astype(np.int64)


def _key(*parts: object) -> int:
    """64 bits that are the same for the same words, on every machine."""
    text = "\0".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


class _Turns:
    """Which of two takes the next turn, so that the first always has its share, within one."""

    def __init__(self, share: Fraction, *seed: object) -> None:
        start = Fraction(_key("turns", *seed), 2**64)
        self._den = share.denominator * start.denominator
        self._share = share.numerator * start.denominator
        self._start = start.numerator * share.denominator

    def count(self, turns: int) -> int:
        """Turns of the first among the first ``turns``: floor(share turns + start), exactly."""
        return (self._share * turns + self._start) // self._den


class _Role:
    """The sources of one role, taking turns by weight."""

    def __init__(self, role: Role, sources: Sequence[Source], context: int, seed: int) -> None:
        mine = [source for source in sources if source.role == role]
        self._role: Role = role
        self._readers = [_Reader(source, context, seed) for source in mine]
        weights = [Fraction(source.weight) for source in mine]
        # Each source against all that follow it; the last takes what is left.
        self._turns = [
            _Turns(weight / sum(weights[i:]), seed, role, i)
            for i, weight in enumerate(weights[:-1])
        ]

    def check(self, share: float, sequences: int) -> None:
        if share > 0 and not self._readers:
            raise CorpusError(
                f"sources: none is {self._role}, expected at least one for a share of {share:g}"
            )
        for reader in self._readers:
            if reader.n < sequences:
                raise CorpusError(
                    f"corpus {reader.corpus.name!r}: {reader.n} training sequences of"
                    f" {reader.context} tokens in the part {reader.part}, expected at least one"
                    f" batch of {sequences}; give more text, shorter sequences or smaller batches"
                )

    def counts(self, drawn: int) -> list[int]:
        """Sequences of each source among the first ``drawn`` of the role."""
        found = []
        for turns in self._turns:
            found.append(turns.count(drawn))
            drawn -= found[-1]
        return [*found, drawn][: len(self._readers)]

    def draw(self, first: int, number: int) -> np.ndarray:
        """Sequences ``first``, ..., ``first + number - 1`` of the role, in this order."""
        counts = np.array([self.counts(k) for k in range(first, first + number + 1)])
        found = np.empty((number, self._readers[0].context + 1), dtype=np.int64)
        for i, reader in enumerate(self._readers):
            rows = np.flatnonzero(np.diff(counts[:, i]))
            if rows.size:
                found[rows] = reader.read(counts[rows, i])
        return found

    def account(self, drawn: int) -> list[SourceUse]:
        return [
            SourceUse(
                corpus=reader.corpus.name,
                role=self._role,
                tokens=count * reader.context,
                distinct=min(count, reader.n) * reader.context,
                available=reader.n * reader.context,
            )
            for reader, count in zip(self._readers, self.counts(drawn), strict=True)
        ]


class _Reader:
    """The k-th sequence of a source, for any k."""

    def __init__(self, source: Source, context: int, seed: int) -> None:
        self.corpus = source.corpus
        self.context = context
        self.part = source.part
        self._all = _n_windows(source.corpus, "train", context)
        low, high = (Fraction(share) for share in source.part)
        self._low = math.floor(low * self._all)
        self.n = math.floor(high * self._all) - self._low
        self._tokens = source.corpus.tokens("train")
        self._parts_key = _key("parts", source.corpus.fingerprint, context)
        self._seed = (seed, source.role, source.corpus.fingerprint, float(low), float(high))

    def read(self, k: np.ndarray) -> np.ndarray:
        """Return sequences, shape (len(k), context + 1)."""
        epochs, places = np.divmod(k, self.n)
        for epoch in np.unique(epochs):
            now = epochs == epoch
            key = _key("order", *self._seed, epoch)
            places[now] = permute(places[now], self.n, key)
        rows = permute(places + self._low, self._all, self._parts_key)
        return _windows(self._tokens, rows, self.context)
