"""States of the stop rules as plain data, so that a campaign remembers them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bayescmr.design.floor import Floor
from bayescmr.design.model_check import ModelCheck
from bayescmr.design.precision import Estimate
from bayescmr.design.stopping import State

#: JSON has no infinity.
_INFINITE = "infinite"


def state_to(state: State) -> dict[str, Any]:
    """Return a state as plain JSON data."""
    found: dict[str, Any] = _plain(asdict(state))
    return found


def state_from(data: Mapping[str, Any]) -> State:
    """Return the state that :func:`state_to` was given."""
    values = {key: _number(value) for key, value in data.items()}
    for key in ("width", "regret", "evpi"):
        values[key] = Estimate(**data[key])
    values["floor"] = Floor(**data["floor"])
    if data["checks"] is not None:
        values["checks"] = tuple(
            ModelCheck(
                check["name"],
                check["passed"],
                _number(check["value"]),
                check["sentence"],
                # Campaigns begun before checks had one go on.
                tuple(span) if (span := check.get("span")) else None,
            )
            for check in data["checks"]
        )
    return State(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else _INFINITE if value > 0 else f"-{_INFINITE}"
    return value


def _number(value: Any) -> Any:
    words = {"nan": math.nan, _INFINITE: math.inf, f"-{_INFINITE}": -math.inf}
    return words.get(value, value) if isinstance(value, str) else value
