"""MLflow's folder, ``mlruns``: a file per metric, whose steps MLflow itself may misread."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pandas as pd
import yaml

from bayescmr.errors import LogError
from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content, digest_of_files, whole_lines
from bayescmr.runs.logs.rounding import round_doubles
from bayescmr.values import shorten
from bayescmr.yaml_loader import parse_yaml

NAME = "MLflow folder"
NO_STEPS = "logged without a step, so that MLflow wrote 0 for all values: {}"
_META = "meta.yaml"


def recognise(content: Content) -> bool:
    """Return whether it is a run, an experiment or a store of MLflow."""
    return content.is_folder and bool(_run_folders(content.path))


def read(content: Content) -> Log:
    """Read the metrics of all runs that are not deleted.

    A line is ``timestamp_ms value [step [dataset digest]]``. MLflow takes the step only of lines
    with exactly three fields; here it is the third of any line.

    Raises
    ------
    LogError
        A line is malformed.
    """
    events = Events(content.source)
    notes: list[str] = []
    used: list[Path] = []
    runs = {}
    metas = {folder: _meta(folder) for folder in _run_folders(content.path)}
    # Folders are named by random digits: the order is that of the starts.
    for folder, meta in sorted(
        metas.items(), key=lambda item: (str(item[1].get("start_time")), item[0])
    ):
        if meta.get("lifecycle_stage") == "deleted":
            notes.append(f"the deleted run {shorten(folder.name)} was left out")
        else:
            runs[str(folder)] = str(meta.get("run_name") or folder.name)
    names = unique_names(runs)
    for key, name in names.items():
        metrics = Path(key) / "metrics"
        files = sorted(path for path in metrics.rglob("*") if path.is_file())
        used += [*files, Path(key) / _META]
        for path in files:
            _read_metric(path, path.relative_to(metrics).as_posix(), name, events, notes)
    frame = round_doubles(events.frame())
    if bad := without_steps(frame):
        notes.append(NO_STEPS.format(bad))
    sha256 = digest_of_files(used, content.path)
    return Log(content.source, NAME, sha256, frame, tuple(notes))


def unique_names(runs: dict[str, str]) -> dict[str, str]:
    """Names of runs by their id; the id is added where a name comes twice."""
    times = Counter(runs.values())
    return {
        key: name if times[name] == 1 else f"{name} ({Path(key).name[:8]})"
        for key, name in runs.items()
    }


def without_steps(events: pd.DataFrame) -> str:
    """Metrics that have several values, all at step 0: the trap of ``log_metric(key, value)``."""
    of = events.groupby(["run", "metric"], sort=False)["step"].agg(["size", "min", "max"])
    bad = of[(of["size"] > 1) & (of["min"] == 0) & (of["max"] == 0)]
    return ", ".join(shorten(f"{metric} of {run}") for run, metric in bad.index[:5])


def _run_folders(path: Path) -> list[Path]:
    """Folders of runs: it, its children, or theirs; a run has ``metrics`` beside its meta.yaml."""
    try:
        for pattern in (_META, f"*/{_META}", f"*/*/{_META}"):
            found = [meta.parent for meta in path.glob(pattern)]
            if runs := sorted(folder for folder in found if (folder / "metrics").is_dir()):
                return runs
    except OSError:
        return []
    return []


def _meta(folder: Path) -> dict[str, object]:
    path = folder / _META
    try:
        meta = parse_yaml(path.read_text(encoding="utf-8"), str(path), "MLflow's", LogError)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fail(str(path), f"a file that cannot be read ({error})", "MLflow's meta.yaml")
    return meta if isinstance(meta, dict) else {}


def _read_metric(path: Path, metric: str, run: str, events: Events, notes: list[str]) -> None:
    content = Content(path, str(path)) if path.stat().st_size else None
    if content is None:
        notes.append(f"{shorten(metric)} of {shorten(run)}: the file is empty")
        return
    text, cut = whole_lines(content.text)
    notes += [f"{shorten(metric)} of {shorten(run)}: {note}" for note in cut]
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split(" ")
        if not line.strip():
            continue
        try:
            seen, value = float(words[0]) / 1000, float(words[1])
            step = float(int(words[2])) if len(words) > 2 else 0.0
        except (IndexError, ValueError):
            got = f"line {number}: {shorten(line)!r}"
            fail(content.source, got, "'timestamp value [step [dataset digest]]'")
        events.add(run, metric, value, step, wall_time=seen if seen else math.nan)
