"""A mapping file to start from: what the logs tell is filled in, the rest is null."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from bayescmr.runs.importing.mapping import SCHEMA
from bayescmr.runs.logs import Log

#: Metrics that count tokens, and those that count samples, as the formats name them.
_TOKENS = ("num_input_tokens_seen", "consumed tokens", "total_tokens", "train/tokens", "tokens")
_SAMPLES = ("consumed samples",)
_LOSS = re.compile(r"loss|perplexity|bits_per|bpb|cross_entropy|nll", re.IGNORECASE)
_NOT = re.compile(r"ppl$|loss scale|load_balancing|z_loss|aux|_stderr$", re.IGNORECASE)
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
# "r1" may be the first run: a bare r needs a decimal point.
_RATIO = re.compile(
    rf"(?:^|[-_/. ])(?:(?:ratio|mix)[-_=]?({_NUMBER})|r[-_=]?(\d?\.\d+))(?=$|[-_/ #])",
    re.IGNORECASE,
)
_SEED = re.compile(r"(?:^|[-_/. ])seed[-_=]?(\d+)(?=$|[-_/. #])", re.IGNORECASE)
_SIZE = re.compile(rf"(?:^|[-_/. ]){_NUMBER}([KMB])(?=$|[-_/. #])", re.IGNORECASE)
_POWER = {"K": 1e3, "M": 1e6, "B": 1e9}


def draft(logs: Sequence[Log], notes: Sequence[str] = ()) -> str:
    """Draft a mapping.

    Parameters
    ----------
    logs : sequence of Log
        What `bayescmr.runs.logs.read_logs` read.
    notes : sequence of str
        What was passed over when logs were sought.

    Returns
    -------
    str
        YAML with comments; what is null must be filled in before it is used.
    """
    lines = [
        "# Drafted by `bayescmr import --guess`: read it through, and fill in each null.",
        "# What these keys mean: docs/import.md.",
        *(f"# {_comment(note)}" for note in notes),
        f"schema: {SCHEMA}",
        "defaults:",
        *_tokens(logs),
        *_losses(logs),
        "runs:",
    ]
    names = Counter(name for log in logs for name in log.runs)
    for log in logs:
        lines += [f"  # {log.format}; {_comment(note)}" for note in log.notes]
        for name in log.runs:
            lines += _run(log, name, unique=names[name] == 1)
    return "\n".join(lines) + "\n"


def _run(log: Log, name: str, *, unique: bool) -> list[str]:
    several = len(log.runs) > 1
    steps = log.events.loc[log.events["run"] == name, "step"]
    reach = "no steps" if steps.isna().all() else f"steps {steps.min():g} to {steps.max():g}"
    full = name if unique else f"{name} ({log.sha256[:6]})"
    file = f"{{file: {_text(log.source)}, run: {_text(name)}}}" if several else _text(log.source)
    place = f"{name} {log.source}"
    lines = [
        f"  - name: {_text(full)}  # {log.format}, {reach}",
        f"    logs: [{file}]",
        f"    size: {_size(place)}",
        "    domain: null",
        f"    ratio: {_ratio(place)}",
    ]
    seed = _SEED.search(place)
    return lines + ([f"    seed: {seed[1]}  # as its name has it"] if seed else [])


def _ratio(place: str) -> str:
    for found in _RATIO.finditer(place):
        value = float(found[1] or found[3])
        if value <= 1:
            return f"{value:g}  # as its name has it"
    return "null  # domain share, 0 to 1"


def _size(place: str) -> str:
    found = _SIZE.search(place)
    if found is None:
        return "null  # non-embedding parameters"
    return f"{float(found[1]) * _POWER[found[2].upper()]:g}  # as its name has it; non-embedding?"


def _tokens(logs: Sequence[Log]) -> list[str]:
    metrics = {str(name) for log in logs for name in log.events["metric"].unique()}
    for name in _TOKENS:
        if name in metrics:
            return [f"  tokens: {{metric: {_text(name)}}}"]
    for name in _SAMPLES:
        if name in metrics:
            return [f"  tokens: {{samples: {_text(name)}, sequence_length: null}}"]
    if all(log.events["step"].isna().all() for log in logs):
        return ["  tokens: {total: null}  # the logs have no steps; 0 for the base checkpoint"]
    return ["  tokens: {per_step: null}  # tokens of a step: sequence length x global batch size"]


def _losses(logs: Sequence[Log]) -> list[str]:
    """Evaluations first; a training loss is offered only where there is nothing else."""
    found: dict[str, set[str]] = {}
    for log in logs:
        pairs = log.events[["metric", "split"]].drop_duplicates()
        for metric, split in pairs.itertuples(index=False):
            if _LOSS.search(metric) and not _NOT.search(metric):
                found.setdefault(str(metric), set()).add(str(split))
    wanted = {metric: splits for metric, splits in found.items() if splits != {"train"}}
    if not found:
        known = sorted({str(name) for log in logs for name in log.events["metric"].unique()})
        shown = ", ".join(_comment(name) for name in known[:10])
        return [f"  losses: null  # a list of {{metric: ..., role: ...}}; there are: {shown}"]
    lines = ["  losses:"]
    for metric, splits in (wanted or found).items():
        parts = [f"metric: {_text(metric)}", f"role: {_role(metric)}"]
        if len(splits) > 1:
            parts.append("split: null")
        if splits == {"train"}:
            parts.append("window: null")
        if "perplexity" in metric.lower():
            parts.append("unit: perplexity")
        elif re.search(r"bits_per|bpb", metric):
            parts.append("unit: bits")
        lines.append(f"    - {{{', '.join(parts)}}}")
    if wanted and len(found) > len(wanted):
        names = ", ".join(_comment(metric) for metric in found if metric not in wanted)
        lines.append(f"    # training losses, of the mixture, are not offered: {names}")
    return lines


def _role(metric: str) -> str:
    words = {word for word in ("general", "domain") if word in metric.lower()}
    return words.pop() if len(words) == 1 else "null"


def _text(name: str) -> str:
    """Quote as JSON does: YAML reads it, whatever the name holds."""
    return json.dumps(name, ensure_ascii=True)


def _comment(text: str) -> str:
    plain = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in plain)[:300]
