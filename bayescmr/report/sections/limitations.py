"""O. What this answer does not know."""

from __future__ import annotations

from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Number, Section
from bayescmr.report.sentences import nearest_probe, text


def limitations(asked: Asked) -> Section:
    """Distance from the probes first, then what holds for every such posterior."""
    far = asked.cmr.extrapolation
    blocks: list[Block] = [
        text(
            nearest_probe(asked),
            " Times beyond the probed sizes: ",
            Number("extrapolation_size", far.size_factor, "", 3),
            "; beyond the probed tokens: ",
            Number("extrapolation_tokens", far.tokens_factor, "", 3),
            " (1 means inside). The largest ratio probed below 1 is ",
            Number("largest_ratio_probed", far.max_ratio, "%", 3),
            ".",
        )
    ]
    if far.sentences:
        blocks.append(text(f"Extrapolation: {'; '.join(far.sentences)}."))
    laws = (
        "The answer averages laws by how they predict left-out probes; it knows only the laws in"
        " it."
        if asked.stacked
        else "The law is a law. Intervals contain the uncertainty of its parameters and of run"
        " effects, not of its form; far beyond the probes no law is to be trusted."
    )
    blocks += [
        text(laws),
        text(
            "Between the largest ratio probed below 1 and pure domain data the form of the law"
            " decides, not the probes: probe there before you train there."
        ),
        text(
            "A base loss is taken as measured; its error is shared by all probes of a size. Probes"
            " that share a data order or a base checkpoint are treated as independent given their"
            " group. Learning rate and schedule are not covariates: the answer holds for those of"
            " the probes."
        ),
        text(
            "Validation loss is not ability: a benchmark can fall while the loss does not rise, and"
            " the other way round."
        ),
    ]
    return Section("O", "Limitations", tuple(blocks))
