"""Saving and loading: the same answers, and no surprises from other people's files."""

from __future__ import annotations

import json
import os

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayescmr as bc
from bayescmr.errors import PosteriorFileError
from bayescmr.gu2024 import trajectories


@pytest.fixture(scope="module")
def prior():
    return bc.prior_predictive(bc.RunTable.from_frame(trajectories(4)), seed=1, draws=25)


def test_round_trip(prior, tmp_path):
    path = prior.save(tmp_path / "deep" / "posterior.nc")
    again = bc.load(path)
    assert again.model == prior.model
    assert again.provenance == prior.provenance
    assert again.kind == "prior"
    pd.testing.assert_frame_equal(again.frame, prior.frame)
    target = bc.Target(7e9, "finance", 30e9, 0.05)
    for name, draws in prior.cmr(target).draws.items():
        np.testing.assert_array_equal(again.cmr(target).draws[name], draws)
    assert again.cmr(target).decide(0.1) == prior.cmr(target).decide(0.1)
    assert os.listdir(path.parent) == ["posterior.nc"]  # no partial file is left


def test_what_is_inside(prior, tmp_path):
    path = prior.save(tmp_path / "p.nc")
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        assert tree.attrs["bayescmr_schema"] == 1
        assert "name: turning_point" in tree.attrs["model"]
        for word in ("fingerprint", "seed", "versions", "pymc"):
            assert word in tree.attrs["provenance"]
        assert {"general", "domain", "runs"} <= set(tree.children)


def test_files_of_before_there_were_seconds_and_machine(prior, tmp_path):
    path = prior.save(tmp_path / "p.nc")
    with h5py.File(path, "a") as file:
        record = json.loads(file.attrs["provenance"])
        assert record["machine"]["cores"] >= 1 and record["seconds"] == {}
        file.attrs["provenance"] = json.dumps(
            {k: v for k, v in record.items() if k not in ("machine", "seconds")}
        )
    old = bc.load(path).provenance
    assert old == prior.provenance
    assert (old.machine, old.seconds) == ({}, {})


def test_missing_file(tmp_path):
    with pytest.raises(PosteriorFileError, match="no such file; `bayescmr fit"):
        bc.load(tmp_path / "nothing.nc")


@pytest.mark.parametrize("content", [b"", b"run,size\n1,2\n", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_not_netcdf(content, tmp_path):
    path = tmp_path / "p.nc"
    path.write_bytes(content)
    with pytest.raises(PosteriorFileError, match=r"p\.nc: "):
        bc.load(path)


def test_truncated(prior, tmp_path):
    path = prior.save(tmp_path / "p.nc")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PosteriorFileError, match=r"p\.nc: "):
        bc.load(path)


def test_netcdf_of_somebody_else(tmp_path):
    path = tmp_path / "p.nc"
    xr.Dataset({"x": ("a", [1.0])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(PosteriorFileError, match="not written by bayescmr"):
        bc.load(path)


def test_newer_schema_and_damaged_content(prior, tmp_path):
    path = prior.save(tmp_path / "p.nc")
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        tree.load()
    for attrs, message in (
        ({"bayescmr_schema": 99}, "schema 99, expected 1"),
        ({"model": "nonsense: 1"}, "damaged"),
        ({"provenance": "{"}, "damaged"),
    ):
        changed = tree.copy()
        changed.attrs = {**tree.attrs, **attrs}
        changed.to_netcdf(path, engine="h5netcdf")
        with pytest.raises(PosteriorFileError, match=message):
            bc.load(path)


@pytest.fixture
def edited(prior, tmp_path):
    """Save, let a function change the tree, and return the message of the error at loading."""

    def edited(change):
        path = prior.save(tmp_path / "p.nc")
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            tree.load()
        nodes = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
        change(nodes)
        xr.DataTree.from_dict(nodes).to_netcdf(path, engine="h5netcdf")
        with pytest.raises(PosteriorFileError) as caught:
            bc.load(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert len(message.splitlines()) == 1
        assert "fit the runs again" in message or "damaged" in message
        return message

    return edited


def _renamed(nodes, coordinate, old, new):
    names = [new if n == old else str(n) for n in nodes["/general"][coordinate].to_numpy()]
    nodes["/general"] = nodes["/general"].assign_coords({coordinate: names})


def test_parameters_of_an_older_law(edited):
    def older(nodes):
        _renamed(nodes, "parameter", "delta", "log_t0")
        text = nodes["/"].attrs["model"]
        nodes["/"].attrs["model"] = text.replace("    delta:\n", "    log_t0:\n", 1)

    message = edited(older)
    assert "written with other parameters of the law turning_point" in message
    assert "(file: c, a, s, log_t0, mu, kappa, nu, e;" in message
    assert "this version: c, a, s, delta, mu, kappa, nu, e)" in message


@pytest.mark.parametrize(
    ("coordinate", "old", "expected"),
    [
        ("quantity", "residual", "other noise quantities (file: run_offset, run_slope, other,"),
        ("factor", "eval_set", "other levels of the hierarchy (file: size, domain, other;"),
        ("term", "size slope", "other terms of the general loss (file: mean, other,"),
    ],
)
def test_quantities_of_an_older_version(edited, coordinate, old, expected):
    assert expected in edited(lambda nodes: _renamed(nodes, coordinate, old, "other"))


def test_a_law_that_is_gone(edited):
    def gone(nodes):
        text = nodes["/"].attrs["model"]
        nodes["/"].attrs["model"] = text.replace("law: turning_point", "law: textbook", 1)

    assert "the law 'textbook', which this version does not have" in edited(gone)


@pytest.mark.parametrize(
    "change",
    [
        lambda nodes: nodes.pop("/general"),
        lambda nodes: nodes.pop("/runs"),
        lambda nodes: nodes["/"].attrs.update(kind="guess"),
        lambda nodes: nodes["/"].attrs.update(model="{"),
        lambda nodes: nodes["/"].attrs.update(model="[1]"),
        lambda nodes: nodes["/"].attrs.update(provenance="[]"),
        lambda nodes: nodes["/general"].attrs.update(reference=np.array([1.0, -1.0, 0.5])),
        lambda nodes: nodes["/general"].attrs.update(domains="3"),
        lambda nodes: nodes["/runs"].attrs.update(kinds="[]"),
    ],
    ids=["block", "runs", "kind", "yaml", "model", "provenance", "reference", "domains", "kinds"],
)
def test_damaged_in_many_ways(edited, change):
    assert "damaged (" in edited(change)


def test_unwritable_folder(prior, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(PosteriorFileError, match="cannot write"):
        prior.save(blocked / "p.nc")
