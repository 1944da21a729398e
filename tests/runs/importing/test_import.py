"""From logs and a mapping to a run table: tokens, rounding, sittings, contradictions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import MappingError
from bayescmr.runs import RunTable
from bayescmr.runs.importing import Imported, draft, import_runs
from bayescmr.runs.importing.mapping import parse_mapping
from bayescmr.runs.logs import read_logs

RUN = {
    "name": "a",
    "logs": ["a.jsonl"],
    "size": 1e8,
    "domain": "law",
    "ratio": 0.25,
    "tokens": {"per_step": 1000},
    "losses": [{"metric": "eval", "role": "general"}],
}
ROWS = [(0, 2.5123456), (100, 2.6123456), (200, 2.7123456)]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Imported]:
    """Write logs (name to rows, each a step and a loss or a record) and import them."""
    monkeypatch.chdir(tmp_path)

    def make(logs: dict[str, list[Any]], *runs: dict[str, Any]) -> Imported:
        for name, rows in logs.items():
            records = [
                row if isinstance(row, dict) else {"_step": row[0], "eval": row[1]} for row in rows
            ]
            Path(name).write_text("".join(json.dumps(row) + "\n" for row in records))
        mapping = parse_mapping(json.dumps({"schema": 1, "runs": list(runs)}), "m.yaml")
        found, _ = read_logs(list(logs))
        return import_runs(found, mapping)

    return make


def kinds(made: Imported) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in made.report.findings:
        found[one.kind] = found.get(one.kind, 0) + one.count
    return found


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(MappingError) as caught:
        call()
    (line,) = str(caught.value).splitlines()
    assert line.startswith("m.yaml: ")
    assert "got" in line
    assert "expected" in line
    return line


def test_a_table_that_read_runs_takes(make: Callable[..., Imported]) -> None:
    made = make({"a.jsonl": ROWS}, RUN | {"seed": 3, "lr": 1e-4})
    table = RunTable.from_frame(made.frame)
    assert table.frame["tokens"].tolist() == [100_000, 200_000]
    assert table.frame["change"].tolist() == pytest.approx([0.1, 0.2])
    assert table.frame["seed"].tolist() == [3, 3]
    assert made.frame["source"].iloc[0].startswith("W&B export ")
    assert kinds(made) == {}


def test_rounded_losses_carry_their_rounding(make: Callable[..., Imported]) -> None:
    rows = [(step, round(loss, 3)) for step, loss in ROWS]
    made = make({"a.jsonl": rows}, RUN)
    assert made.frame["se"].tolist() == pytest.approx([1e-3 / math.sqrt(12)] * 3)
    assert kinds(made) == {"rounded": 3}
    table = RunTable.from_frame(made.frame)
    assert table.frame["se"].tolist() == pytest.approx([1e-3 / math.sqrt(12)] * 2)
    exact = RUN | {"losses": [{"metric": "eval", "role": "general", "precision": 0}]}
    assert "se" not in make({"a.jsonl": rows}, exact).frame


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"per_step": 1000}, [0, 1e5, 2e5]),
        (1000, [0, 1e5, 2e5]),
        ({"sequence_length": 10, "samples_per_step": 5}, [0, 5e3, 1e4]),
        ({"per_step": 1000, "start": 100}, [0, 1e5]),
        ({"metric": "seen"}, [0, 7e5, 1.4e6]),
        ({"metric": "seen", "start": 7e5}, [0, 7e5]),
        ({"samples": "seen", "sequence_length": 2}, [0, 1.4e6, 2.8e6]),
    ],
)
def test_tokens(make: Callable[..., Imported], rule: Any, expected: list[float]) -> None:
    rows = [{"_step": s, "eval": v, "seen": s * 7000.0} for s, v in ROWS]
    made = make({"a.jsonl": rows}, RUN | {"tokens": rule, "base": {"general": 2.5}})
    assert made.frame["tokens"].tolist() == expected
    assert kinds(made).get("dropped", 0) == 3 - len(expected)


def test_a_counter_that_is_not_at_the_step(make: Callable[..., Imported]) -> None:
    """Proportional counters are taken further, others leave rows out, and both is said."""
    losses = [{"_step": s, "eval": v} for s, v in ROWS]
    even = [{"_step": s, "seen": 7.0 * s} for s in (50, 150)]
    run = RUN | {"tokens": {"metric": "seen"}}
    made = make({"a.jsonl": [*losses[:1], even[0], losses[1], even[1], losses[2]]}, run)
    assert made.frame["tokens"].tolist() == [0, 700, 1400]
    assert any("7 times the step" in one.detail for one in made.report.findings)
    uneven = [{"_step": 50, "seen": 7.0}, {"_step": 100, "seen": 700.0}]
    made = make({"a.jsonl": [losses[0], uneven[0], losses[1] | uneven[1], losses[2]]}, run)
    assert made.frame["tokens"].tolist() == [700]
    assert kinds(made)["dropped"] == 2


def test_a_resumed_run_goes_on_from_where_it_resumed(make: Callable[..., Imported]) -> None:
    again = [(150, 2.6223456), (200, 2.7523456), (250, 2.7623456)]
    made = make({"a.jsonl": ROWS, "b.jsonl": again}, RUN | {"logs": ["a.jsonl", "b.jsonl"]})
    assert made.frame["tokens"].tolist() == [0, 1e5, 1.5e5, 2e5, 2.5e5]
    assert made.frame["loss"].tolist()[3] == 2.7523456
    (one,) = [f for f in made.report.findings if f.kind == "replaced"]
    assert one.count == 1
    assert "resumed at step 150" in one.detail
    # The same within one file.
    made = make({"c.jsonl": ROWS + again}, RUN | {"logs": ["c.jsonl"]})
    assert made.frame["loss"].tolist()[3] == 2.7523456


def test_copies_are_merged_and_counted(make: Callable[..., Imported]) -> None:
    both = RUN | {"logs": ["a.jsonl", "b.jsonl"]}
    made = make({"a.jsonl": ROWS, "b.jsonl": ROWS[1:]}, both)
    assert len(made.frame) == 3
    assert kinds(made) == {"merged": 2}
    made = make({"c.jsonl": [*ROWS, ROWS[-1]]}, RUN | {"logs": ["c.jsonl"]})
    assert len(made.frame) == 3
    assert kinds(made) == {"merged": 1}


def test_parts_in_the_wrong_order_are_joined(make: Callable[..., Imported]) -> None:
    made = make({"a.jsonl": ROWS[2:], "b.jsonl": ROWS[:2]}, RUN | {"logs": ["a.jsonl", "b.jsonl"]})
    assert made.frame["tokens"].tolist() == [0, 1e5, 2e5]


def test_contradictions_are_never_settled_by_guessing(make: Callable[..., Imported]) -> None:
    other = [(step, loss + 0.5) for step, loss in ROWS]
    both = RUN | {"logs": ["a.jsonl", "b.jsonl"]}
    line = refused(lambda: make({"a.jsonl": ROWS, "b.jsonl": other}, both))
    assert "2.5123456 and 3.0123456 at step 0" in line
    assert "conflicts: last" in line
    for choice, first in (("first", 2.5123456), ("last", 3.0123456)):
        made = make({"a.jsonl": ROWS, "b.jsonl": other}, both | {"conflicts": choice})
        assert made.frame["loss"].iloc[0] == first
        assert kinds(made)["replaced"] == 3
    twice = [*ROWS, (200, 2.8)]
    line = refused(lambda: make({"c.jsonl": twice}, RUN | {"logs": ["c.jsonl"]}))
    assert "at step 200" in line
    made = make({"c.jsonl": twice}, RUN | {"logs": ["c.jsonl"], "conflicts": "first"})
    assert made.frame["loss"].tolist()[-1] == 2.7123456


@given(st.integers(1, 8), st.data())
def test_any_cut_and_resumption_gives_the_whole_run(
    tmp_path_factory: pytest.TempPathFactory, cut: int, data: st.DataObject
) -> None:
    """A run killed after ``cut`` and resumed at or before is the run, whatever it had logged."""
    steps = [50 * i for i in range(10)]
    resumed = data.draw(st.integers(1, cut))
    first = [(s, 3.0 + 1e-7 * s) for s in steps[: cut + 1]]
    second = [(s, 2.0 + 1e-7 * s) for s in steps[resumed:]]
    folder = tmp_path_factory.mktemp("cut")
    for name, rows in (("a", first), ("b", second)):
        lines = [json.dumps({"_step": s, "eval": v}) + "\n" for s, v in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    run = RUN | {"logs": [str(folder / "a.jsonl"), str(folder / "b.jsonl")]}
    mapping = parse_mapping(json.dumps({"schema": 1, "runs": [run]}), "m.yaml")
    logs, _ = read_logs([folder / "a.jsonl", folder / "b.jsonl"])
    frame = import_runs(logs, mapping).frame
    assert frame["tokens"].tolist() == [1000 * s for s in steps]
    assert (frame["loss"] > 2.5).tolist() == [s < steps[resumed] for s in steps]


def test_a_run_that_ends_in_nan_has_diverged(make: Callable[..., Imported]) -> None:
    good = RUN | {"name": "b", "logs": ["b.jsonl"]}
    made = make({"a.jsonl": [*ROWS, (300, math.nan)], "b.jsonl": ROWS}, RUN, good)
    assert kinds(made) == {"diverged": 1}
    table = RunTable.from_frame(made.frame)
    assert table.n_runs == 1
    assert table.exclusions[0].reason == "status diverged"
    made = make({"a.jsonl": [ROWS[0], (50, math.inf), *ROWS[1:]]}, RUN)
    assert kinds(made) == {"dropped": 1}
    assert "status" not in made.frame


def training(step: int, loss: float) -> dict[str, float]:
    return {"step": step, "loss": loss}


def test_training_losses_need_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    history = [training(10 * i, 3.0 + (-1) ** i * 0.012345678) for i in range(1, 26)]
    Path("trainer_state.json").write_text(json.dumps({"global_step": 250, "log_history": history}))
    loss = {"metric": "loss", "role": "domain"}
    run = RUN | {"logs": ["trainer_state.json"], "losses": [loss]}
    logs, _ = read_logs(["trainer_state.json"])

    def table(run: dict[str, Any]) -> Imported:
        text = json.dumps({"schema": 1, "runs": [run]})
        return import_runs(logs, parse_mapping(text, "m.yaml"))

    line = refused(lambda: table(run))
    assert "got a training loss" in line
    assert "window: 100" in line
    made = table(run | {"losses": [loss | {"window": 100}]})
    assert made.frame["loss"].tolist() == pytest.approx([3.0, 3.0])
    assert made.frame["tokens"].tolist() == [55_000, 155_000]
    scatter = pd.Series([r["loss"] for r in history[:10]]).std()
    assert made.frame["se"].tolist() == pytest.approx([scatter / math.sqrt(10)] * 2)
    assert kinds(made) == {"averaged": 20, "dropped": 5}


@pytest.mark.parametrize(
    ("unit", "value", "nats"),
    [("bits", 3.6, 3.6 * math.log(2)), ("perplexity", 12.5, math.log(12.5))],
)
def test_units(make: Callable[..., Imported], unit: str, value: float, nats: float) -> None:
    rows = [(0, value), (100, value)]
    made = make(
        {"a.jsonl": rows}, RUN | {"losses": [{"metric": "eval", "role": "general", "unit": unit}]}
    )
    assert made.frame["loss"].tolist() == pytest.approx([nats, nats])
    grid = 0.1 * (math.log(2) if unit == "bits" else 1 / value)
    assert made.frame["se"].iloc[0] == pytest.approx(grid / math.sqrt(12))


def test_losses_of_a_domain_and_dropped_steps(make: Callable[..., Imported]) -> None:
    rows = [{"_step": s, "eval": v, "law": v + 1, "tax": v + 2} for s, v in ROWS]
    losses = [
        {"metric": "eval", "role": "general"},
        {"metric": "law", "role": "domain", "domain": "law"},
        {"metric": "tax", "role": "domain", "domain": "tax"},
    ]
    made = make({"a.jsonl": rows}, RUN | {"losses": losses, "drop": [[150, 250]]})
    domain = made.frame[made.frame["role"] == "domain"]
    assert domain["loss"].tolist() == [3.5123456, 3.6123456]
    assert kinds(made)["dropped"] == 2
    assert any("tax" in f.detail for f in made.report.findings if f.kind == "unmapped")


def test_evaluations_without_steps_and_a_base(make: Callable[..., Imported]) -> None:
    logs = {"base.jsonl": [(0, 2.5123456)], "end.jsonl": [(0, 2.6123456)]}
    base = {k: v for k, v in RUN.items() if k not in ("domain", "ratio")}
    base |= {"name": "base", "logs": ["base.jsonl"], "tokens": {"total": 0}}
    end = RUN | {"logs": ["end.jsonl"], "tokens": {"total": 2e9}}
    table = RunTable.from_frame(make(logs, base, end).frame)
    assert table.frame["change"].tolist() == pytest.approx([0.1])


def test_what_is_not_mapped_is_told(make: Callable[..., Imported]) -> None:
    rows = [{"_step": s, "eval": v, "other": 1.0} for s, v in ROWS]
    made = make({"a.jsonl": rows, "b.jsonl": ROWS}, RUN)
    told = [(f.run, f.count) for f in made.report.findings if f.kind == "unmapped"]
    assert told == [("a.jsonl", 3), ("b.jsonl", 3)]
    report = made.report.to_dict()
    assert [len(log["sha256"]) for log in report["logs"]] == [64, 64]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ratio": None}, "runs[0].ratio: got null"),
        ({"size": None}, "fill it in"),
        ({"size": True}, "got True"),
        ({"ratio": "much"}, "got 'much'"),
        ({"tokens": {}}, "none of them"),
        ({"tokens": {"per_step": 1, "metric": "x"}}, "one of per_step"),
        ({"tokens": {"samples": "x"}}, "sequence_length: got nothing"),
        ({"tokens": -1}, "tokens per step"),
        ({"losses": []}, "at least one"),
        ({"losses": [{"metric": "eval", "role": "both"}]}, "general or domain"),
        ({"losses": [{"metric": "eval"}]}, "runs[0].losses[0].role: got nothing"),
        ({"losses": [{"metric": "evil", "role": "general"}]}, "got no metric 'evil'"),
        ({"losses": [{"metric": "eval", "role": "general", "window": 0.5}]}, "window"),
        ({"logs": ["c.jsonl"]}, "got the log 'c.jsonl', expected one of those given: a.jsonl"),
        ({"logs": [{"file": "a.jsonl", "run": "z"}]}, "got the run 'z'"),
        ({"logs": "a.jsonl"}, "a list of files"),
        ({"base": {"web": 2.5}}, "base: got the evaluation set 'web'"),
        ({"conflicts": "both"}, "first or last"),
        ({"drop": [[3, 1]]}, "two steps"),
        ({"sizes": 1e8}, "the key 'sizes'"),
        ({"name": None}, "runs[0].name"),
        ({"tokens": {"metric": "nothing"}}, "got no metric 'nothing'"),
    ],
)
def test_mappings_that_cannot_be(
    make: Callable[..., Imported], change: dict[str, Any], expected: str
) -> None:
    assert expected in refused(lambda: make({"a.jsonl": ROWS}, RUN | change))


@pytest.mark.parametrize(
    "text",
    ["", "[", "3", "schema: 2\nruns: []", "schema: 1\nruns: {}", "schema: 1\nschema: 1",
     "a: 2026-99-99", "schema: 1\nruns: [3]", "[" * 2000, "schema: 1\ndefaults: 3\nruns: [{}]"],
)  # fmt: skip
def test_mappings_that_are_none(text: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, "m.yaml")
    assert all(line.startswith(("m.yaml: ", "...")) for line in str(caught.value).splitlines())


def test_all_blanks_are_told_at_once_and_where_they_stand() -> None:
    text = (
        "schema: 1\ndefaults: {size: null, tokens: {per_step: null}}\n"
        "runs:\n"
        "- {name: a, logs: [a], losses: [{metric: x, role: general}], domain: null, ratio: 0.1}\n"
        "- {name: b, logs: [b], losses: [{metric: x, role: null}], domain: law, ratio: null}\n"
    )
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, "m.yaml")
    places = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert sorted(places) == [
        "defaults.size",
        "defaults.tokens.per_step",
        "runs[0].domain",
        "runs[1].losses[0].role",
        "runs[1].ratio",
    ]


@pytest.mark.parametrize("name", ["r0.5-seed2", "ü: #[x", "a'\"b", "x" * 10_000, "- y", "null"])
def test_a_draft_is_yaml_whatever_names_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    row = json.dumps({"_step": 1, f"eval_loss {name}": 2.5})
    Path("a.jsonl").write_text(row + "\n")
    logs, _ = read_logs(["a.jsonl"])
    text = draft(logs, [f"a note: {name}\nschema: 2"])
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, "m.yaml")
    lines = str(caught.value).splitlines()
    assert all(line.endswith("; fill it in") for line in lines), lines
    filled = text.replace("per_step: null", "per_step: 1").replace("role: null", "role: general")
    filled = filled.replace("size: null", "size: 1e8").replace("domain: null", "domain: law")
    mapping = parse_mapping(filled.replace("ratio: null", "ratio: 0.5"), "m.yaml")
    made = import_runs(logs, mapping)
    assert made.frame["loss"].tolist() == [2.5]
    assert mapping.runs[0].losses[0].metric == f"eval_loss {name}"


def test_a_draft_reads_names_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("460M-r0.25-seed3.jsonl").write_text('{"_step": 1, "eval_loss": 2.5, "loss": 1}\n')
    text = draft(read_logs(["460M-r0.25-seed3.jsonl"])[0])
    assert "size: 4.6e+08  # as its name has it" in text
    assert "ratio: 0.25  # as its name has it" in text
    assert "seed: 3  # as its name has it" in text
