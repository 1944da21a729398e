"""Every number of a report is computed anew from the saved posterior, by other means."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit

import bayescmr as bc
from bayescmr.checks.prior_predictive import ABSURD
from bayescmr.posterior.pointwise import run_log_likelihood

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
