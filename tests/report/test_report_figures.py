"""Figures of a report: what is drawn is the table, on the axes given, without overlap."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection

import bayescmr as bc
from bayescmr import report
from bayescmr.checks.uniformity import Null
from bayescmr.comparison.loo import reweighted
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.report import style

TARGET = bc.Target(2.2e9, "finance", 2e10, tolerance=0.02)
HOSTILE = ["$x_1$ \\input{a}", "العربية", "生物", "🙂", "line\nbreak", "z" * 10_000, "<b>&"]


@pytest.fixture(scope="module")
def fit(prior, fitted_from):
    return fitted_from(prior)


@pytest.fixture(scope="module")
def rise(fit):
    return report.rise_against_ratio(fit, TARGET, risk=0.2)


@pytest.fixture(scope="module")
def forest():
    """Twelve domains by six sizes, as crowded as it may get."""
    sizes = [5e7, 1.2e8, 4.6e8, 9.4e8, 3.1e9, 7e9]
    names = [*HOSTILE, "finance", "law", "medicine", "patents", "code"]
    rng = np.random.default_rng(0)
    table = pd.DataFrame([(s, d) for d in names for s in sizes], columns=["size", "domain"])
    middle = rng.uniform(0.1, 0.9, len(table))
    return table.assign(
        tokens=2e10,
        estimand="tolerance",
        median=middle,
        lower=middle - 0.1,
        upper=middle + 0.1,
        prob=0.9,
        p_none=0.0,
        p_all=0.0,
    )


def tables(fit, rise, forest):
    prior_table = report.prior_against_posterior(fit, fit, size=2.2e9, domain="finance")
    campaign = pd.DataFrame(
        {
            "step": [0, 1, 2],
            "flops": [1e17, 1e17, 3e17],
            "lower": [0.1, 0.2, 0.25],
            "median": [0.5, 0.4, 0.3],
            "upper": [0.9, 0.6, 0.35],
            "ratio": [0.5, 0.25, np.nan],
        }
    )
    pair = report.most_correlated_pair(fit, size=2.2e9, domain="finance")
    ranks = report.chain_ranks({"a": np.random.default_rng(1).normal(size=(4, 200))})
    return {
        "rise": (report.plot_rise, rise, {"decision": 0.4}),
        "forest": (report.plot_forest, forest, {}),
        "prior": (report.plot_prior_posterior, prior_table, {}),
        "pair": (report.plot_pair, pair, {}),
        "predictive": (report.plot_predictive, report.predictive_by_run(fit), {}),
        "ecdf": (report.plot_ecdf, report.ecdf_difference(np.linspace(0, 1, 30)), {}),
        "ranks": (report.plot_ranks, ranks, {}),
        "design": (report.plot_design, report.design_coverage(fit), {"target": TARGET}),
        "progress": (report.plot_progress, report.campaign_progress(campaign), {}),
    }


NAMES = ["rise", "forest", "prior", "pair", "predictive", "ecdf", "ranks", "design", "progress"]


@pytest.mark.parametrize("name", NAMES)
def test_draws_on_the_axes_given_and_returns_them(name, fit, rise, forest):
    plot, table, extra = tables(fit, rise, forest)[name]
    before = table.copy(deep=True)
    figure, (left, right) = plt.subplots(1, 2, layout="constrained", figsize=(12, 12))
    assert plot(table, ax=right, **extra) is right
    assert right.has_data() and right.get_xlabel()
    assert not left.has_data()
    figure.canvas.draw()
    pd.testing.assert_frame_equal(table, before)
    assert plot(table, **extra) is not right


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_every_time(name, fit, rise, forest, tmp_path):
    plot, table, extra = tables(fit, rise, forest)[name]
    for file in ("a.pdf", "b.pdf"):
        with style.paper():
            figure = style.new_figure(5.5, 3.4)
            plot(table, ax=figure.subplots(), **extra)
            style.save_pdf(figure, tmp_path / file)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


# -- rise ------------------------------------------------------------------------------------


def test_the_risk_curve_reaches_the_tolerance_at_the_decision(fit, rise):
    risk = 0.6
    decision = fit.cmr(TARGET).decide(risk)
    assert 0.05 < decision < 0.98
    table = report.rise_against_ratio(fit, TARGET, risk=risk)
    at = np.interp(decision, table["ratio"], table["at_risk"])
    assert at == pytest.approx(0.02, abs=1e-3)
    assert (np.diff(table["at_risk"]) >= 0).all()


def test_rise_bands_are_quantiles_of_the_draws(fit, rise):
    draws = fit.changes("general", size=2.2e9, domain="finance", tokens=2e10, ratio=0.5)[:, 0]
    row = rise[np.isclose(rise["ratio"], 0.5)].iloc[0]
    expected = np.quantile(draws, [0.05, 0.5, 0.95])
    np.testing.assert_allclose(row[["lower", "median", "upper"]].to_numpy(float), expected)
    assert row["new_lower"] < row["lower"] and row["new_upper"] > row["upper"]


def test_rise_draws_its_table(rise):
    ax = report.plot_rise(rise, decision=0.4)
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["median of the mean"].get_ydata(), rise["median"])
    np.testing.assert_array_equal(
        lines["exceeded with probability 20 %"].get_ydata(), rise["at_risk"]
    )
    assert any("at most 40 %" in text.get_text() for text in ax.texts)
    dot = lines["_decision"].get_xydata()[0]
    np.testing.assert_allclose(dot, [0.4, np.interp(0.4, rise["ratio"], rise["at_risk"])])
    assert ax.get_ylim()[1] > 0.02


# -- forest ----------------------------------------------------------------------------------


def test_forest_is_the_answers(prior):
    table = report.cmr_forest(prior, tokens=2e10, tolerance=0.02, sizes=[460e6, 7e9])
    assert list(table["size"]) == [460e6, 7e9]
    for row in table.itertuples():
        summary = prior.cmr(bc.Target(row.size, row.domain, 2e10, 0.02)).summary()
        assert (row.median, row.lower, row.upper) == (summary.median, summary.lower, summary.upper)


def test_forest_draws_every_row_and_nothing_overlaps(forest):
    with style.paper():
        figure = style.new_figure(5.5, report.forest_height(forest))
        ax = report.plot_forest(forest, ax=figure.subplots())
        figure.draw_without_rendering()
    segments = np.concatenate(
        [c.get_segments() for c in ax.collections if isinstance(c, LineCollection)]
    )
    drawn = sorted(zip(segments[:, 0, 0], segments[:, 1, 0], strict=True))
    assert drawn == sorted(zip(forest["lower"], forest["upper"], strict=True))
    heights = np.sort(ax.transData.transform(segments[:, 0])[:, 1])
    assert np.diff(heights).min() > 1.4 * 1.4  # wider apart than the lines are thick (points)
    boxes = [t.get_window_extent() for t in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert min(box.x0 for box in boxes) >= 0
    assert report.forest_height(forest) < 11


# -- parameters ------------------------------------------------------------------------------


def test_prior_against_itself_is_itself(fit):
    table = report.prior_against_posterior(fit, fit, size=2.2e9, domain="finance")
    np.testing.assert_allclose(table["prior"], table["posterior"])
    np.testing.assert_allclose(table["sd_ratio"], 1.0)
    for _, part in table.groupby("parameter"):
        assert np.trapezoid(part["prior"], part["z"]) == pytest.approx(1.0, abs=0.02)
    a = table[table["parameter"] == "a"]
    middle = np.interp(0.0, a["z"], a["value"])
    theta = fit.general.sampled(2.2e9, "finance", "general")["a"]
    assert middle == pytest.approx(np.exp(theta.mean()), rel=1e-2)


def test_the_pair_is_the_most_correlated(fit):
    table = report.most_correlated_pair(fit, size=2.2e9, domain="finance")
    theta = pd.DataFrame(fit.general.theta(2.2e9, "finance", "general"))
    every = np.array(theta.corr(method="spearman"))
    np.fill_diagonal(every, 0.0)
    assert abs(table["correlation"].iloc[0]) == pytest.approx(np.abs(every).max())
    ax = report.plot_pair(table)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), table.iloc[:, 0])


# -- predictive checks -----------------------------------------------------------------------


def test_predictions_cover_simulated_runs(fit):
    """Runs simulated from one draw, predicted by all draws of the prior: wider, so inside."""
    table = report.predictive_by_run(fit)
    assert len(table) == fit.frame[fit.frame["role"] == "general"]["run"].nunique()
    assert table["inside"].mean() > 0.8
    row = table.iloc[0]
    measured = fit.frame[(fit.frame["run"] == row["run"]) & (fit.frame["role"] == "general")]
    last = measured.sort_values("tokens").iloc[-1]
    assert (row["change"], row["tokens"]) == (last["change"], last["tokens"])


def test_a_wrong_run_is_marked(fit):
    table = report.predictive_by_run(fit)
    wrong = table.assign(inside=[False, *table["inside"][1:]])
    ax = report.plot_predictive(wrong)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"measured, outside: {(~wrong['inside']).sum()}" in labels
    ticks = [t.get_text() for t in ax.get_yticklabels()]
    assert "0" in ticks and len(set(ticks)) == len(ticks)


@pytest.fixture(scope="module")
def loo(fit):
    rows = fit.frame[fit.frame["role"] == "general"]
    return reweighted(fit, run_log_likelihood(fit.general, rows)[1])


def test_loo_pit_is_the_share_of_reweighted_predictions_below_the_measurement(fit, loo):
    table = report.loo_pit(fit, loo)
    rng = np.random.default_rng(0)
    runs = list(loo.table["run"])
    for _, row in table.iloc[[0, 5, -1]].iterrows():
        weights = np.exp(loo.log_weights[runs.index(row["run"])])
        draws = rng.choice(len(weights), 20_000, p=weights / weights.sum())
        place = {"size": row["size"], "domain": "finance", "eval_set": "general"}
        law = fit.general.change(**place, tokens=row["tokens"], ratio=row["ratio"])[draws, 0]
        u, v, drift, _, error, factor = fit.general.scales[draws].T
        x = np.log(row["tokens"] / fit.general.hierarchy.reference.tokens)
        wide = np.sqrt(u**2 + v**2 * x**2 + drift**2) * (factor if row["ratio"] == 1 else 1.0)
        se = fit.frame.loc[fit.frame["run"] == row["run"], "se"].iloc[0]
        sd = np.sqrt(wide**2 + error**2 + se**2)
        simulated = law + sd * rng.standard_normal(len(draws))
        assert row["pit"] == pytest.approx((simulated < row["change"]).mean(), abs=0.015)


def test_loo_of_other_runs_is_refused(fit, loo):
    other = replace(loo, table=loo.table.iloc[1:], log_weights=loo.log_weights[1:])
    with pytest.raises(bc.BayesCMRError, match="not the"):
        report.loo_pit(fit, other)


# -- uniformity and ranks --------------------------------------------------------------------


def test_ecdf_difference_by_hand():
    values = np.array([0.105, 0.205, 0.505, 0.905])
    table = report.ecdf_difference(values, prob=0.9)
    for at in (0.1, 0.3, 0.6, 0.95):
        row = table[np.isclose(table["at"], at)].iloc[0]
        assert row["difference"] == pytest.approx((values < at).mean() - at)
    lower, upper = Null(4, 99).band(0.9)
    np.testing.assert_allclose(table["lower"][1:-1] + table["at"][1:-1], lower)
    np.testing.assert_allclose(table["upper"][1:-1] + table["at"][1:-1], upper)


def test_ecdf_leaves_the_band_where_values_are_not_uniform():
    good = report.ecdf_difference((np.arange(200) + 0.5) / 200)
    bad = report.ecdf_difference(((np.arange(200) + 0.5) / 200) ** 2)
    assert good["difference"].between(good["lower"], good["upper"]).all()
    assert not bad["difference"].between(bad["lower"], bad["upper"]).all()
    assert good["p_value"].iloc[0] > 0.5 > 0.01 > bad["p_value"].iloc[0]


@pytest.mark.parametrize("values", [[0.5], [0.2, 1.2], [0.1, np.nan]])
def test_what_is_no_probability_is_refused(values):
    with pytest.raises(bc.BayesCMRError, match="expected at least 2 numbers"):
        report.ecdf_difference(values)


def test_ranks_tell_a_chain_that_differs():
    rng = np.random.default_rng(2)
    draws = rng.normal(size=(4, 500))
    draws[3] += 1.0
    table = report.chain_ranks({"shifted": draws, "constant": np.ones((4, 500))}, bins=10)
    assert set(table["quantity"]) == {"shifted"}
    np.testing.assert_allclose(table.groupby(["low"])["frequency"].mean(), 1.0)
    last = table[table["high"] == 1.0].set_index("chain")["frequency"]
    assert last[4] > 1.5 > last[1]


def test_ranks_of_an_atom_are_spread_over_the_chains():
    draws = np.random.default_rng(3).normal(size=(4, 1000))
    draws[draws > 0] = 0.0
    table = report.chain_ranks({"atom": draws})
    assert table["frequency"].between(0.5, 1.5).all()


# -- design and campaign ---------------------------------------------------------------------


def test_design_counts_runs(fit):
    table = report.design_coverage(fit)
    general = fit.frame[fit.frame["role"] == "general"]
    assert table["runs"].sum() == general["run"].nunique()
    row = table.iloc[0]
    here = general[(general["size"] == row["size"]) & (general["ratio"] == row["ratio"])]
    assert row["most_tokens"] == here["tokens"].max()
    ax = report.plot_design(table, target=TARGET)
    discs = next(c for c in ax.collections if isinstance(c, PathCollection))
    np.testing.assert_allclose(discs.get_offsets(), table[["ratio", "size"]])
    assert any("2.2B" in text.get_text() for text in ax.texts)


def test_design_shows_tokens_where_they_differ(fit):
    table = report.design_coverage(fit)
    table["most_tokens"] = np.geomspace(1e9, 4e10, len(table))
    figure, ax = plt.subplots()
    report.plot_design(table, ax=ax)
    assert len(figure.axes) == 2
    figure.canvas.draw()


def test_progress_adds_up_what_was_spent():
    table = report.campaign_progress(
        pd.DataFrame(
            {
                "step": [1, 0],
                "flops": [2e17, 1e17],
                "lower": [0.2, 0.1],
                "median": [0.3, 0.4],
                "upper": [0.5, 0.8],
                "ratio": [np.nan, 0.25],
            }
        )
    )
    assert list(table["spent"]) == pytest.approx([1e17, 3e17])
    assert list(table["width"]) == pytest.approx([0.7, 0.3])
    ax = report.plot_progress(table)
    proposed = next(line for line in ax.lines if line.get_label() == "proposed next")
    assert list(proposed.get_ydata()) == [0.25]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flops": [-1.0]}, "negative"),
        ({"lower": [0.6]}, "lower <= median"),
        ({"ratio": None}, "ratio"),
    ],
)
def test_a_wrong_campaign_is_refused(change, words):
    good = {"step": [0], "flops": [1.0], "lower": [0.1], "median": [0.2], "upper": [0.3]}
    table = pd.DataFrame({**good, "ratio": [0.5], **{k: v for k, v in change.items() if v}})
    if change.get("ratio", 0) is None:
        table = table.drop(columns="ratio")
    with pytest.raises(bc.BayesCMRError, match=words):
        report.campaign_progress(table)


# -- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_any_name_can_be_a_label(name):
    figure, ax = plt.subplots(layout="constrained")
    label = style.label(name)
    ax.set_title(label)
    figure.canvas.draw()
    assert len(label.replace("\\$", "$")) <= 24
    assert "\n" not in label
