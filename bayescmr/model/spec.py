"""What a model is: laws, hierarchy, priors and noise, as frozen data read from YAML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bayescmr.errors import ModelError
from bayescmr.laws import Law, get_law
from bayescmr.priors import Prior
from bayescmr.values import is_number
from bayescmr.yaml_loader import parse_yaml

Role = Literal["general", "domain"]
ROLES: tuple[Role, ...] = ("general", "domain")
#: Groups over which a parameter may vary, besides its slope in ln size.
FACTORS = ("size", "domain", "eval_set")
#: Noise quantities of one run, in the order in which they are sampled.
NOISE = (
    "run_offset",
    "run_slope",
    "residual",
    "measurement_share",
    "drift_length",
    "no_replay_factor",
)
SCHEMA = 1


@dataclass(frozen=True)
class ParameterSpec:
    """Hierarchy of one law parameter, on its sampled scale.

    parameter = mean + slope ln(N / N_ref) + size effect + domain effect + eval-set effect

    Parameters
    ----------
    name : str
        Parameter of the law.
    prior : Prior
        Of the population mean.
    size_slope : float
        Prior sd of the slope per e-fold of size (mean 0).
    effects : dict of str to float
        For each of :data:`FACTORS`, the prior median of the sd of its effects.
    because : str
        Justification of these numbers.
    """

    name: str
    prior: Prior
    size_slope: float
    effects: dict[str, float]
    because: str


@dataclass(frozen=True)
class BlockSpec:
    """Model of one loss (general or domain): a law, its hierarchy and its noise."""

    role: Role
    law: Law
    parameters: tuple[ParameterSpec, ...]
    noise: dict[str, Prior]
    noise_because: dict[str, str]
    effect_spread: float
    size_length: float

    @property
    def prior_mean(self) -> np.ndarray:
        """Means of the population means, shape (parameters,)."""
        return np.array([p.prior.mean for p in self.parameters])

    @property
    def variances(self) -> np.ndarray:
        """Prior variances of mean, slope and effects, shape (parameters, 2 + factors).

        Those of the effects are at the prior medians of their sds.
        """
        fixed = [[p.prior.scale, p.size_slope] for p in self.parameters]
        return np.hstack([fixed, self.effect_median]) ** 2

    @property
    def effect_median(self) -> np.ndarray:
        """Prior medians of the effect sds, shape (parameters, factors)."""
        return np.array([[p.effects[f] for f in FACTORS] for p in self.parameters])

    @property
    def noise_mean(self) -> np.ndarray:
        """Means of the noise quantities on their sampled scale, shape (6,)."""
        return np.array([self.noise[n].mean for n in NOISE])

    @property
    def noise_scale(self) -> np.ndarray:
        """Sds of the noise quantities on their sampled scale, shape (6,)."""
        return np.array([self.noise[n].scale for n in NOISE])


@dataclass(frozen=True)
class ModelSpec:
    """A model: one block per loss, and the YAML text it was read from."""

    name: str
    title: str
    description: str
    blocks: dict[Role, BlockSpec]
    text: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the YAML text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _models_folder() -> Path:
    """Folder of the shipped models: inside the wheel, or beside the package in a checkout."""
    installed = Path(str(files("bayescmr"))) / "_models"
    return installed if installed.is_dir() else installed.parent.parent / "models"


def model_names() -> list[str]:
    """Names of the shipped models."""
    return sorted(p.stem for p in _models_folder().glob("*.yaml"))


def load_model(name: str | Path) -> ModelSpec:
    """Load a shipped model by name, or any model from a YAML file.

    Parameters
    ----------
    name : str or Path
        A name from :func:`model_names`, or a path that ends in ``.yaml``.

    Raises
    ------
    ModelError
        Unknown model, unreadable file, or ill-formed content; names the YAML path.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if str(name) not in model_names():
            known = ", ".join(model_names())
            raise ModelError(
                f"model: got {str(name)!r}, expected one of {known}, or the path of a .yaml file"
            )
        path = _models_folder() / f"{name}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot read the model: {reason}") from None
    return parse_model(text, str(path))


def parse_model(text: str, where: str) -> ModelSpec:
    """Read a model from YAML text; errors name ``where`` and the YAML path."""
    data = parse_yaml(text, where, "a model", ModelError)
    data = _mapping(data, where, {"schema", "name", "title", "description", *ROLES})
    if data.get("schema") != SCHEMA or data["schema"] is True:
        raise ModelError(f"{where}: schema: got {data.get('schema')!r}, expected {SCHEMA}")
    if "general" not in data:
        raise ModelError(f"{where}: general: missing, expected the model of the general loss")
    blocks = {role: _block(role, data[role], f"{where}: {role}") for role in ROLES if role in data}
    texts = {key: _text(data, key, f"{where}: {key}") for key in ("name", "title", "description")}
    return ModelSpec(**texts, blocks=blocks, text=text)


def _block(role: Role, data: Any, where: str) -> BlockSpec:
    data = _mapping(data, where, {"law", "effect_spread", "size_length", "parameters", "noise"})
    try:
        law = get_law(str(data.get("law")))
    except ModelError as error:
        raise ModelError(f"{where}.{error}") from None
    if law.role != role:
        raise ModelError(
            f"{where}.law: got {law.name}, a law of the {law.role} loss, expected {role}"
        )
    names = [p.name for p in law.parameters]
    parameters = _exactly(data.get("parameters"), f"{where}.parameters", names)
    noise = _exactly(data.get("noise"), f"{where}.noise", list(NOISE))
    specs = []
    for parameter in law.parameters:
        spec = _parameter(parameter.name, parameters[parameter.name], f"{where}.parameters")
        if spec.prior.support != parameter.support:
            raise ModelError(
                f"{where}.parameters.{spec.name}.prior: got {spec.prior.family}"
                f" ({spec.prior.support}), expected a prior on a {parameter.support} quantity"
            )
        specs.append(spec)
    priors, because = {}, {}
    for name in NOISE:
        entry = _mapping(noise[name], f"{where}.noise.{name}", {"prior", "because"})
        priors[name] = Prior.from_dict(entry.get("prior"), f"{where}.noise.{name}.prior")
        because[name] = _text(entry, "because", f"{where}.noise.{name}.because")
        wanted = "unit" if name == "measurement_share" else "positive"
        if priors[name].support != wanted:
            raise ModelError(
                f"{where}.noise.{name}.prior: got {priors[name].family},"
                f" expected a prior on a {wanted} quantity"
            )
    return BlockSpec(
        role=role,
        law=law,
        parameters=tuple(specs),
        noise=priors,
        noise_because=because,
        effect_spread=_positive(data, "effect_spread", where),
        size_length=_positive(data, "size_length", where),
    )


def _parameter(name: str, data: Any, where: str) -> ParameterSpec:
    where = f"{where}.{name}"
    data = _mapping(data, where, {"prior", "size_slope", "effects", "because"})
    effects = _exactly(data.get("effects"), f"{where}.effects", list(FACTORS))
    return ParameterSpec(
        name=name,
        prior=Prior.from_dict(data.get("prior"), f"{where}.prior"),
        size_slope=_positive(data, "size_slope", where),
        effects={f: _positive(effects, f, f"{where}.effects") for f in FACTORS},
        because=_text(data, "because", f"{where}.because"),
    )


def _mapping(data: Any, where: str, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise ModelError(f"{where}: got {data!r}, expected a mapping")
    unknown = sorted(str(k) for k in data if k not in allowed)
    if unknown:
        raise ModelError(
            f"{where}: unknown keys {', '.join(unknown)}, expected {', '.join(sorted(allowed))}"
        )
    return dict(data)


def _exactly(data: Any, where: str, names: list[str]) -> dict[str, Any]:
    """Return a mapping that has exactly the keys ``names``."""
    data = _mapping(data, where, set(names))
    missing = [n for n in names if n not in data]
    if missing:
        raise ModelError(f"{where}: missing {', '.join(missing)}, expected {', '.join(names)}")
    return dict(data)


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not (isinstance(value, str) and value.strip()):
        raise ModelError(f"{where}: got {value!r}, expected a text")
    return " ".join(value.split())


def _positive(data: Mapping[str, Any], key: str, where: str) -> float:
    value = data.get(key)
    if not is_number(value) or not value > 0:
        raise ModelError(f"{where}.{key}: got {value!r}, expected a number > 0")
    return float(value)
