"""What every test shares: one thread per process, paths, and how hypothesis searches."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

# Before numpy is imported anywhere: BLAS reads these once, and two pytest workers with a
# thread pool each would fight for the same cores.
for _name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

# No deadline: the first call of a compiled function takes seconds. In CI the examples are
# the same on every run, so that a red build is red again.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: begun last, one would keep the run waiting for one worker."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that the stores of campaigns were not tested on PostgreSQL, if so."""
    reports = terminalreporter.stats.get("skipped", [])
    missed = [str(report.longrepr) for report in reports if "no PostgreSQL" in str(report.longrepr)]
    if missed:
        terminalreporter.section("NOT TESTED ON POSTGRESQL", bold=True, yellow=True)
        why = missed[0].partition("no PostgreSQL: ")[2].rstrip("')")
        terminalreporter.write_line(f"{len(missed)} tests were skipped: {why}.", bold=True)
        terminalreporter.write_line("To run them on Debian: apt-get install postgresql")


@contextlib.contextmanager
def _scripts(folder: Path) -> Iterator[None]:
    own = {path.stem for path in folder.glob("*.py")}
    for name in own:
        sys.modules.pop(name, None)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in own:
            sys.modules.pop(name, None)


@pytest.fixture(scope="session")
def scripts() -> Callable[[Path], contextlib.AbstractContextManager[None]]:
    """Scripts of a folder can be imported by name inside ``with scripts(folder)``, and only there.

    Case studies have scripts of the same names (``page``): none may meet another's.
    """
    return _scripts


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the tables that may not be redistributed; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no shared/data beside the checkout: its tables may not be redistributed")
    return SHARED_DATA


@pytest.fixture(scope="session")
def written_logs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of logs that a logger's own library has written, see tests/runs/logs/writers.py.

    A copy for each caller; workers of one session write each format once.
    """
    kept = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        kept = kept.parent

    def written(form: str) -> Path:
        shared = kept / f"logs-of-{form}"
        if not shared.is_dir():
            partial = tmp_path_factory.mktemp("writing")
            script = ROOT / "tests" / "runs" / "logs" / "writers.py"
            done = subprocess.run(
                [sys.executable, str(script), form, str(partial)],
                cwd=partial,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr
            # Another worker may have been quicker.
            with contextlib.suppress(OSError):
                partial.rename(shared)
        copy = tmp_path_factory.mktemp("copy") / "logs"
        shutil.copytree(shared, copy, symlinks=True)
        return copy

    return written
