"""One hash for one content, however it was written down."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd

_VERSION = "bayescmr run table 1"
#: Says only 'ok' in a canonical frame.
_NO_CONTENT = ("status",)


def fingerprint(frame: pd.DataFrame, min_tokens: float | None) -> str:
    """Hash a canonical frame and the rule that left rows out.

    Parameters
    ----------
    frame : DataFrame
        Canonical long frame, sorted.
    min_tokens : float or None
        Exclusion rule, in CPT tokens.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits. Optional columns that are blank throughout do not
        count; all other values do, to the last bit.
    """
    digest = hashlib.sha256()
    rule = None if min_tokens is None else repr(float(min_tokens))
    digest.update(json.dumps([_VERSION, len(frame), rule]).encode())
    for name in frame.columns:
        column = frame[name]
        if name in _NO_CONTENT or column.isna().all():
            continue
        digest.update(json.dumps(name).encode())
        if isinstance(column.dtype, pd.StringDtype):
            codes, levels = pd.factorize(column, sort=True)
            digest.update(json.dumps([str(v) for v in levels]).encode())
            digest.update(codes.astype("<i8").tobytes())
        else:
            values = column.to_numpy(dtype="<f8", na_value=np.nan)
            # One bit pattern for all NaN and for both zeros.
            values = np.where(np.isnan(values), np.nan, values + 0.0)
            digest.update(values.astype("<f8").tobytes())
    return digest.hexdigest()
