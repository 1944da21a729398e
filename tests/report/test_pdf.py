"""The report as PDF: whichever engine there is, and one line where there is none."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from dataclasses import replace

import pytest

import bayescmr as bc
from bayescmr.report import pdf
from bayescmr.report.document import Check, Checks, Section
from bayescmr.report.write import write_report

FAILED = Check("R-hat", "FAIL", "1.2", "< 1.01", "a source", "sample for longer")
needs_weasyprint = pytest.mark.skipif(
    importlib.util.find_spec("weasyprint") is None, reason="no WeasyPrint: the extra 'pdf'"
)
needs_tex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")


@pytest.fixture(scope="module")
def small(data):
    """A report that is quickly printed, of which a check has failed."""
    checked = Section("M", "Checks", (Checks((FAILED,)),))
    return replace(data, sections=(data.sections[0], checked), banner=(FAILED,))


def first_page(file):
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    words = subprocess.run(
        ["pdftotext", "-l", "1", str(file), "-"], capture_output=True, text=True, check=True
    ).stdout
    return " ".join(words.split())


@needs_weasyprint
def test_the_page_is_printed(small, tmp_path, capfd):
    write_report(small, tmp_path / "a", ["pdf"])
    write_report(small, tmp_path / "b", ["pdf"])
    made = (tmp_path / "a" / "report.pdf").read_bytes()
    assert made.startswith(b"%PDF") and b"CreationDate" not in made
    assert made == (tmp_path / "b" / "report.pdf").read_bytes(), "the same bytes"
    assert capfd.readouterr() == ("", "")
    words = first_page(tmp_path / "a" / "report.pdf")
    assert small.title in words
    assert "R-hat" in words and "1.2" in words, "what failed stands on page one"


def test_nothing_is_fetched():
    with pytest.raises(ValueError, match="fetches nothing"):
        pdf._refuse("https://example.org/style.css")


@needs_tex
def test_without_weasyprint_tex_sets_it(small, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_spec", lambda name: None)
    write_report(small, tmp_path / "report", ["pdf"])
    assert [p.name for p in (tmp_path / "report").iterdir()] == ["report.pdf"]
    assert "FAIL. Do not rely on these numbers." in first_page(tmp_path / "report/report.pdf")


def test_no_engine_is_one_line_and_leaves_nothing(small, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bc.BayesCMRError, match="neither WeasyPrint nor a TeX engine") as raised:
        write_report(small, tmp_path / "report", ["pdf"])
    assert "\n" not in str(raised.value) and "bayescmr[pdf]" in str(raised.value)
    assert list(tmp_path.iterdir()) == []
