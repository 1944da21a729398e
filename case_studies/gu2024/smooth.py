"""What a fit makes of curves without scatter, and how large an error they must state.

    python case_studies/gu2024/smooth.py

fits the published curves with errors that are stated (se_general), and with errors that are added
and not stated, and prints the table of README.md, *Smooth curves*. About five minutes.
"""

from __future__ import annotations

import numpy as np

import bayescmr as bc
from bayescmr import gu2024

SIZES = (460e6, 3.1e9)
#: Where ratios on either side were trained.
TOLERANCE = 0.02
ERRORS = (1e-6, 1e-5, 3e-5, 1e-4, 3e-4)
CASES = [("none", 0.0), *((kind, error) for kind in ("stated", "added") for error in ERRORS)]


def main() -> None:
    """Fit every case and print it."""
    table = gu2024.trajectories().drop(columns=["change_domain", "se_domain"])
    luck = np.random.default_rng(1).standard_normal(len(table))
    print("| error, nats | is | 460M | 3.1B |\n| --- | --- | --- | --- |")
    for kind, error in CASES:
        added = error * luck if kind == "added" else 0.0
        frame = table.assign(
            change_general=table["change_general"] + added,
            se_general=error if kind == "stated" else 0.0,
        )
        posterior = bc.fit(bc.RunTable.from_frame(frame), seed=1)
        found = []
        for size in SIZES:
            cmr = posterior.cmr(bc.Target(size, "finance", gu2024.BUDGET, TOLERANCE))
            lower, upper = cmr.interval(0.9)
            state = "" if posterior.converged else ", not converged"
            found.append(f"{cmr.summary().median:.3f} [{lower:.3f}, {upper:.3f}]{state}")
        print(f"| {error:.0e} | {kind} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main()
