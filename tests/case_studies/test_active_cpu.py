"""A campaign against the full grid: the page says what the files say, the figure can be read."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture(scope="module")
def compare(repo_root, scripts):
    with scripts(repo_root / "case_studies" / "active_cpu"):
        yield importlib.import_module("compare")


def test_the_page_is_that_of_the_committed_files(compare) -> None:
    page = (compare.HERE / "README.md").read_text(encoding="utf-8")
    assert compare.render(page, compare.Study()) == page


def test_the_grid_is_named_beside_the_bands_not_on_them(compare, tmp_path, monkeypatch) -> None:
    made = []
    draw = compare.plot_progress

    def drawn(*args, **kwargs):
        made.append(draw(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(compare, "plot_progress", drawn)
    compare.figure(compare.Study(), tmp_path / "progress.png")
    (ax,) = made
    legend = ax.get_legend()
    assert any("full grid" in text.get_text() for text in legend.get_texts())
    assert not ax.texts
    axes, words = ax.get_window_extent(), legend.get_window_extent()
    assert words.y0 >= axes.y1 - 1 and words.x0 >= 0 and words.x1 <= ax.figure.bbox.x1
