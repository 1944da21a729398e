"""The campaign: bases of cpu_probes where absent, then runs until it is decided, then an export.

    python case_studies/active_cpu/run.py --work build

May be stopped and called again: what is done is not done twice. Takes an hour or more on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "cpu_probes"))

import grid  # noqa: E402

NAME = "legal"
#: Of the export, what the page needs; options and ledger are large, and stay in the store.
KEPT = ("campaign.json", "runs.csv", "rounds.csv", "attempts.csv")


def main() -> None:
    """Make what is missing, run, export."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=Path("build"))
    words = parser.parse_args()
    probes, home = words.work / "cpu_probes", words.work / "active_cpu"
    grid.run_all([["corpora", "general", *grid.DOMAINS, "--out", str(probes / "corpora")]], 1)
    grid.run_all([grid.base_command(probes, size, 1) for size in grid.SIZES], 2)
    home.mkdir(parents=True, exist_ok=True)
    store = ["--store", str(home / "store.db")]
    # Probes are started by the name `python`, which is to be this one.
    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": folders}

    def campaign(*command: str) -> int:
        program = [sys.executable, "-m", "bayescmr", "campaign", *command]
        return subprocess.run([*program, *store], env=environment, check=False).returncode

    if not (home / "store.db").exists():
        campaign("new", str(HERE / "campaign.yaml"))
    # 3: it ended without a certificate, which is a result, too.
    if (code := campaign("run", NAME)) not in (0, 3):
        raise SystemExit(code)
    export = home / "export"
    shutil.rmtree(export, ignore_errors=True)
    campaign("export", NAME, "--out", str(export))
    keep(export)


def keep(export: Path) -> None:
    """Copy what the page needs, without what is of this machine alone: folders and processes."""
    for name in KEPT:
        shutil.copy(export / name, HERE / name)
    attempts = pd.read_csv(HERE / "attempts.csv").drop(columns=["handle", "reason"])
    attempts.to_csv(HERE / "attempts.csv", index=False)
    about = json.loads((HERE / "campaign.json").read_text(encoding="utf-8"))
    for key in ("folder", "root"):
        about["config"].pop(key, None)
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (HERE / "campaign.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
