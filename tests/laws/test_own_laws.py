"""Laws of others: registered in a process, or by an entry point of an installed package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bayescmr.laws as laws
from bayescmr.errors import ModelError
from bayescmr.laws.shift_gain import ShiftGain


class Mine(ShiftGain):
    """Another name for a shipped law is enough here."""

    name = "mine"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    known = dict(laws._LAWS)
    yield
    laws._LAWS.clear()
    laws._LAWS.update(known)


def test_a_registered_law_is_found_by_name() -> None:
    with pytest.raises(ModelError, match="mine"):
        laws.get_law("mine")
    laws.register_law(Mine())
    assert isinstance(laws.get_law("mine"), Mine)
    assert "mine" in laws.law_names()
    laws.register_law(Mine())  # again, as a notebook cell would


@pytest.mark.parametrize(
    ("law", "message"),
    [(Mine, "expected an instance"), ("mine", "expected an instance"), (None, "got None")],
)
def test_what_is_no_law_is_refused(law: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        laws.register_law(law)  # type: ignore[arg-type]


def test_a_name_belongs_to_one_law() -> None:
    class Thief(ShiftGain):
        name = "turning_point"

    with pytest.raises(ModelError, match="'turning_point', which TurningPoint has"):
        laws.register_law(Thief())


def test_a_law_of_an_installed_package_is_found_by_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "their_laws.py").write_text(
        "from bayescmr.laws.shift_gain import ShiftGain\n"
        "class Their(ShiftGain):\n    name = 'theirs'\n"
    )
    about = tmp_path / "their_laws-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-laws\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[bayescmr.laws]\ntheirs = their_laws:Their\n")
    model = (Path(__file__).parents[2] / "models" / "shift_gain.yaml").read_text()
    model = model.replace("law: shift_gain", "law: theirs").replace("name: shift_gain", "name: m")
    (tmp_path / "m.yaml").write_text(model)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from bayescmr.cli.app import run\n"
        f"raise SystemExit(run(['models', 'show', {str(tmp_path / 'm.yaml')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Shift-gain law" in done.stdout
