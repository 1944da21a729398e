"""A space from YAML: what it means, and every problem at once, by its path."""

from __future__ import annotations

import pytest

from bayescmr.errors import CampaignError, DesignError
from bayescmr.fields import Reader
from bayescmr.planning.read_space import read_space, space_of

WHOLE = """
sizes: [25248, 1.0e5]
ratios: [0, 0.25, 1]
tokens: {25248: 65536, 100000: 524288}
checkpoints: [8192, 65536, 524288]
seeds: 2
min_tokens: 8192
run_flops: 1.0e15
cost: {training: 6, evaluation_tokens: 1000, setup: 1.0e9}
"""


def write(tmp_path, text):
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key(tmp_path):
    space = read_space(write(tmp_path, WHOLE), "law")
    assert space.domain == "law"
    assert space.sizes == (25248.0, 1e5)
    assert space.ratios == (0.0, 0.25, 1.0)
    assert space.checkpoints == {25248.0: (8192.0, 65536.0), 1e5: (8192.0, 65536.0, 524288.0)}
    assert (space.seeds, space.min_tokens, space.run_flops) == (2, 8192.0, 1e15)
    assert (space.cost.training, space.cost.evaluation_tokens, space.cost.setup) == (6, 1000, 1e9)


def test_defaults_are_those_of_a_probe(tmp_path):
    """Eight checkpoints where `bayescmr probe` has them, the first at a 64th of the run."""
    from bayescmr.probes.config import spaced_steps

    text = "sizes: [1.0e5]\nratios: [0, 1]\ntokens: 524288\nstep_tokens: 2048\n"
    space = read_space(write(tmp_path, text), "law")
    steps = [2048.0 * step for step in spaced_steps(256, 8) if step > 0]
    assert list(space.checkpoints[1e5]) == steps
    assert steps[-1] == 524288.0


def test_keys_that_json_made_texts_of():
    """A campaign keeps its space as JSON, whose keys are texts."""
    reader = Reader("store", CampaignError)
    data = {"sizes": [1e5], "ratios": [0.5], "tokens": {"100000": 8192}, "checkpoints": [8192]}
    space = space_of(reader, data, "space", "law")
    assert reader.problems == () and space is not None
    assert space.checkpoints == {1e5: (8192.0,)}


PROBLEMS = [
    ("sizes: []\n", "sizes"),
    ("sizes: [a]\n", "sizes"),
    ("sizes: 5\n", "sizes"),
    ("sizes:\n", "sizes"),
    ("ratios: [0, true]\n", "ratios"),
    ("ratios: [0.5, 0.25]\n", "ratios"),
    ("tokens: 0\n", "tokens"),
    ("tokens: {1: 5}\n", "tokens"),
    ("tokens: many\n", "tokens"),
    ("checkpoints: 0\n", "checkpoints"),
    ("checkpoints: 2.5\n", "checkpoints"),
    ("checkpoints:\n", "checkpoints"),
    ("checkpoints: [x]\n", "checkpoints"),
    ("step_tokens: 0.5\n", "step_tokens"),
    ("step_tokens: big\n", "step_tokens"),
    ("seeds: 0\n", "seeds"),
    ("seeds:\n", "seeds"),
    ("min_tokens: -3\n", "min_tokens"),
    ("min_tokens: 1.0e9\n", "min_tokens"),
    ("run_flops: 1\n", "run_flops"),
    ("cost: 6\n", "cost"),
    ("cost: {setup: x}\n", "cost.setup"),
    ("cost: {setup: -1}\n", "setup"),
    ("cost: {gpu: 1}\n", "gpu"),
    ("lengths: 5\n", "lengths"),
]


@pytest.mark.parametrize(("line", "said"), PROBLEMS, ids=[line.strip() for line, _ in PROBLEMS])
def test_problems_name_file_and_path(tmp_path, line, said):
    key = line.partition(":")[0]
    rest = [one for one in WHOLE.strip().splitlines() if not one.startswith(f"{key}:")]
    path = write(tmp_path, "\n".join([*rest, line]))
    with pytest.raises(DesignError, match=said) as caught:
        read_space(path, "law")
    assert str(caught.value).startswith(str(path))
    assert "expected" in str(caught.value)


def test_all_problems_at_once(tmp_path):
    path = write(tmp_path, "sizes: [a]\nratios: 5\ntokens: 0\nspeed: 3\ncost: {setup: x}\n")
    with pytest.raises(DesignError) as caught:
        read_space(path, "law")
    said = str(caught.value)
    for name in ("sizes", "ratios", "tokens", "speed", "cost.setup"):
        assert name in said, said
    assert all(line.startswith(str(path)) for line in said.splitlines())


@pytest.mark.parametrize("text", ["", "- 1\n", "sizes: [1\n"], ids=["empty", "list", "broken"])
def test_no_space_at_all(tmp_path, text):
    with pytest.raises(DesignError, match=r"space\.yaml"):
        read_space(write(tmp_path, text), "law")


def test_no_file(tmp_path):
    with pytest.raises(DesignError, match="cannot read the space of runs"):
        read_space(tmp_path / "absent.yaml", "law")
