"""Checksums of rows: 128 bits over every value and its type, so that a flipped bit anywhere shows.

Checksums of all rows add up, modulo 2**128, to a total in which a row that vanished is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

BYTES = 16
Value = int | float | str | bytes | None


def checksum(kind: str, values: Iterable[Value]) -> str:
    """Returns the checksum of a row in hexadecimal; `kind` says what its values are."""
    digest = blake2b(kind.encode(), digest_size=BYTES)
    for value in values:
        text = encoded(value)
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


def encoded(value: Value) -> bytes:
    """Returns a value and its type as bytes."""
    if value is None:
        return b"n"
    if isinstance(value, bytes):
        return b"b" + value
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    return b"f" + value.hex().encode() if isinstance(value, float) else b"i%d" % value


def total(checksums: Iterable[str]) -> str:
    """Returns the sum of checksums modulo 2**128, in hexadecimal."""
    return f"{sum(int(each, 16) for each in checksums) % 2 ** (8 * BYTES):032x}"


def replaced(sum_: str, old: str | None, new: str) -> str:
    """Returns a total in which one row's checksum takes the place of another's."""
    return f"{(int(sum_, 16) - int(old or '0', 16) + int(new, 16)) % 2 ** (8 * BYTES):032x}"
