"""`import bayescmr` is light; nobody pays for a sampler to read a version."""

from __future__ import annotations

import subprocess
import sys

import bayescmr


def _modules_after(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()


def test_import_loads_nothing_heavy():
    loaded = set(_modules_after("import bayescmr; bayescmr.__version__"))
    assert not loaded & {"pymc", "pytensor", "torch", "ray", "numba", "nutpie", "numpy", "pandas"}


def test_reading_runs_needs_no_sampler():
    loaded = set(_modules_after("from bayescmr import read_runs, load_model, model_names"))
    assert not loaded & {"pymc", "pytensor", "torch", "ray", "nutpie"}


def test_preparing_data_of_probes_needs_neither_sampler_nor_torch():
    loaded = set(_modules_after("import bayescmr.probes.mixture, bayescmr.probes.corpora.embedded"))
    assert not loaded & {"pymc", "pytensor", "torch", "ray", "nutpie", "pandas", "tokenizers"}


def test_every_public_name_exists():
    for name in bayescmr.__all__:
        assert getattr(bayescmr, name) is not None
    assert set(bayescmr.__all__) == set(bayescmr._HOME)
