"""The page in a real browser, opened from disk, with the network off."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace

import pytest

import bayescmr as bc


@pytest.fixture(scope="module")
def tool(repo_root):
    spec = importlib.util.spec_from_file_location("browser", repo_root / "tools" / "browser.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(tool):
    program = tool.find_browser()
    if program is None:
        pytest.skip("no Chromium: on Debian, apt-get install chromium")
    with tool.Browser(program) as running:
        yield running


@pytest.fixture(scope="module")
def path(written, tmp_path_factory):
    """Alone in a folder: it needs no file beside it."""
    alone = tmp_path_factory.mktemp("alone") / "report.html"
    alone.write_bytes((written / "report.html").read_bytes())
    return alone


@pytest.fixture
def opened(browser, path):
    browser.view(1200, 900)
    browser.open(path)
    return browser


def move(browser, slider, position):
    browser.evaluate(
        f"(() => {{ const s = document.getElementById('{slider}'); s.value = {position};"
        " s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def shown(browser, name):
    return browser.evaluate(f"document.getElementById('{name}').textContent")


def test_it_opens_without_a_word_on_the_console_or_a_request(opened, path):
    assert opened.complaints() == []
    assert opened.requests() == [path.resolve().as_uri()]
    assert opened.evaluate("document.getElementById('explorer').hidden") is False
    assert opened.evaluate("document.querySelector('.no-script').hidden") is True


def test_sliders_agree_with_the_python_api(opened, data, saved, target):
    posterior = bc.load(saved)
    explorer = data.explorer
    seen = set()
    for t, e, r in [explorer.at, (3, 2, 1), (12, 7, 5), (len(explorer.tokens) - 1, 0, 9)]:
        for name, position in (("tokens", t), ("tolerance", e), ("risk", r)):
            move(opened, name, position)
        tolerance = float(explorer.tolerances[e].split()[0])
        cmr = posterior.cmr(replace(target, tolerance=tolerance, tokens=explorer.tokens[t]))
        safe = math.floor(1000 * cmr.decide(explorer.risks[r]) + 1e-6) / 10
        assert shown(opened, "safe") == f"{safe:.1f} %"
        summary = cmr.summary("tolerance")
        for name in ("median", "lower", "upper"):
            read = float(shown(opened, name).removesuffix(" %"))
            # Half of the last digit, and the rounding of what is embedded.
            assert read == pytest.approx(100 * getattr(summary, name), abs=0.0511)
        assert float(shown(opened, "p-all")) == pytest.approx(summary.p_all, rel=0.05, abs=1e-3)
        assert shown(opened, "tolerance-out") == explorer.tolerances[e]
        seen.add(opened.evaluate("document.getElementById('cmr-chart').innerHTML"))
        seen.add(opened.evaluate("document.getElementById('rise-chart').innerHTML"))
    assert len(seen) == 8, "charts are redrawn"
    assert opened.complaints() == []


def test_the_button_goes_back_to_the_question(opened, data):
    at_first = shown(opened, "safe"), shown(opened, "tokens-out")
    move(opened, "tokens", 0)
    move(opened, "risk", 0)
    assert (shown(opened, "safe"), shown(opened, "tokens-out")) != at_first
    opened.evaluate("document.getElementById('reset').click()")
    assert (shown(opened, "safe"), shown(opened, "tokens-out")) == at_first


def test_it_starts_with_the_numbers_of_the_report(opened, data):
    (safe,) = [n for n in data.answer.pieces if getattr(n, "name", "") == "safe_ratio"]
    assert shown(opened, "safe") == f"{safe.shown} %"


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_it_fits_every_width(opened, width):
    opened.view(width, 800)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_where_the_reader_likes_it_dark(opened):
    opened.view(1200, 900, dark=True)
    background = "getComputedStyle(document.body).backgroundColor"
    assert opened.evaluate(background) == "rgb(15, 19, 24)"
    opened.view(1200, 900)
    assert opened.evaluate(background) == "rgb(255, 255, 255)"


def test_without_scripts_it_can_be_read(browser, path):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(path)
        # The protocol may still look at the page.
        assert browser.evaluate("document.getElementById('explorer').hidden") is True
        assert "keep the finance share" in browser.evaluate("document.body.innerText")
        assert browser.evaluate("document.querySelector('.no-script').hidden") is False
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_it_prints_with_folded_tables_unfolded(opened):
    opened.call("Emulation.setEmulatedMedia", media="print")
    height = opened.evaluate("document.getElementById('table-convergence').offsetHeight")
    opened.call("Emulation.setEmulatedMedia", media="")
    assert height > 1000
    assert opened.pdf().startswith(b"%PDF-")
