"""Checks of the environment: Python, packages, cache, memory, extras. Nothing is changed.

Names of folders are told with ``~`` for the home folder; nothing is read of variables but
where numba and BLAS are told to work.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from bayescmr import machine
from bayescmr.checks.outcome import Check, judged

NAME = "bayescmr"
#: A fit of the published runs, figures included, peaks at 0.6 GB.
MEMORY_GB = 1.0
#: Extras for those who work on the package itself; their packages are not imported.
_DEVELOPERS = ("dev",)
_DECLARED = "declared by the package"


def examine(*, thorough: bool = False) -> list[Check]:
    """Examine the environment.

    Parameters
    ----------
    thorough : bool
        Import every package, extras included, and compile and run a small fit: half a minute.

    Returns
    -------
    list of Check
        FAIL where fits cannot run, REVIEW where they run badly, NOT RUN for extras that are absent.
    """
    try:
        about = metadata(NAME)
    except PackageNotFoundError:
        return [_not_installed()]
    checks = [python_version(about["Requires-Python"]), *packages(), models(), numba_cache()]
    checks += [cores(), memory(), encoding()]
    checks += [extra(name, thorough=thorough) for name in about.get_all("Provides-Extra") or ()]
    if thorough:
        checks += [imports(), compile_and_fit()]
    return checks


def python_version(wanted: str) -> Check:
    """Python is new enough."""
    found = platform.python_version()
    return judged(
        "Python",
        SpecifierSet(wanted).contains(found, prereleases=True),
        value=f"{found} ({platform.python_implementation()}, {platform.system()})",
        threshold=wanted,
        source=_DECLARED,
        advice=f"Make an environment with another Python ({wanted}) and install {NAME} there.",
        otherwise="FAIL",
    )


def packages() -> Iterator[Check]:
    """Every package that is always needed is there, and new enough."""
    for requirement in requirements(""):
        found = _installed(requirement.name)
        yield judged(
            requirement.name,
            found is not None and requirement.specifier.contains(found, prereleases=True),
            value=found or "not installed",
            threshold=str(requirement.specifier) or "any",
            source=_DECLARED,
            advice=f"{_pip()} install '{requirement.name}{requirement.specifier}'",
            otherwise="FAIL",
        )


def models() -> Check:
    """The models that ship with the package are there."""
    from bayescmr.model.spec import model_names

    names = model_names()
    return judged(
        "models",
        bool(names),
        value=", ".join(names) or "none",
        threshold="at least one",
        source="they are files of the package",
        advice=f"The installation is not whole: {_pip()} install --force-reinstall {NAME}",
        otherwise="FAIL",
    )


def numba_cache() -> Check:
    """What numba compiles may be kept for the next process."""
    told = os.environ.get("NUMBA_CACHE_DIR")
    spec = find_spec("bayescmr.model")
    beside = Path(str(spec.origin)).parent if spec else Path()
    candidates = [Path(told)] if told else [beside / "__pycache__", _user_cache() / "numba"]
    place = next((folder for folder in candidates if _writable(folder)), None)
    return judged(
        "numba cache",
        place is not None,
        value=_tilde(str(place)) if place else "no folder that can be written to",
        threshold="a folder that can be written to",
        source="without it every process compiles for tens of seconds",
        advice="export NUMBA_CACHE_DIR=/a/folder/of/yours",
    )


def cores() -> Check:
    """Chains may run beside each other."""
    found = machine.cores()
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    return judged(
        "cores",
        found >= 2,
        value=f"{found} for this process; OMP_NUM_THREADS {threads}",
        threshold="2 or more",
        source="a fit runs 4 chains, one to a core",
        advice="Fits take longer, and are the same. Ask the scheduler for 4 cores.",
    )


def memory() -> Check:
    """There is memory for a fit."""
    free = _free_gb()
    return judged(
        "memory",
        free is None or free >= MEMORY_GB,
        value="not known here" if free is None else f"{free:.1f} GB available",
        threshold=f"{MEMORY_GB:g} GB",
        source="a fit of the published runs takes 0.6 GB at its peak",
        advice="Close other programs, or ask the scheduler for more.",
    )


def encoding() -> Check:
    """The terminal can show what is printed."""
    found = (sys.stdout.encoding or "unknown").lower()
    return judged(
        "text encoding",
        found.replace("-", "") == "utf8",
        value=found,
        threshold="utf-8",
        source="tables hold ± and Greek letters",
        advice="export PYTHONUTF8=1",
    )


def extra(name: str, *, thorough: bool = False) -> Check:
    """Packages of an extra are there and new enough; where ``thorough``, they can be imported."""
    lacking = [
        f"{r.name} {_installed(r.name) or 'not installed'} (wanted {r.specifier})"
        for r in requirements(name)
        if not r.specifier.contains(_installed(r.name) or "0", prereleases=True)
    ]
    mend = f"{_pip()} install '{NAME}[{name}]'"
    if lacking:
        return Check(f"extra {name}", "NOT RUN", "; ".join(lacking), "all", _DECLARED, mend)
    found = ", ".join(f"{r.name} {_installed(r.name)}" for r in requirements(name))
    broken = ""
    if thorough and name not in _DEVELOPERS:
        broken = _import_error([r.name for r in requirements(name)])
    return judged(
        f"extra {name}",
        not broken,
        value=broken or found,
        threshold="installed" + (" and importable" if thorough else ""),
        source=_DECLARED,
        advice=f"{mend} --force-reinstall",
    )


def imports() -> Check:
    """Every package that is always needed can be imported."""
    broken = _import_error([r.name for r in requirements("")])
    return judged(
        "imports",
        not broken,
        value=broken or "all packages can be imported",
        threshold="no error",
        source="a wheel for another machine is installed as well as a right one",
        advice=f"{_pip()} install --force-reinstall {NAME}",
        otherwise="FAIL",
    )


def compile_and_fit() -> Check:
    """The sampler compiles and runs, in a process of its own."""
    code = (
        "import bayescmr as bc; from bayescmr.checks.sbc import default_design;"
        "bc.fit(default_design(), seed=1, draws=25, tune=25, retries=0)"
    )
    broken = _child(code)
    return judged(
        "compile and sample",
        not broken,
        value=broken or "a small fit has run",
        threshold="no error",
        source="the likelihood is compiled by numba on this machine",
        advice="Look at the numba and nutpie lines above; report the error with this page.",
        otherwise="FAIL",
    )


# -- parts ----------------------------------------------------------------------------------


def requirements(extra: str) -> list[Requirement]:
    """Return what the package, or one of its extras, needs on this machine."""
    found = []
    here = {str(key): str(value) for key, value in default_environment().items()}
    for text in metadata(NAME).get_all("Requires-Dist") or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None:
            wanted = extra == ""
        else:
            wanted = marker.evaluate(here | {"extra": extra}) and (
                extra == "" or not marker.evaluate(here | {"extra": ""})
            )
        if wanted:
            found.append(requirement)
    return sorted(found, key=lambda r: r.name)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _not_installed() -> Check:
    return Check(
        NAME,
        "FAIL",
        "not installed: only its files are on the path",
        "installed",
        "versions are read from what is installed",
        f"{_pip()} install .",
    )


def _import_error(names: list[str]) -> str:
    """Import distributions in another process; return the last line of what went wrong, or ""."""
    wanted = {canonicalize_name(name) for name in names}
    modules = sorted(
        module
        for module, owners in packages_distributions().items()
        # A module that two distributions share is a namespace, of which no more is known.
        if module.isidentifier()
        and [canonicalize_name(o) for o in owners]
        and ({canonicalize_name(o) for o in owners} <= wanted and not module.startswith("_"))
    )
    return _child("; ".join(f"import {module}" for module in modules)) if modules else ""


def _child(code: str) -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "not done after 10 minutes"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
    return _tilde(lines[-1])


def _writable(folder: Path) -> bool:
    """Return whether a file can be made in a folder, or in the parent where it would be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _free_gb() -> float | None:
    """Memory that a process may still take, in GB; None where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1e6
    except (OSError, ValueError):
        return None
    return None


def _tilde(text: str) -> str:
    home = str(Path.home())
    return text if home in ("/", "") else text.replace(home, "~")


def _pip() -> str:
    return "pip" if find_spec("pip") else "uv pip"
