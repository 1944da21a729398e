"""Which run is which: a name made of what decides it."""

from __future__ import annotations

import hashlib
import json

from bayescmr.campaign.config import Config
from bayescmr.design.outlook import Candidate


def run_name(config: Config, candidate: Candidate) -> str:
    """Return the name of a run: 12 digits of the SHA-256 of what decides its losses.

    Parameters
    ----------
    config : Config
        Gives length, checkpoints, command and settings.
    candidate : Candidate
        The run, new or begun.
    """
    decides = {
        "size": candidate.size,
        "domain": candidate.domain,
        "ratio": candidate.ratio,
        "seed": candidate.seed,
        "checkpoints": list(config.space.checkpoints[candidate.size]),
        "command": [] if config.probe is None else list(config.probe.command),
        "settings": {} if config.probe is None else config.probe.of(candidate.size),
    }
    text = json.dumps(decides, sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
