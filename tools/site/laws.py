"""The catalogue of laws and models, from the classes and the YAML files themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

from bayescmr.laws import Law, get_law, law_names
from bayescmr.model.spec import FACTORS, BlockSpec, load_model, model_names

_INTRO = """# Laws and models

A **law** says how one loss changes with tokens *T* and domain share *R*; a **model** gives the
parameters of a law of the general loss, and of one of the domain loss, their hierarchy over sizes
and domains, and priors. This page is made from the code and from the YAML files that ship with it;
`bayescmr models show NAME` prints the same. Which law predicts best is a question of data:
[comparison](comparison.md). Of your own: a [law](own_law.md), [priors](own_priors.md).
"""


def page() -> str:
    """Return the Markdown of the page."""
    lines = [_INTRO, "## Laws", ""]
    for name in law_names():
        lines += _law(get_law(name))
    lines += ["## Models", ""]
    for name in model_names():
        model = load_model(name)
        lines += [f"### `{model.name}`", "", f"**{model.title}.** {model.description}", ""]
        for role, block in model.blocks.items():
            lines += _block(role, block)
    return "\n".join(lines)


def _law(law: Law) -> Iterator[str]:
    yield from (f"### `{law.name}`", "", f"**{law.title}**, of the {law.role} loss.", "")
    notes = inspect.getdoc(type(law)) or ""
    # The docstring is numpydoc: its summary, then notes under their heading.
    yield notes.replace("Notes\n-----\n", "")
    yield from ("", "```text", law.equation, "```", "", f"Source: {law.citation}.", "")
    rows = ((f"`{p.name}`", p.symbol, p.unit, p.support, p.meaning) for p in law.parameters)
    yield from _table(("name", "symbol", "unit", "support", "meaning"), rows)


def _block(role: str, block: BlockSpec) -> Iterator[str]:
    yield from (f"#### {role.capitalize()} loss of this model", "")
    yield from (f"Law: [`{block.law.name}`](#{block.law.name}).", "")
    rows = (
        (
            f"`{p.name}`",
            str(p.prior),
            f"{p.size_slope:g}",
            *(f"{p.effects[factor]:g}" for factor in FACTORS),
            p.because,
        )
        for p in block.parameters
    )
    factors = (f"over {factor.replace('_', ' ')}s" for factor in FACTORS)
    yield from _table(("parameter", "prior", "slope in ln size", *factors, "because"), rows)
    noise = ((f"`{n}`", str(p), block.noise_because[n]) for n, p in block.noise.items())
    yield from _table(("noise of a run", "prior", "because"), noise)


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    headings = tuple(headings)
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""
