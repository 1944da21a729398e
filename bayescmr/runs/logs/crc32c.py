"""CRC-32C (Castagnoli), as TensorBoard's records carry it."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt


def _table() -> npt.NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table.astype(np.uint32)


_TABLE = _table()


@numba.njit(nogil=True)
def _crc(data: npt.NDArray[np.uint8], table: npt.NDArray[np.uint32]) -> Any:
    crc = np.uint32(0xFFFFFFFF)
    for byte in data:
        crc = table[(crc ^ byte) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)


def masked_crc32c(data: bytes) -> int:
    """Checksum of a TFRecord: the CRC, turned by 15 bits, plus a constant.

    Parameters
    ----------
    data : bytes
        What the checksum is of.
    """
    crc = int(_crc(np.frombuffer(data, dtype=np.uint8), _TABLE))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
