"""A process that has loaded everything, and forks controllers: each starts at once.

Reads lines ``STORE NAME`` and answers each with the process id of a new controller; a line ``wait
PID`` is answered with its exit code when it has ended. A controller is a process of its own, which
may be killed like any other; only the seconds that loading takes are spared.
"""

from __future__ import annotations

import os
import sys
import traceback

import bayescmr.campaign.campaign as campaigns
from bayescmr.campaign import open_store
from bayescmr.model import engine, kernels  # noqa: F401  (compiled code is loaded before the fork)


def control(url: str, name: str) -> None:
    """Run a campaign to its end."""
    with open_store(url) as store:
        campaigns.Campaign.open(store, name).run(interval=0.02, patience=1.0)


def main() -> None:
    """Serve."""
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
