"""Draws that need no sampler, and a backend that needs no screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.report.data import ReportData, report_data
from bayescmr.report.write import write_report


@pytest.fixture(scope="session")
def prior() -> bc.Posterior:
    """Draws from the prior answer whatever a posterior can answer."""
    runs = bc.RunTable.from_frame(gu2024.trajectories(checkpoints=6), source="gu")
    return bc.prior_predictive(runs, seed=1, draws=200)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """Close what a test has drawn."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


# -- reports ---------------------------------------------------------------------------------

#: A size between the probed ones, within the probed tokens, a tolerance that binds.
TARGET = bc.Target(size=2.2e9, domain="finance", tokens=2e10, tolerance=0.05)
RISK = 0.4


def as_if_fitted(prior: bc.Posterior) -> bc.Posterior:
    """Draws of the prior under the name of a posterior, with runs simulated from one of them.

    Whatever a report says of a posterior can be computed from these, and no sampler runs.
    """
    frame = bc.simulate_runs(prior, draw=7, seed=3).assign(loss=np.nan, base=np.nan)
    return replace(prior, kind="posterior", frame=frame[prior.frame.columns])


@pytest.fixture(scope="session")
def target() -> bc.Target:
    return TARGET


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a posterior that passes as converged."""
    frame = gu2024.trajectories(checkpoints=6)
    # A probe with a twin, so that run effects and misfit can be told apart.
    twin = frame[(frame["size"] == 1.6e9) & (frame["ratio"] == 0.5)].assign(run="twin")
    runs = bc.RunTable.from_frame(pd.concat([frame, twin]), source="some/where/runs.csv")
    posterior = as_if_fitted(bc.prior_predictive(runs, seed=1, draws=400))
    assert posterior.converged
    return posterior.save(tmp_path_factory.mktemp("report") / "posterior.nc")


@pytest.fixture(scope="session")
def data(saved: Path) -> ReportData:
    return report_data(bc.load(saved), TARGET, risk=RISK)


@pytest.fixture(scope="session")
def written(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the HTML page and the JSON files."""
    return write_report(data, tmp_path_factory.mktemp("report") / "report", ["html", "json"])


# -- what a page says, read by the standard library's parser and nothing of the package --------

_EMPTY = {"meta", "input", "br", "link", "img", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, tag: str) -> list[Element]:
        found = [c for c in self.children if isinstance(c, Element) and c.tag == tag]
        for child in self.children:
            if isinstance(child, Element):
                found += child.all(tag)
        return found

    def by_id(self, name: str) -> Element:
        (found,) = [e for e in self.every() if e.attributes.get("id") == name]
        return found

    def every(self) -> list[Element]:
        found = [self]
        for child in self.children:
            if isinstance(child, Element):
                found += child.every()
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("#document", {})]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in _EMPTY:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def _read_page(text: str) -> Element:
    """Parse a page; every element that is opened must be closed, in order."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.open) == 1, f"never closed: {[e.tag for e in reader.open[1:]]}"
    return reader.open[0]


def _numbers(page: Element) -> dict[str, tuple[float, str]]:
    """Value and shown text of every number of a page; a number that comes twice is the same."""
    found: dict[str, tuple[float, str]] = {}
    for element in page.all("data"):
        name, value = element.attributes["data-name"], float(element.attributes["value"])
        assert found.setdefault(name, (value, ""))[0] == value or value != value
        found[name] = (value, element.text)
    return found


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], Element]:
    return _read_page


@pytest.fixture(scope="session")
def page_numbers() -> Callable[[Element], dict[str, tuple[float, str]]]:
    return _numbers


@pytest.fixture(scope="session")
def fitted_from() -> Callable[[bc.Posterior], bc.Posterior]:
    return as_if_fitted
