"""Saving and loading a posterior: netCDF groups and JSON attributes, nothing executable."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from bayescmr.errors import PosteriorFileError
from bayescmr.laws import Reference, get_law, law_names
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.spec import FACTORS, NOISE, ROLES, Role, parse_model
from bayescmr.posterior.answers import Kind
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.posterior import Posterior, Provenance
from bayescmr.posterior.stacked import StackedPosterior

#: Raised by one whenever the layout of the file changes.
SCHEMA = 1


def save(posterior: Posterior | StackedPosterior, path: Path) -> Path:
    """Write atomically: a reader never sees half a file.

    Layout: root attributes ``bayescmr_schema``, ``model`` (YAML text),
    ``provenance`` (JSON) and ``kind``; group ``runs`` (the table); for each
    loss a group with ``coef``, ``ln_effect_sd``, ``noise`` and a group
    ``<loss>/sample_stats``. A stacked posterior has the root attribute
    ``weights`` (JSON, from model name to weight) in place of ``model``, and in
    each group ``components/<i>``, in the order of the weights, what a posterior
    has at its root, but for the table.
    """
    nodes = {"/": xr.Dataset(), "/runs": _frame_to_dataset(posterior.frame)}
    if isinstance(posterior, StackedPosterior):
        for i, component in enumerate(posterior.components.values()):
            nodes |= _posterior_to_nodes(component, f"/components/{i}")
        nodes["/"].attrs = {
            "kind": posterior.kind,
            "provenance": json.dumps(vars(posterior.provenance), sort_keys=True),
            "weights": json.dumps(posterior.weights),
        }
    else:
        nodes |= _posterior_to_nodes(posterior, "")
    nodes["/"].attrs["bayescmr_schema"] = SCHEMA
    tree = xr.DataTree.from_dict(nodes)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            tree.to_netcdf(partial, engine="h5netcdf")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise PosteriorFileError(f"{path}: cannot write: {error}") from None
    return path


def _posterior_to_nodes(posterior: Posterior, at: str) -> dict[str, xr.Dataset]:
    """All but the table, below the group ``at``."""
    nodes = {at or "/": xr.Dataset()}
    for role, block in posterior.blocks.items():
        nodes[f"{at}/{role}"] = _block_to_dataset(block)
        nodes[f"{at}/{role}/sample_stats"] = block.statistics
    nodes[at or "/"].attrs = {
        "model": posterior.model.text,
        "kind": posterior.kind,
        "provenance": json.dumps(vars(posterior.provenance), sort_keys=True),
    }
    return nodes


def load(path: str | Path) -> Posterior | StackedPosterior:
    """Read what :meth:`Posterior.save` or :meth:`StackedPosterior.save` wrote.

    Raises
    ------
    PosteriorFileError
        Missing file, another kind of file, another schema, draws of parameters that
        this version does not have, or damaged content.
    """
    path = Path(path)
    if path.is_dir():
        raise PosteriorFileError(f"{path}: a folder, expected a file written by `bayescmr fit`")
    if not path.is_file():
        raise PosteriorFileError(
            f"{path}: no such file; `bayescmr fit RUNS.csv --out {path.name}` writes one"
        )
    try:
        # Files of others may have unnamed dimensions: refused below, without a warning here.
        with xr.open_datatree(path, engine="h5netcdf", phony_dims="access") as tree:
            tree.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PosteriorFileError(f"{path}: not a netCDF file that can be read ({first})") from None
    schema = tree.attrs.get("bayescmr_schema")
    if schema is None:
        raise PosteriorFileError(
            f"{path}: not written by bayescmr (no attribute bayescmr_schema);"
            " expected a file from `bayescmr fit`"
        )
    if str(schema) != str(SCHEMA):
        raise PosteriorFileError(
            f"{path}: schema {schema}, expected {SCHEMA}; fit again with this version"
        )
    try:
        frame = _dataset_to_frame(tree.children["runs"].to_dataset(inherit=False))
        if "weights" not in tree.attrs:
            return _posterior(path, tree, frame)
        weights = {str(k): float(v) for k, v in json.loads(str(tree.attrs["weights"])).items()}
        parts = tree.children["components"].children
        components = {
            name: _posterior(path, parts[str(i)], frame) for i, name in enumerate(weights)
        }
        if abs(sum(weights.values()) - 1.0) > 1e-6 or min(weights.values()) <= 0:
            raise ValueError("weights that are no shares")
        return StackedPosterior(components, weights, _provenance(tree))
    except PosteriorFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0] if str(error) else ""
        raise PosteriorFileError(
            f"{path}: damaged ({type(error).__name__}: {first}); fit again"
        ) from None


def _posterior(path: Path, tree: xr.DataTree, frame: pd.DataFrame) -> Posterior:
    """Posterior whose attributes and draws are at this node."""
    _check_names(path, tree)
    model = parse_model(str(tree.attrs["model"]), "model")
    provenance = _provenance(tree)
    blocks: dict[Role, BlockPosterior] = {}
    for role, spec in model.blocks.items():
        if role in tree.children:
            node = tree.children[role]
            data = node.to_dataset(inherit=False)
            hierarchy = _hierarchy(data.attrs, spec.size_length)
            _compare(path, f"other terms of the {role} loss", data["term"], hierarchy.terms)
            blocks[role] = BlockPosterior(
                spec=spec,
                hierarchy=hierarchy,
                coef=data["coef"].to_numpy(),
                ln_effect_sd=data["ln_effect_sd"].to_numpy(),
                noise=data["noise"].to_numpy(),
                statistics=node.children["sample_stats"].to_dataset(inherit=False),
                seed=provenance.seed,
            )
    kind = cast(Any, str(tree.attrs["kind"]))
    if "general" not in blocks or kind not in get_args(Kind):
        raise ValueError("no draws of the general loss, or draws of an unknown kind")
    return Posterior(model, blocks, frame, provenance, kind)


def _provenance(tree: xr.DataTree) -> Provenance:
    record = json.loads(str(tree.attrs["provenance"]))
    record["exclusions"] = tuple(record["exclusions"])
    record["notes"] = tuple(record["notes"])
    return Provenance(**record)


def _check_names(path: Path, tree: xr.DataTree) -> None:
    """Refuse draws of quantities that this version does not have, or has in another order."""
    model = yaml.safe_load(str(tree.attrs["model"]))
    for role in ROLES:
        if role not in tree.children:
            continue
        stored = tree.children[role].to_dataset(inherit=False)
        name = str(model[role]["law"])
        if name not in law_names():
            raise PosteriorFileError(
                f"{path}: written with the law {name!r}, which this version does not have"
                f" (it has {', '.join(law_names())}); fit the runs again"
            )
        own = [p.name for p in get_law(name).parameters]
        _compare(path, f"other parameters of the law {name}", stored["parameter"], own)
        _compare(path, "other noise quantities", stored["quantity"], NOISE)
        _compare(path, "other levels of the hierarchy", stored["factor"], FACTORS)


def _compare(path: Path, what: str, stored: xr.DataArray, here: Sequence[str]) -> None:
    found = [str(name) for name in stored.to_numpy()]
    if found != list(here):
        raise PosteriorFileError(
            f"{path}: written with {what} (file: {', '.join(found)}; this version:"
            f" {', '.join(here)}); fit the runs again"
        )


def _block_to_dataset(block: BlockPosterior) -> xr.Dataset:
    h = block.hierarchy
    return xr.Dataset(
        {
            "coef": (("chain", "draw", "parameter", "term"), block.coef),
            "ln_effect_sd": (("chain", "draw", "parameter", "factor"), block.ln_effect_sd),
            "noise": (("chain", "draw", "quantity"), block.noise),
        },
        coords={
            "chain": np.arange(block.shape[0]),
            "draw": np.arange(block.shape[1]),
            "parameter": [p.name for p in block.spec.parameters],
            "term": h.terms,
            "factor": list(FACTORS),
            "quantity": list(NOISE),
        },
        attrs={
            "sizes": np.array(h.sizes),
            "domains": json.dumps(h.domains),
            "eval_sets": json.dumps(h.eval_sets),
            "reference": np.array([h.reference.size, h.reference.tokens, h.reference.ratio]),
        },
    )


def _hierarchy(attrs: dict[str, Any], size_length: float) -> Hierarchy:
    size, tokens, ratio = (float(v) for v in np.atleast_1d(attrs["reference"]))
    return Hierarchy(
        sizes=tuple(float(v) for v in np.atleast_1d(attrs["sizes"])),
        domains=tuple(json.loads(attrs["domains"])),
        eval_sets=tuple(json.loads(attrs["eval_sets"])),
        size_length=size_length,
        reference=Reference(size, tokens, ratio),
    )


def _frame_to_dataset(frame: pd.DataFrame) -> xr.Dataset:
    """Numbers as float64, everything else as text; the original kinds are kept in an attribute."""
    columns, kinds = {}, {}
    for name in frame.columns:
        column = frame[name]
        numeric = pd.api.types.is_numeric_dtype(column)
        kinds[str(name)] = str(column.dtype) if numeric else "str"
        values = (
            column.to_numpy(dtype=float, na_value=np.nan)
            if numeric
            else column.fillna("").astype(str).to_numpy(dtype=object)
        )
        columns[str(name)] = ("row", values)
    return xr.Dataset(columns, attrs={"kinds": json.dumps(kinds)})


def _dataset_to_frame(data: xr.Dataset) -> pd.DataFrame:
    kinds = json.loads(data.attrs["kinds"])
    frame = pd.DataFrame({name: data[name].to_numpy() for name in kinds})
    return frame.astype({name: kind for name, kind in kinds.items() if kind != "object"})
