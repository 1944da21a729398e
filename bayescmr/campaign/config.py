"""What a campaign is told once, at its start: question, runs that could be made, budget, rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bayescmr.campaign.checked import NAME, NAME_WORDS
from bayescmr.campaign.running import KINDS
from bayescmr.cmr import Estimand, Target
from bayescmr.cmr.estimands import ESTIMANDS
from bayescmr.design.stop_rules import StopRules
from bayescmr.errors import BayesCMRError, CampaignError
from bayescmr.fields import Fields, Reader
from bayescmr.planning.read_space import space_of
from bayescmr.planning.space import Space
from bayescmr.planning.task import Task
from bayescmr.posterior.intervals import PROB
from bayescmr.runners.contract import split_command
from bayescmr.values import is_number, key_number
from bayescmr.yaml_loader import parse_yaml

SCHEMA = 1
_KEYS = (
    "schema", "name", "target", "estimand", "model", "seed", "risk", "prob", "budget", "space",
    "stop", "exploration", "batch", "review", "probe", "runner", "attempts", "folder", "root",
    "runs",
)  # fmt: skip
_TARGET = ("size", "domain", "tokens", "tolerance", "tolerance_unit", "base")
_STOP = ("width", "regret", "price")
_PROBE = ("command", "settings", "by_size")


@dataclass(frozen=True)
class Probe:
    """How a run is made: any command that keeps the contract of :mod:`bayescmr.runners.contract`.

    Parameters
    ----------
    command : tuple of str
        Words with placeholders; see the contract.
    settings : mapping
        Free form; handed on in ``job.json``.
    by_size : mapping from size to mapping
        Settings of one size, over the others.
    """

    command: tuple[str, ...]
    settings: Mapping[str, Any]
    by_size: Mapping[float, Mapping[str, Any]]

    def of(self, size: float) -> dict[str, Any]:
        """Return the settings of a size."""
        return {**self.settings, **self.by_size.get(size, {})}


@dataclass(frozen=True)
class Config:
    """All that a campaign is told.

    Parameters
    ----------
    name : str
        Of the campaign in its store.
    target : Target
        Question.
    estimand : {"tolerance", "turning_point", "gu"}
        Which CMR.
    model : str
        Name or file of the model.
    seed : int
        Of fits and of the exploration.
    risk, prob : float
        Allowed chance of breaking the bound; probability of the interval; in (0, 1).
    budget : float
        FLOPs.
    space : Space
        Runs that could be made.
    stop : StopRules
        When it is enough.
    exploration : float
        Share of picks that are not the best one, in [0, 1): what lets rules be compared later.
    batch : int
        Runs picked at most after one fit.
    review : bool
        Whether runs under way are weighed anew when others, or they themselves, have told
        something, and paused where something else is worth more.
    probe : Probe or None
        How a run is made; None for a campaign that only asks and is told.
    runner : mapping
        ``kind`` (local, slurm, ray) and its options.
    attempts : int
        How often a run that failed is tried.
    folder : Path
        For files of the runs; absolute.
    root : str
        Folder that relative paths in the probe's settings start from: that of the file.
    runs : str or None
        Run table of earlier runs, read at the start.
    data : mapping
        The same as plain data, as it is stored.
    """

    name: str
    target: Target
    estimand: Estimand
    model: str
    seed: int
    risk: float
    prob: float
    budget: float
    space: Space
    stop: StopRules
    exploration: float
    batch: int
    review: bool
    probe: Probe | None
    runner: Mapping[str, Any]
    attempts: int
    folder: Path
    root: str
    runs: str | None
    data: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """Question, space and rules."""
        return Task(self.target, self.space, self.stop, self.estimand, self.risk, self.prob)


def read_config(path: str | Path) -> Config:
    """Read ``campaign.yaml``; paths in it are relative to its folder.

    Raises
    ------
    CampaignError
        With every problem of the file, one per line.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise CampaignError(f"{source}: cannot read the campaign: {reason}") from None
    data = parse_yaml(text, str(source), "a campaign", CampaignError)
    if isinstance(data, dict):
        home = source.resolve().parent
        # What is stored must mean the same from wherever it is read again.
        data = {"folder": _own_folder(data.get("name")), "root": ".", **data}
        for key in ("folder", "root", "runs"):
            if isinstance(data.get(key), str) and data[key].strip():
                data[key] = str((home / data[key]).resolve())
        # Else it is the name of a model.
        if isinstance(data.get("model"), str) and (home / data["model"]).is_file():
            data["model"] = str((home / data["model"]).resolve())
    return config_of(data, str(source))


def _own_folder(name: object) -> str:
    """Where a campaign keeps its files unless told otherwise: apart from all others."""
    return f"probes/{name}"


def config_of(data: Any, source: str) -> Config:
    """Read a campaign from plain data; see :func:`read_config`."""
    reader = Reader(source, CampaignError)
    top = reader.fields(data, "", _KEYS)
    if top.has("schema"):
        top.check("schema", top.get("schema") == SCHEMA, f"{SCHEMA}")
    name = top.text("name", "a name")
    top.check("name", not name or bool(NAME.fullmatch(name)), NAME_WORDS)
    target = _target(reader, top)
    domain = "?" if target is None else target.domain
    space = space_of(reader, top.get("space"), "space", domain)
    stop = _stop(reader, top)
    estimand = top.one_of("estimand", ESTIMANDS) if top.has("estimand") else "tolerance"
    budget = top.number("budget", "FLOPs > 0, for example 1e18")
    top.check("budget", budget > 0, "FLOPs > 0, for example 1e18")
    seed = _whole(top, "seed", 1, 0)
    risk = _share(top, "risk", 0.1)
    prob = _share(top, "prob", PROB)
    top.check("risk", risk > 0, "a probability in (0, 1)")
    top.check("prob", prob > 0, "a probability in (0, 1)")
    exploration = _share(top, "exploration", 0.1)
    batch, attempts = _whole(top, "batch", 1, 1), _whole(top, "attempts", 3, 1)
    review = top.get("review", True)
    if not isinstance(review, bool):
        reader.add("review", repr(review), "true or false")
    runner = _runner(reader, top)
    folder = _path(top, "folder", _own_folder(name), "the path of a folder")
    root = _path(top, "root", "", "the path of a folder")
    runs = _path(top, "runs", "", "the path of a run table") or None
    model = top.text("model", "a model") if top.has("model") else "turning_point"
    _check_model(reader, model)
    probe = _probe(reader, top)
    if probe is not None and space is not None:
        for size in probe.by_size:
            if size not in space.sizes:
                reader.add("probe.by_size", f"{size:g}", "sizes of space.sizes")
    reader.raise_if_any()
    assert target is not None and space is not None and stop is not None
    return Config(
        name=name,
        target=target,
        estimand=cast(Estimand, estimand),
        model=model,
        seed=seed,
        risk=risk,
        prob=prob,
        budget=float(budget),
        space=space,
        stop=stop,
        exploration=exploration,
        batch=batch,
        review=review,
        probe=probe,
        runner=runner,
        attempts=attempts,
        folder=Path(folder).absolute(),
        root=root,
        runs=runs,
        data=data,
    )


def _target(reader: Reader, top: Fields) -> Target | None:
    fields = reader.fields(top.get("target"), "target", _TARGET)
    missing = [key for key in ("size", "domain", "tokens") if not fields.has(key)]
    for key in missing:
        reader.add(f"target.{key}", "nothing", "a value")
    if missing:
        return None
    try:
        return Target(**{key: fields.get(key) for key in _TARGET if fields.has(key)})
    except BayesCMRError as error:
        reader.refuse("target", error)
        return None


def _stop(reader: Reader, top: Fields) -> StopRules | None:
    fields = reader.fields(top.get("stop", {}), "stop", _STOP)
    width, regret, price = (
        None if fields.get(key) is None else fields.number(key, "a number > 0") for key in _STOP
    )
    try:
        return StopRules(width=width, regret=regret, price=price)
    except BayesCMRError as error:
        reader.refuse("stop", error, "stop rules")
        return None


def _probe(reader: Reader, top: Fields) -> Probe | None:
    if not top.has("probe"):
        return None
    fields = reader.fields(top.get("probe"), "probe", _PROBE)
    command = fields.get("command")
    words: tuple[str, ...] = ()
    if isinstance(command, str) or (isinstance(command, list) and _are_texts(command)):
        try:
            words = split_command(command)
        except CampaignError as error:
            reader.refuse("probe.command", error, "command")
    else:
        reader.add(
            "probe.command",
            "nothing" if command is None else repr(command),
            'a text, or a list of texts with numbers in quotes: [train, --rate, "0.1", "{job}"]',
        )
    settings = fields.get("settings", {})
    by_size = fields.get("by_size", {})
    if not isinstance(settings, dict):
        reader.add("probe.settings", repr(settings), "a mapping")
    if not isinstance(by_size, dict) or not all(
        key_number(k) > 0 and isinstance(v, dict) for k, v in by_size.items()
    ):
        reader.add("probe.by_size", repr(by_size), "a mapping from sizes to mappings")
        by_size = {}
    return Probe(words, settings, {key_number(k): v for k, v in by_size.items()})


def _runner(reader: Reader, top: Fields) -> Mapping[str, Any]:
    runner = top.get("runner", {"kind": "local"})
    if not isinstance(runner, dict) or runner.get("kind") not in KINDS:
        reader.add("runner", repr(runner), f"a mapping with kind: {', '.join(KINDS)}")
        return {}
    fields = Fields(reader, "runner", runner)
    each, slots = _whole(fields, "gpus_per_probe", 0, 0), _whole(fields, "slots", 1, 1)
    _whole(fields, "cpus_per_probe", 1, 1)
    for key, unit in (("minutes", "minutes"), ("grace", "seconds"), ("beat", "seconds")):
        if fields.get(key) is not None:
            fields.check(key, fields.number(key, f"{unit} > 0") > 0, f"{unit} > 0")
    gpus = (
        fields.list("gpus", 'a list of GPUs, for example ["0", "1"]') if fields.has("gpus") else []
    )
    # Else the probe for which none is left would end the campaign, each time.
    if runner["kind"] == "local" and each * slots > len(gpus):
        reader.add(
            "runner.gpus_per_probe",
            f"{each} for each of {slots} slots, but {len(gpus)} gpus",
            "as many gpus as all slots need",
        )
    return runner


def _check_model(reader: Reader, model: str) -> None:
    from bayescmr.model.spec import load_model

    try:
        load_model(model)
    except BayesCMRError as error:
        reader.refuse("model", error)


def _share(fields: Fields, key: str, default: float) -> float:
    if not fields.has(key):
        return default
    value = fields.get(key)
    good = is_number(value) and 0 <= value < 1
    fields.check(key, good, "a number in [0, 1)")
    return float(value) if good else default


def _path(fields: Fields, key: str, default: str, expected: str) -> str:
    if not fields.has(key) or (key == "runs" and fields.get(key) is None):
        return default
    value = fields.get(key)
    if isinstance(value, str) and (value.strip() or not default):
        return value
    fields.reader.add(fields.path(key), repr(value), expected)
    return default


def _are_texts(words: list[Any]) -> bool:
    return all(isinstance(word, str) for word in words)


def _whole(fields: Fields, key: str, default: int, least: int) -> int:
    value = fields.get(key, default)
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    fields.reader.add(fields.path(key), repr(value), f"a whole number >= {least}")
    return default
