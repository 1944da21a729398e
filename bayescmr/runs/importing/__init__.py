"""Logs of trainers to a run table, by a mapping that the user owns."""

from bayescmr.runs.importing.draft import draft
from bayescmr.runs.importing.mapping import Mapping, read_mapping
from bayescmr.runs.importing.table import Imported, import_runs

__all__ = ["Imported", "Mapping", "draft", "import_runs", "read_mapping"]
