"""With which runs a campaign begins; known before there is a store."""

from __future__ import annotations

from bayescmr.campaign.config import Config
from bayescmr.campaign.progress import runs_made
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
        They cost more than the budget, or the run table cannot be used.
    """
    table = None if config.runs is None else read_runs(config.runs)
    made = [] if table is None else runs_made(config, (), table.frame)
    return initial_design(config.space, made, config.budget)
