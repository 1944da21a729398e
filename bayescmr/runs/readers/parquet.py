"""Parquet through Arrow: no pickle, no pandas metadata."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from bayescmr.runs.raw import RawTable, fail

#: How pandas stores an index without a name: it holds row numbers, no data.
_INDEX = re.compile(r"__index_level_\d+__")


def read_parquet(data: bytes, source: str) -> RawTable:
    """Read one Parquet file.

    Parameters
    ----------
    data : bytes
        Content of the file.
    source : str
        Its name in messages.

    Raises
    ------
    RunTableError
        If it is no Parquet file, truncated, or has no rows.
    """
    try:
        table = parquet.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        fail(source, f"no readable Parquet file ({reason})", "a whole one", "copy the file again")
    keep = [i for i, name in enumerate(table.column_names) if not _INDEX.fullmatch(name)]
    if not table.num_rows:
        fail(source, "a header and no rows", "at least one row")
    return RawTable(
        # Column by column: pandas metadata would hide an index that has a name.
        frame=pd.DataFrame({n: table.column(i).to_pandas() for n, i in enumerate(keep)}),
        names=tuple(table.column_names[i].strip() for i in keep),
        rows=np.arange(table.num_rows, dtype=np.int64),
        zero_based=True,
        decimal_comma=False,
        source=source,
    )
