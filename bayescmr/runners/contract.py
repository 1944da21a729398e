"""What a campaign and a probe's command agree on: a job in, lines of losses out, an exit code.

The command may be any program, in any language: see docs/own_trainer.md.
"""

from __future__ import annotations

import json
import shlex
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from bayescmr.atomic import write_text
from bayescmr.errors import CampaignError
from bayescmr.runs.columns import Role, measure_of
from bayescmr.values import is_number

SCHEMA = 1
JOB, LOSSES = "job.json", "losses.jsonl"
#: Exit codes of a command: reached ``until``; diverged; stopped and saved, so that the same
#: command goes on.
REACHED, DIVERGED, STOPPED = 0, 4, 75


@dataclass(frozen=True)
class ProbeJob:
    """What one attempt is asked to do: content of ``job.json``.

    Parameters
    ----------
    run : str
        Name of the run.
    size : float
        Non-embedding parameters.
    domain : str
        Label of the domain.
    ratio : float
        Domain share, in [0, 1].
    seed : int
        Of the data order.
    tokens : int
        CPT tokens that the run is planned for; the same for every attempt of it.
    until : int
        CPT tokens at which this attempt is to save and end, at most ``tokens``.
    checkpoints : tuple of int
        CPT tokens at which losses are wanted, rising, the last of them ``tokens``.
    settings : mapping
        Free form: what the user has set for the command.
    root : str
        Folder that relative paths in ``settings`` start from; "" for that of ``job.json``.
    """

    run: str
    size: float
    domain: str
    ratio: float
    seed: int
    tokens: int
    until: int
    checkpoints: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    root: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoints", tuple(self.checkpoints))
        for name in ("run", "domain", "root"):
            value = getattr(self, name)
            _require(isinstance(value, str) and (value or name == "root"), name, value, "a text")
        _require(is_number(self.size) and self.size > 0, "size", self.size, "a count > 0")
        _require(is_number(self.ratio) and 0 <= self.ratio <= 1, "ratio", self.ratio, "a share")
        _require(_whole(self.seed) and self.seed >= 0, "seed", self.seed, "a whole number >= 0")
        for name in ("tokens", "until"):
            value = getattr(self, name)
            _require(_whole(value) and value > 0, name, value, "a whole number > 0")
        _require(self.until <= self.tokens, "until", self.until, f"at most tokens, {self.tokens}")
        marks = list(self.checkpoints)
        good = bool(marks) and all(map(_whole, marks)) and marks == sorted(set(marks))
        _require(
            good and marks[0] >= 0 and marks[-1] == self.tokens, "checkpoints", marks,
            f"whole numbers that rise to tokens, {self.tokens}",
        )  # fmt: skip
        _require(isinstance(self.settings, Mapping), "settings", self.settings, "a JSON object")


def write_job(folder: Path, job: ProbeJob) -> Path:
    """Write ``job.json`` in the folder of a run, whole or not at all; return its path.

    Raises
    ------
    CampaignError
        The settings are no JSON, or the file cannot be written.
    """
    path = folder / JOB
    try:
        text = json.dumps(
            {"schema": SCHEMA, **asdict(job)}, indent=2, ensure_ascii=False, allow_nan=False
        )
        write_text(path, text + "\n")
    except (TypeError, ValueError) as error:
        raise CampaignError(f"settings of run {job.run}: no JSON ({error})") from None
    except OSError as error:
        raise CampaignError(
            f"{path}: cannot be written ({error.strerror or error}); make room and run again"
        ) from None
    return path


def read_job(path: Path) -> ProbeJob:
    """Read ``job.json``.

    Raises
    ------
    CampaignError
        It cannot be read, is of another schema, or a value is missing or out of range.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CampaignError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise CampaignError(f"{path}: no JSON ({error})") from None
    if not isinstance(data, dict):
        raise CampaignError(f"{path}: got {type(data).__name__}, expected a JSON object")
    if data.pop("schema", None) != SCHEMA:
        raise CampaignError(f"{path}: expected schema {SCHEMA}, that of this version")
    known = {one.name for one in fields(ProbeJob)}
    missing = known - {"settings", "root"} - set(data)
    for problem, names in (("missing", missing), ("unknown", set(data) - known)):
        if names:
            raise CampaignError(f"{path}: {problem} key {', '.join(sorted(names))}")
    try:
        return ProbeJob(**data)
    except CampaignError as error:
        raise CampaignError(f"{path}: {error}") from None
    except TypeError as error:
        raise CampaignError(f"{path}: checkpoints: {error}") from None


def split_command(template: str | Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command, and check its placeholders.

    Parameters
    ----------
    template : str or sequence of str
        Words, or one text that is split as a shell splits it (but no shell runs it). Placeholders
        in braces: job, folder, run, size, domain, ratio, seed, tokens, until, root; ``{{`` and
        ``}}`` are braces.

    Raises
    ------
    CampaignError
        It is empty, ill-formed, or has a placeholder that is not known.
    """
    if isinstance(template, str):
        try:
            words = tuple(shlex.split(template))
        except ValueError as error:
            raise CampaignError(
                f"command: got {template!r}, cannot be split ({error}), expected words as a shell"
                " takes them"
            ) from None
    else:
        words = tuple(template)
    if not words or not all(isinstance(word, str) for word in words):
        raise CampaignError(f"command: got {template!r}, expected a program and its arguments")
    for word in words:
        _fill(word, dict.fromkeys(_PLACES, ""))
    return words


def expand(template: str | Sequence[str], job: ProbeJob, folder: Path) -> tuple[str, ...]:
    """Return the command of a job: the template with its placeholders filled in.

    Parameters
    ----------
    template : str or sequence of str
        See :func:`split_command`. A value never becomes several words.
    job : ProbeJob
        Gives the values.
    folder : Path
        Of the run, absolute.

    Raises
    ------
    CampaignError
        As :func:`split_command`.
    """
    size = int(job.size) if float(job.size).is_integer() else job.size
    values = {
        "job": str(folder / JOB), "folder": str(folder), "run": job.run, "size": str(size),
        "domain": job.domain, "ratio": repr(job.ratio), "seed": str(job.seed),
        "tokens": str(job.tokens), "until": str(job.until), "root": job.root or str(folder),
    }  # fmt: skip
    return tuple(_fill(word, values) for word in split_command(template))


@dataclass(frozen=True)
class LossRow:
    """A measured loss, as the command wrote it.

    Parameters
    ----------
    tokens : int
        CPT tokens; 0 is the base. May lie between the checkpoints that were asked for.
    role : {"general", "domain"}
        What the evaluation set stands for.
    eval_set : str
        Its name.
    kind : {"loss", "change"}
        The loss, or its change from the base.
    value : float
        nats/token.
    se : float or None
        Standard error, nats/token.
    """

    tokens: int
    role: Role
    eval_set: str
    kind: Literal["loss", "change"]
    value: float
    se: float | None = None


def read_losses(folder: Path) -> list[LossRow]:
    """Read ``losses.jsonl`` in the folder of a run: what has been measured so far.

    A last line that is cut off is left out: it is being written, or was when the command was
    killed. A command that goes on may write its next line right behind it, which is found there.

    Returns
    -------
    list of LossRow
        In the order in which they were first measured; none where there is no file.

    Raises
    ------
    CampaignError
        Rubbish, a number that is none, or two values of one loss: file, line, got, expected.
    """
    path = folder / LOSSES
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CampaignError(f"{path}: cannot be read ({error.strerror or error})") from None
    found: dict[tuple[int, str, str, str], tuple[LossRow, int]] = {}
    for number, raw in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        objects = _objects(raw, where, last=number == len(lines))
        for row in [row for data in objects for row in rows_of(data, where)]:
            key = (row.tokens, row.role, row.eval_set, row.kind)
            first, line = found.setdefault(key, (row, number))
            if first != row:
                raise CampaignError(
                    f"{where}: {row.kind} of {row.eval_set!r} at {row.tokens} tokens: got"
                    f" {row.value!r} (se {row.se!r}), but line {line} has {first.value!r}"
                    f" (se {first.se!r}); a command must save its state before it writes a loss, or"
                    " take back the lines behind its last save when it goes on"
                )
    return [row for row, _ in found.values()]


def reached(rows: Iterable[LossRow]) -> int:
    """Return the largest tokens at which a loss was measured, 0 where there is none."""
    return max((row.tokens for row in rows), default=0)


def _objects(raw: bytes, where: str, *, last: bool) -> list[dict[str, Any]]:
    """Return the JSON objects of a line: one, or more where an earlier one was cut off."""
    text = raw.decode("utf-8", errors="replace").strip()
    found, at = [], 0
    while at < len(text):
        try:
            data, at = json.JSONDecoder().raw_decode(text, at)
            if not isinstance(data, dict):
                raise _rubbish(text, where)
            found.append(data)
        except (ValueError, RecursionError):
            # The beginning of an object, cut off: the next one stands right behind it, or nothing.
            following = text.find("{", at + 1)
            if text[at] != "{" or (following < 0 and not last):
                raise _rubbish(text, where) from None
            at = following if following > 0 else len(text)
    return found


def _rubbish(text: str, where: str) -> CampaignError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return CampaignError(
        f'{where}: got {shown!r}, expected a JSON object such as {{"tokens": 8192,'
        ' "loss_general": 3.44}; print everything else elsewhere'
    )


def rows_of(data: Mapping[str, Any], where: str) -> list[LossRow]:
    """Return the losses of one line: ``tokens``, and columns of the wide run table.

    Raises
    ------
    CampaignError
        An unknown key, or a number that is none; ``where`` says which line.
    """
    tokens = data.get("tokens")
    if not (is_number(tokens) and tokens >= 0 and float(tokens).is_integer()):
        raise CampaignError(f"{where}: tokens: got {tokens!r}, expected a whole number >= 0")
    values: dict[tuple[str, Role], dict[str, float]] = {}
    for name, value in data.items():
        if name == "tokens":
            continue
        measure = measure_of(name)
        if measure is None or measure[0] == "base":
            raise CampaignError(
                f"{where}: got the key {name!r}, expected tokens, loss_general,"
                " loss_general:<name>, loss_domain, and change_... or se_... of these"
            )
        quantity, eval_set, role = measure
        if not is_number(value) or (quantity == "se" and value < 0):
            raise CampaignError(
                f"{where}: {name}: got {value!r}, expected a number"
                f"{' >= 0' if quantity == 'se' else ''}; a run that diverged writes no loss and"
                f" ends with exit code {DIVERGED}"
            )
        values.setdefault((eval_set, role), {})[quantity] = float(value)
    rows = []
    for (eval_set, role), measured in values.items():
        se = measured.pop("se", None)
        if not measured:
            raise CampaignError(f"{where}: got a standard error of {eval_set!r} without its loss")
        for kind in ("loss", "change"):
            if kind in measured:
                rows.append(LossRow(int(tokens), role, eval_set, kind, measured[kind], se))
    if not rows:
        raise CampaignError(f"{where}: got no loss, expected loss_general or another")
    return rows


_PLACES = (
    "job", "folder", "run", "size", "domain", "ratio", "seed", "tokens", "until", "root",
)  # fmt: skip


def _fill(word: str, values: Mapping[str, str]) -> str:
    filled = ""
    try:
        for text, name, form, conversion in string.Formatter().parse(word):
            filled += text
            if name is None:
                continue
            if name not in values or form or conversion:
                known = ", ".join(f"{{{place}}}" for place in values)
                raise CampaignError(
                    f"command: got the placeholder {{{name}}} in {word!r}, expected one of {known};"
                    " a brace of its own is written twice"
                )
            filled += values[name]
    except ValueError as error:
        raise CampaignError(
            f"command: got {word!r} ({error}); a brace of its own is written twice: {{{{ or }}}}"
        ) from None
    return filled


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(good: object, name: str, got: Any, expected: str) -> None:
    if not good:
        raise CampaignError(f"{name}: got {got!r}, expected {expected}")
