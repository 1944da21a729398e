"""Logs of trainers as long tables of events: one format per file, found by content."""

from bayescmr.runs.logs.events import COLUMNS, Log
from bayescmr.runs.logs.find import read_logs
from bayescmr.runs.logs.formats import FORMATS, read_log

__all__ = ["COLUMNS", "FORMATS", "Log", "read_log", "read_logs"]
