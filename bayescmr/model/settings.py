"""How to sample: the defaults of the library and of the command line, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bayescmr.errors import ModelError

Sampler = Literal["nutpie", "pymc"]


@dataclass(frozen=True)
class Settings:
    """How to sample.

    Parameters
    ----------
    seed : int
        Same seed, same draws, whatever the number of cores.
    draws, tune, chains : int
        Kept and warm-up draws per chain; number of chains (>= 4 for R-hat). Four fifths of the
        warm-up are a rehearsal, from which all chains together learn how to move
        (:mod:`bayescmr.model.frame`).
    target_accept : float
        Acceptance rate in (0, 1) that the step size aims at.
    retries : int
        How often a loss whose draws have not converged is sampled again; see
        :mod:`bayescmr.posterior.remedy`.
    max_checkpoints : int
        Trajectories of more are averaged within as many steps of ln tokens
        (:mod:`bayescmr.model.thinning`). With 24 steps over two decades of tokens
        the bend of a published curve within a step is 2e-5 nats at most.
    cores : int or None
        None uses all.
    sampler : {"nutpie", "pymc"}
        The likelihood is a numba kernel, so JAX samplers cannot run it.
    progress : bool
        Show a progress bar.
    """

    seed: int
    draws: int = 1000
    tune: int = 500
    chains: int = 4
    target_accept: float = 0.95
    retries: int = 2
    max_checkpoints: int = 24
    cores: int | None = None
    sampler: Sampler = "nutpie"
    progress: bool = False

    def __post_init__(self) -> None:
        if self.sampler not in ("nutpie", "pymc"):
            raise ModelError(
                f"sampler: got {self.sampler!r}, expected nutpie or pymc (JAX samplers cannot run"
                " the numba likelihood)"
            )
        counts = (
            ("draws", 1), ("tune", 1), ("chains", 1), ("retries", 0), ("max_checkpoints", 4),
            ("seed", 0), ("cores", 1),
        )  # fmt: skip
        for name, least in counts:
            value = getattr(self, name)
            if name == "cores" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ModelError(f"{name}: got {value!r}, expected a whole number >= {least}")
        accept: Any = self.target_accept
        if not (isinstance(accept, int | float) and 0 < accept < 1):
            raise ModelError(
                f"target_accept: got {self.target_accept!r}, expected a number in (0, 1)"
            )


@dataclass(frozen=True)
class Effort:
    """Draws of a refit, of which there may be dozens.

    Parameters
    ----------
    draws, tune : int
        Kept and warm-up draws per chain.
    """

    draws: int = 1000
    tune: int = 600


@dataclass
class Timing:
    """Seconds spent in each stage."""

    build: float = 0.0
    compile: float = 0.0
    sample: float = 0.0
    post_process: float = 0.0
