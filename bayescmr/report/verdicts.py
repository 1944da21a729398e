"""Checks of a report: what was looked at, against which threshold, and what to do.

Convergence comes first and gates the rest: where it fails, the other checks look at draws
that are not those of the posterior, and say so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from scipy.stats import binom

from bayescmr.checks.about import Shifts
from bayescmr.checks.outcome import judged, not_run
from bayescmr.checks.prior_predictive import MAX_ABSURD, absurd_shares
from bayescmr.checks.sbc_result import MAX_LOST
from bayescmr.checks.sensitivity import THRESHOLD
from bayescmr.posterior.diagnostics import MAX_RHAT, MIN_EBFMI, MIN_ESS
from bayescmr.posterior.posterior import worst
from bayescmr.report.asked import Asked
from bayescmr.report.document import Check
from bayescmr.report.ecdf import ecdf_difference
from bayescmr.words import name

_VEHTARI = "Vehtari et al. 2021, doi 10.1214/20-BA1221"
_LOO = "Vehtari et al. 2024, JMLR 25(72)"
_LONGER = (
    "Do not use the numbers. Fit again with more draws (--draws, --tune); if that does not help,"
    " the model and the runs do not fit: look at the quantity that is named."
)
#: Error rate of the checks that are tests.
_SIGNIFICANT = 0.05


def checks(asked: Asked) -> tuple[Check, ...]:
    """All checks, convergence first."""
    found = [*_learnt(asked), *_convergence(asked)]
    later = [
        *_design(asked),
        *_prior(asked),
        *_predictive(asked),
        *_sensitivity(asked),
        *_extrapolation(asked),
        *_not_run(asked),
    ]
    if not asked.cmr.converged:
        note = "Says nothing while convergence fails. "
        later = [
            replace(c, status="REVIEW", advice=note + c.advice) if c.status == "PASS" else c
            for c in later
        ]
    return (*found, *later)


def _learnt(asked: Asked) -> Iterator[Check]:
    if asked.from_prior:
        yield Check(
            "Draws come from runs",
            "FAIL",
            "draws from the prior",
            "draws from a posterior",
            "by definition",
            "No run has been learnt from. Fit the runs: bayescmr fit RUNS.csv.",
        )


def _convergence(asked: Asked) -> Iterator[Check]:
    verdict = worst([asked.posterior.verdict, asked.cmr.verdict])
    yield judged(
        "R-hat of every parameter and of the CMR",
        verdict.max_rhat < MAX_RHAT,
        value=f"largest {verdict.max_rhat:.4f} ({name(verdict.worst['rhat'], 60)})",
        threshold=f"< {MAX_RHAT:g}",
        source=_VEHTARI,
        advice=_LONGER,
        otherwise="FAIL",
    )
    for kind, value in (("bulk", verdict.min_ess_bulk), ("tail", verdict.min_ess_tail)):
        yield judged(
            f"Effective draws ({kind})",
            value >= MIN_ESS,
            value=f"fewest {value:.0f} ({name(verdict.worst[kind], 60)})",
            threshold=f">= {MIN_ESS:.0f}",
            source=_VEHTARI,
            advice=_LONGER,
            otherwise="FAIL",
        )
    yield judged(
        "Divergences",
        verdict.divergences == 0,
        value=str(verdict.divergences),
        threshold="0",
        source="Betancourt 2017, arXiv 1701.02434",
        advice="Do not use the numbers. Fit again with --target-accept 0.99.",
        otherwise="FAIL",
    )
    if math.isfinite(verdict.min_ebfmi):
        yield judged(
            "Energy (E-BFMI)",
            not verdict.min_ebfmi < MIN_EBFMI,
            value=f"smallest {verdict.min_ebfmi:.2f}",
            threshold=f">= {MIN_EBFMI:g}",
            source="Betancourt 2016, arXiv 1604.00695",
            advice=_LONGER,
            otherwise="FAIL",
        )
    elif not asked.from_prior:
        yield Check(
            "Energy (E-BFMI)",
            "NOT RUN",
            "no energies in the file",
            f">= {MIN_EBFMI:g}",
            "Betancourt 2016, arXiv 1604.00695",
            "Fit again with this version.",
        )


def _design(asked: Asked) -> Iterator[Check]:
    rows = asked.general.drop_duplicates("run")
    twins = int((rows.groupby(["size", "domain", "ratio"]).size() > 1).sum())
    yield judged(
        "Repeated probes",
        twins > 0,
        value=f"{twins} places with more than one probe",
        threshold=">= 1",
        source="rule of thumb of this package",
        advice="Repeat a probe with another seed: only repeats tell the scatter of runs from the"
        " misfit of the law.",
        otherwise="REVIEW",
    )


def _prior(asked: Asked) -> Iterator[Check]:
    for model, draws in asked.priors.items():
        share = float(absurd_shares(draws)["worst"].max())
        yield judged(
            f"Prior predictive{_of(asked, model)}",
            share <= MAX_ABSURD,
            value=f"{100 * share:.2g} % absurd at the worst place",
            threshold=f"<= {100 * MAX_ABSURD:g} %",
            source="rule of thumb of this package, after Gabry et al. 2019, doi 10.1111/rssa.12378",
            advice="Look at section E; a prior that expects absurd losses may need a tighter"
            " scale.",
            otherwise="REVIEW",
        )


def _predictive(asked: Asked) -> Iterator[Check]:
    for model, table in asked.predictions.items():
        n, k = len(table), int(table["inside"].sum())
        low = int(binom.ppf(_SIGNIFICANT, n, asked.prob))
        yield judged(
            f"Posterior predictive coverage{_of(asked, model)}",
            # Intervals that hold more than they say are no danger to a user.
            k >= low,
            value=f"{k} of {n} probes inside",
            threshold=f">= {low} of {n}",
            source=f"binomial, {100 * _SIGNIFICANT:g} %, if probes were independent",
            advice="The model misses probes: look at section H for which, and compare laws"
            " (bayescmr compare).",
            otherwise="REVIEW",
        )
    for model, loo in asked.loos.items():
        bad = int((~loo.reliable).sum())
        yield judged(
            f"Pareto k of left-out probes{_of(asked, model)}",
            bad == 0,
            value=f"{bad} of {len(loo.table)} above",
            threshold=f"<= {loo.max_khat:.2g}",
            source=_LOO,
            advice="For these probes re-weighting is unreliable: bayescmr compare refits without"
            " them.",
            otherwise="REVIEW",
        )
        pits = asked.loo_pits[model]["pit"]
        if len(pits) < 2:
            continue
        p = float(ecdf_difference(pits)["p_value"].iloc[0])
        yield judged(
            f"LOO-PIT uniform{_of(asked, model)}",
            p >= _SIGNIFICANT,
            value=f"p = {p:.2g} over {len(pits)} probes",
            threshold=f">= {_SIGNIFICANT:g}",
            source="Sailynoja et al. 2022, doi 10.1007/s11222-022-10090-6",
            advice="Left-out probes are predicted with intervals that are too narrow, too wide or"
            " off: look at the figure in section H.",
            otherwise="REVIEW",
        )
    if asked.log_likelihoods and not asked.loos:
        yield Check(
            "Left-out probes",
            "NOT RUN",
            "a general set of one run",
            "at least 2 runs",
            _LOO,
            "Make a second probe.",
        )


def _sensitivity(asked: Asked) -> Iterator[Check]:
    for model, found in asked.sensitivities.items():
        row = found.table.to_dict(orient="index")[asked.estimand]
        value = float(row["prior"])
        yield judged(
            f"Prior sensitivity of the CMR{_of(asked, model)}",
            not found.matters(asked.estimand),
            value="the same in every draw"
            if math.isnan(value)
            else f"{value:.2g}: {row['diagnosis']}",
            threshold=f"< {THRESHOLD:g}, or no more than its chance level",
            source="Kallioinen et al. 2024, doi 10.1007/s11222-023-10366-5",
            advice="The prior co-decides: read its justification in section D, refit with others"
            " (bayescmr check sensitivity --widen 2), or add probes.",
            otherwise="REVIEW",
        )


def _extrapolation(asked: Asked) -> Iterator[Check]:
    far = asked.cmr.extrapolation
    yield judged(
        "Target within the probes",
        not far.sentences,
        value="; ".join(far.sentences) or "inside",
        threshold="probed domain, sizes, tokens and ratios",
        source="rule of thumb of this package",
        advice="The law carries the answer beyond the runs: probe nearer, or average laws"
        " (bayescmr compare).",
        otherwise="REVIEW",
    )


def _not_run(asked: Asked) -> Iterator[Check]:
    yield _shifts(
        asked,
        asked.studies.sensitivity,
        "Refits with other priors",
        asked.check_command("sensitivity", " --widen 2"),
        "rule of thumb of this package",
        "The prior co-decides: say in section D why it is what it is, or add probes.",
    )
    yield _shifts(
        asked,
        asked.studies.influence,
        "Answer without each probe",
        asked.check_command("influence"),
        "Kutner et al. 2005, section 10.4, of DFBETAS where data are few",
        "One probe decides: look at its log in section C, and repeat it with another seed.",
    )
    yield Check(
        "Hold-out of sizes and of late tokens",
        "NOT RUN",
        "needs refits",
        "compare laws by their score",
        "Gelman et al. 2020",
        f"Run: bayescmr compare {asked.table} --out stacked.nc",
    )
    yield _calibration(asked)
    if not asked.stacked:
        yield Check(
            "Other laws",
            "NOT RUN",
            "one law",
            "weights of several laws",
            "Yao et al. 2018, doi 10.1214/17-BA1091",
            f"Run: bayescmr compare {asked.table} --out stacked.nc, and report stacked.nc.",
        )


def _shifts(
    asked: Asked, found: Shifts | None, title: str, command: str, source: str, advice: str
) -> Check:
    """Check by refits, if they were made."""
    if found is None:
        run = "Needs one model: fit it by itself." if asked.stacked else f"Run: {command}"
        return not_run(
            title, "needs refits", threshold="answer hardly moves", source=source, advice=run
        )
    lost = f"; not converged: {found.not_converged}" if found.not_converged else ""
    if lost:
        advice = f"A fit that has not converged says nothing: sample for longer. {advice}"
    return judged(
        title,
        found.passed,
        value=f"largest shift {found.largest_shift:.2g} posterior sds of the CMR{lost}",
        threshold=f"<= {found.limit:g}, all fits converged",
        source=source,
        advice=advice,
    )


def _calibration(asked: Asked) -> Check:
    found = asked.studies.sbc
    run = f"bayescmr check sbc --design {asked.table} --out sbc.jsonl"
    return Check(
        "Simulation-based calibration at this design",
        "NOT RUN" if found is None else found.outcome,
        "needs simulations"
        if found is None
        else f"{len(found.not_uniform)} of {len(found.uniformity)} quantities not uniform,"
        f" {100 * found.lost:.1f} % of {len(found.records)} simulations lost",
        f"ranks uniform, at most {100 * MAX_LOST:g} % of simulations failed or not converged",
        "Talts et al. 2018, arXiv 1804.06788",
        f"Run: {run}, then report with --sbc sbc.jsonl."
        if found is None
        else "Where ranks are not uniform, trust no interval of this model; where many simulations"
        " are lost, sample for longer.",
    )


def _of(asked: Asked, model: str) -> str:
    return f" ({name(model, 60)})" if asked.stacked else ""
