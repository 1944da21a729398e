"""A. What was asked, of which data and model."""

from __future__ import annotations

import pandas as pd

from bayescmr.report.asked import Asked
from bayescmr.report.decision import tolerance_words
from bayescmr.report.document import Number, Section, Table
from bayescmr.report.sentences import ESTIMAND_WORDS, text
from bayescmr.words import name


def header(asked: Asked) -> Section:
    """Facts of the report in one table."""
    target, provenance = asked.target, asked.posterior.provenance
    frame, general = asked.posterior.frame, asked.general
    shown = Table(
        "facts",
        "What this report is about. Sizes are non-embedding parameters.",
        ("fact", "value"),
        (
            ("size asked", Number("target_size", float(target.size), "count")),
            ("domain asked", asked.domain),
            ("token budget asked", Number("target_tokens", float(target.tokens), "count")),
            ("tolerance", tolerance_words(target)),
            ("bound of the decision", ESTIMAND_WORDS[asked.estimand]),
            ("allowed risk (%)", Number("risk", asked.risk, "%", 3)),
            ("model", ", ".join(name(m, 60) for m in asked.models)),
            ("bayescmr", str(provenance.versions.get("bayescmr", "unknown"))),
            ("run table", asked.source),
            ("number of probes", Number("n_runs", int(frame["run"].nunique()))),
            ("general losses", Number("n_losses_general", len(general))),
            ("domain losses", Number("n_losses_domain", len(frame) - len(general))),
            ("number of sizes", Number("n_sizes", int(frame["size"].nunique()))),
            ("number of domains", Number("n_domains", int(frame["domain"].nunique()))),
            ("number of groups (size and domain)", Number("n_groups", _groups(frame))),
            ("SHA-256 of the runs", provenance.fingerprint),
            ("SHA-256 of the posterior", asked.posterior_fingerprint),
        ),
    )
    undated = text(
        "No date is printed: the same posterior gives the same report, byte for byte, on any day."
    )
    return Section("A", "What was asked", (shown, undated))


def _groups(frame: pd.DataFrame) -> int:
    return len(frame[["size", "domain"]].drop_duplicates())
