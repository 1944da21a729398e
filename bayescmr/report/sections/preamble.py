"""B. Why Bayesian, and what the critical mixture ratio is."""

from __future__ import annotations

from bayescmr.report.asked import Asked
from bayescmr.report.document import Section
from bayescmr.report.sentences import ESTIMAND_WORDS, text


def preamble(asked: Asked) -> Section:
    """Define the estimands and say when they do not exist."""
    return Section(
        "B",
        "Why Bayesian, and what is estimated",
        (
            text(
                "Probes are few, small and noisy, and the model that matters is larger than all"
                " of them. A point estimate hides how little they say. A posterior carries what"
                " they say, and what they leave open, to the size and budget that are asked"
                " about, so a ratio can be chosen at a stated risk."
            ),
            text(
                "Three critical mixture ratios (CMR) are never mixed up. The tolerance CMR is the"
                " largest domain share R up to which the general loss rises by at most the"
                " tolerance. The turning-point CMR is the largest R up to which the general loss"
                " has peaked and is falling at the token budget (Gu et al. 2024, Definition 2)."
                " The CMR of Gu et al. is the smaller of the two (Definition 3). Here"
                f" the {ESTIMAND_WORDS[asked.estimand]} decides."
            ),
            text(
                "Each draw of the posterior gives its own curve and its own first crossing in R;"
                " medians and intervals are those of the crossings, not the crossing of the mean"
                " curve. With several general sets it is, draw by draw, the smallest over the"
                " sets. Where no ratio is feasible the CMR is 0, where every ratio is, 1; both"
                " are reported with their probability and never averaged away."
            ),
            text(
                "All of it is conditional on the size, token budget, learning-rate schedule,"
                " optimiser and data of the probes. A learning rate is not a covariate of the"
                " model. The CMR is about the mean of all such runs; the decision also allows"
                " for the scatter of the one run that is about to be made."
            ),
        ),
    )
