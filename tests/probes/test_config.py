"""Configurations: what is refused, and what decides the identity of a run."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import ProbeError
from bayescmr.probes import BaseConfig, CorpusUse, Execution, ProbeConfig, Training, read_config
from bayescmr.probes.config import digest, evaluation_steps, from_dict, steps_of, to_dict

PROBE = ProbeConfig(
    base="base",
    domain="law",
    domain_corpora=(CorpusUse("law"),),
    general=(CorpusUse("web", weight=2.0), CorpusUse("books", part=(0.5, 1.0))),
    ratio=0.25,
    tokens=100_000,
    seed=1,
    training=Training(learning_rate=1e-3),
)
BASE = BaseConfig(
    size="25k",
    general=(CorpusUse("web"),),
    tokens=10**6,
    seed=0,
    training=Training(learning_rate=1e-3, schedule="cosine", final_learning_rate=0.0),
)


@pytest.mark.parametrize("config", [PROBE, BASE], ids=["probe", "base"])
def test_json_there_and_back(config, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(to_dict(config)), encoding="utf-8")
    assert read_config(file) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": 1.2}, "ratio: got 1.2, expected a share in"),
        ({"ratio": float("nan")}, "ratio: got nan"),
        ({"ratio": "a quarter"}, "ratio: got 'a quarter'"),
        ({"tokens": 0}, "tokens: got 0, expected a whole number >= 1"),
        ({"tokens": 1.5}, "tokens: got 1.5"),
        ({"seed": True}, "seed: got True"),
        ({"loss_mode": "mse"}, "loss_mode: got 'mse', expected one of ce, kl, ce"),
        ({"beta": -1}, "beta: got -1"),
        ({"domain": " "}, "domain: got ' ', expected a label"),
        ({"domain_corpora": []}, "domain_corpora"),
        ({"domain_corpora": "law"}, "domain_corpora: got str, expected a list"),
        ({"general": [{"path": "web", "wait": 1}]}, r"general\[0\]: unknown key wait"),
        ({"general": [{"weight": 1.0}]}, r"general\[0\]: missing key path"),
        ({"general": [{"path": "web", "part": [0.7, 0.2]}]}, "two shares with 0 <= from < to"),
        ({"general": [{"path": "web", "part": [0.7]}]}, "two shares"),
        ({"training": {"learning_rate": 0}}, "training: learning_rate: got 0, expected a number"),
        ({"training": {}}, "training: missing key learning_rate"),
        ({"training": 3}, "training: got int, expected a JSON object"),
        ({"training": {"learning_rate": 1, "schedule": "wsd"}}, "final_learning_rate: got None"),
        ({"learning_rate": 1e-3}, "unknown key learning_rate"),
        ({"kind": "run"}, "kind: got 'run', expected one of base, probe"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ProbeError, match=message):
        from_dict({**to_dict(PROBE), **change})


@pytest.mark.parametrize(
    ("text", "message"), [("[1]", "got list"), ("{", "no JSON"), (None, "cannot be read")]
)
def test_wrong_files_are_named(text, message, tmp_path):
    file = tmp_path / "config.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ProbeError, match=rf"config\.json: {message}|config\.json.*{message}"):
        read_config(file)


def test_execution_is_checked():
    with pytest.raises(ProbeError, match="micro_sequences: got 0"):
        Execution(micro_sequences=0)
    with pytest.raises(ProbeError, match="save_minutes: got 0"):
        Execution(save_minutes=0)


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


@given(steps=st.integers(1, 10**6), n=st.integers(1, 40))
def test_evaluations_begin_at_the_base_and_end_at_the_end(steps, n):
    training = Training(learning_rate=1.0, context=2, sequences=1)
    config = replace(PROBE, tokens=2 * steps, checkpoints=n, training=training)
    assert steps_of(config) == steps
    found = evaluation_steps(config)
    assert found[0] == 0 and found[-1] == steps
    assert list(found) == sorted(set(found))
    assert len(found) <= n + 1
    if steps >= 64 * n and n > 1:
        assert len(found) == n + 1
        assert found[1] == pytest.approx(steps / 64, abs=0.51)
