"""``bayescmr campaign``: what a person sees and a script relies on; one line for bad input.

The loop itself, fits included, is run by the test of docs/campaigns.md and by tests/campaign.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import bayescmr as bc
from bayescmr.campaign.records import OptionRecord, Part, PickRecord, RoundRecord
from bayescmr.cli.app import run
from bayescmr.cli.campaign_view import round_line

TOLD = """\
name: legal
target: {size: 332448, domain: legal, tokens: 524288, tolerance: 0.05}
budget: 1.2e13
batch: 2
space:
  sizes: [25248, 100672, 332448]
  ratios: [0, 0.25, 0.75, 1]
  tokens: 524288
  checkpoints: 4
  step_tokens: 2048
  min_tokens: 32000
stop: {width: 0.08}
"""
SLOW = "import time; time.sleep(600)"

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Call:
    """Run in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("BAYESCMR_STORE", raising=False)

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["campaign", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "campaign.yaml"
    path.write_text(TOLD)
    return path


@pytest.fixture
def legal(call: Call, told: Path) -> Path:
    """The store of a campaign that asks and is told."""
    assert call("new", told)[0] == 0
    return told.parent / "campaigns.db"


def with_probe(told: Path, code: str, more: str = "") -> None:
    command = json.dumps([sys.executable, "-c", code, "{job}"])
    told.write_text(f"{TOLD}probe: {{command: {command}}}\nattempts: 2\n{more}")


def wrong(call: Call, *words: object) -> str:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("bayescmr: ")
    return line


def fitted(
    store: Path, stop: dict[str, Any] | None, pause: str = "", held_back: tuple[str, ...] = ()
) -> None:
    """A round as the controller records it, with round numbers in place of a fit."""
    estimate = {"value": 0.2, "mcse": 0.002}
    with bc.open_store(store) as found, found.acquire("legal", "test", 1.0) as lease:
        number = len(found.rounds("legal")) + 1
        cmr = {"median": 0.4, "lower": 0.3, "upper": 0.5, "prob": 0.9, "kind": "eti"}
        state = {"width": estimate, "forecast": 3e12, "reachable": 0.05}
        option = OptionRecord((Part("run", 25248.0, "legal", 0.25, 9, 2048),), 1.0, 1.0, 1e9, 1.0)
        found.add_round(
            "legal",
            lease,
            RoundRecord(
                number=number,
                fingerprint="f",
                posterior={"cmr": cmr, "next_run": cmr, "converged": True, "problems": []},
                seed=1,
                policy="active",
                software="0",
                spent=float(number) * 1e12,
                forecast=3e12,
                decision={
                    "ratio": 0.35, "risk": 0.1, "state": state, "findings": [],
                    "held_back": list(held_back),
                    "because": [] if stop else [pause or "this run, for that reason."],
                    "stop": stop, **({"pause": ["run-1"]} if pause else {}),
                },
                picks=() if stop or pause else (PickRecord((option,), 0),),
            ),
        )  # fmt: skip
        if stop:
            found.set_state("legal", "stopped", stop["sentence"])


def test_new_says_what_it_is_going_to_cost(call: Call, told: Path) -> None:
    code, out, _ = call("new", told)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "together" in out
    assert "3 sizes x 4 ratios x 3 seeds at full length, costs 1.73e+13 FLOPs" in " ".join(
        out.split()
    )
    assert "campaign ask legal" in out
    told.write_text(TOLD.replace("legal\n", "other\n", 1))
    data = json.loads(call("new", told, "--json")[1])
    assert data["name"] == "other"
    assert data["first_cost"] == pytest.approx(sum(one["cost"] for one in data["first"]))
    assert data["first_cost"] < data["budget"] < data["space"]
    names = [one["name"] for one in json.loads(call("list", "--json")[1])]
    assert names == ["legal", "other"]
    assert "1.2e+13" in call("list")[1]


def test_new_says_that_nothing_would_stop_it(call: Call, told: Path) -> None:
    code, out, _ = call("new", told)
    assert (code, "no stop rule" in out) == (0, False)
    told.write_text(TOLD.replace("name: legal", "name: endless").replace("stop:", "# stop:"))
    code, out, _ = call("new", told)
    assert code == 0
    assert "no stop rule, so it goes on until the budget is gone" in " ".join(out.split())


def test_ask_and_tell_from_the_shell(call: Call, legal: Path, tmp_path: Path) -> None:
    code, out, _ = call("ask", "legal", "-n", 3)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    # The first design has five runs, whatever is asked for.
    assert len(rows) == 5
    first = rows[0]
    assert (first["size"], first["domain"], first["from_tokens"]) == ("25248", "legal", "0")
    marks = [int(mark) for mark in first["checkpoints"].split()]
    assert marks[0] == 0
    assert marks[-1] == int(first["until"])
    losses = tmp_path / "losses.csv"
    # As spreadsheets write it: a blank cell where nothing was measured.
    losses.write_text(
        "tokens,loss_general,loss_domain\n" + "".join(f"{mark},3.0{mark % 7},\n" for mark in marks)
    )
    code, out, _ = call("tell", "legal", first["run"], losses)
    assert code == 0
    assert f"done, {len(marks)} rows" in out
    lines = tmp_path / "losses.jsonl"
    lines.write_text("".join(f'{{"tokens": {mark}, "loss_general": 3.0}}\n' for mark in marks[:-1]))
    assert call("tell", "legal", rows[1]["run"], lines, "--outcome", "stopped")[0] == 0
    assert call("tell", "legal", rows[2]["run"], "--outcome", "diverged")[0] == 0
    data = json.loads(call("status", "legal", "--json")[1])
    assert [one["run"] for one in data["under_way"]] == [row["run"] for row in rows[3:]]
    planned = [" ".join(map(str, [0, *one["checkpoints"]])) for one in data["under_way"]]
    assert planned == [row["checkpoints"] for row in rows[3:]]
    assert [one["state"] for one in data["failures"]] == ["diverged"]
    assert 0 < data["budget"]["spent"] < 1.2e13
    with bc.open_store(legal) as store:
        table = bc.Campaign.open(store, "legal").runs()
    assert sorted(table.loc[table["run"] == first["run"], "tokens"]) == marks


@pytest.mark.parametrize(
    ("content", "outcome", "expected"),
    [
        ("tokens,loss_general\n2048,much\n", "done", "row 2: loss_general: got 'much', expected a"),
        ("tokens,loss_general\n2048,nan\n", "done", "--outcome diverged"),
        ("tokens,loss\n2048,3.0\n", "done", "got the key 'loss', expected tokens, loss_general"),
        ("tokens,loss_general\n2048,3.0\n", "done", "say outcome stopped"),
        ("tokens,loss_general\n0.5,3.0\n", "done", "expected a whole number >= 0"),
        ("tokens,loss_general\n", "done", "no rows"),
    ],
)
def test_losses_that_cannot_be(
    call: Call, legal: Path, tmp_path: Path, content: str, outcome: str, expected: str
) -> None:
    asked = json.loads(call("ask", "legal", "--json")[1])[0]["run"]
    path = tmp_path / "losses.csv"
    path.write_text(content)
    assert expected in wrong(call, "tell", "legal", asked, path, "--outcome", outcome)
    # Nothing was taken, and the run can still be told.
    assert asked in call("status", "legal")[1]


def test_a_run_nobody_asked_for(call: Call, legal: Path) -> None:
    def told(run: str) -> str:
        return wrong(call, "tell", "legal", run, "--outcome", "failed")

    assert "0123456789ab: was not asked for, expected a run of `ask`" in told("0123456789ab")
    asked = [one["run"] for one in json.loads(call("ask", "legal", "--json")[1])]
    assert f"was not asked for, expected one of {', '.join(asked)}" in told("0123456789ab")
    assert call("tell", "legal", asked[0], "--outcome", "failed")[0] == 0
    assert f"{asked[0]}: was told already: failed, 0 tokens; what is on record" in told(asked[0])
    # There was no command that could have ended with a code.
    assert "failed: told to have failed" in call("status", "legal")[1]


def test_nothing_is_asked_for_while_the_first_losses_are_to_come(call: Call, legal: Path) -> None:
    """Not for want of money, as it was said to be."""
    asked = json.loads(call("ask", "legal", "--json")[1])
    code, out, err = call("ask", "legal")
    assert (code, len(out.splitlines())) == (0, 1)
    assert f"tell first what came of the runs under way ({len(asked)})" in err


def test_a_campaign_without_a_probe_says_so_and_nothing_else(call: Call, legal: Path) -> None:
    fitted(legal, None)
    assert "probe: got nothing, expected a command" in wrong(call, "run", "legal")


def test_a_budget_that_buys_no_run_is_refused(call: Call, told: Path) -> None:
    """With a table that is enough for a first fit as well, which has no first runs to pay."""
    rows = ["run,size,domain,ratio,tokens,loss_general,seed"]
    rows += [
        f"{size}-{ratio}-{seed},{size},legal,{ratio},{tokens},{3 + 1e-7 * tokens * ratio},{seed}"
        for size in (25248, 100672)
        for ratio, seed in ((0.25, 1), (0.25, 2), (0.75, 1))
        for tokens in (0, 2048, 16384)
    ]
    (told.parent / "runs.csv").write_text("\n".join(rows) + "\n")
    text = TOLD.replace("budget: ", "budget: 1  # ")
    for table in ("", "runs: runs.csv\n"):
        told.write_text(text + table)
        line = wrong(call, "new", told)
        assert re.search(r"budget: got 1 FLOPs, expected at least the [\d.e+]+ of the cheap", line)
        assert not (told.parent / "campaigns.db").exists()


def test_paused_resumed_stopped(call: Call, legal: Path) -> None:
    code, out, _ = call("pause", "legal", "--reason", "the cluster\n  is needed")
    assert (code, "resume legal" in out) == (0, True)
    code, out, err = call("ask", "legal")
    assert code == 75
    assert len(out.splitlines()) == 1
    assert "paused: the cluster is needed" in err
    assert "the cluster is needed" in call("status", "legal")[1]
    assert call("resume", "legal", "--budget", "2e13")[0] == 0
    assert json.loads(call("status", "legal", "--json")[1])["budget"]["total"] == 2e13
    assert "expected at least" in wrong_after_asking(call)
    code, out, _ = call("stop", "legal")
    assert "runs asked for and not yet told: 5" in out
    code, _, err = call("ask", "legal")
    assert code == 3
    assert "stopped by a person" in err
    assert "not certified: stopped by a person" in call("status", "legal")[1]


def wrong_after_asking(call: Call) -> str:
    assert call("ask", "legal")[0] == 0
    return wrong(call, "resume", "legal", "--budget", "1")


def test_status_of_a_certified_campaign(call: Call, legal: Path, tmp_path: Path) -> None:
    assert "--plot: there is no fit yet" in call("status", "legal", "--plot", "p.png")[2]
    fitted(legal, None)
    out = call("status", "legal")[1]
    for words in ("90% interval (eti) 30.0 to 50.0 %", "20 points wide", "wanted 8", "35 % at 10"):
        assert words in " ".join(out.split())
    assert "not certified" in out
    assert "3e+12 FLOPs more to a width of 8 points" in " ".join(out.split())
    assert "chosen    this run, for that reason." in out
    fitted(legal, None, pause="it is worth less.")
    assert "paused    it is worth less." in call("status", "legal")[1]
    stop = {
        "reason": "precision", "certified": True, "sentence": "Interval width 0.07; wanted 0.08.",
        "caveats": ["no run of the target's size"], "span": [0.2987, 0.5],
    }  # fmt: skip
    fitted(legal, stop)
    code, out, _ = call("status", "legal", "--plot", "progress.png")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for words in (
        "35 % at 10 % risk; certified", "precision: Interval width", "no run of the",
        "certified 29.8 to 50 %, which holds the 90% intervals of this fit",
    ):  # fmt: skip
        assert words in " ".join(out.split())
    assert (tmp_path / "progress.png").read_bytes()[:4] == b"\x89PNG"
    data = json.loads(call("status", "legal", "--json")[1])
    assert data["certified"] is True
    assert data["decision"]["stop"] == stop
    assert [one["step"] for one in data["fits"]] == [1, 2, 3]
    # Scripts of those who run their probes themselves end here.
    assert call("ask", "legal")[0] == 0


def test_what_holds_a_certificate_back_stands_in_place_of_the_forecast(
    call: Call, legal: Path
) -> None:
    fitted(legal, None, held_back=("a ratio above the decision", "3 sizes (so far 2)"))
    code, out, _ = call("status", "legal")
    flat = " ".join(out.split())
    assert code == 0
    assert "held back a ratio above the decision; 3 sizes (so far 2)" in flat
    assert "forecast none: a width of 8 points is reached, and something else is lacking" in flat
    with bc.open_store(legal) as store:
        line = round_line(store.rounds("legal")[-1])
    assert "held back by what is lacking: a ratio above the decision; 3 sizes" in line
    assert "forecast" not in line


def test_a_campaign_that_ended_without_a_certificate(call: Call, told: Path) -> None:
    with_probe(told, SLOW)
    assert call("new", told)[0] == 0
    why = {
        "reason": "budget",
        "certified": False,
        "sentence": "Not certified: x.",
        "caveats": [],
        "span": None,
    }
    fitted(told.parent / "campaigns.db", why)
    code, out, _ = call("run", "legal")
    assert code == 3
    assert "budget: Not certified: x." in " ".join(out.split())
    assert "decision  35 % at 10 % risk; not certified" in out


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('hello')", "wrote no loss beyond tokens 0 to losses.jsonl, expected up to"),
        (
            "import sys, pathlib; pathlib.Path(sys.argv[1]).with_name('losses.jsonl')"
            ".write_text('loss is 3.2\\n')",
            "expected a JSON object",
        ),
        ("raise SystemExit('no such corpus')", "no such corpus"),
    ],
)
def test_probes_that_fail_pause_the_campaign(
    call: Call, told: Path, code: str, expected: str
) -> None:
    with_probe(told, code, "runner: {kind: local, slots: 5}\n")
    assert call("new", told)[0] == 0
    # Longer than any of them takes, so that all end between two looks.
    code, out, err = call("run", "legal", "--interval", "3")
    assert code == 75, err
    flat = " ".join(out.split())
    assert flat.startswith("round 1: 0 FLOPs spent; chosen: 5 first runs")
    assert expected in flat
    assert "failed" in flat
    assert "attempts went wrong; the last:" in flat
    # What they said is indented where it wraps at 80 columns, too.
    _, _, last = out.partition("attempts went wrong; the last:\n")
    assert len(last.splitlines()) >= 3
    assert all(line.startswith("  ") for line in last.splitlines())
    assert re.search(r"paused: the last [2-5] attempts failed; the last one: ", err)
    assert call("audit", "legal")[0] == 0


def test_a_pause_begins_nothing_more(call: Call, told: Path) -> None:
    """Two of five fail and pause it; the others, and the first again, wait."""
    with_probe(told, "raise SystemExit('no corpus')", "runner: {kind: local, slots: 1}\n")
    assert call("new", told)[0] == 0
    code, out, err = call("run", "legal", "--interval", "0.1")
    assert (code, "(waits)" in out) == (75, True), err
    data = json.loads(call("status", "legal", "--json")[1])
    assert [one["state"] for one in data["failures"]] == ["failed"] * 2
    assert [one["state"] for one in data["under_way"]] == ["reserved"] * 4
    assert call("resume", "legal")[0] == 0
    assert call("run", "legal", "--interval", "0.1")[0] == 75
    assert len(json.loads(call("status", "legal", "--json")[1])["failures"]) > 2
    assert call("audit", "legal")[0] == 0


def test_left_by_a_signal_and_gone_on_with(cli, call: Call, told: Path) -> None:
    with_probe(told, SLOW, "runner: {kind: local, slots: 1, beat: 0.2, grace: 5}\n")
    assert call("new", told)[0] == 0
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}
    words = [sys.executable, "-m", "bayescmr", "campaign", "run", "legal", "--interval", "0.1"]
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 75)):
        controller = subprocess.Popen(
            words, cwd=told.parent, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with bc.open_store(told.parent / "campaigns.db") as store:
            until = time.monotonic() + 120
            # Under way since the first look; held by the second controller as well.
            while not (
                any(a.handle for a in store.attempts("legal"))
                and [e.kind for e in store.events("legal")].count("acquired")
                == (1 if number == signal.SIGINT else 2)
            ):
                assert time.monotonic() < until, controller.communicate()
                assert controller.poll() is None, controller.communicate()
                time.sleep(0.1)
            if number == signal.SIGTERM:
                taken = cli("campaign", "run", "legal", "--patience", "10")
                assert taken.returncode == 2
                assert "is at work on it" in taken.stderr
        controller.send_signal(number)
        out, err = controller.communicate(timeout=120)
        assert controller.returncode == code, err
        assert ("1 round was made before" in out) == (number == signal.SIGTERM)
        assert "Traceback" not in err
        # One slot: the other first runs are set aside, and nothing of them goes on.
        goes_on = r"under way \(1\) go on, and the same command picks them up and begins those"
        assert re.search(goes_on + r" that wait \(4\)", err)
    assert call("stop", "legal")[0] == 0
    # Asks the probe to end, and settles what was never begun.
    done = cli("campaign", "run", "legal", "--interval", "0.1")
    assert done.returncode == 3, done.stderr
    assert json.loads(call("status", "legal", "--json")[1])["under_way"] == []
    assert call("audit", "legal")[0] == 0


def test_audit_names_what_was_edited_by_hand(call: Call, legal: Path) -> None:
    asked = json.loads(call("ask", "legal", "--json")[1])[0]["run"]
    code, out, _ = call("audit", "legal")
    assert code == 0
    assert out.count("PASS") >= 10
    with closing(sqlite3.connect(legal)) as connection, connection:
        connection.execute("update bayescmr_attempts set cost = cost / 2")
    code, out, _ = call("audit", "legal")
    assert code == 1
    assert "FAIL  attempts as told" in out
    assert asked in out
    assert json.loads(call("audit", "legal", "--json")[1])["status"] == "FAIL"


def test_export_is_whole_or_nothing(call: Call, legal: Path, tmp_path: Path) -> None:
    code, out, _ = call("export", "legal", "--out", "plain")
    assert code == 0
    assert "events.jsonl" in out
    assert {path.name for path in (tmp_path / "plain").iterdir()} == {
        "attempts.csv", "campaign.json", "events.jsonl", "options.csv", "rounds.csv", "runs.csv",
    }  # fmt: skip
    assert "name a folder that does not exist" in wrong(call, "export", "legal", "--out", "plain")


def test_runs_made_elsewhere(call: Call, legal: Path, tmp_path: Path) -> None:
    rows = "".join(
        f"{name},25248,legal,{ratio},{tokens},{3 + ratio / 10}\n"
        for name, ratio in (("a", 0.25), ("b", 0.75))
        for tokens in (0, 262144, 524288)
    )
    table = tmp_path / "more.csv"
    table.write_text(f"run,size,domain,ratio,tokens,loss_general\n{rows}")
    assert "2 runs are new" in call("add", "legal", table)[1]
    assert "0 runs are new" in call("add", "legal", table)[1]
    table.write_text(table.read_text().replace("3.025", "3.5"))
    assert "run a" in wrong(call, "add", "legal", table)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("budget: 1.2e13", "budget: 0", "budget: got 0, expected FLOPs > 0"),
        ("budget: 1.2e13", "budget: 1e3", "budget: got 1e+03 FLOPs"),
        ("budget: 1.2e13", "budgte: 1.2e13", "budgte"),
        ("  ratios: [0, 0.25, 0.75, 1]", "  ratios: []", "ratios"),
        (
            "  checkpoints: 4",
            "  checkpoints: 4\n  run_flops: 1e3",
            "run_flops: got 1000, expected at least",
        ),
        ("  min_tokens: 32000", "  min_tokens: 1e9", "no run would tell anything"),
        ("stop: {width: 0.08}", "stop: {width: -1}", "width"),
        ("stop: {width: 0.08}", "runs: nowhere.csv", "nowhere.csv"),
        ("stop: {width: 0.08}", "probe: {command: []}", "probe.command"),
        ("stop: {width: 0.08}", "probe: {command: [x, '{jobs}']}", "{jobs}"),
        ("stop: {width: 0.08}", "probe: {command: [x]}\nrunner: {kind: moon}", "local, slurm, ray"),
        ("stop: {width: 0.08}", "probe: {command: [x]}\nrunner: {kind: local, slot: 2}", "slot"),
        ("name: legal", "name: a b", "expected letters, digits"),
        ("name: legal", "name: [", "not YAML"),
    ],
)
def test_campaigns_that_cannot_begin(
    call: Call, told: Path, old: str, new: str, expected: str
) -> None:
    told.write_text(TOLD.replace(old, new))
    code, out, err = call("new", told)
    assert (code, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err
    if (told.parent / "campaigns.db").exists():
        assert json.loads(call("list", "--json")[1]) == []


@pytest.mark.parametrize(
    "words",
    [
        ("status", "legl"), ("run", "legl"), ("ask", "legl"), ("pause", "legl"), ("stop", "legl"),
        ("resume", "legl"), ("audit", "legl"), ("export", "legl", "--out", "x"),
        ("tell", "legl", "run", "--outcome", "failed"),
    ],
)  # fmt: skip
def test_an_unknown_name(call: Call, legal: Path, words: tuple[str, ...]) -> None:
    line = wrong(call, *words)
    assert "legl" in line
    assert "legal" in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "there is no such store"), (b"name,size\n" * 100, "the file is no SQLite database")],
)
def test_a_store_that_is_none(
    call: Call, tmp_path: Path, content: bytes | None, expected: str
) -> None:
    path = tmp_path / "store.db"
    if content is not None:
        path.write_bytes(content)
    for words in (("status", "legal"), ("run", "legal"), ("list",)):
        line = wrong(call, *words, "--store", path)
        assert "store.db" in line
        assert expected in line


def test_a_store_by_its_variable(
    call: Call, told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYESCMR_STORE", str(tmp_path / "elsewhere.db"))
    assert call("new", told)[0] == 0
    assert (tmp_path / "elsewhere.db").exists()
    assert "there is a campaign legal already" in wrong(call, "new", told)


def test_a_campaign_without_a_command_is_asked(call: Call, legal: Path) -> None:
    assert "campaign ask" in wrong(call, "run", "legal")


def test_without_the_extra(told: Path) -> None:
    for words in (["new", "campaign.yaml"], ["list"], ["run", "x"], ["audit", "x"]):
        code = (
            "import sys; sys.modules['sqlalchemy'] = None\n"
            f"from bayescmr.cli.app import run; sys.exit(run(['campaign', *{words!r}]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=told.parent, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert "pip install 'bayescmr[campaign]'" in line
