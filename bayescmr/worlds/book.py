"""What was bought so far: runs, how far each is trained, and the table of their losses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pandas as pd

from bayescmr.design.outlook import Candidate
from bayescmr.planning.space import Made
from bayescmr.worlds.world import World

Key = tuple[float, float, int]


@dataclass
class Book:
    """Runs of one play, in the order in which they were begun.

    Parameters
    ----------
    world : World
        Where the losses come from.
    runs : dict
        By size, ratio and seed.
    spent : float
        FLOPs.
    """

    world: World
    runs: dict[Key, Made] = field(default_factory=dict)
    spent: float = 0.0

    def buy(self, candidate: Candidate, checkpoint: int, cost: float) -> None:
        """Pay for a run, or for going on with one, up to one of the candidate's checkpoints."""
        key = (candidate.size, candidate.ratio, candidate.seed)
        until = candidate.checkpoints[checkpoint]
        made = self.runs.get(key) or Made(
            f"{candidate.size:g}-{candidate.ratio:g}-{candidate.seed}",
            candidate.size, candidate.domain, candidate.ratio, candidate.seed, 0.0,
        )  # fmt: skip
        self.runs[key] = replace(made, until=until)
        self.spent += cost

    def deliver(self) -> None:
        """Let all that was paid for be trained."""
        for key, made in self.runs.items():
            if made.until is not None:
                self.runs[key] = replace(made, reached=made.until, until=None)

    @property
    def made(self) -> tuple[Made, ...]:
        """Runs as the outlook takes them."""
        return tuple(self.runs.values())

    def table(self) -> pd.DataFrame:
        """Losses of all that is trained, as a run table in wide form."""
        rows = []
        for (size, ratio, seed), made in self.runs.items():
            marks = self.world.space.checkpoints[size]
            losses = self.world.losses(size, ratio, seed)
            errors = self.world.se(size, ratio, seed)
            for tokens, change, se in zip(marks, losses, errors, strict=True):
                if tokens <= made.reached:
                    rows.append(
                        {
                            "run": made.run, "size": size, "domain": made.domain, "ratio": ratio,
                            "seed": seed, "tokens": tokens, "change_general": change,
                            "se_general": se,
                        }
                    )  # fmt: skip
        return pd.DataFrame(rows)
