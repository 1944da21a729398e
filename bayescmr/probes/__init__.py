"""Probes: real continued pre-training runs, from a small model on a CPU to a checkpoint on GPUs.

Names are imported on first use; torch is loaded by what trains, not by this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayescmr.probes.collection import collect
    from bayescmr.probes.config import (
        BaseConfig,
        CorpusUse,
        Execution,
        ProbeConfig,
        Training,
        probe_checkpoints,
        read_config,
    )
    from bayescmr.probes.corpora import Corpus, open_corpus, prepare_corpus
    from bayescmr.probes.launch import Result, run
    from bayescmr.probes.tokenizer import Tokenizer, load_tokenizer

_HOME = {
    "BaseConfig": "config",
    "Corpus": "corpora",
    "CorpusUse": "config",
    "Execution": "config",
    "ProbeConfig": "config",
    "Result": "launch",
    "Tokenizer": "tokenizer",
    "Training": "config",
    "collect": "collection",
    "load_tokenizer": "tokenizer",
    "open_corpus": "corpora",
    "prepare_corpus": "corpora",
    "probe_checkpoints": "config",
    "read_config": "config",
    "run": "launch",
}

__all__ = [
    "BaseConfig",
    "Corpus",
    "CorpusUse",
    "Execution",
    "ProbeConfig",
    "Result",
    "Tokenizer",
    "Training",
    "collect",
    "load_tokenizer",
    "open_corpus",
    "prepare_corpus",
    "probe_checkpoints",
    "read_config",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bayescmr.probes' has no attribute {name!r}")
    return getattr(import_module(f"bayescmr.probes.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
