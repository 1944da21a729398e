"""Models as YAML: the shipped ones are complete, and a wrong one says where."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bayescmr.errors import ModelError
from bayescmr.model.spec import FACTORS, NOISE, load_model, model_names, parse_model

SHIPPED = ["dcpt", "shift_gain", "turning_point", "two_power"]


@pytest.fixture
def broken() -> Callable[[Callable[[dict[str, Any]], None]], str]:
    """Message of the error after a change to the default model's data."""
    text = load_model("turning_point").text

    def broken(change: Callable[[dict[str, Any]], None]) -> str:
        data = yaml.safe_load(text)
        change(data)
        with pytest.raises(ModelError) as caught:
            parse_model(yaml.safe_dump(data), "my.yaml")
        message = str(caught.value)
        assert message.startswith("my.yaml: ")
        assert "\n" not in message
        return message

    return broken


def at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change that sets the value at a dotted path, or removes it where it is `...`."""
    *folders, leaf = path.split(".")

    def change(data: dict[str, Any]) -> None:
        for folder in folders:
            data = data[folder]
        if value is ...:
            del data[leaf]
        else:
            data[leaf] = value

    return change


# -- shipped models -----------------------------------------------------------------------------


def test_shipped_models_are_under_test() -> None:
    assert model_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_model_is_complete(name: str) -> None:
    model = load_model(name)
    assert model.name == name
    assert model.title and model.description
    assert set(model.blocks) == {"general", "domain"}
    laws = {role: block.law.name for role, block in model.blocks.items()}
    if name == "dcpt":
        assert laws == {"general": "dcpt_general", "domain": "dcpt_domain"}
    else:
        assert laws == {"general": name, "domain": "anchored_power"}
    for role, block in model.blocks.items():
        assert block.role == block.law.role == role
        assert [p.name for p in block.parameters] == [p.name for p in block.law.parameters]
        assert list(block.noise) == list(NOISE)
        for parameter, of_law in zip(block.parameters, block.law.parameters, strict=True):
            assert parameter.prior.support == of_law.support
            assert len(parameter.because) > 30, f"{role} {parameter.name}: why this prior?"
            assert parameter.size_slope > 0
            assert set(parameter.effects) == set(FACTORS)
            assert all(v > 0 for v in parameter.effects.values())
        for quantity in NOISE:
            assert len(block.noise_because[quantity]) > 30, f"{role} {quantity}: why this prior?"


@pytest.mark.parametrize("name", SHIPPED)
def test_intervals_quoted_in_because_are_those_of_the_prior(name: str) -> None:
    """'95 % of the prior lies in A to B' (or '95 % in', '95 % lies in') is true, as rounded."""
    quoted = 0
    for block in load_model(name).blocks.values():
        for parameter in block.parameters:
            words = parameter.because.replace(",", "").replace(";", "").split()
            for i, word in enumerate(words):
                if word != "95" or words[i + 1] != "%":
                    continue
                start = next(j for j in range(i, len(words)) if words[j] == "in") + 1
                if words[start + 1] != "to":
                    continue
                numbers = [words[start], words[start + 2].rstrip(".")]
                for number, bound in zip(numbers, parameter.prior.interval(0.95), strict=True):
                    # Right to half a unit of the last digit that is written.
                    digits = len(number.partition(".")[2])
                    assert abs(float(number) - bound) <= 0.5001 * 10.0**-digits, (
                        f"{name} {block.role} {parameter.name}: {number}, is {bound:.4g}"
                    )
                quoted += 1
    assert quoted >= 3


@pytest.mark.parametrize("name", [n for n in SHIPPED if n != "turning_point"])
def test_shipped_models_differ_only_in_the_general_law(name: str) -> None:
    """The domain block and the noise stand in each file in full; the copies may not drift."""
    model, default = load_model(name), load_model("turning_point")
    if name != "dcpt":  # which has a domain law of its own
        assert model.blocks["domain"] == default.blocks["domain"]
    for role, block in default.blocks.items():
        for field in ("noise", "noise_because", "effect_spread", "size_length"):
            assert getattr(model.blocks[role], field) == getattr(block, field)


def test_two_power_says_that_it_is_for_comparison() -> None:
    assert "badly identified" in load_model("two_power").description
    assert "comparison only" in load_model("two_power").description


def test_arrays_are_on_the_sampled_scale() -> None:
    block = load_model("turning_point").blocks["general"]
    data = yaml.safe_load(load_model("turning_point").text)["general"]
    i = [p.name for p in block.parameters].index("a")
    centre, scale = data["parameters"]["a"]["prior"]["lognormal"]
    assert block.prior_mean[i] == pytest.approx(np.log(centre))
    slope = data["parameters"]["a"]["size_slope"]
    effects = [data["parameters"]["a"]["effects"][f] for f in FACTORS]
    np.testing.assert_allclose(block.variances[i], np.square([scale, slope, *effects]))
    np.testing.assert_array_equal(
        block.effect_median[i], [data["parameters"]["a"]["effects"][f] for f in FACTORS]
    )
    assert block.effect_median.shape == (len(block.law.parameters), len(FACTORS))
    share = NOISE.index("measurement_share")
    centre, scale = data["noise"]["measurement_share"]["prior"]["logitnormal"]
    assert block.noise_mean[share] == pytest.approx(np.log(centre / (1 - centre)))
    assert block.noise_scale[share] == scale


# -- loading ------------------------------------------------------------------------------------


def test_model_from_a_file(tmp_path: Path) -> None:
    text = load_model("turning_point").text
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_model(path) == load_model(str(path)) == load_model("turning_point")


def test_fingerprint_is_of_the_text() -> None:
    text = load_model("turning_point").text
    model = parse_model(text, "here")
    assert model.fingerprint == hashlib.sha256(text.encode()).hexdigest()
    assert parse_model(text, "elsewhere").fingerprint == model.fingerprint
    assert parse_model(text + "# a word\n", "here").fingerprint != model.fingerprint


def test_a_model_of_the_general_loss_alone() -> None:
    data = yaml.safe_load(load_model("turning_point").text)
    del data["domain"]
    assert set(parse_model(yaml.safe_dump(data), "here").blocks) == {"general"}


def test_parameters_may_stand_in_any_order() -> None:
    data = yaml.safe_load(load_model("turning_point").text)
    for part in ("parameters", "noise"):
        data["general"][part] = dict(reversed(data["general"][part].items()))
    model = parse_model(yaml.safe_dump(data, sort_keys=False), "here")
    assert model.blocks["general"] == load_model("turning_point").blocks["general"]


def test_unknown_name() -> None:
    with pytest.raises(
        ModelError, match=r"'turningpoint', expected one of dcpt, shift_gain, turning_"
    ):
        load_model("turningpoint")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.yaml: cannot read the model"):
        load_model(tmp_path / "absent.yaml")


def test_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"binary\.yaml: cannot read the model"):
        load_model(path)


# -- ill-formed models --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t- x", "!!python/object:os.system {}"])
def test_not_yaml(text: str) -> None:
    with pytest.raises(ModelError, match=r"^my\.yaml: not YAML: "):
        parse_model(text, "my.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schema: 1\nname: [", "found '<stream end>' (line 2)"),
        ("name: a\ntitle: b\nname: c", "key 'name' twice (line 3)"),
        ("a: \x01", "special characters are not allowed"),
        ("[" * 20_000, "nested too deeply"),
    ],
)
def test_one_line_says_where_it_is_no_yaml(text: str, expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_model(text, "my.yaml")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("my.yaml: ")
    assert expected in line


def test_a_number_without_a_point_is_a_number() -> None:
    """YAML 1.1 reads 1e-3 as text."""
    text = load_model("turning_point").text
    assert "size_slope: 0.03\n" in text
    model = parse_model(text.replace("size_slope: 0.03\n", "size_slope: 3e-2\n"), "my.yaml")
    assert model.blocks["general"].parameters[0].size_slope == 0.03


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (at("general.parameters.c.size_slope", 10**400), "general.parameters.c.size_slope"),
        (at("general.parameters.c.prior", {"normal": [10**400, 1]}), "general.parameters.c.prior"),
        (at("schema", True), "schema: got True, expected 1"),
    ],
    ids=["slope", "prior", "schema"],
)
def test_numbers_that_are_none(
    broken: Callable[[Callable[[dict[str, Any]], None]], str],
    change: Callable[[dict[str, Any]], None],
    where: str,
) -> None:
    assert where in broken(change)


@pytest.mark.parametrize("text", ["", "3", "[]", "turning_point"])
def test_not_a_mapping(text: str) -> None:
    with pytest.raises(ModelError, match=r"^my\.yaml: got .*, expected a mapping$"):
        parse_model(text, "my.yaml")


GENERAL = "general.parameters.a"


@pytest.mark.parametrize(
    ("path", "value", "where", "says"),
    [
        ("schema", 2, "schema", "got 2, expected 1"),
        ("schema", ..., "schema", "got None, expected 1"),
        ("general", ..., "general", "missing"),
        ("general", [1], "general", "expected a mapping"),
        ("specific", {}, "", "unknown keys specific, expected "),
        ("name", ..., "name", "expected a text"),
        ("title", 3, "title", "got 3, expected a text"),
        ("description", "  ", "description", "expected a text"),
        # The law.
        ("general.law", "chinchilla", "general.law", "'chinchilla', expected one of "),
        ("general.law", ..., "general.law", "got 'None', expected one of "),
        ("general.law", "anchored_power", "general.law", "a law of the domain loss"),
        ("domain.law", "turning_point", "domain.law", "a law of the general loss"),
        ("general.laws", 1, "general", "unknown keys laws"),
        ("general.effect_spread", ..., "general.effect_spread", "expected a number > 0"),
        ("general.effect_spread", 0, "general.effect_spread", "got 0, expected a number > 0"),
        ("general.size_length", "1", "general.size_length", "got '1', expected a number > 0"),
        ("general.size_length", -1.0, "general.size_length", "got -1.0, expected a number > 0"),
        ("domain.size_length", float("nan"), "domain.size_length", "got nan, expected a number"),
        ("general.size_length", float("inf"), "general.size_length", "got inf, expected a"),
        # Parameters.
        ("general.parameters", ..., "general.parameters", "got None, expected a mapping"),
        (GENERAL, ..., "general.parameters", "missing a, expected c, a, s, "),
        ("general.parameters.tau", {}, "general.parameters", "unknown keys tau"),
        (GENERAL, None, GENERAL, "got None, expected a mapping"),
        (f"{GENERAL}.sd", 1, GENERAL, "unknown keys sd"),
        (f"{GENERAL}.prior", ..., f"{GENERAL}.prior", "got None, expected {family"),
        (f"{GENERAL}.prior", {"gamma": [1, 1]}, f"{GENERAL}.prior", "expected one of normal"),
        (f"{GENERAL}.prior", {"lognormal": [0, 1]}, f"{GENERAL}.prior", "a centre > 0"),
        (f"{GENERAL}.prior", {"normal": [0, 1]}, f"{GENERAL}.prior", "on a positive quantity"),
        (f"{GENERAL}.size_slope", ..., f"{GENERAL}.size_slope", "got None, expected a number"),
        (f"{GENERAL}.size_slope", 0, f"{GENERAL}.size_slope", "got 0, expected a number > 0"),
        (f"{GENERAL}.size_slope", True, f"{GENERAL}.size_slope", "got True, expected a number"),
        (f"{GENERAL}.effects", ..., f"{GENERAL}.effects", "got None, expected a mapping"),
        (f"{GENERAL}.effects.size", ..., f"{GENERAL}.effects", "missing size, expected size, "),
        (f"{GENERAL}.effects.seed", 1, f"{GENERAL}.effects", "unknown keys seed"),
        (f"{GENERAL}.effects.size", 0.0, f"{GENERAL}.effects.size", "got 0.0, expected a number"),
        (f"{GENERAL}.effects.domain", "x", f"{GENERAL}.effects.domain", "got 'x', expected a"),
        (f"{GENERAL}.because", ..., f"{GENERAL}.because", "got None, expected a text"),
        (f"{GENERAL}.because", "", f"{GENERAL}.because", "got '', expected a text"),
        ("domain.parameters.eta.because", "", "domain.parameters.eta.because", "expected a text"),
        # Noise.
        ("general.noise", ..., "general.noise", "got None, expected a mapping"),
        ("general.noise.residual", ..., "general.noise", "missing residual, expected run_offset"),
        ("general.noise.seed", {}, "general.noise", "unknown keys seed"),
        ("general.noise.residual", 1, "general.noise.residual", "got 1, expected a mapping"),
        ("general.noise.residual.sd", 1, "general.noise.residual", "unknown keys sd"),
        ("general.noise.residual.prior", 1, "general.noise.residual.prior", "got 1, expected {fam"),
        (
            "general.noise.residual.prior",
            {"logitnormal": [0.5, 1]},
            "general.noise.residual.prior",
            "got logitnormal, expected a prior on a positive quantity",
        ),
        (
            "domain.noise.measurement_share.prior",
            {"lognormal": [0.5, 1]},
            "domain.noise.measurement_share.prior",
            "got lognormal, expected a prior on a unit quantity",
        ),
        ("general.noise.residual.because", 7, "general.noise.residual.because", "got 7, expected"),
    ],
)
def test_wrong_model_says_where(
    broken: Callable[[Callable[[dict[str, Any]], None]], str],
    path: str,
    value: Any,
    where: str,
    says: str,
) -> None:
    message = broken(at(path, value))
    assert message.startswith(f"my.yaml: {where}: " if where else "my.yaml: ")
    assert says in message
