"""A job in, lines of losses out."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from bayescmr.errors import CampaignError
from bayescmr.runners.contract import (
    LossRow,
    ProbeJob,
    expand,
    reached,
    read_job,
    read_losses,
    split_command,
    write_job,
)

JOB = ProbeJob(
    run="0123456789ab",
    size=98_304,
    domain="Recht & Gesetz",
    ratio=0.1,
    seed=3,
    tokens=8192,
    until=4096,
    checkpoints=(1024, 4096, 8192),
    settings={"base": "bases/ü", "nested": {"a": [1, None]}},
    root="/data",
)


def lines(tmp_path, text):
    (tmp_path / "losses.jsonl").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_losses(tmp_path)


# -- the job --------------------------------------------------------------------------------


def test_a_job_is_read_as_it_was_written(tmp_path):
    path = write_job(tmp_path / "run", JOB)
    assert read_job(path) == JOB
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["schema"] == 1 and data["checkpoints"] == [1024, 4096, 8192]
    assert {p.name for p in path.parent.iterdir()} == {"job.json"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ratio": 10}, "ratio: got 10, expected a share"),
        ({"ratio": math.nan}, "ratio: got nan"),
        ({"size": 0}, "size: got 0"),
        ({"seed": -1}, "seed: got -1"),
        ({"tokens": 8192.0}, "tokens: got 8192.0"),
        ({"until": 9000}, "until: got 9000, expected at most tokens, 8192"),
        ({"checkpoints": (1, 2)}, "checkpoints: .* that rise to tokens, 8192"),
        ({"checkpoints": (4, 2, 8192)}, "checkpoints"),
        ({"domain": ""}, "domain: got ''"),
    ],
)
def test_an_ill_formed_job_is_refused(change, words):
    with pytest.raises(CampaignError, match=words):
        replace(JOB, **change)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "got list, expected a JSON object"),
        ("{}", "expected schema 1"),
        ('{"schema": 1}', "missing key checkpoints, domain"),
    ],
)
def test_a_damaged_job_is_named(tmp_path, text, words):
    path = tmp_path / "job.json"
    path.write_text(text)
    with pytest.raises(CampaignError, match=f"job.json: {words}"):
        read_job(path)
    with pytest.raises(CampaignError, match="cannot be read"):
        read_job(tmp_path / "none.json")


def test_settings_that_are_no_json_leave_no_file(tmp_path):
    with pytest.raises(CampaignError, match="settings of run 0123456789ab: no JSON"):
        write_job(tmp_path, replace(JOB, settings={"a": math.inf}))
    assert not list(tmp_path.iterdir())


# -- the command ----------------------------------------------------------------------------


def test_placeholders_are_filled_in_and_never_split(tmp_path):
    folder = tmp_path / "a b"
    text = "python {root}/t.py --r={ratio} '--domain={domain}' {size} {until} '{{x}}' {job}"
    assert expand(text, JOB, folder) == (
        "python", "/data/t.py", "--r=0.1", "--domain=Recht & Gesetz", "98304", "4096", "{x}",
        f"{folder}/job.json",
    )  # fmt: skip
    assert expand(["{run}", "{seed} {tokens}", "{folder}"], JOB, folder) == (
        "0123456789ab", "3 8192", str(folder),
    )  # fmt: skip
    assert expand("{root} {size}", replace(JOB, root="", size=1.5), folder) == (str(folder), "1.5")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("train {ration}", r"placeholder \{ration\} .* expected one of \{job\}, \{folder\}"),
        ("train {}", r"placeholder \{\}"),
        ("train {job!r}", r"placeholder \{job\}"),
        ("train {ratio:.3f}", r"placeholder \{ratio\}"),
        ("train {", "written twice"),
        ("train 'x", "cannot be split"),
        ("", "expected a program"),
        ([], "expected a program"),
        (["a", 1], "expected a program"),
    ],
)
def test_a_wrong_template_is_refused(template, words):
    with pytest.raises(CampaignError, match=words):
        split_command(template)


# -- losses ---------------------------------------------------------------------------------


def test_losses_of_every_column(tmp_path):
    rows = lines(
        tmp_path,
        '{"tokens": 0, "loss_general": 3.5, "loss_domain": 8}\n\n'
        '{"tokens": 64, "loss_general:web": 3.25, "se_general:web": 0.5, "change_domain": -1e-3}\n',
    )
    assert rows == [
        LossRow(0, "general", "general", "loss", 3.5),
        LossRow(0, "domain", "domain", "loss", 8.0),
        LossRow(64, "general", "web", "loss", 3.25, 0.5),
        LossRow(64, "domain", "domain", "change", -1e-3),
    ]
    assert reached(rows) == 64
    assert reached([]) == 0 and read_losses(tmp_path / "none") == []


GOOD = '{"tokens": 0, "loss_general": 3.5}\n'
LAST = '{"tokens": 64, "loss_general": 3.25}'


NEXT = '{"tokens": 128, "loss_general": 3.0}'


def test_a_line_that_lacks_only_its_end_is_not_lost(tmp_path):
    assert [row.tokens for row in lines(tmp_path, GOOD + LAST + NEXT + "\n")] == [0, 64, 128]
    assert [row.tokens for row in lines(tmp_path, GOOD + LAST + NEXT[:9])] == [0, 64]


@pytest.mark.parametrize("cut", range(len(LAST)))
def test_a_line_cut_anywhere_by_a_kill_is_left_out(tmp_path, cut):
    assert [row.tokens for row in lines(tmp_path, GOOD + LAST[:cut])] == [0]
    # The command goes on and writes the line again, right behind what was cut.
    assert [row.tokens for row in lines(tmp_path, GOOD + LAST[:cut] + LAST + "\n")] == [0, 64]


def test_a_last_line_without_end_counts_once_it_is_whole(tmp_path):
    assert [row.tokens for row in lines(tmp_path, GOOD + LAST)] == [0, 64]


def test_a_repeated_line_must_agree(tmp_path):
    assert len(lines(tmp_path, GOOD + LAST + "\n" + GOOD)) == 2
    words = "losses.jsonl, line 2: loss of 'general' at 0 tokens: got 3.6 .* line 1 has 3.5"
    with pytest.raises(CampaignError, match=words):
        lines(tmp_path, GOOD + '{"tokens": 0, "loss_general": 3.6}\n')


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("step 1: loss 3.4", "got 'step 1: loss 3.4', expected a JSON object"),
        ('INFO {"tokens": 0, "loss_general": 3.5}', "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ("\0\1\2", "expected a JSON object"),
        ("[" * 100_000, "expected a JSON object"),
        ('{"loss_general": 3}', "tokens: got None"),
        ('{"tokens": 1.5, "loss_general": 3}', "tokens: got 1.5"),
        ('{"tokens": -1, "loss_general": 3}', "tokens: got -1"),
        ('{"tokens": true, "loss_general": 3}', "tokens: got True"),
        ('{"tokens": "8", "loss_general": 3}', "tokens: got '8'"),
        ('{"tokens": 1, "loss_general": NaN}', "got nan, .* ends with exit code 4"),
        ('{"tokens": 1, "loss_general": Infinity}', "got inf"),
        ('{"tokens": 1, "loss_general": null}', "got None"),
        ('{"tokens": 1, "loss_general": "3"}', "got '3'"),
        ('{"tokens": 1, "loss_general": ' + "9" * 400 + "}", "got 999"),
        ('{"tokens": 1, "loss_generl": 3}', "got the key 'loss_generl', expected tokens"),
        ('{"tokens": 1, "base_loss_general": 3}', "got the key 'base_loss_general'"),
        ('{"tokens": 1, "loss_general": 3, "se_general": -1}', "number >= 0"),
        ('{"tokens": 1, "se_general": 1}', "'general' without its loss"),
        ('{"tokens": 1}', "got no loss"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_rubbish_is_named(tmp_path, line, words):
    with pytest.raises(CampaignError, match=f"losses.jsonl, line 2: .*{words}"):
        lines(tmp_path, GOOD + line + "\n" + LAST + "\n")


def test_bytes_that_are_no_text(tmp_path):
    with pytest.raises(CampaignError, match="line 2: got"):
        lines(tmp_path, GOOD.encode() + b"\xff\xfe\n")
