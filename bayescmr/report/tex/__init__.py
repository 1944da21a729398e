"""The report as TeX: fragments for a paper, and a document of their own that compiles."""

from bayescmr.report.tex.bundle import write_tex

__all__ = ["write_tex"]
