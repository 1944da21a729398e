"""A base of 25 thousand parameters on small corpora of bytes, made once for each process."""

import inspect
import json
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bayescmr.probes import (  # noqa: E402
    BaseConfig,
    CorpusUse,
    Execution,
    ProbeConfig,
    Training,
    load_tokenizer,
    prepare_corpus,
    run,
)

TRAINING = Training(learning_rate=3e-3, context=32, sequences=8, warmup_tokens=512)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpora(tmp_path_factory) -> dict[str, Path]:
    """English of docstrings as general text, and code of the standard library as domain."""
    folder = tmp_path_factory.mktemp("corpora")
    modules = [json, string, inspect, np.lib.format, Path, json.decoder]
    sources = [inspect.getsource(m) for m in modules]
    words = [
        {"text": (inspect.getdoc(getattr(np, name)) or "")[:1500]} for name in sorted(dir(np))[:400]
    ]
    texts = {"general": [w for w in words if len(w["text"]) > 200]}
    texts["code"] = [
        {"text": source[i : i + 1500]} for source in sources for i in range(0, len(source), 1500)
    ]
    made = {}
    for name, documents in texts.items():
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(d) + "\n" for d in documents), encoding="utf-8")
        made[name] = folder / name
        prepare_corpus(
            [file], made[name], name=name, tokenizer=load_tokenizer("bytes"), validation_share=0.2
        )
    return made


@pytest.fixture(scope="session")
def base_config(corpora) -> BaseConfig:
    return BaseConfig(
        size="25k",
        general=(CorpusUse(str(corpora["general"]), part=(0.0, 0.7)),),
        tokens=60 * 256,
        seed=1,
        training=replace(TRAINING, schedule="wsd", final_learning_rate=1e-3),
        validation_tokens=1024,
        checkpoints=2,
    )


@pytest.fixture(scope="session")
def base(base_config, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bases") / "tiny"
    assert run(base_config, folder).status == "done"
    return folder


@pytest.fixture(scope="session")
def probe_config(base, corpora) -> ProbeConfig:
    return ProbeConfig(
        base=str(base),
        domain="code",
        domain_corpora=(CorpusUse(str(corpora["code"])),),
        general=(CorpusUse(str(corpora["general"])),),
        ratio=0.3,
        tokens=24 * 256,
        seed=3,
        training=replace(TRAINING, learning_rate=1e-3),
        validation_tokens=1024,
        checkpoints=4,
    )


@pytest.fixture
def execution() -> Execution:
    return Execution(device="cpu", log_steps=4)
