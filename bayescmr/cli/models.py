"""``bayescmr models``: what can be fitted, and with which priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescmr.cli.options import complete_models, naming_options
from bayescmr.cli.output import new_table, print_json, screen, text_table

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.model.spec import BlockSpec, ModelSpec
    from bayescmr.priors import Prior

_PROB = 0.95

models_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="rich",
)
_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@models_app.callback()
def models_command(ctx: typer.Context, json_mode: _JSON = False) -> None:
    """List the models that can be fitted, or show one: equations, parameters, priors.

    [bold]Examples[/bold]

      bayescmr models

      bayescmr models show turning_point

      bayescmr models show my_model.yaml --json
    """
    if ctx.invoked_subcommand is not None:
        return
    from bayescmr.model.spec import load_model, model_names

    models = [load_model(name) for name in model_names()]
    if json_mode:
        print_json(
            [{"name": m.name, "title": m.title, "description": m.description} for m in models]
        )
        return
    table = text_table("model", "title")
    for model in models:
        table.add_row(model.name, model.title)
    console = screen()
    console.print(table)
    console.print("\nbayescmr models show NAME prints equations, parameters and priors.")


@models_app.command("show")
def show_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A model, or a .yaml file.", autocompletion=complete_models
        ),
    ],
    json_mode: _JSON = False,
) -> None:
    """Print equations, parameters, priors and their justification.

    [bold]Examples[/bold]

      bayescmr models show turning_point

      bayescmr models show shift_gain --json
    """
    from bayescmr.model.spec import load_model

    with naming_options({"model": "NAME"}):
        model = load_model(name)
    if json_mode:
        print_json(model_dict(model))
        return
    console = screen()
    console.print(f"{model.name}: {model.title}", style="bold", markup=False)
    console.print(model.description, markup=False)
    for role, block in model.blocks.items():
        console.print(f"\n{role} loss: {block.law.title}", style="bold", markup=False)
        console.print(block.law.equation, markup=False)
        console.print(block.law.citation, style="dim", markup=False)
        console.print()
        _print_block(console, block)


def model_dict(model: ModelSpec) -> dict[str, Any]:
    """Return a model as plain data: the stable format of ``bayescmr models show --json``."""
    return {
        "name": model.name,
        "title": model.title,
        "description": model.description,
        "fingerprint": model.fingerprint,
        "blocks": {role: _block_dict(block) for role, block in model.blocks.items()},
    }


def _block_dict(block: BlockSpec) -> dict[str, Any]:
    law = block.law
    return {
        "law": law.name,
        "title": law.title,
        "equation": law.equation,
        "citation": law.citation,
        "effect_spread": block.effect_spread,
        "size_length": block.size_length,
        "parameters": [
            {
                "name": p.name,
                "symbol": p.symbol,
                "unit": p.unit,
                "support": p.support,
                "meaning": p.meaning,
                "prior": _prior_dict(spec.prior),
                "size_slope": spec.size_slope,
                "effects": spec.effects,
                "because": spec.because,
            }
            for p, spec in zip(law.parameters, block.parameters, strict=True)
        ],
        "noise": [
            {"name": name, "prior": _prior_dict(prior), "because": block.noise_because[name]}
            for name, prior in block.noise.items()
        ],
    }


def _prior_dict(prior: Prior) -> dict[str, Any]:
    lower, upper = prior.interval(_PROB)
    return {
        "family": prior.family,
        "centre": prior.centre,
        "scale": prior.scale,
        "lower": lower,
        "upper": upper,
        "prob": _PROB,
    }


def _print_block(console: Console, block: BlockSpec) -> None:
    from bayescmr.model.spec import FACTORS

    meanings = text_table("name", "symbol", "unit", "support", "meaning", title="Parameters")
    for p in block.law.parameters:
        meanings.add_row(p.name, p.symbol, p.unit, p.support, p.meaning)
    console.print(meanings)
    console.print()

    priors = new_table("name", "prior", "95 % interval", "slope sd", title="Priors")
    for factor in FACTORS:
        priors.add_column(factor.replace("_", " "), justify="right")
    for spec in block.parameters:
        effects = [f"{spec.effects[factor]:g}" for factor in FACTORS]
        priors.add_row(
            spec.name, str(spec.prior), _interval(spec.prior), f"{spec.size_slope:g}", *effects
        )
    console.print(priors)
    console.print(
        "slope sd: per e-fold of model size; then the prior medians of the sds over sizes, domains"
        " and evaluation sets; all on the sampled scale (value, log or logit).",
        style="dim",
    )
    console.print()

    noise = new_table("name", "prior", "95 % interval", title="Noise of a run")
    for name, prior in block.noise.items():
        noise.add_row(name, str(prior), _interval(prior))
    console.print(noise)
    console.print()

    console.print("Why these numbers", style="bold")
    reasons = [(s.name, s.because) for s in block.parameters] + list(block.noise_because.items())
    why = text_table("name", "because")
    why.show_header = False
    for name, because in reasons:
        why.add_row(name, because)
    console.print(why)


def _interval(prior: Prior) -> str:
    lower, upper = prior.interval(_PROB)
    return f"{lower:.2g} to {upper:.2g}"
