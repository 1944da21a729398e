"""The report as one HTML page that needs nothing but a browser."""

from bayescmr.report.html.page import page, write

__all__ = ["page", "write"]
