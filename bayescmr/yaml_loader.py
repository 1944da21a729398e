"""YAML as plain data: no objects, no key twice, and 1e9 is a number."""

from __future__ import annotations

import re
from typing import Any

import yaml

from bayescmr.errors import BayesCMRError


class Loader(yaml.SafeLoader):
    """Plain data only; 1e-3 is a number; and no key twice, of which YAML would take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that comes twice."""
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for i, (key, _) in enumerate(node.value):
            if isinstance(key, yaml.ScalarNode) and key.value in names[:i]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a point and a sign, 1.0e-3, and reads 1e-3 as text.
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def parse_yaml(text: str, where: str, what: str, error_class: type[BayesCMRError]) -> Any:
    """Read YAML text.

    Parameters
    ----------
    text : str
        The text.
    where : str
        Name of the file in messages.
    what : str
        What the file should be, with its article ("a model").
    error_class : type
        Class of the error.

    Raises
    ------
    BayesCMRError
        Of the class given: the text is no YAML; the message names file and line.
    """
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" (line {mark.line + 1})" if mark else ""
        raise error_class(f"{where}: not YAML: {error.problem or error.context}{line}") from None
    except yaml.YAMLError as error:
        raise error_class(f"{where}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise error_class(f"{where}: not {what}: YAML nested too deeply") from None
    except ValueError as error:  # 2026-13-45 looks like a date
        raise error_class(f"{where}: not YAML: {error}") from None
