"""The run table: columns, units, validation and fingerprint."""

from bayescmr.runs.build import Exclusion
from bayescmr.runs.table import RunTable, read_runs

__all__ = ["Exclusion", "RunTable", "read_runs"]
