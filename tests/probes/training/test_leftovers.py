"""What is left by a process that ended at a bad moment, and corpora whose names collide."""

import json
import shutil
from dataclasses import replace

import pytest
from safetensors.torch import load_file, save_file

from bayescmr.errors import ProbeError
from bayescmr.probes import CorpusUse, run
from bayescmr.probes.bases import FACTS, open_base
from bayescmr.probes.jobs import plan

pytestmark = pytest.mark.slow


def test_a_base_without_its_facts_is_not_a_base(base, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(base, half)
    (half / FACTS).unlink()
    with pytest.raises(ProbeError, match="is not finished"):
        open_base(half)


def test_facts_of_another_version_are_told(base, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(base, old)
    facts = json.loads((old / FACTS).read_text())
    for text in (json.dumps({k: v for k, v in facts.items() if k != "context"}), "[1]"):
        (old / FACTS).write_text(text)
        with pytest.raises(ProbeError, match=r"context.* not found; make the base again"):
            open_base(old)


@pytest.mark.parametrize("name", ["domain", "general"])
def test_names_of_general_corpora_must_differ(name, probe_config, corpora, tmp_path):
    """Sets of one name would be joined, general and domain text even."""
    shutil.copytree(corpora["code"], tmp_path / "other")
    path = tmp_path / "other" / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": name}))
    both = (*probe_config.general, CorpusUse(str(tmp_path / "other")))
    with pytest.raises(ProbeError, match="expected names that differ"):
        plan(replace(probe_config, general=both)).job()


def test_a_model_without_a_result_is_written_again(probe_config, execution, tmp_path):
    keep = replace(execution, save_model=True)
    first = run(replace(probe_config, tokens=512), tmp_path, keep)
    (first.folder / "result.json").unlink()
    again = run(replace(probe_config, tokens=512), tmp_path, keep)
    assert again.status == "done"
    assert open_base(again.folder / "model").facts is None


def test_a_base_that_is_no_number_is_told_before_any_step(probe_config, base, execution, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    weights = load_file(broken / "model.safetensors")
    weights["norm.weight"][:] = float("nan")
    save_file(weights, broken / "model.safetensors")
    with pytest.raises(ProbeError, match="its loss is no number before any step"):
        run(replace(probe_config, base=str(broken)), tmp_path / "out", execution)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"part": (0.5, 1.0)}, "sees again"),
        ({"part": (0.7, 1.0)}, None),
        ({"context": 16}, "sees again: its context was 32"),
    ],
)
def test_text_that_the_base_has_seen_is_noted(change, words, probe_config, execution, tmp_path):
    general = replace(probe_config.general[0], part=change.get("part"))
    training = replace(probe_config.training, context=change.get("context", 32))
    config = replace(probe_config, general=(general,), training=training, tokens=256)
    notes = run(config, tmp_path, execution).data["notes"]
    assert [note for note in notes if "sees again" in note] == [
        note for note in notes if words is not None and note.endswith(words)
    ]
    assert any("sees again" in note for note in notes) == (words is not None)
