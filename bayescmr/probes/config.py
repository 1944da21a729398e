"""What decides the result of a training run, as plain data: read from JSON, hashed, recorded."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from bayescmr.errors import ProbeError

Schedule = Literal["constant", "cosine", "wsd"]
LossMode = Literal["ce", "kl", "ce+kl"]
Precision = Literal["auto", "float32", "bfloat16"]
OptimizerState = Literal["keep", "fresh"]


@dataclass(frozen=True)
class CorpusUse:
    """A corpus and how much of it is used.

    Parameters
    ----------
    path : str
        Folder of a prepared corpus.
    weight : float
        Weight among the corpora of the same role, > 0.
    part : (float, float) or None
        Share of the training sequences, from and to, in a fixed shuffled order. None: all, or
        for replay what the base has not been trained on.
    """

    path: str
    weight: float = 1.0
    part: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _require(bool(self.path), "path", self.path, "the folder of a corpus")
        _require(_finite(self.weight) and self.weight > 0, "weight", self.weight, "a number > 0")
        if self.part is not None:
            object.__setattr__(self, "part", tuple(self.part))
            ends = list(self.part)
            good = all(_finite(v) for v in ends) and [0, *ends, 1] == sorted([0, *ends, 1])
            _require(
                good and len(ends) == 2 and ends[0] < ends[1],
                "part",
                self.part,
                "two shares with 0 <= from < to <= 1, for example 0:0.7",
            )


@dataclass(frozen=True)
class Training:
    """How the weights are moved.

    Parameters
    ----------
    learning_rate : float
        Peak rate, > 0.
    schedule : {"constant", "cosine", "wsd"}
        After the warm-up. Only with ``constant`` is every checkpoint a valid shorter run.
    final_learning_rate : float or None
        Rate at the end of ``cosine`` and ``wsd``; None with ``constant``.
    decay_share : float
        Share of the tokens over which ``wsd`` falls linearly to its final rate, in (0, 1].
    warmup_tokens : int
        Tokens over which the rate rises linearly from 0.
    context : int
        Tokens in a sequence.
    sequences : int
        Sequences in a step, over all processes and micro-batches.
    weight_decay, beta1, beta2, epsilon : float
        Of AdamW; the decay acts on matrices only.
    clip : float
        Largest norm of the gradient.
    precision : {"auto", "float32", "bfloat16"}
        Of the forward pass; weights and optimiser are float32. ``auto``: bfloat16 on a GPU.
    """

    learning_rate: float
    schedule: Schedule = "constant"
    final_learning_rate: float | None = None
    decay_share: float = 0.3
    warmup_tokens: int = 0
    context: int = 128
    sequences: int = 16
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    clip: float = 1.0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "clip", "epsilon"):
            value = getattr(self, name)
            _require(_finite(value) and value > 0, name, value, "a number > 0")
        _require(
            _finite(self.weight_decay) and self.weight_decay >= 0,
            "weight_decay",
            self.weight_decay,
            "a number >= 0",
        )
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            _require(_finite(value) and 0 <= value < 1, name, value, "a number in [0, 1)")
        _require(
            _finite(self.decay_share) and 0 < self.decay_share <= 1,
            "decay_share",
            self.decay_share,
            "a share in (0, 1]",
        )
        for name, least in (("warmup_tokens", 0), ("context", 2), ("sequences", 1)):
            _whole(name, getattr(self, name), least)
        _word("schedule", self.schedule, Schedule)
        _word("precision", self.precision, Precision)
        rate = self.final_learning_rate
        if self.schedule == "constant":
            _require(rate is None, "final_learning_rate", rate, "none with the schedule constant")
        else:
            _require(
                rate is not None and _finite(rate) and 0 <= rate <= self.learning_rate,
                "final_learning_rate",
                rate,
                f"a number from 0 to learning_rate, {self.learning_rate:g},"
                f" for the schedule {self.schedule}",
            )

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one step."""
        return self.context * self.sequences

    @property
    def last_learning_rate(self) -> float:
        """Rate that the last step was made with (without warm-up)."""
        if self.final_learning_rate is None:
            return self.learning_rate
        return self.final_learning_rate


@dataclass(frozen=True)
class BaseConfig:
    """Pre-training of a base model on general text.

    Parameters
    ----------
    size : str
        Name of an architecture, see `bayescmr.probes.sizes`.
    general : tuple of CorpusUse
        Text to train on.
    tokens : int
        Tokens to train for; rounded up to whole steps.
    seed : int
        Of initial weights and data order.
    training : Training
        How.
    validation_tokens : int
        Tokens of each validation set.
    checkpoints : int
        Number of evaluations after T = 0, spaced evenly in ln tokens.
    """

    kind: ClassVar[str] = "base"

    size: str
    general: tuple[CorpusUse, ...]
    tokens: int
    seed: int
    training: Training
    validation_tokens: int = 32_768
    checkpoints: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "general", tuple(self.general))
        _common(self)


@dataclass(frozen=True)
class ProbeConfig:
    """Continued pre-training of a base on a mixture.

    Parameters
    ----------
    base : str
        Folder of the base: made by `run_base`, or a Hugging Face checkpoint.
    domain : str
        Label of the domain in the run table.
    domain_corpora, general : tuple of CorpusUse
        Text of the domain, and of the replay.
    ratio : float
        Domain share, in [0, 1].
    tokens : int
        CPT tokens; rounded up to whole steps.
    seed : int
        Of the data order. Runs of one seed share the order of their replay.
    training : Training
        How.
    optimizer_state : {"keep", "fresh"}
        Go on with the base's AdamW moments, or start from none.
    loss_mode : {"ce", "kl", "ce+kl"}
        Cross-entropy everywhere; or on replay tokens ``beta`` times the divergence
        KL(model || base), alone or added to the cross-entropy.
    beta : float
        Weight of the divergence, >= 0.
    validation_tokens : int
        Tokens of each validation set.
    checkpoints : int
        Number of evaluations after T = 0, spaced evenly in ln tokens.
    """

    kind: ClassVar[str] = "probe"

    base: str
    domain: str
    domain_corpora: tuple[CorpusUse, ...]
    general: tuple[CorpusUse, ...]
    ratio: float
    tokens: int
    seed: int
    training: Training
    optimizer_state: OptimizerState = "keep"
    loss_mode: LossMode = "ce"
    beta: float = 1.0
    validation_tokens: int = 32_768
    checkpoints: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "general", tuple(self.general))
        object.__setattr__(self, "domain_corpora", tuple(self.domain_corpora))
        _require(bool(self.base), "base", self.base, "the folder of a base model")
        _require(bool(self.domain.strip()), "domain", self.domain, "a label")
        _require(bool(self.domain_corpora), "domain_corpora", (), "at least one corpus")
        _require(
            _finite(self.ratio) and 0 <= self.ratio <= 1, "ratio", self.ratio, "a share in [0, 1]"
        )
        _require(_finite(self.beta) and self.beta >= 0, "beta", self.beta, "a number >= 0")
        _word("optimizer_state", self.optimizer_state, OptimizerState)
        _word("loss_mode", self.loss_mode, LossMode)
        _common(self)


Config = BaseConfig | ProbeConfig


@dataclass(frozen=True)
class Execution:
    """How a run is carried out; none of it is meant to change the result.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU where there is one.
    strategy : {"none", "ddp", "fsdp"}
        How processes started by torchrun share the work.
    micro_sequences : int or None
        Sequences in one forward pass of a process; None: all of its share of a step.
    compile : bool
        Compile the model with ``torch.compile``.
    checkpoint_activations : bool
        Recompute activations in the backward pass, to save memory.
    save_minutes : float
        Minutes between two saves.
    save_model : bool
        Keep the weights at the end of a probe, in ``model``; those of a base are always kept.
    log_steps : int
        Steps between two lines of the log.
    until_tokens : int or None
        End, saved, at the first evaluation after at least so many tokens; None: at the end of
        the run. A later call goes on.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    strategy: Literal["none", "ddp", "fsdp"] = "none"
    micro_sequences: int | None = None
    compile: bool = False
    checkpoint_activations: bool = False
    save_minutes: float = 5.0
    save_model: bool = False
    log_steps: int = 10
    until_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.until_tokens is not None:
            _whole("until_tokens", self.until_tokens, 0)
        if self.micro_sequences is not None:
            _whole("micro_sequences", self.micro_sequences, 1)
        _whole("log_steps", self.log_steps, 1)
        _require(
            _finite(self.save_minutes) and self.save_minutes > 0,
            "save_minutes",
            self.save_minutes,
            "a number of minutes > 0",
        )


def steps_of(config: Config) -> int:
    """Return the number of optimiser steps: tokens rounded up to whole steps."""
    return -(-config.tokens // config.training.tokens_per_step)


def evaluation_steps(config: Config) -> tuple[int, ...]:
    """Return the steps after which losses are measured: 0, then evenly in ln tokens to the end.

    The first after 0 is a 64th of the run, where there are enough steps.
    """
    return spaced_steps(steps_of(config), config.checkpoints)


def probe_checkpoints(
    tokens: int, context: int = 128, sequences: int = 16, checkpoints: int = 8
) -> tuple[int, ...]:
    """Return the tokens at which a probe of these settings measures its losses, 0 included.

    Parameters
    ----------
    tokens : int
        CPT tokens of the run; the last checkpoint is these, rounded up to whole steps.
    context : int
        Tokens in a sequence.
    sequences : int
        Sequences in a step.
    checkpoints : int
        Number of evaluations after T = 0; there are fewer where there are fewer steps.

    Raises
    ------
    ProbeError
        A number is none, or too small.
    """
    for name, value, least in (
        ("tokens", tokens, 1), ("context", context, 2),
        ("sequences", sequences, 1), ("checkpoints", checkpoints, 1),
    ):  # fmt: skip
        _whole(name, value, least)
    each = context * sequences
    return tuple(step * each for step in spaced_steps(-(-tokens // each), checkpoints))


def spaced_steps(last: int, count: int) -> tuple[int, ...]:
    """Return 0 and at most ``count`` steps, evenly in their logarithm, the last one included."""
    if count == 1 or last <= 1:
        return (0, last)
    wanted = {round(last * 64 ** (k / (count - 1) - 1)) for k in range(count)}
    return (0, *sorted(step for step in wanted if step > 0))


def to_dict(config: Config) -> dict[str, Any]:
    """Return a configuration as plain data, with its kind."""
    return {"kind": config.kind, **asdict(config)}


def from_dict(data: Mapping[str, Any], where: str = "configuration") -> Config:
    """Read a configuration; every key is checked.

    Raises
    ------
    ProbeError
        An unknown or missing key, or a value out of range; the message names it.
    """
    kind = data.get("kind")
    types = {"base": BaseConfig, "probe": ProbeConfig}
    if kind not in types:
        raise ProbeError(f"{where}: kind: got {kind!r}, expected one of base, probe")
    values = {key: value for key, value in data.items() if key != "kind"}
    for name in ("general", "domain_corpora"):
        if name in values:
            values[name] = tuple(
                _make(CorpusUse, use, f"{where}: {name}[{i}]")
                for i, use in enumerate(_listed(values[name], f"{where}: {name}"))
            )
    if "training" in values:
        values["training"] = _make(Training, values["training"], f"{where}: training")
    made: Config = _make(types[kind], values, where)
    return made


def read_config(path: str | Path) -> Config:
    """Read a configuration from a JSON file.

    Raises
    ------
    ProbeError
        The file is missing, no JSON, or no configuration.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ProbeError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise ProbeError(f"{path}: no JSON ({error})") from None
    if not isinstance(data, dict):
        raise ProbeError(f"{path}: got {type(data).__name__}, expected a JSON object")
    return from_dict(data, str(path))


def digest(data: Any) -> str:
    """Return the SHA-256 of plain data, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _make(kind: Any, values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise ProbeError(f"{where}: got {type(values).__name__}, expected a JSON object")
    known = {f.name for f in fields(kind)}
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    for problem, names in (("unknown", set(values) - known), ("missing", needed - set(values))):
        if names:
            raise ProbeError(
                f"{where}: {problem} key {', '.join(sorted(names))};"
                f" expected {', '.join(sorted(known))}"
            )
    try:
        return kind(**values)
    except ProbeError as error:
        raise ProbeError(f"{where}: {error}") from None
    except (TypeError, AttributeError) as error:
        raise ProbeError(f"{where}: {error}") from None


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ProbeError(f"{where}: got {type(value).__name__}, expected a list of corpora")
    return list(value)


def _common(config: Config) -> None:
    _require(bool(config.general), "general", (), "at least one corpus")
    for name, least in (
        ("tokens", 1),
        ("seed", 0),
        ("validation_tokens", 1),
        ("checkpoints", 1),
    ):
        _whole(name, getattr(config, name), least)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(name: str, value: Any, least: int) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least
    _require(good, name, value, f"a whole number >= {least}")


def _word(name: str, value: Any, words: Any) -> None:
    known = get_args(words)
    _require(value in known, name, value, f"one of {', '.join(known)}")


def _require(good: bool, name: str, got: Any, expected: str) -> None:
    if not good:
        raise ProbeError(f"{name}: got {got!r}, expected {expected}")
