"""Figures: drawn on the axes that are given, from the tables, the same bytes every time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import bayescmr as bc
from bayescmr import report
from bayescmr.report import bands, figures, style
from bayescmr.words import count, percent, percent_down, short

TOKENS = [5e9, 1e10, 2e10, 4e10]
POINTS = pd.DataFrame({"size": [460e6, 3.1e9], "tokens": 2e10, "ratio": [0.298, 0.478]})


def draw_cmr(prior: bc.Posterior, ax: Any) -> Any:
    return report.plot_cmr(prior.cmr(bc.Target(7e9, "finance", 2e10)), ax=ax)


def draw_trajectories(prior: bc.Posterior, ax: Any) -> Any:
    return report.plot_trajectories(prior, domain="finance", sizes=[940e6], ax=ax)


def draw_tokens(prior: bc.Posterior, ax: Any) -> Any:
    return report.plot_cmr_tokens(
        prior, domain="finance", sizes=[460e6, 7e9], tokens=TOKENS, points=POINTS, ax=ax
    )


def draw_size(prior: bc.Posterior, ax: Any) -> Any:
    return report.plot_cmr_size(
        prior, domain="finance", tokens=2e10, sizes=[2e8, 460e6, 3.1e9, 1e10], points=POINTS, ax=ax
    )


DRAWERS = [draw_cmr, draw_trajectories, draw_tokens, draw_size]


@pytest.mark.parametrize("draw", DRAWERS)
def test_draws_on_the_axes_given_and_returns_them(
    draw: Callable[[bc.Posterior, Any], Any], prior: bc.Posterior
) -> None:
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    assert draw(prior, right) is right
    assert right.has_data()
    assert not left.has_data()
    assert plt.get_fignums() == [figure.number]
    figure.canvas.draw()


@pytest.mark.parametrize("draw", DRAWERS)
def test_makes_its_own_figure(
    draw: Callable[[bc.Posterior, Any], Any], prior: bc.Posterior
) -> None:
    made = draw(prior, None)
    axes = made[0] if isinstance(made, list) else made
    assert axes.get_xlabel()
    axes.get_figure(root=True).canvas.draw()


def test_the_answer_plots_itself(prior: bc.Posterior) -> None:
    _, ax = plt.subplots()
    assert prior.cmr(bc.Target(3.1e9, "finance", 2e10)).plot(ax=ax) is ax


def test_a_panel_for_each_size(prior: bc.Posterior) -> None:
    panels = report.plot_trajectories(prior, domain="finance")
    assert isinstance(panels, list)
    assert [p.get_title() for p in panels] == [
        f"{label} parameters" for label in ("460M", "940M", "1.6B", "3.1B")
    ]
    with pytest.raises(bc.BayesCMRError, match="got 4 axes, expected 1"):
        report.plot_trajectories(prior, domain="finance", sizes=[940e6], ax=panels)


def test_runs_without_replay_have_a_scale_of_their_own(prior: bc.Posterior) -> None:
    _, ax = plt.subplots()
    report.plot_trajectories(prior, domain="finance", sizes=[940e6], ax=ax)
    (strip,) = ax.child_axes
    bands_of_all = bands.trajectory_bands(prior, domain="finance", sizes=[940e6])
    mixed = bands_of_all[bands_of_all["ratio"] < 1]
    alone = bands_of_all[bands_of_all["ratio"] == 1]
    drawn = np.concatenate([line.get_ydata() for line in strip.lines if len(line.get_ydata()) > 30])
    np.testing.assert_allclose(drawn, alone["median"])
    assert strip.get_ylim()[1] >= alone["upper"].max()
    assert ax.get_ylim()[1] >= mixed["upper"].max()
    # The curves below end where the strip begins.
    top = ax.transData.transform((1e9, mixed["upper"].max()))[1]
    assert top <= strip.get_window_extent().y0


def test_what_is_drawn_is_the_table(prior: bc.Posterior) -> None:
    ax = draw_tokens(prior, None)
    table = bands.cmr_against_tokens(prior, domain="finance", sizes=[460e6, 7e9], tokens=TOKENS)
    for size, label in ((460e6, "460M"), (7e9, "7B (not trained)")):
        (line,) = [line for line in ax.lines if line.get_label() == label]
        np.testing.assert_allclose(line.get_ydata(), table.loc[table["size"] == size, "median"])


def test_saved_figures_are_the_same_bytes_every_time(prior: bc.Posterior, tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        with style.paper():
            figure = style.new_figure(style.COLUMN, 2.4)
            draw_cmr(prior, figure.subplots())
            files = style.save(figure, folder, "cmr")
        assert [file.name for file in files] == ["cmr.png", "cmr.pdf"]
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]
    assert contents[0][0].startswith(b"\x89PNG")
    assert contents[0][1].startswith(b"%PDF")
    assert b"CreationDate" not in contents[0][1]


@pytest.mark.parametrize("name", ["plot_cmr", "plot_trajectories", "plot_cmr_tokens"])
def test_every_figure_states_the_probability_of_its_intervals(
    prior: bc.Posterior, name: str
) -> None:
    figure, ax = plt.subplots(layout="constrained")
    if name == "plot_cmr":
        report.plot_cmr(prior.cmr(bc.Target(7e9, "finance", 2e10)), prob=0.5, ax=ax)
    elif name == "plot_trajectories":
        report.plot_trajectories(prior, domain="finance", sizes=[940e6], prob=0.5, ax=ax)
    else:
        report.plot_cmr_tokens(prior, domain="finance", tokens=TOKENS, prob=0.5, ax=ax)
    assert any("50 % interval" in text.get_text() for text in figure.findobj(Text))


def test_paper_style_leaves_no_trace() -> None:
    before = dict(plt.rcParams)
    with style.paper():
        assert plt.rcParams["font.size"] == 8
    assert dict(plt.rcParams) == before


def test_a_constant_cmr_can_be_drawn(prior: bc.Posterior) -> None:
    ax = report.plot_cmr(prior.cmr(bc.Target(3.1e9, "finance", 2e10, tolerance=1e6)))
    texts = [text.get_text() for text in ax.texts]
    assert "all feasible: 1.00" in texts


@pytest.mark.parametrize("name", report.__all__)
def test_no_function_swallows_misspelt_arguments(name: str) -> None:
    function = getattr(report, name)
    kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    assert function.__doc__
    if name.startswith("plot_"):
        assert inspect.signature(function).parameters["ax"].default is None
        assert hasattr(figures, name)


def test_numbers_for_people() -> None:
    assert [short(v) for v in (460e6, 3.1e9, 20e9, 2.5e5, 999.96e6)] == [
        "460M",
        "3.1B",
        "20B",
        "250K",
        "1B",
    ]
    assert [count(v) for v in (3.1e9, 20e9, 460e6, 524288)] == ["3.1e9", "20e9", "460e6", "524288"]
    assert percent(0.298) == "29.8"
    assert [percent_down(v) for v in (0.98199, 0.982, 1.0, 0.0)] == ["98.1", "98.2", "100", "0"]
