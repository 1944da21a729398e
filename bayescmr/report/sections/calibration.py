"""J. Whether this design and this model would find the truth."""

from __future__ import annotations

import shlex

from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Code, Section
from bayescmr.report.sentences import text
from bayescmr.report.words import name


def calibration(asked: Asked) -> Section:
    """Say that simulation-based calibration of this design was not run, and how to run it."""
    blocks: list[Block] = [
        text(
            "NOT RUN: simulation-based calibration at the design of these probes (draw truths from"
            " the prior, simulate and fit runs, see whether intervals hold what they say). It"
            " takes hours, and goes on where it stopped."
        )
    ]
    for model in asked.models:
        command = (
            f"bayescmr check sbc --model {shlex.quote(name(model, 60))} --design {asked.table}"
            f" --simulations 200 --out sbc_{shlex.quote(name(model, 60))}.jsonl --figure sbc.png"
        )
        blocks.append(text("To run it: ", Code(command), "."))
    blocks.append(
        text(
            "What is known of the shipped models in general stands in docs/calibration.md of the"
            " package: where the law is true, intervals hold what they say; where it is not, some"
            " are too narrow."
        )
    )
    return Section("J", "Calibration", tuple(blocks))
