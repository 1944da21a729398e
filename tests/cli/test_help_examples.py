"""Every example of every `--help` is a command that works.

All are parsed by the command that they call, with its rules for values and files; those that
train, simulate or fit for long are not run here (fits and probes have tests of their own), the
others are.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import typer

from bayescmr.cli.app import app, run

MAPPING = """\
schema: 1
runs:
- {name: a, logs: [logs/train.log], size: 1e8, domain: law, ratio: 0.25, tokens: 16384,
   losses: [{metric: val loss, role: general}]}
"""
SPACE = "sizes: [1e8, 4e8]\nratios: [0, 0.5, 0.9]\ntokens: 2e10\n"
COMMAND = typer.main.get_command(app)
#: Writes to the home folder of whoever runs it, even when it is only parsed.
CHANGES_HOME = "bayescmr --install-completion"
#: Commands that take long, need torch, logs or a fit.
LONG = ("bayescmr demo", "bayescmr fit", "bayescmr compare", "bayescmr check sbc")
LONG += ("bayescmr check influence", "bayescmr check sensitivity", "bayescmr doctor --thorough")
LONG += ("bayescmr report", "bayescmr import", "bayescmr probe", "OMP_NUM_THREADS", CHANGES_HOME)
LONG += ("bayescmr campaign",)


def commands(command: typer.core.TyperCommand | typer.core.TyperGroup = COMMAND, name="bayescmr"):
    """Every command and group, with its full name."""
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {word}")


def examples() -> Iterator[tuple[str, str]]:
    for name, command in commands():
        for line in re.findall(r"^ *((?:\w+=\S+ )?bayescmr .+)$", command.help or "", re.MULTILINE):
            yield name, line.strip()


EXAMPLES = list(examples())


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_help_has_an_example_of_its_own_command(name: str) -> None:
    own = [line for of, line in EXAMPLES if of == name]
    assert own, f"{name} --help has no example"
    assert any(re.sub(r"^\w+=\S+ ", "", line).startswith(name) for line in own)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, saved: Path) -> Path:
    """A folder with every file that an example reads: real tables, a posterior, a model."""
    folder = tmp_path_factory.mktemp("examples")
    root = Path(__file__).resolve().parents[2]
    table = pd.read_csv(root / "case_studies" / "gu2024" / "runs.csv")
    for name in ("runs", "more_runs"):
        table.to_csv(folder / f"{name}.csv", index=False)
    table.to_parquet(folder / "runs.parquet")
    for name in ("posterior", "fit"):
        (folder / f"{name}.nc").write_bytes(saved.read_bytes())
    (folder / "space.yaml").write_text(SPACE)
    model = (root / "models" / "turning_point.yaml").read_text(encoding="utf-8")
    (folder / "my_model.yaml").write_text(model.replace("name: turning_point", "name: mine"))
    (folder / "probes").mkdir()
    (folder / "logs").mkdir()
    log = "step 0: train loss 2.9000, val loss 2.9000\nstep 9: train loss 2.9000, val loss 2.9500\n"
    (folder / "logs" / "train.log").write_text(log)
    (folder / "mapping.yaml").write_text(MAPPING)
    return folder


def words_of(line: str) -> list[str]:
    """Words of a line without variables in front and without what follows a ``>``."""
    words = shlex.split(re.sub(r"^\w+=\S+ ", "", line).split(" > ")[0])
    assert words.pop(0) == "bayescmr"
    return words


@pytest.mark.parametrize("line", sorted({x for _, x in EXAMPLES if x != CHANGES_HOME}))
def test_example_is_parsed(folder: Path, line: str, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    context = typer.Context(COMMAND, info_name="bayescmr")
    words, command = words_of(line), COMMAND
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    with command.make_context("bayescmr", words, parent=context, resilient_parsing=False) as made:
        # A group takes a command next: what is left over is a word that nobody knows.
        assert not made.args, made.args


@pytest.mark.parametrize("line", sorted({x for _, x in EXAMPLES if not x.startswith(LONG)}))
def test_example_runs(folder: Path, tmp_path: Path, line: str, monkeypatch, capsys) -> None:
    # A copy: an example may write over a file that another one reads.
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "here"))
    code = run(words_of(line))
    out = capsys.readouterr()
    # Draws of a prior stand in for a fit; a domain never trained is told, and is no error.
    assert code == 0, f"{line}\n{out.err}"
    assert out.out


def test_exit_codes_are_those_of_the_help_and_the_docs(repo_root: Path, capsys) -> None:
    from bayescmr.cli.exits import MEANINGS

    assert run(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    page = (repo_root / "docs" / "formats.md").read_text(encoding="utf-8")
    for code, meaning in MEANINGS.items():
        assert f"{code} {meaning}" in text
        assert f"| {code} | {meaning} |" in page
