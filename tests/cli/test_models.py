"""``bayescmr models``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bayescmr as bc


def test_lists_every_model_uncut_and_writes_nothing(cli, tmp_path: Path) -> None:
    done = cli("models")
    assert done.returncode == 0
    for name in bc.model_names():
        assert name in done.stdout.split()
        assert bc.load_model(name).title in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_lists_as_json(cli) -> None:
    done = cli("models", "--json")
    assert [model["name"] for model in json.loads(done.stdout)] == bc.model_names()


@pytest.mark.parametrize("name", bc.model_names())
def test_shows_equations_parameters_and_priors(cli, name: str) -> None:
    done = cli("models", "show", name)
    assert done.returncode == 0
    for block in bc.load_model(name).blocks.values():
        for line in block.law.equation.splitlines():
            assert line.strip() in done.stdout
        for parameter, spec in zip(block.law.parameters, block.parameters, strict=True):
            assert parameter.meaning in done.stdout
            assert str(spec.prior) in done.stdout
        for prior in block.noise.values():
            assert str(prior) in done.stdout


def test_shows_as_json(cli) -> None:
    shown = json.loads(cli("models", "show", "turning_point", "--json").stdout)
    model = bc.load_model("turning_point")
    assert shown["fingerprint"] == model.fingerprint
    assert set(shown["blocks"]) == {"general", "domain"}
    for role, block in model.blocks.items():
        parameters = {p["name"]: p for p in shown["blocks"][role]["parameters"]}
        for spec in block.parameters:
            found = parameters[spec.name]
            prior = found["prior"]
            assert {prior["family"]: [prior["centre"], prior["scale"]]} == spec.prior.to_dict()
            assert (prior["lower"], prior["upper"]) == pytest.approx(spec.prior.interval(0.95))
            assert found["because"] == spec.because
            assert found["effects"] == spec.effects


def test_unknown_model_is_one_line_with_the_known_ones(cli) -> None:
    done = cli("models", "show", "turning_pint")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "turning_pint" in done.stderr
    assert "turning_point" in done.stderr
