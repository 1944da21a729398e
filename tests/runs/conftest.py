"""Small tables, and a way to read the message of a refused one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescmr.errors import RunTableError
from bayescmr.runs import RunTable, read_runs

HEADER = "run,size,domain,ratio,tokens,loss_general"
ROWS = (
    "a,1e8,law,0.25,0,3.0",
    "a,1e8,law,0.25,1e6,3.1",
    "a,1e8,law,0.25,2e6,3.2",
    "b,1e8,law,0.5,1e6,3.3",
)


@pytest.fixture
def lines() -> list[str]:
    """Lines of a good CSV in wide form: line 1 is the header, run b shares the base of run a."""
    return [HEADER, *ROWS]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes | list[str], name: str = "runs.csv") -> Path:
        path = tmp_path / name
        if isinstance(text, list):
            text = "\n".join(text) + "\n"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def refused(write: Callable[..., Path]) -> Callable[..., str]:
    """Message of the error for a text; the name of the file is checked here, once for all."""

    def refused(text: str | bytes | list[str], name: str = "runs.csv", **options: float) -> str:
        path = write(text, name)
        with pytest.raises(RunTableError) as caught:
            read_runs(path, **options)
        message = str(caught.value)
        for line in message.splitlines():
            assert line.startswith(f"{path}: ") or line.startswith("... and "), line
        return message.replace(f"{path}: ", "")

    return refused


@pytest.fixture
def refused_frame() -> Callable[[pd.DataFrame], str]:
    def refused_frame(frame: pd.DataFrame) -> str:
        with pytest.raises(RunTableError) as caught:
            RunTable.from_frame(frame)
        return str(caught.value)

    return refused_frame


@pytest.fixture
def wide() -> pd.DataFrame:
    """Two sizes, two domains, three general sets, a domain loss and standard errors."""
    rng = np.random.default_rng(0)
    rows = []
    for size in (1e7, 1e8):
        for domain in ("law", "Medizin ü"):
            for ratio in (0.0, 0.25, 1.0):
                for tokens in (0, 1_000_000, 2_000_000, 4_000_000):
                    rows.append((f"{size:g}-{domain}-{ratio}", size, domain, ratio, tokens))
    frame = pd.DataFrame(rows, columns=["run", "size", "domain", "ratio", "tokens"])
    sets = ("loss_general", "loss_general:web", "loss_general:code", "loss_domain")
    for name in sets:
        # Full double precision on purpose: text formats must carry it.
        frame[name] = 3.0 + rng.random(len(frame))
    frame["se_general"] = 0.01
    frame["se_general:code"] = 0.1 / 3
    frame["se_domain"] = 0.02
    frame["seed"] = 7
    frame["lr"] = 3e-4
    return frame
