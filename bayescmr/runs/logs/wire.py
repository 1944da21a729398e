"""The wire format of protocol buffers: fields of a message, without its schema."""

from __future__ import annotations

from collections.abc import Iterator


class WireError(ValueError):
    """The bytes are no message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Number at a position, and the position after it.

    Raises
    ------
    WireError
        It is cut short or longer than 64 bits.
    """
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("a number that does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a message in their order: number, and an integer or bytes (4, 8 or any number).

    Raises
    ------
    WireError
        The bytes are no message.
    """
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
            yield number, value
            continue
        if kind == 2:
            length, at = varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise WireError(f"a field of kind {kind}")
        if at + length > len(data):
            raise WireError("a field that is cut short")
        yield number, data[at : at + length]
        at += length


def signed(value: int | bytes) -> int:
    """Read an integer field as int64.

    Raises
    ------
    WireError
        The field holds bytes.
    """
    if isinstance(value, bytes):
        raise WireError("bytes where a number belongs")
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value
