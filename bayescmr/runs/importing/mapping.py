"""Which log is which run, which metric is which loss, and how steps become tokens: as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from bayescmr.errors import MappingError
from bayescmr.fields import Fields, Reader
from bayescmr.runs.columns import Role
from bayescmr.yaml_loader import parse_yaml

SCHEMA = 1
Unit = Literal["nats", "bits", "perplexity"]
Choice = Literal["first", "last"]


@dataclass(frozen=True)
class LossOf:
    """A metric that is a loss.

    Parameters
    ----------
    metric : str
        Its name in the logs.
    role : {"general", "domain"}
        What it is measured on.
    eval_set : str
        Name of the evaluation set in the run table.
    domain : str or None
        The loss is taken of runs of this domain only; None: of all.
    split : str or None
        Split in the logs, where a metric is logged for several.
    window : int or None
        Training losses only: mean over so many steps.
    unit : {"nats", "bits", "perplexity"}
        Of the metric; the run table has nats.
    precision : float or None
        Grid to which values were rounded, in ``unit``, in place of what the reader found; 0: none.
    """

    metric: str
    role: Role
    eval_set: str
    domain: str | None = None
    split: str | None = None
    window: int | None = None
    unit: Unit = "nats"
    precision: float | None = None


@dataclass(frozen=True)
class TokenRule:
    """How steps become CPT tokens: tokens = (count - start) * each.

    Parameters
    ----------
    count : float or str or None
        A number: the tokens themselves, for logs without steps. A text: the metric that counts.
        None: the step counts.
    each : float
        Tokens per unit of the count.
    start : float
        Count at which CPT started.
    """

    count: float | str | None
    each: float = 1.0
    start: float = 0.0


@dataclass(frozen=True)
class LogOf:
    """A part of a run: a log, and the run's name in it where the log holds several."""

    file: Path
    run: str | None = None


@dataclass(frozen=True)
class RunOf:
    """One run of the run table.

    Parameters
    ----------
    name : str
        In the run table.
    logs : tuple of LogOf
        Its sittings, in the order of time.
    facts : dict
        Columns of the run table that hold for the whole run.
    tokens : TokenRule
        How steps become tokens.
    losses : tuple of LossOf
        What is taken.
    base : dict of str to float
        Loss of the base checkpoint by evaluation set, nats/token.
    conflicts : {"first", "last"} or None
        Which of two values of one step holds, where nothing else says so; None: neither.
    drop : tuple of (float, float)
        Steps, from and to, that are left out.
    """

    name: str
    logs: tuple[LogOf, ...]
    facts: dict[str, Any]
    tokens: TokenRule
    losses: tuple[LossOf, ...]
    base: dict[str, float] = field(default_factory=dict)
    conflicts: Choice | None = None
    drop: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Mapping:
    """A mapping file, read and checked.

    Parameters
    ----------
    source : str
        Its name in messages.
    runs : tuple of RunOf
        The runs.
    """

    source: str
    runs: tuple[RunOf, ...]


def read_mapping(path: str | Path) -> Mapping:
    """Read a mapping file.

    Parameters
    ----------
    path : str or Path
        YAML, see docs/import.md.

    Raises
    ------
    MappingError
        It cannot be read, is ill-formed, or has blanks (null) that are to be filled in; one line
        for each problem.
    """
    source = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise MappingError(f"{source}: cannot read the mapping: {reason}") from None
    return parse_mapping(text, source)


def parse_mapping(text: str, source: str) -> Mapping:
    """Read a mapping from YAML text; see `read_mapping`."""
    data = parse_yaml(text, source, "a mapping", MappingError)
    reader = Reader(source, MappingError)
    top = reader.fields(data, "", ("schema", "defaults", "runs"))
    top.check("schema", top.get("schema") == SCHEMA, f"{SCHEMA}")
    defaults = reader.fields(top.get("defaults", {}), "defaults", _RUN_KEYS[2:])
    entries = top.list("runs", "a list of runs")
    runs = []
    for i, entry in enumerate(entries):
        own = reader.fields(entry, f"runs[{i}]", _RUN_KEYS)
        runs.append(_run(reader, own.over(defaults)))
    names = [run.name for run in runs]
    for i, name in enumerate(names):
        if name in names[:i]:
            reader.add(f"runs[{i}].name", repr(name) + " twice", "a name for each run")
    if not runs:
        reader.add("runs", "no runs", "at least one")
    reader.raise_if_any()
    return Mapping(source, tuple(runs))


_NUMBERS = {
    "size": "a count of non-embedding parameters, such as 3.1e9",
    "ratio": "the domain share in [0, 1]",
    "seed": "a whole number",
    "lr": "a learning rate",
    "unique_domain_tokens": "a count of tokens",
}
_TEXTS = {
    "domain": "the domain corpus",
    "schedule": "text",
    "loss_mode": "text",
    "status": "done, diverged or failed",
}
_RUN_KEYS = (
    "name", "logs", *_NUMBERS, *_TEXTS, "tokens", "losses", "base", "conflicts", "drop",
)  # fmt: skip
_TOKENS = "tokens per step, or a rule: {per_step: ...}, {metric: ...}, {total: ...}"


def _run(reader: Reader, run: Fields) -> RunOf:
    name = run.text("name", "the name of the run")
    rule = _tokens(reader, run)
    base_only = rule.count == 0
    needed = ("size",) if base_only else ("size", "domain", "ratio")
    facts: dict[str, Any] = {}
    for key, expected in _NUMBERS.items():
        if key in needed or run.has(key):
            facts[key] = run.number(key, expected)
    for key, expected in _TEXTS.items():
        if key in needed or run.has(key):
            facts[key] = run.text(key, expected)
    losses = [
        _loss(reader, item, f"{run.path('losses')}[{i}]")
        for i, item in enumerate(run.list("losses", "a list of {metric: ..., role: ...}"))
    ]
    for key in ("logs", "losses"):
        run.check(key, run.get(key) != [], "at least one")
    base = reader.fields(run.get("base", {}), run.path("base"), None)
    return RunOf(
        name=name,
        logs=tuple(
            _log(reader, item, f"{run.path('logs')}[{i}]")
            for i, item in enumerate(run.list("logs", "a list of files, or {file: ..., run: ...}"))
        ),
        facts=facts,
        tokens=rule,
        losses=tuple(
            one for one in losses if one.domain is None or one.domain == facts.get("domain")
        ),
        base={key: base.number(key, "a loss in nats/token") for key in base.names()},
        conflicts=cast(Choice, run.one_of("conflicts", get_args(Choice)))
        if run.has("conflicts")
        else None,
        drop=_drop(reader, run),
    )


def _log(reader: Reader, item: Any, where: str) -> LogOf:
    if isinstance(item, str):
        return LogOf(Path(item))
    entry = reader.fields(item, where, ("file", "run"))
    run = entry.text("run", "the name of the run in the log") if entry.has("run") else None
    return LogOf(Path(entry.text("file", "a log")), run)


def _loss(reader: Reader, item: Any, where: str) -> LossOf:
    keys = ("metric", "role", "eval_set", "domain", "split", "window", "unit", "precision")
    entry = reader.fields(item, where, keys)
    role = cast(Role, entry.one_of("role", get_args(Role)))
    window = entry.number("window", "a count of steps > 0") if entry.has("window") else None
    if window is not None:
        entry.check("window", window >= 1 and window % 1 == 0, "a whole number of steps >= 1")
    precision = entry.number("precision", "a step >= 0") if entry.has("precision") else None
    if precision is not None:
        entry.check("precision", precision >= 0, "a step >= 0")
    return LossOf(
        metric=entry.text("metric", "the name of a metric in the logs"),
        role=role,
        eval_set=entry.text("eval_set", "a name") if entry.has("eval_set") else str(role),
        domain=entry.text("domain", "a domain") if entry.has("domain") else None,
        split=entry.text("split", "train, eval or test") if entry.has("split") else None,
        window=None if window is None else int(window),
        unit=cast(Unit, entry.one_of("unit", get_args(Unit))) if entry.has("unit") else "nats",
        precision=precision,
    )


def _tokens(reader: Reader, run: Fields) -> TokenRule:
    """Read one of: a number per step; per_step; sequence_length with samples; a metric; a total."""
    given = run.get("tokens")
    if given is None or not isinstance(given, dict):
        each = run.number("tokens", _TOKENS)
        run.check("tokens", each > 0, _TOKENS)
        return TokenRule(None, each)
    where = run.path("tokens")
    keys = ("per_step", "sequence_length", "samples_per_step", "samples", "metric", "total")
    rule = reader.fields(given, where, (*keys, "start"))
    start = (
        rule.number("start", "the step or count at which CPT began") if rule.has("start") else 0.0
    )
    forms = [
        key
        for key in ("per_step", "samples_per_step", "samples", "metric", "total")
        if rule.has(key)
    ]
    if len(forms) != 1:
        reader.add(where, ", ".join(forms) or "none of them", "one of per_step, samples_per_step,"
                   " samples, metric and total")  # fmt: skip
        return TokenRule(None)
    form = forms[0]
    each = 1.0
    if form in ("samples_per_step", "samples"):
        each = rule.number("sequence_length", "tokens per sample")
    if form == "total":
        total = rule.number("total", "a count of tokens >= 0")
        rule.check("total", total >= 0, "a count of tokens >= 0")
        return TokenRule(total)
    if form in ("samples", "metric"):
        return TokenRule(rule.text(form, "the metric that counts"), each, start)
    each *= rule.number(form, "a count > 0")
    rule.check(form, each > 0, "a count > 0")
    return TokenRule(None, each, start)


def _drop(reader: Reader, run: Fields) -> tuple[tuple[float, float], ...]:
    ranges = []
    for i, item in enumerate(run.list("drop", "a list of [from, to]") if run.has("drop") else []):
        good = isinstance(item, list) and len(item) == 2
        if not good or not all(isinstance(v, int | float) for v in item) or item[0] > item[1]:
            reader.add(f"{run.path('drop')}[{i}]", repr(item), "two steps, [from, to]")
            continue
        ranges.append((float(item[0]), float(item[1])))
    return tuple(ranges)
