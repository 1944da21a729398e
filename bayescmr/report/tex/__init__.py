"""The report as TeX: fragments for a paper, and a document of their own that compiles."""

from bayescmr.report.tex.bundle import write

__all__ = ["write"]
