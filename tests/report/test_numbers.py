"""Every number of a report is computed anew from the saved posterior, by other means."""

from __future__ import annotations

import json
import math
import re
import shutil
from decimal import Decimal

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit

import bayescmr as bc
from bayescmr.checks.prior_predictive import ABSURD
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.report import tex
from bayescmr.report.document import Number

RISK = 0.4
ESTIMANDS = ("tolerance", "turning_point", "gu")


@pytest.fixture(scope="module")
def posterior(saved):
    return bc.load(saved)


@pytest.fixture(scope="module")
def page(written, read_page, page_numbers):
    return page_numbers(read_page((written / "report.html").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def anew(posterior, target):
    """All numbers by name."""
    found = {}
    for part in (
        facts,
        answer,
        probes,
        priors,
        prior_checks,
        convergence,
        cmrs,
        law,
        predictive,
        sensitivity,
        decision,
        distance,
    ):
        found.update(part(posterior, target))
    return found


def test_the_page_shows_these_numbers_and_no_others(page, anew):
    assert set(page) ^ set(anew) == set()
    for name, value in anew.items():
        assert page[name][0] == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_what_is_shown_is_the_value_rounded(page, data):
    known = {n.name: n for n in data.numbers}
    for name, (value, shown) in page.items():
        number = known[name]
        if number.unit == "count" or not math.isfinite(value):
            continue
        read = Decimal(shown.split("\u00a0")[0]) / (100 if number.unit == "%" else 1)
        exact = Decimal(repr(value))
        # Half a unit of the last digit; a whole one where the number is rounded down.
        unit = Decimal(1).scaleb(Decimal(shown.split("\u00a0")[0]).as_tuple().exponent)
        unit /= 100 if number.unit == "%" else 1
        if number.rounding == "down":
            assert 0 <= exact - read < unit, name
        else:
            assert abs(exact - read) <= unit / 2 or (shown == "0" and abs(exact) < 1e-300), name


def test_safe_ratios_are_rounded_down(page, posterior, target):
    shown = float(page["safe_ratio"][1].split("\u00a0")[0]) / 100
    assert posterior.cmr(target).risk_at(shown) <= RISK


def test_json_has_the_same_numbers(written, anew):
    report = json.loads((written / "report.json").read_text(encoding="utf-8"))
    assert report["schema"] == 1
    assert report["numbers"].keys() == anew.keys()
    for name, value in anew.items():
        assert report["numbers"][name]["value"] == pytest.approx(value, rel=1e-9, abs=1e-12), name


# -- in TeX and CSV ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def typeset(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tex")
    tex.write(data, folder)
    return folder


def read_number(source):
    """Value and unit of the last digit of a number in TeX: ``-0.31``, ``\\num{1.2e-7}``, 3.1B."""
    shown = re.sub(r"\\num{(.*)}", r"\1", source)
    if shown[-1] in _COUNTS:
        return Decimal(shown[:-1]) * _COUNTS[shown[-1]], None
    return Decimal(shown), Decimal(1).scaleb(Decimal(shown).as_tuple().exponent)


_COUNTS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def assert_rounds(source, number, value):
    """What TeX shows is the value that was computed anew, rounded."""
    if not math.isfinite(value):
        assert source in (r"$\infty$", r"-$\infty$", "undefined")
        return
    read, unit = read_number(source)
    exact = Decimal(repr(float(value))) * (100 if number.unit == "%" else 1)
    if number.unit == "count":
        assert float(read) == pytest.approx(float(value), rel=5e-3), number.name
    elif number.rounding == "down":
        assert 0 <= exact - read < unit, number.name
    else:
        # The last digit may turn on the last bit of what was computed in another order.
        slack = abs(exact) * Decimal("1e-9")
        assert abs(exact - read) <= unit / 2 + slack or (read == 0 and abs(exact) < 1e-300), (
            number.name
        )


def test_macros_are_these_numbers(typeset, anew, data):
    found = re.findall(
        r"^\\newcommand{\\(\w+)}{(.*)} % (\w+), (.*)$", (typeset / "macros.tex").read_text(), re.M
    )
    known = {n.name: n for n in data.numbers}
    assert sorted(name for _, _, name, _ in found) == sorted(anew)
    assert len({macro for macro, *_ in found}) == len(found)
    for _, source, name, unit in found:
        assert unit == (known[name].suffix or "no unit")
        assert_rounds(source, known[name], anew[name])


def test_every_macro_that_the_text_uses_is_there(typeset):
    defined = set(re.findall(r"\\newcommand{\\(\w+)}", (typeset / "macros.tex").read_text()))
    used = {
        name
        for path in (typeset / "sections").glob("*.tex")
        for name in re.findall(r"\\(cmr[A-Za-z]+)", path.read_text())
    }
    assert {"cmrSafeRatio", "cmrAnswerMedian"} <= used <= defined


def test_tables_and_their_csv_are_these_numbers(typeset, anew, data):
    compared = 0
    for table in data.tables:
        frame = pd.read_csv(typeset / "tables" / f"{table.name}.csv")
        assert frame.shape == (len(table.rows), len(table.columns))
        source = (typeset / "tables" / f"{table.name}.tex").read_text()
        assert source.count(r"\bottomrule") >= 1
        for i, row in enumerate(table.rows):
            for j, number in enumerate(row):
                if not isinstance(number, Number):
                    continue
                value = float(anew[number.name]) * (100 if number.unit == "%" else 1)
                assert float(frame.iat[i, j]) == pytest.approx(value, rel=1e-9, abs=1e-12)
                shown = number.shown.replace("∞", r"$\infty$")
                assert re.search(rf"(?<![\d.]){re.escape(shown)}(?![\d.])", source), number.name
                assert_rounds(shown, number, anew[number.name])
                compared += 1
    assert compared > 500


def test_figures_have_their_data_beside_them(typeset, data):
    for figure in data.figures:
        assert (typeset / "figures" / f"{figure.name}.pdf").read_bytes().startswith(b"%PDF")
        read = pd.read_csv(typeset / "figures" / f"{figure.name}.csv")
        assert len(read) == len(figure.data)
        for name in figure.data.select_dtypes("number"):
            np.testing.assert_allclose(read[name], figure.data[name], rtol=1e-8, atol=1e-300)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_the_whole_report_compiles(typeset):
    assert tex.compile_tex(typeset).read_bytes().startswith(b"%PDF")


# -- by other means ---------------------------------------------------------------------------


def cells(table, rows):
    """Names and values of a table's numbers."""
    return {
        f"{table}_{i}_{key}": value
        for i, row in enumerate(rows, 1)
        for key, value in row.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def general(posterior):
    return posterior.frame.query("role == 'general'")


def facts(posterior, target):
    frame = posterior.frame
    return {
        "target_size": target.size,
        "target_tokens": target.tokens,
        "risk": RISK,
        "n_runs": len(set(frame["run"])),
        "n_losses_general": (frame["role"] == "general").sum(),
        "n_losses_domain": (frame["role"] == "domain").sum(),
        "n_sizes": len(set(frame["size"])),
        "n_domains": len(set(frame["domain"])),
        "n_groups": len({*zip(frame["size"], frame["domain"], strict=True)}),
    }


def answer(posterior, target):
    draws = posterior.cmr(target).draws["tolerance"]
    new_run = np.sort(posterior.cmr(target).predictive["tolerance"])
    safe = new_run[math.floor(RISK * len(new_run))]
    return {
        "safe_ratio": safe,
        "chance_at_safe_ratio": np.mean((new_run < safe) | (new_run == 0)),
        "answer_median": np.median(draws),
        "answer_lower": np.quantile(draws, 0.05),
        "answer_upper": np.quantile(draws, 0.95),
    }


def probes(posterior, target):
    rows = []
    for _run, own in general(posterior).groupby("run"):
        own = own.sort_values("tokens")
        rows.append(
            {
                "domain": own["domain"].iloc[0],
                "size": own["size"].iloc[0],
                "ratio": own["ratio"].iloc[0],
                "run": own["run"].iloc[0],
                "first": own["tokens"].iloc[0],
                "last": own["tokens"].iloc[-1],
                "checkpoints": len(own),
                "change": own["change"].iloc[-1],
                "se": own["se"].max(),
            }
        )
    rows.sort(key=lambda r: (r["domain"], r["size"], r["ratio"], r["run"]))
    return cells("probes", [{k: v for k, v in r.items() if not isinstance(v, str)} for r in rows])


_FAMILIES = {
    "normal": lambda c, s: lambda q: c + s * stats.norm.ppf(q),
    "lognormal": lambda c, s: stats.lognorm(s, scale=c).ppf,
    "logitnormal": lambda c, s: lambda q: expit(np.log(c / (1 - c)) + s * stats.norm.ppf(q)),
}


def priors(posterior, target):
    found = {}
    for role, block in posterior.blocks.items():
        ends = {}
        for table, entries in (
            ("priors", [p.prior for p in block.spec.parameters]),
            ("noise", list(block.spec.noise.values())),
        ):
            quantile = [_FAMILIES[p.family](p.centre, p.scale) for p in entries]
            ends[table] = [{"lower": q(0.025), "upper": q(0.975)} for q in quantile]
            found |= cells(f"{table}_{role}", ends[table])
        spread = [{"slope": p.size_slope, **p.effects} for p in block.spec.parameters]
        found |= cells(f"effects_{role}", spread)
    return found


def prior_checks(posterior, target):
    runs = bc.RunTable(posterior.frame, (), (), "", "")
    prior = bc.prior_predictive(runs, posterior.model, seed=1, draws=250)
    rows = []
    for role in ("general", "domain"):
        shares = []
        for _, row in prior.frame.query("role == @role").sort_values("tokens").groupby("run"):
            last = row.iloc[-1]
            change = prior.changes(
                role,
                size=last["size"],
                domain=last["domain"],
                tokens=last["tokens"],
                ratio=last["ratio"],
            )
            shares.append(np.mean((change < ABSURD[role][0]) | (change > ABSURD[role][1])))
        low, high = ABSURD[role]
        rows.append(
            {
                "low": low,
                "high": high,
                "points": len(shares),
                "share": np.mean(shares),
                "worst": max(shares),
            }
        )
    cmr_rows = []
    for estimand in sorted(ESTIMANDS):
        for draws in (prior, posterior):
            values = draws.cmr(target).draws[estimand]
            cmr_rows.append(
                {
                    "median": np.median(values),
                    "lower": np.quantile(values, 0.05),
                    "upper": np.quantile(values, 0.95),
                    "p_none": np.mean(values == 0),
                    "p_all": np.mean(values == 1),
                }
            )
    return cells("prior_predictive", rows) | cells("prior_cmr", cmr_rows)


def convergence(posterior, target):
    quantities = {f"CMR {k}": v for k, v in posterior.cmr(target).draws.items()}
    for block in posterior.blocks.values():
        quantities |= block.quantities()
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {f"q{i}": (("chain", "draw"), v) for i, v in enumerate(quantities.values())}
            )
        }
    )
    figures = {
        "rhat": arviz_stats.rhat(tree),
        "ess_bulk": arviz_stats.ess(tree, method="bulk"),
        "ess_tail": arviz_stats.ess(tree, method="tail", prob=(0.05, 0.95)),
        "mcse": arviz_stats.mcse(tree, method="mean"),
    }
    rows = []
    for i, values in enumerate(quantities.values()):
        row = {k: float(v[f"q{i}"]) for k, v in figures.items()}
        low, high = np.quantile(values, [0.05, 0.95])
        if low == values.min() or high == values.max():
            row["ess_tail"] = row["ess_bulk"]
        rows.append({**row, "mean": values.mean(), "sd": values.std(ddof=1)})
    return cells("convergence", rows)


def cmrs(posterior, target):
    cmr = posterior.cmr(target)
    rows = [
        {
            "mean": v.mean(),
            "sd": v.std(ddof=1),
            "median": np.median(v),
            "lower": np.quantile(v, 0.05),
            "upper": np.quantile(v, 0.95),
            "p_none": np.mean(v == 0),
            "p_all": np.mean(v == 1),
        }
        for v in (cmr.draws[e] for e in ESTIMANDS)
    ]
    binds = np.mean(cmr.draws["tolerance"] < cmr.draws["turning_point"])
    shares = {"p_tolerance_binds": binds, "p_turning_point_binds": 1 - binds}
    return cells("cmr", rows) | shares


def law(posterior, target):
    rows = []
    for block in posterior.blocks.values():
        (eval_set,) = block.hierarchy.eval_sets
        for values in block.theta(target.size, target.domain, eval_set).values():
            lower, median, upper = np.quantile(values, [0.05, 0.5, 0.95])
            rows.append(
                {
                    "mean": values.mean(),
                    "sd": values.std(ddof=1),
                    "median": median,
                    "lower": lower,
                    "upper": upper,
                }
            )
    return cells("law", rows)


def predictive(posterior, target):
    rows = general(posterior)
    block = posterior.general
    runs, values = run_log_likelihood(block, rows)
    weights, khat = arviz_stats.base.array_stats.psislw(values, axis=-1)
    log_weights = weights - np.logaddexp.reduce(weights, axis=1, keepdims=True)
    weights = np.exp(log_weights)
    limit = min(1 - 1 / np.log10(values.shape[1]), 0.7)
    loo_rows, tails, groups = [], {}, {}
    for i, run in enumerate(runs):
        elpd = np.logaddexp.reduce(log_weights[i] + values[i])
        whole = np.logaddexp.reduce(values[i]) - np.log(len(values[i]))
        last = rows[rows["run"] == run].sort_values("tokens").iloc[-1]
        loo_rows.append(
            {
                "size": last["size"],
                "ratio": last["ratio"],
                "elpd": elpd,
                "p_loo": whole - elpd,
                "khat": khat[i],
            }
        )
        mean = block.change(last["size"], last["domain"], "general", last["tokens"], last["ratio"])[
            :, 0
        ]
        u, v, d, _, m, f = block.scales.T
        x = np.log(last["tokens"] / block.hierarchy.reference.tokens)
        run_variance = u**2 + (v * x) ** 2 + d**2
        if last["ratio"] == 1:
            run_variance = run_variance * f**2
        sd = np.sqrt(run_variance + m**2 + last["se"] ** 2)
        normals = np.random.default_rng([1, 5]).standard_normal(len(mean))
        lower, median, upper = np.quantile(mean + sd * normals, [0.05, 0.5, 0.95])
        pit = weights[i] @ stats.norm.cdf((last["change"] - mean) / sd)
        groups.setdefault((last["size"], last["domain"]), []).append(
            (
                last["change"] - median,
                lower <= last["change"] <= upper,
                abs(pit - 0.5) <= 0.45 if khat[i] <= limit else None,
            )
        )
        tails[run] = pit
    by_group = []
    for (size, _), found in sorted(groups.items()):
        left = [x[2] for x in found if x[2] is not None]
        by_group.append(
            {
                "size": size,
                "runs": len(found),
                "residual": np.mean([x[0] for x in found]),
                "inside": np.mean([x[1] for x in found]),
                "left_out": len(left),
                "inside_loo": np.mean(left) if left else None,
            }
        )
    elpds = np.array([r["elpd"] for r in loo_rows])
    total = {
        "elpd": elpds.sum(),
        "se": np.sqrt(len(elpds)) * elpds.std(),
        "p_loo": sum(r["p_loo"] for r in loo_rows),
        "unreliable": int(np.sum(~(khat <= limit))),
        "limit": limit,
    }
    return cells("predictive", by_group) | cells("loo", loo_rows) | cells("loo_total", [total])


def sensitivity(posterior, target):
    wanted = ("prior", "prior_error", "likelihood", "law", "effect_sd", "noise")
    table = bc.sensitivity(posterior, target).table
    return cells("sensitivity", [{k: row[k] for k in wanted} for _, row in table.iterrows()])


def decision(posterior, target):
    cmr = posterior.cmr(target)
    safe = answer(posterior, target)["safe_ratio"]
    place = {"size": target.size, "domain": target.domain, "tokens": target.tokens}
    ratios = sorted({0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1, safe})
    rows = []
    for ratio in ratios:
        rise = posterior.changes("general", ratio=ratio, **place)[:, 0]
        new_run = cmr.predictive["tolerance"]
        rows.append(
            {
                "ratio": ratio,
                "chance": np.mean((new_run < ratio) | (new_run == 0)),
                "rise": rise.mean(),
                "rise_lower": np.quantile(rise, 0.05),
                "rise_upper": np.quantile(rise, 0.95),
                "gain_domain": posterior.changes("domain", ratio=ratio, **place).mean(),
            }
        )
    risks = []
    for risk in (0.01, 0.05, 0.1, 0.2, RISK, 0.5):
        row = {"risk": risk}
        for estimand in ESTIMANDS:
            values = np.sort(cmr.predictive[estimand])
            row[estimand] = values[math.floor(risk * len(values))]
        risks.append(row)
    at_safe = rows[ratios.index(safe)]
    draws = cmr.draws["tolerance"]
    return {
        **cells("risk_by_ratio", rows),
        **cells("ratio_by_risk", risks),
        "expected_rise_1": at_safe["rise"],
        "expected_rise_1_lower": at_safe["rise_lower"],
        "expected_rise_1_upper": at_safe["rise_upper"],
        "expected_gain_1": at_safe["gain_domain"],
        "expected_regret_under": np.clip(draws - safe, 0, None).mean(),
        "expected_regret_over": np.clip(safe - draws, 0, None).mean(),
    }


def distance(posterior, target):
    rows = general(posterior)
    return {
        "extrapolation_size": 1.0 if rows["size"].min() <= target.size <= rows["size"].max() else 0,
        "extrapolation_tokens": 1.0,
        "largest_ratio_probed": rows.loc[rows["ratio"] < 1, "ratio"].max(),
    }
