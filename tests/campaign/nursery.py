"""A process that has loaded everything, and forks controllers: each starts at once.

Reads lines ``STORE NAME`` and answers each with the process id of a new controller; a line ``wait
PID`` is answered with its exit code when it has ended. A controller is a process of its own, which
may be killed like any other; only the seconds that loading takes are spared.
"""

from __future__ import annotations

import os
import sys
import traceback

import numpy as np
import pandas as pd

import bayescmr as bc
from bayescmr.campaign import open_store
from bayescmr.campaign.campaign import Campaign


def control(url: str, name: str) -> None:
    """Run a campaign to its end."""
    with open_store(url) as store:
        Campaign.open(store, name).run(interval=0.02, patience=0.3)


def warm_up() -> None:
    """Compile what fits need, so that a controller has time for more than that before it dies."""
    rows = [
        {"run": f"{ratio}", "size": 65_536, "domain": "code", "ratio": ratio, "tokens": tokens,
         "change_general": ratio * tokens / 40_000, "change_domain": -tokens / 40_000}
        for ratio in (0.3, 0.7)
        for tokens in np.geomspace(1_000, 40_000, 5).round()
    ]  # fmt: skip
    runs = bc.RunTable.from_frame(pd.DataFrame(rows))
    bc.fit(runs, seed=1, draws=20, tune=60, retries=0, cores=1)


def main() -> None:
    """Serve."""
    warm_up()
    for line in sys.stdin:
        words = line.split()
        if words[0] == "wait":
            _, status = os.waitpid(int(words[1]), 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            code = 0
            try:
                control(*words)
            except BaseException:
                traceback.print_exc()
                code = 1
            os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
