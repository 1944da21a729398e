"""Runners by name, with the options of ``campaign.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayescmr.errors import CampaignError
from bayescmr.runners.base import Runner

#: Options that are about jobs, not about the runner.
PER_PROBE = ("gpus_per_probe", "cpus_per_probe", "minutes")
KINDS = ("local", "slurm", "ray")


def runner_of(options: Mapping[str, Any]) -> Runner:
    """Make the runner that a campaign asks for.

    Parameters
    ----------
    options : mapping
        ``kind`` and what the runner's class takes; see its docstring.

    Raises
    ------
    CampaignError
        An unknown kind or option, or an extra that is not installed.
    """
    kind = options.get("kind")
    own = {k: v for k, v in options.items() if k != "kind" and k not in PER_PROBE}
    try:
        if kind == "local":
            from bayescmr.runners.local import LocalRunner

            return LocalRunner(**own)
        if kind == "slurm":
            from bayescmr.runners.slurm import SlurmRunner

            return SlurmRunner(**own)
        if kind == "ray":
            from bayescmr.runners.ray import RayRunner

            return RayRunner(**own)
    except TypeError as error:
        raise CampaignError(f"runner: {kind}: {error}; see the docs of its options") from None
    raise CampaignError(f"runner: kind: got {kind!r}, expected one of {', '.join(KINDS)}")
