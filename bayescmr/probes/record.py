"""The files that tell of a run: its configuration, its log, and last its result."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescmr.atomic import write_text
from bayescmr.errors import ProbeError
from bayescmr.machine import processor

if TYPE_CHECKING:
    import torch

SCHEMA = 1
RESULT = "result.json"
LOG = "log.jsonl"
CONFIG = "run.json"


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write strict JSON, whole or not at all."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    ProbeError
        The file is damaged or of another kind.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProbeError(f"{path}: cannot be read ({error})") from None
    if not isinstance(data, dict):
        raise ProbeError(f"{path}: got {type(data).__name__}, expected a JSON object")
    return data


def wide_losses(measurements: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """Return losses by tokens and by column of the run table in wide form, as they were measured.

    Parameters
    ----------
    measurements : iterable of mapping
        Fields of `Measurement`.
    """
    measured: dict[int, dict[str, float]] = {}
    for one in measurements:
        name = "loss_domain" if one["role"] == "domain" else "loss_general"
        if one["role"] == "general" and one["eval_set"] != "general":
            name = f"loss_general:{one['eval_set']}"
        measured.setdefault(int(one["tokens"]), {})[name] = one["loss"]
    return measured


class Log:
    """JSON lines of one run; after a stop it goes on behind the step that was saved.

    Parameters
    ----------
    path : Path
        File.
    step : int
        Lines about later steps are dropped: those steps are made again.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept = [line for line in _lines(path) if line.get("step", 0) <= step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")

    def write(self, event: str, **values: Any) -> None:
        """Append one line; it can be read at once."""
        self._file.write(json.dumps({"event": event, **values}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def surroundings(device: torch.device) -> dict[str, Any]:
    """Return versions, code and hardware: what a reader needs to repeat the run."""
    import torch

    found: dict[str, Any] = {
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("bayescmr", "torch", "numpy", "transformers")},
        },
        "git": _git(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found["gpu"] = {"name": properties.name, "memory_bytes": properties.total_memory}
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:  # the last line was cut off by a kill
            continue
    return lines


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """Commit of this package's checkout and whether files differ; None if it is no checkout."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(here), *words],
                capture_output=True, text=True, timeout=10, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = ask("rev-parse", "HEAD")
    changed = ask("status", "--porcelain", "--untracked-files=no")
    return None if commit is None else {"commit": commit, "changed": bool(changed)}
