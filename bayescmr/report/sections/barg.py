"""N. The Bayesian analysis reporting guidelines (BARG), and where each item is reported."""

from __future__ import annotations

from collections.abc import Mapping

from bayescmr.report.document import Checks, Section, Table, Text
from bayescmr.report.sentences import text

MISSING = "NOT REPORTED"

#: Kruschke 2021, doi 10.1038/s41562-021-01177-7, Table 1: item, sections, and the block (a table,
#: figure or check of these names) without which it is not reported; "" for the section as such.
_ITEMS: tuple[tuple[str, str, str, str], ...] = (
    ("Preamble", "Why Bayesian", "B", ""),
    ("Preamble", "Goals of the analysis", "A, B", ""),
    ("1 Model", "Data variables", "C", "probes"),
    ("1 Model", "Likelihood and parameters", "D", "priors_general"),
    ("1 Model", "Prior distribution and its justification", "D", "priors_general"),
    ("1 Model", "Formal specification", "D", ""),
    ("1 Model", "Prior predictive check", "E", "prior_predictive"),
    ("2 Computation", "Software", "L", "versions"),
    ("2 Computation", "Convergence of every parameter and derived value", "F", "convergence"),
    ("2 Computation", "Effective sample size of each", "F", "convergence"),
    ("3 Posterior", "Posterior predictive check", "H", "predictive"),
    ("3 Posterior", "Central tendency and interval of each", "F, G", "cmr"),
    ("3 Posterior", "Model probabilities, if used", "I", "weights"),
    ("4 Decisions", "Criteria", "K", ""),
    ("4 Decisions", "Limits and loss", "A, K", "ratio_by_risk"),
    ("5 Sensitivity", "Power-scaling of the prior", "I", "sensitivity"),
    ("5 Sensitivity", "Refits with broad and informed priors", "I", "alternatives"),
    ("5 Sensitivity", "Of decisions", "I", "sensitivity"),
    ("6 Reproducibility", "Software and installation", "L", "versions"),
    ("6 Reproducibility", "Scripts", "L", ""),
    ("6 Reproducibility", "Data", "C, L", "probes"),
    ("6 Reproducibility", "Posted chains: the posterior file", "L", "fingerprints"),
)


def barg(sections: Mapping[str, Section]) -> Section:
    """Map every item to its section; what has no block is not reported."""
    names = {
        block.name
        for section in sections.values()
        for block in section.blocks
        if not isinstance(block, Text | Checks) and hasattr(block, "name")
    }
    rows = []
    for group, item, letters, block in _ITEMS:
        there = all(letter.strip() in sections for letter in letters.split(","))
        found = not block or any(n == block or n.startswith(f"{block}_") for n in names)
        rows.append((group, item, f"section {letters}" if there and found else MISSING))
    table = Table(
        "barg",
        "Items of BARG (Kruschke 2021, doi 10.1038/s41562-021-01177-7) and where they are.",
        ("part", "item", "where"),
        tuple(rows),
    )
    missing = sum(row[2] == MISSING for row in rows)
    said = f"{len(rows) - missing} of {len(rows)} items are reported."
    return Section("N", "Reporting guidelines (BARG)", (text(said), table))
