"""The study of policies goes on where it was killed, and its numbers are those of its traces."""

from __future__ import annotations

import json
import lzma
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest

from bayescmr.checks.journal import read_journal
from bayescmr.worlds import Ending, Trace
from bayescmr.worlds.metrics import covers
from bayescmr.worlds.trace import Round

#: Number of a misspecified world whose first draw loses 260 nats.
WIDE = 55
#: Two worlds, one policy, few draws: what the study does, but for its size.
_SMALL = """
import sys
from dataclasses import replace
sys.path.insert(0, {folder!r})
import settings
small = replace(settings.RULES, budget=0.2 * settings.FULL_RUN, draws=60, tune=60, levels=())
settings.RULES = small
import study
study.main()
"""


@pytest.fixture(scope="module")
def folder(repo_root):
    return repo_root / "case_studies" / "policies"


@pytest.fixture
def modules(folder, scripts):
    """The study's scripts can be imported."""
    with scripts(folder):
        yield


def _command(folder, path, worlds):
    words = ["prior", "--worlds", str(worlds), "--policies", "active", "--executor", "serial"]
    return [sys.executable, "-c", _SMALL.format(folder=str(folder)), *words, "--results", str(path)]


@pytest.mark.slow
def test_goes_on_after_a_kill(folder, tmp_path):
    path = tmp_path / "prior.jsonl"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(_command(folder, path, 2), env=environment)
    # The header and one world: the second is being played.
    while running.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= 2):
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = read_journal(path)[1]
    with path.open("ab") as file:
        file.write(b'{"index": 1, "kind": "well_sp')  # a line that was cut off
    done = subprocess.run(
        _command(folder, path, 2), env=environment, capture_output=True, text=True, check=True
    )
    head, records = read_journal(path)
    assert sorted(records) == [0, 1]
    assert head["policies"] == ["active"]
    assert all(records[i] == one for i, one in before.items())
    assert f"1 of {2 - len(before)}" in done.stdout
    for record in records.values():
        trace = Trace.of(record["traces"]["active"])
        assert trace.truth == record["truth"]
        assert trace.rounds[0].runs == 4 < trace.rounds[-1].runs


def _trace(policy, truth, medians, *, ending=None):
    rounds = tuple(
        Round(
            spent, 4 + i, m, max(m - half, 0.0), min(m + half, 1.0), half, 0.0, 0.0, 0.5,
            max(m - half, 0.0), 1.001, 500.0, 1.001, 500.0, 0, (), (0.2, 0.7), 1.0,
        )
        for i, (spent, m, half) in enumerate(medians)
    )  # fmt: skip
    return Trace(policy, truth, 1.0, rounds, (), ending)


def test_summary_of_known_traces(modules):
    import summary

    unit = summary.FULL_RUN
    good = _trace("active", 0.5, [(0.1 * unit, 0.3, 0.3), (0.5 * unit, 0.51, 0.03)],
                  ending=Ending(1, "precision", True, "", 0.46, 0.56))  # fmt: skip
    bad = _trace("sobol", 0.5, [(0.1 * unit, 0.3, 0.3), (1.0 * unit, 0.6, 0.03)],
                 ending=Ending(1, "model check", False, ""))  # fmt: skip
    good, bad = (replace(t, full_run=unit) for t in (good, bad))
    worlds = [
        {"kind": "a", "index": i, "truth": 0.5, "traces": {"active": good, "sobol": bad}}
        for i in range(3)
    ]
    worlds.append({"kind": "a", "index": 3, "truth": 0.5, "traces": {"active": good}})
    found = summary.prior(worlds)
    costs, policies = found["costs"], found["policies"]
    assert (found["worlds"], found["inside"], found["together"]) == (4, 4, 3)
    assert (costs["active"]["worlds"], costs["sobol"]["worlds"]) == (4, 3)
    assert costs["active"]["settled"]["mean"] == pytest.approx(0.5)
    assert costs["sobol"]["settled"]["mean"] == pytest.approx(4.0)  # never: the budget
    assert costs["sobol"]["settled"]["ratio"] == pytest.approx(8.0)
    assert costs["sobol"]["narrowed"]["ratio"] == pytest.approx(2.0)
    assert policies["active"]["rmse"] == pytest.approx([0.2, 0.2, *[0.01] * 4])
    assert policies["sobol"]["coverage"] == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    endings = found["well_specified"]["endings"]
    assert set(endings) == {"active"}
    assert endings["active"]["certified"]["covered"] == 4
    assert endings["active"]["certified"]["width"] == pytest.approx(0.1)
    assert endings["active"]["certified"]["covered_by_the_fit"] == 4
    off = replace(good, ending=Ending(1, "precision", True, "", 0.51, 0.58))
    shares = summary.ending([off])["certified"]
    assert (shares["covered"], shares["covered_by_the_fit"]) == (0, 1)
    assert shares["missed_by"] == pytest.approx(0.01)
    with pytest.raises(SystemExit, match="active: certified without a range"):
        summary.ending([replace(good, ending=Ending(1, "precision", True, ""))])
    wrong = summary.ending([bad] * 3)
    assert (wrong["refused"]["worlds"], wrong["refused"]["covered"]) == (3, 0)
    assert wrong["certified"]["worlds"] == 0
    assert found["calibration"]["covered"] == 4
    assert found["calibration"]["pit_values"] == 16
    json.dumps(found, allow_nan=False)


def test_replays_are_the_tables(modules):
    import replays

    world, rules = replays.replay("cpu_legal")
    frame = replays.table("cpu_legal")
    assert replays.grid_ratios("cpu_legal") == (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)
    own = frame[(frame["size"] == 25248) & (frame["ratio"] == 0.25) & (frame["seed"] == 11)]
    own = own[own["tokens"] > 0].sort_values("tokens")
    assert world.losses(25248.0, 0.25, 2).tolist() == own["change"].tolist()
    assert len(world.changes) == frame["run"].nunique()
    assert all((n, r, s) in world.changes for n, r, s, _ in rules.first)


def test_a_world_like_a_table_is_a_draw_of_its_fit(modules, monkeypatch):
    import bayescmr as bc

    # Fewer draws: which of them a world is, not how many there are.
    monkeypatch.setattr(bc, "fit", partial(bc.fit, draws=60, tune=100, chains=2, retries=0))
    from study import Plays

    plays = Plays("posterior", ("active",))
    kind, _, world, rules = plays.world(0)
    assert kind == "cpu_legal"
    assert (world.target.size, world.target.tokens) == (332448.0, 524288.0)
    assert all(tokens in world.space.checkpoints[n] for n, _, _, tokens in rules.first)
    assert all(r in world.space.ratios for _, r, _, _ in rules.first)
    assert 0.3 < world.truth < 0.6
    again, other = plays.world(0)[2], plays.world(2)[2]
    assert again.truth == world.truth != other.truth
    first = rules.first[0][:3]
    assert again.losses(*first).tolist() == world.losses(*first).tolist()
    assert other.losses(*first).tolist() != world.losses(*first).tolist()


def test_published_runs_keep_their_stated_errors(modules):
    """Without them a fit of all says 0.42; with them what the losses of that size say."""
    import replays

    from bayescmr import gu2024

    world, rules = replays.replay("gu2024")
    assert all(set(world.se(*run)) == {gu2024.SE_GENERAL} for run in world.changes)
    assert all((n, r, s) in world.changes for n, r, s, _ in rules.first)
    truth = json.loads(replays.TRUTHS.read_text(encoding="utf-8"))["gu2024"]
    assert truth["lower"] < gu2024.tolerance_cmr(3.1e9, 0.02) < truth["upper"]
    assert truth["lower"] < replays.measured("gu2024") < truth["upper"]


def test_no_run_of_a_misspecified_world_loses_more_than_a_table_takes(modules, monkeypatch):
    """The tail of a wide noise prior: a draw whose truth is as it should be, and its losses not."""
    import worlds
    from study import Plays

    plays = Plays("misspecified", ("active",))
    kept = plays.world(WIDE)[2]
    assert worlds._largest(kept) < 100
    monkeypatch.setattr(worlds, "MAX_LOSS", float("inf"))
    drawn = plays.world(WIDE)[2]
    assert 0.05 < drawn.truth < 0.95
    assert worlds._largest(drawn) > 100


def test_where_measured_losses_cross_the_tolerance(modules):
    """What case_studies/active_cpu says of the same fresh runs, interpolated: 0.438."""
    import replays

    assert replays.measured("cpu_legal") == pytest.approx(0.438, abs=0.001)


def test_policies_that_see_some_ratios(modules):
    import numpy as np
    import settings

    from bayescmr.design.baselines import Grid
    from bayescmr.design.outlook import Candidate, Outlook, Trajectory

    trajectories = tuple(
        Trajectory(
            Candidate(1e8, "law", r, 1, (1e9,)), np.zeros((3, 1)), np.eye(1), np.ones(1)
        )
        for r in (0.1, 0.2, 0.3, 0.4)
    )  # fmt: skip
    outlook = Outlook(
        trajectories, np.ones(3), np.ones(3), np.linspace(0, 1, 3), np.zeros((3, 3)), ((0, 1),)
    )
    picks = settings.Among(Grid(), (0.2, 0.4)).propose(
        outlook, budget=10.0, batch=9, rng=np.random.default_rng(1)
    )
    assert [pick.chosen.parts for pick in picks] == [((1, 0),), ((3, 0),)]


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "policies.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script(folder):
    return runpy.run_path(str(folder / "page.py"))


def test_page_is_that_of_the_results(page, script):
    assert script["render"](page) == page, "run python case_studies/policies/page.py"
    assert set(re.findall(r"<!-- numbers: (\S+) -->", page)) == set(script["BLOCKS"])


def test_a_changed_result_changes_the_page(page, script, repo_root, tmp_path):
    for path in (repo_root / "docs" / "policies").glob("*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "prior.json":
            data["costs"]["sobol"]["narrowed"] |= {"ratio": 1.234, "ratio_upper": 1.3}
            data["well_specified"]["endings"]["active"]["certified"] |= {"covered": 1, "worlds": 8}
        (tmp_path / path.name).write_text(json.dumps(data), encoding="utf-8")
    changed = script["render"](page, tmp_path)
    assert "width 0.08: 1.23 times, **not reached**" in changed
    assert "1 of 8 (12 %)" in changed


def test_what_the_page_says_in_short_is_what_was_found(page, repo_root):
    """Numbers of the prose, there and in the README, against the results."""
    folder = repo_root / "docs" / "policies"
    prior, replay, wrong = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("prior", "replay", "misspecified")
    )
    costs = prior["costs"]

    def median(name):
        return sorted(costs[name][m]["quartiles"][1] for m in ("settled", "narrowed"))

    def mean(name):
        return [round(costs[name][m]["ratio"], 1) for m in ("settled", "narrowed")]

    assert "costs 5 to 6 times" in page and [round(v) for v in median("grid")] == [5, 6]
    assert "at random 2 to 3 times" in page and [round(v) for v in median("random")] == [2, 3]
    assert "Sobol 1.3 (error) to 2.2 times (width)" in page.replace("\n  ", " ")
    assert [round(v, 1) for v in median("sobol")] == [1.3, 2.2]
    assert "D-optimal 1.2 to 1.4." in page and [round(v, 1) for v in median("d_optimal")] == [
        1.2,
        1.4,
    ]
    assert "2.2 to 2.4 for the grid, 1.2 to 1.4 for Sobol" in page.replace("\n  ", " ")
    assert (mean("grid"), mean("sobol")) == ([2.2, 2.4], [1.2, 1.4])
    assert "In a quarter of the worlds" in page
    reached = [costs["active"][m]["reached"] / costs["active"]["worlds"] for m in costs["active"]
               if m in ("settled", "narrowed")]  # fmt: skip
    assert all(0.7 < share < 0.8 for share in reached)
    text = (repo_root / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert (
        "2 to 3 full runs, where the paper's grid needs 8.5 and a space-filling design 6 to 8"
        in text
    )
    found = {
        name: [table["costs"][name]["settled"]["mean"] for table in replay.values()]
        for name in ("active", "grid", "sobol")
    }
    assert [round(v) for v in sorted(found["active"])] == [2, 3]
    assert [round(v, 1) for v in found["grid"]] == [8.5, 8.5]
    assert [round(v) for v in sorted(found["sobol"])] == [6, 8]
    said = " ".join(page.split())
    own = json.loads((folder / "published.json").read_text(encoding="utf-8"))["gu2024"]
    assert "Gu et al. after 0.8, the grid of that paper after 8.8" in said
    assert [round(own["costs"][n]["settled"]["mean"], 1) for n in ("active", "grid")] == [0.8, 8.8]
    assert "whose interval was narrow enough three got a certificate" in said
    ranges = [one for found in own["certified"].values() for one in found]
    assert len(ranges) == 3
    assert all(lower <= own["truth"]["median"] <= upper for lower, upper, _ in ranges)
    alike = json.loads((folder / "posterior.json").read_text(encoding="utf-8"))
    spent = {
        name: sorted(round(kind["costs"][name]["settled"]["mean"], 1) for kind in alike.values())
        for name in ("active", "grid", "sobol")
    }
    assert "on average 4.1 to 4.8 full runs for its small error, the grid 8.0 to 8.1, Sobol" in said
    assert spent == {"active": [4.1, 4.8], "grid": [8.0, 8.1], "sobol": [6.0, 7.4]}
    readme = (repo_root / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert "worlds like that grid after 4 to 5, against 8 and 6 to 7" in readme
    ends = [kind["endings"]["active"]["certified"] for kind in alike.values()]
    assert "Of 29 certified ranges 27 hold the truth" in said
    assert [sum(e[key] for e in ends) for key in ("worlds", "covered")] == [29, 27]
    by_kind = {
        (name, m): sorted(round(kind["costs"][name][m]["ratio"], 2) for kind in alike.values())
        for name in ("straddle", "sobol", "grid", "random", "v_optimal")
        for m in ("settled", "narrowed")
    }
    assert "(0.94 and 1.08 times as dear by error, 1.04 and 1.23 by width)" in said
    assert by_kind["straddle", "settled"] == [0.94, 1.08]
    assert by_kind["straddle", "narrowed"] == [1.04, 1.23]
    for name in ("grid", "random", "v_optimal"):
        assert all(1.8 <= ratio <= 2.7 for ratio in by_kind[name, "narrowed"])
    assert "costs 1.59 to 2.25 times as much in worlds like the CPU grid" in said
    v_optimal = [*by_kind["v_optimal", "settled"], *by_kind["v_optimal", "narrowed"]]
    assert [min(v_optimal), max(v_optimal)] == [1.59, 2.25]
    assert "half to two thirds of Sobol's" in said
    assert [round(1 / ratio, 1) for ratio in by_kind["sobol", "narrowed"]] == [0.7, 0.5]
    assert "costs 1.28 (error) to 1.32 times (width) as much in worlds from the prior" in said
    straddle = [costs["straddle"][m]["ratio"] for m in ("settled", "narrowed")]
    assert [round(v, 2) for v in straddle] == [1.28, 1.32]
    certified = [kind["endings"]["active"]["certified"] for kind in wrong.values()]
    worlds = sum(c["worlds"] for c in certified)
    covered, alone, above = (
        sum(c[key] for c in certified) for key in ("covered", "covered_by_the_fit", "too_high")
    )
    assert f"{covered} of {worlds} certified ranges hold the truth" in said
    assert covered / worlds >= 0.8
    most = max(c["missed_by"] for c in certified)
    assert f"the others miss it by {most:.3f} at most" in said
    assert f"hold it in {alone} of {worlds}" in said
    assert f"keep their risk: {above} of {worlds} lie above the truth" in said
    assert above / worlds <= 0.1


def test_narrow_answers_on_the_published_runs(page, folder):
    """What is said of plays that were not certified, from their traces."""
    text = lzma.decompress((folder / "traces" / "published.jsonl.xz").read_bytes()).decode()
    _, *records = map(json.loads, text.splitlines())
    plays = [Trace.of(trace) for r in records for trace in r["traces"].values()]
    ended = [t for t in plays if t.ending]
    held = [t for t in ended if covers(t.rounds[t.ending.round], t.truth)]
    said = " ".join(page.split())
    assert f"Of the {len(ended)} campaigns whose interval was narrow enough" in said
    assert f"{len(held)} of the {len(ended)} intervals hold the answer of the whole table" in said
    early = [
        one for t in plays if t.policy == "grid" for one in t.rounds
        if one.spent < 0.4 * t.rounds[-1].spent
    ]  # fmt: skip
    assert len(early) >= 5
    assert all((one.lower, one.upper) == (0.0, 1.0) for one in early)


def test_what_is_said_of_smooth_curves(folder, repo_root):
    """The row of the table, and the FAQ, that have the errors which the published runs state."""
    found = json.loads((folder / "truths.json").read_text(encoding="utf-8"))["gu2024"]
    numbers = [found[key] for key in ("median", "lower", "upper")]
    table = (repo_root / "case_studies" / "gu2024" / "README.md").read_text(encoding="utf-8")
    assert "| 0.558 [0.544, 0.571] |" in table.split("| 1e-04 | stated")[1].split("\n")[0]
    assert [round(v, 3) for v in numbers] == [0.558, 0.544, 0.571]
    faq = " ".join((repo_root / "docs" / "faq.md").read_text(encoding="utf-8").split())
    assert "told an error of 0.0001 nats it says 56 % [54 %, 57 %]" in faq
    assert "| 0e+00 | none | 0.590 [0.566, 0.614] | 0.424 [0.349, 0.486] |" in table
    assert "it says 42 % [35 %, 49 %]" in faq
