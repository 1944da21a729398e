"""With which runs a campaign begins; known before there is a store."""

from __future__ import annotations

from bayescmr.campaign.config import Config
from bayescmr.campaign.progress import runs_made
from bayescmr.errors import DesignError
from bayescmr.planning.initial import First, initial_design
from bayescmr.runs import read_runs


def first_runs(config: Config) -> tuple[First, ...]:
    """Tell which runs a new campaign begins with.

    Parameters
    ----------
    config : Config
        What it is told; its run table counts.

    Returns
    -------
    tuple of First
        None where the run table has enough of them.

    Raises
    ------
    DesignError, RunTableError
        The budget buys none of these runs, or of any if none is needed; or the run table cannot
        be used.
    """
    table = None if config.runs is None else read_runs(config.runs)
    made = [] if table is None else runs_made(config, (), table.frame)
    space = config.space
    costs = [
        float(space.flops(c.size, c.reached, c.checkpoints)[0]) for c in space.candidates(made)
    ]
    if costs and config.budget < min(costs):
        raise DesignError(
            f"budget: got {config.budget:.3g} FLOPs, expected at least the {min(costs):.3g} of the"
            " cheapest run of the space to its first checkpoint"
        )
    return initial_design(space, made, config.budget)
