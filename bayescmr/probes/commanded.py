"""A probe as a campaign orders it: ``job.json`` in, ``losses.jsonl`` out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescmr.atomic import write_text
from bayescmr.errors import ProbeError
from bayescmr.probes.config import (
    CorpusUse,
    Execution,
    ProbeConfig,
    Training,
    evaluation_steps,
)
from bayescmr.probes.defaults import probe_training
from bayescmr.probes.record import RESULT, read_json, wide_losses
from bayescmr.runners.contract import LOSSES, ProbeJob, read_job

if TYPE_CHECKING:
    from bayescmr.probes.launch import Result

#: Share by which the size of a job may differ from that of its base: sizes are written rounded.
SIZE_SHARE = 0.05

_CORPORA = ("general", "domain_corpora")
_CONFIG = ("optimizer_state", "loss_mode", "beta", "validation_tokens", "checkpoints")
# A campaign takes every checkpoint for a shorter run, which only a constant rate allows.
_TRAINING = tuple(
    one.name
    for one in fields(Training)
    if one.name not in ("schedule", "final_learning_rate", "decay_share")
)
_EXECUTION = tuple(one.name for one in fields(Execution) if one.name != "until_tokens")
KNOWN = ("base", *_CORPORA, *_CONFIG, *_TRAINING, *_EXECUTION, "threads")


def run_job(path: str | Path) -> Result:
    """Carry out a job of a campaign; its losses are written beside it as they are measured.

    Parameters
    ----------
    path : str or Path
        ``job.json``. The run gets a folder beside it.

    Returns
    -------
    Result
        Status ``done``, ``reached``, ``diverged`` or ``stopped``.

    Raises
    ------
    ProbeError, CorpusError, CampaignError
        The job or its settings are wrong, or it cannot go on.
    """
    path = Path(path).absolute()
    job = read_job(path)
    try:
        config, execution, threads = configure(job, path.parent)
    except ProbeError as error:
        raise ProbeError(f"{path}: settings: {error}") from None
    try:
        from bayescmr.probes.launch import run
    except ModuleNotFoundError as error:
        raise ProbeError(
            f"{error.name} is not installed; install it with: pip install 'bayescmr[probes]'"
        ) from None
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return run(config, path.parent, execution, measured=_writer(path.parent / LOSSES))


def configure(job: ProbeJob, folder: Path) -> tuple[ProbeConfig, Execution, int | None]:
    """Return what a job asks of the trainer: settings, execution, and threads if they are given.

    Parameters
    ----------
    job : ProbeJob
        Its settings may hold the fields of `ProbeConfig`, `Training` and `Execution`, except what
        the job itself says and what a constant rate does not need. Corpora are a folder, or
        ``{"path", "weight", "part"}``, or a list of these; ``domain_corpora`` may have one such
        entry for each domain. Relative paths start from the root of the job.
    folder : Path
        Of the job, its root if it names none.

    Raises
    ------
    ProbeError
        A setting is unknown, missing or out of range, or the base or the checkpoints are others
        than the job says.
    """
    given = dict(job.settings)
    unknown = sorted(set(given) - set(KNOWN))
    if unknown:
        raise ProbeError(f"unknown key {', '.join(unknown)}; expected {', '.join(KNOWN)}")
    missing = [name for name in ("base", *_CORPORA) if not given.get(name)]
    if missing:
        raise ProbeError(f"missing key {', '.join(missing)}")
    root = Path(job.root) if job.root else folder
    base = root / _path("base", given["base"])
    _same_size(base, job.size)
    training = probe_training(base, job.tokens, given.get("learning_rate"))
    try:
        config = ProbeConfig(
            base=str(base),
            domain=job.domain,
            domain_corpora=_corpora("domain_corpora", _of_domain(given, job.domain), root),
            general=_corpora("general", given["general"], root),
            ratio=float(job.ratio),
            tokens=job.tokens,
            seed=job.seed,
            training=replace(training, **_some(Training, _TRAINING, given)),
            **_some(ProbeConfig, _CONFIG, given),
        )
        execution = Execution(until_tokens=job.until, **_some(Execution, _EXECUTION, given))
    except TypeError as error:
        raise ProbeError(str(error)) from None
    each = config.training.tokens_per_step
    measured = [step * each for step in evaluation_steps(config)]
    if not set(job.checkpoints) <= set(measured):
        raise ProbeError(
            f"checkpoints: got {list(job.checkpoints)}, but with these settings losses are"
            f" measured at {measured}; take those of `bayescmr.probes.probe_checkpoints`"
        )
    threads = given.get("threads")
    if threads is not None and not (type(threads) is int and threads >= 1):
        raise ProbeError(f"threads: got {threads!r}, expected a whole number >= 1")
    return config, execution, threads


def _writer(path: Path) -> Callable[[list[dict[str, Any]]], None]:
    def write(measurements: list[dict[str, Any]]) -> None:
        # All of them anew: what is measured does not change, so that this appends, in whole lines.
        lines = [
            json.dumps({"tokens": tokens, **losses}, allow_nan=False) + "\n"
            for tokens, losses in wide_losses(measurements).items()
        ]
        try:
            write_text(path, "".join(lines))
        except OSError as error:
            raise ProbeError(
                f"{path}: cannot be written ({error.strerror or error}); make room and run the"
                " same command again"
            ) from None

    return write


def _same_size(base: Path, size: float) -> None:
    if not (base / RESULT).exists():  # a checkpoint of others
        return
    found = float(read_json(base / RESULT)["size"])
    if abs(found / size - 1) > SIZE_SHARE:
        raise ProbeError(
            f"base: {base} has {found:,.0f} non-embedding parameters, the job says {size:,.0f};"
            " give each size its own base"
        )


def _of_domain(given: Mapping[str, Any], domain: str) -> Any:
    corpora = given["domain_corpora"]
    if not isinstance(corpora, Mapping) or "path" in corpora:
        return corpora
    if domain not in corpora:
        raise ProbeError(
            f"domain_corpora: got {', '.join(map(repr, corpora))}, expected one for {domain!r}"
        )
    return corpora[domain]


def _corpora(name: str, given: Any, root: Path) -> tuple[CorpusUse, ...]:
    uses = []
    for one in given if isinstance(given, list | tuple) else [given]:
        use = one if isinstance(one, Mapping) else {"path": one}
        if not set(use) <= {"path", "weight", "part"} or "path" not in use:
            raise ProbeError(f"{name}: got {one!r}, expected a folder, or path, weight and part")
        more = _some(CorpusUse, ("weight", "part"), use)
        uses.append(CorpusUse(str(root / _path(name, use["path"])), **more))
    return tuple(uses)


def _some(kind: Any, names: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are given; 1 where a real number is meant is 1.0, for the hash."""
    types = {one.name: one.type for one in fields(kind)}
    return {
        name: float(value) if types[name] == "float" and type(value) is int else value
        for name, value in ((name, given[name]) for name in names if name in given)
    }


def _path(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ProbeError(f"{name}: got {value!r}, expected the path of a folder")
    return value
