"""A space of runs from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bayescmr.errors import DesignError
from bayescmr.fields import Fields, Reader
from bayescmr.planning.cost import Cost
from bayescmr.planning.space import LEAST_TOKENS, Space
from bayescmr.values import is_number, key_number
from bayescmr.yaml_loader import parse_yaml

_KEYS = (
    "sizes", "ratios", "tokens", "checkpoints", "step_tokens", "seeds", "min_tokens", "run_flops",
    "cost",
)  # fmt: skip
_COST = ("training", "evaluation_tokens", "setup")


def read_space(path: str | Path, domain: str) -> Space:
    """Read a space from a YAML file that holds nothing else.

    Raises
    ------
    DesignError
        With every problem of the file, one per line.
    """
    source = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise DesignError(f"{source}: cannot read the space of runs: {reason}") from None
    reader = Reader(source, DesignError)
    data = parse_yaml(text, source, "a space of runs", DesignError)
    space = space_of(reader, data, "", domain)
    reader.raise_if_any()
    assert space is not None
    return space


def space_of(reader: Reader, data: Any, where: str, domain: str) -> Space | None:
    """Read a space from plain data; problems go to the reader, and then there is none."""
    fields = reader.fields(data, where, _KEYS)
    sizes = _numbers(fields, "sizes", "a list of parameter counts, for example [1e8, 4e8]")
    ratios = _numbers(fields, "ratios", "a list of shares in [0, 1], for example [0, 0.25, 0.5, 1]")
    tokens = _by_size(fields, "tokens", sizes)
    marks = fields.get("checkpoints", 8)
    step = _number(fields, "step_tokens", 1, "tokens of one optimiser step, a whole number >= 1")
    fields.check("step_tokens", step >= 1 and step == int(step), "a whole number >= 1")
    if not reader.problems:
        least_run = min(tokens.values(), default=step)
        # Runs are rounded up to whole steps.
        fields.check("step_tokens", step <= least_run, f"at most a full run, {least_run:g} tokens")
    seeds = fields.get("seeds", 3)
    costs = reader.fields(fields.get("cost", {}), fields.path("cost"), _COST)
    cost = {k: _number(costs, k, getattr(Cost, k), "a number") for k in _COST if costs.has(k)}
    checkpoints: Mapping[float, tuple[float, ...]] = {}
    if isinstance(marks, list):
        every = tuple(_numbers(fields, "checkpoints", "a list of tokens, or how many there are"))
        checkpoints = {n: tuple(m for m in every if m <= tokens[n]) for n in sizes}
    else:
        good = isinstance(marks, int) and not isinstance(marks, bool) and marks >= 1
        fields.check("checkpoints", good, "a list of tokens, or a whole number >= 1 of them")
        if good and step >= 1:
            checkpoints = {n: spaced(tokens[n], marks, int(step)) for n in sizes}
    least = _number(fields, "min_tokens", LEAST_TOKENS, f"tokens, at least {LEAST_TOKENS:g}")
    most = _number(fields, "run_flops", float("inf"), "FLOPs")
    if reader.problems:
        return None
    try:
        return Space(
            domain=domain,
            sizes=tuple(sizes),
            ratios=tuple(ratios),
            checkpoints=checkpoints,
            seeds=seeds,
            cost=Cost(**cost),
            min_tokens=least,
            run_flops=most,
        )
    except DesignError as error:
        reader.refuse(where, error, "space")
        return None


def spaced(tokens: float, count: int, step_tokens: int) -> tuple[float, ...]:
    """Tokens at which `bayescmr probe` measures: evenly in ln tokens from a 64th of the run.

    Parameters
    ----------
    tokens : float
        Length of the run; rounded up to whole steps.
    count : int
        Number of checkpoints.
    step_tokens : int
        Tokens of one optimiser step.
    """
    from bayescmr.probes.config import spaced_steps

    last = -(-int(tokens) // step_tokens)
    return tuple(float(step * step_tokens) for step in spaced_steps(last, count) if step > 0)


def _numbers(fields: Fields, key: str, expected: str) -> list[float]:
    values = fields.list(key, expected)
    if not values or not all(is_number(v) for v in values):
        fields.check(key, not fields.has(key), expected)
        return []
    return [float(v) for v in values]


def _number(fields: Fields, key: str, default: float, expected: str) -> float:
    return fields.number(key, expected) if fields.has(key) else default


def _by_size(fields: Fields, key: str, sizes: list[float]) -> dict[float, float]:
    """One number for all sizes, or a mapping from size to number."""
    value = fields.get(key)
    if not isinstance(value, dict):
        one = fields.number(key, "tokens of a full run, or a mapping from size to tokens")
        fields.check(key, one >= 1, "tokens >= 1")
        return dict.fromkeys(sizes, one)
    found = {key_number(k): float(v) for k, v in value.items() if is_number(v)}
    for size in sizes:
        if not found.get(size, 0.0) >= 1:
            fields.reader.add(fields.path(key), f"none for size {size:g}", "tokens for every size")
    return {size: found.get(size, 1.0) for size in sizes}
