"""The lock, the metadata, and the wheel as a stranger would install it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK_LINE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*==[0-9][0-9a-z.!]*(?: ; [^#@/]+)?")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from this checkout's Python path; return what it printed."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    # A wide page, and no colours, so that tables are not cut.
    env |= {"COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def pyproject(repo_root: Path) -> dict[str, Any]:
    return tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def lock_lines(repo_root: Path) -> list[str]:
    return (repo_root / "requirements.lock").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def wheel(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=repo_root)
    (built,) = folder.glob("*.whl")
    return built


def model_names(repo_root: Path) -> set[str]:
    names = {path.name for path in (repo_root / "models").glob("*.yaml")}
    assert "turning_point.yaml" in names
    return names


# --- the lock ---------------------------------------------------------------------------


def test_lock_holds_names_and_versions_only(lock_lines: list[str]) -> None:
    odd = [line for line in lock_lines if not LOCK_LINE.fullmatch(line)]
    assert odd == [], "requirements.lock may hold only `name==version[ ; marker]` lines"
    for line in lock_lines:
        Requirement(line)  # the marker must parse


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "numpy>=2.3",
        "numpy==2.5.5 --hash=sha256:00",
        "numpy==2.5.5  # via scipy",
        "numpy @ file:///somewhere/numpy.whl",
        "-e .",
        "",
    ],
)
def test_lock_rule_refuses_hosts_hashes_paths_and_ranges(line: str) -> None:
    assert LOCK_LINE.fullmatch(line) is None


def test_lock_is_sorted_and_has_each_line_once(lock_lines: list[str]) -> None:
    names = [Requirement(line).name for line in lock_lines]
    assert names == sorted(names)
    assert len(set(lock_lines)) == len(lock_lines)


def test_every_declared_dependency_is_locked_within_its_bounds(
    pyproject: dict[str, Any], lock_lines: list[str]
) -> None:
    project = pyproject["project"]
    extras = project["optional-dependencies"].values()
    declared = [
        *pyproject["build-system"]["requires"],
        *project["dependencies"],
        *(requirement for extra in extras for requirement in extra),
    ]
    locked: dict[str, list[str]] = {}
    for line in lock_lines:
        entry = Requirement(line)
        locked.setdefault(entry.name, []).append(str(entry.specifier).removeprefix("=="))

    for requirement in map(Requirement, declared):
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in requirements.lock: run `make lock`"
        for version in versions:
            assert requirement.specifier.contains(version), (
                f"requirements.lock has {requirement.name} {version}, pyproject.toml asks for "
                f"{requirement}: run `make lock`"
            )


def test_dependencies_have_lower_bounds_only(pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(line for extra in extras for line in extra)]:
        operators = [specifier.operator for specifier in Requirement(text).specifier]
        assert operators == [">="], f"{text}: exact versions belong into requirements.lock"


# --- the metadata -----------------------------------------------------------------------


def test_citation_names_the_version_and_licence_of_the_package(
    repo_root: Path, pyproject: dict[str, Any]
) -> None:
    citation = yaml.safe_load((repo_root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == pyproject["project"]["version"]
    assert citation["license"] == pyproject["project"]["license"]


def test_make_installs_every_extra_for_the_tests(
    repo_root: Path, pyproject: dict[str, Any]
) -> None:
    """All but what only `make benchmark` needs."""
    makefile = (repo_root / "Makefile").read_text(encoding="utf-8")
    (extras,) = re.findall(r"^EXTRAS := (\S+)$", makefile, flags=re.MULTILINE)
    needed = set(pyproject["project"]["optional-dependencies"]) - {"benchmark"}
    assert set(extras.split(",")) == needed


# --- the wheel and the source archive ---------------------------------------------------


def test_wheel_holds_code_models_data_and_licence(
    wheel: Path, repo_root: Path, pyproject: dict[str, Any]
) -> None:
    version = pyproject["project"]["version"]
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for model in model_names(repo_root):
            packed = archive.read(f"bayescmr/_models/{model}")
            assert packed == (repo_root / "models" / model).read_bytes()

    package = repo_root / "bayescmr"
    data = {path for path in (package / "data").rglob("*") if path.is_file()}
    data = {path for path in data if "__pycache__" not in path.parts}
    assert data, "bayescmr/data is empty: the demonstration has no table to read"
    tokenizer = package / "probes" / "tokenizers" / "bpe1024.json"
    expected = data | set(package.rglob("*.py")) | {package / "py.typed", tokenizer}
    assert {path.relative_to(repo_root).as_posix() for path in expected} <= names

    info = f"bayescmr-{version}.dist-info"
    assert f"{info}/licenses/LICENSE" in names
    assert {name.split("/")[0] for name in names} == {"bayescmr", info}


def test_a_store_opens_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Its migrations are files of the package that are looked up by name."""
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    with zipfile.ZipFile(wheel) as archive:
        assert "bayescmr/campaign/migrations/script.py.mako" in archive.namelist()
        archive.extractall(tmp_path / "installed")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "import bayescmr\n"
        "from bayescmr.campaign import open_store\n"
        "with open_store('store.db') as store: store.create('law', {})\n"
        "print(bayescmr.__file__)"
    )
    place = run(sys.executable, "-W", "error", "-c", code, cwd=tmp_path).strip()
    assert Path(place).is_relative_to(tmp_path / "installed"), "the checkout was imported"
    assert (tmp_path / "store.db").stat().st_size > 0


def test_source_archive_holds_what_building_and_testing_need(
    repo_root: Path, tmp_path: Path
) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=repo_root)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"models/{model}" for model in model_names(repo_root)} <= names
    assert {
        "CITATION.cff",
        "LICENSE",
        "Makefile",
        "README.md",
        "bayescmr/__init__.py",
        "pyproject.toml",
        "requirements.lock",
        "tests/test_packaging.py",
    } <= names
    outside = {".venv", ".tools", "demo", "dist"}
    assert not {name for name in names if name.split("/")[0] in outside}


def find_uv(repo_root: Path) -> Path | None:
    """Return the uv that `make` uses, or None."""
    found = shutil.which("uv")
    private = repo_root / ".tools" / "uv" / "bin" / "uv"
    if found is not None:
        return Path(found)
    return private if private.exists() else None


def install_into_empty_environment(wheel: Path, folder: Path, repo_root: Path) -> Path:
    """Make an environment that holds the wheel and its locked dependencies; return its bin."""
    lock = repo_root / "requirements.lock"
    scripts = folder / "bin"
    uv = find_uv(repo_root)
    if uv is not None:
        run(uv, "venv", "--python", sys.executable, folder, cwd=folder.parent)
        install: list[str | Path] = [uv, "pip", "install", "--python", scripts / "python"]
    else:
        run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
        install = [scripts / "python", "-m", "pip", "install"]
    run(*install, "--constraint", lock, wheel, cwd=folder.parent)
    return scripts


@pytest.mark.slow
def test_installed_wheel_lists_and_shows_its_models(
    wheel: Path, repo_root: Path, tmp_path: Path, pyproject: dict[str, Any]
) -> None:
    scripts = install_into_empty_environment(wheel, tmp_path / "venv", repo_root)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    question = (
        "import bayescmr, importlib.metadata as m; print(m.version('bayescmr'), bayescmr.__file__)"
    )
    version, place = run(scripts / "python", "-c", question, cwd=elsewhere).split()
    assert version == pyproject["project"]["version"]
    assert Path(place).is_relative_to(tmp_path / "venv"), "the checkout was imported"

    listed = run(scripts / "bayescmr", "models", cwd=elsewhere)
    for model in model_names(repo_root):
        assert Path(model).stem in listed
    shown = run(scripts / "bayescmr", "models", "show", "turning_point", cwd=elsewhere)
    assert "turning_point" in shown
    assert list(elsewhere.iterdir()) == [], "listing models must write nothing"
