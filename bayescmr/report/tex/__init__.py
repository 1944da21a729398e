"""The report as TeX: fragments for a paper, and a document of their own that compiles."""

from bayescmr.report.tex.bundle import write
from bayescmr.report.tex.engine import compile_tex, find_engine

__all__ = ["compile_tex", "find_engine", "write"]
