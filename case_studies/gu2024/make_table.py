"""Write runs.csv: Table 4 of Gu et al. (2024) evaluated at 16 checkpoints per run.

    python case_studies/gu2024/make_table.py [FILE]

Deterministic: the same file on every machine. A test checks that the committed
runs.csv is what this script writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bayescmr import gu2024

HERE = Path(__file__).resolve().parent


def write(path: Path) -> None:
    """Write the run table to ``path``: sizes and tokens as whole numbers, LF line ends."""
    table = gu2024.trajectories().astype({"size": "int64", "tokens": "int64"})
    table.to_csv(path, index=False, lineterminator="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "runs.csv")
