"""J. Whether this design and this model would find the truth."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pandas as pd

from bayescmr.checks.sbc_result import MAX_LOST, SBCResult
from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Code, Figure, Number, Section
from bayescmr.report.ecdf import ecdf_difference, plot_ecdf
from bayescmr.report.sentences import text
from bayescmr.report.tables import Column, table_of
from bayescmr.words import name

#: Quantities that a decision rests on; the others are counted.
_SHOWN = ("CMR", "log likelihood")


def calibration(asked: Asked) -> Section:
    """Simulation-based calibration of this design: what it found, or how to run it."""
    blocks: list[Block] = []
    if asked.studies.sbc is None:
        blocks.append(
            text(
                "NOT RUN: simulation-based calibration at the design of these probes (draw truths"
                " from the prior, simulate and fit runs, see whether intervals hold what they say)."
                " It may take hours, and goes on where it stopped."
            )
        )
        for model in asked.models:
            file = f"sbc_{shlex.quote(name(model, 60))}.jsonl"
            command = (
                f"bayescmr check sbc --model {shlex.quote(name(model, 60))} --design {asked.table}"
                f" --simulations 200 --out {file}"
            )
            again = asked.report_command(f" --sbc {file}")
            blocks.append(text("To run it: ", Code(command), ", then ", Code(again), "."))
    else:
        blocks += _study(asked.studies.sbc)
    blocks.append(
        text(
            "What is known of the shipped models in general stands in docs/calibration.md of the"
            " package: where the law is true, intervals hold what they say; where it is not, some"
            " are too narrow."
        )
    )
    return Section("J", "Calibration", tuple(blocks))


def _study(found: SBCResult) -> Iterator[Block]:
    yield text(
        "Simulation-based calibration: truths were drawn from the prior of ",
        name(str(found.header["model"]), 60),
        ", runs of the design of these probes simulated and fitted, and the truths ranked among the"
        " draws. Where all is right, ranks are uniform (Talts et al. 2018, arXiv 1804.06788)."
        f" Verdict: {found.outcome}. Of ",
        Number("sbc_simulations", len(found.records), "count"),
        " simulations ",
        Number("sbc_failed", len(found.failed), "count"),
        " failed and ",
        Number("sbc_not_converged", len(found.not_converged), "count"),
        f" did not converge (at most {100 * MAX_LOST:g} % together are allowed; none is left out"
        " here). Ranks of ",
        Number("sbc_not_uniform", len(found.not_uniform), "count"),
        " of ",
        Number("sbc_quantities", len(found.uniformity), "count"),
        " quantities are not uniform (family-wise error rate 0.05).",
    )
    rows = [
        {"quantity": u.name, "p": u.p_all, "bias": u.bias, "spread": u.spread}
        for u in sorted(found.uniformity, key=lambda u: u.name)
        if u.name.startswith(_SHOWN)
    ]
    yield table_of(
        "sbc",
        "Ranks of the critical mixture ratios and of the log likelihood. Bias: mean percentile of"
        " the truth minus 1/2. Spread: sd of percentiles over that of uniform ones; above 1"
        " posteriors are too narrow.",
        pd.DataFrame(rows),
        (
            Column("quantity", "quantity"),
            Column("p", "P(uniform ranks depart as much)", digits=2),
            Column("bias", "bias", digits=2),
            Column("spread", "spread", digits=3),
        ),
    )
    ranks = found.ranks()
    if len(ranks) < 2:
        return
    quantity = "CMR tolerance, probed target"
    column = ranks[:, list(found.header["quantities"]).index(quantity)]
    # Ranks 0 to L, as percentiles in the middle of their bins.
    ecdf = ecdf_difference((column + 0.5) / (int(found.header["ranked_draws"]) + 1))
    yield Figure(
        "sbc_ecdf",
        "ECDF of the percentile of the true tolerance CMR at a probed target, minus that of"
        " uniform percentiles; the band holds a calibrated one everywhere at once with 95 %"
        " probability.",
        "Difference of the empirical distribution of percentiles from a uniform one, with a band.",
        ecdf,
        lambda ax: plot_ecdf(ecdf, label="percentile of the truth", ax=ax),
        (3.4, 2.6),
    )
