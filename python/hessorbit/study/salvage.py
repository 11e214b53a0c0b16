"""Reads rows out of a damaged SQLite file, page by page and without SQLite, which gives up at the first broken page.

A leaf page of a table starts with the byte 13, then at byte 3 has the number of its cells and from byte 8 on their
offsets (2 bytes each, big-endian). A cell is

    length of the row, row number (varints) · start of the row · number of the page on which it goes on, if it does

and each further page holds the number of the next one and a part of the row. A row is a header of varints (its own
length, then a type for each value) followed by the values. Source: https://www.sqlite.org/fileformat2.html, of which
only what our stores use is read: pages of 4096 bytes, text in UTF-8. What comes out is checked by the rows' checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from .. import _files
from .checksums import Value
from .rows import PAGE_BYTES, Row

LEAF = 13
FIRST_HEADER = 100  # bytes before the first page's own content
MOST_LOCAL = PAGE_BYTES - 35  # bytes of a row that fit on its leaf
LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)  # by type


class BrokenRowError(Exception):
    """A row that cannot be read."""


def salvaged_rows(path: str) -> Iterator[Row]:
    """Yields every row that can be read from a file, of whatever table, in the order of pages."""
    with _files.opened(Path(path), "store") as file:
        data = file.read()
    for start in range(0, len(data), PAGE_BYTES):
        yield from rows_of_page(data, start)


def rows_of_page(data: bytes, start: int) -> Iterator[Row]:
    header = start + (FIRST_HEADER if start == 0 else 0)
    page = data[start : start + PAGE_BYTES]
    if data[header : header + 1] != bytes([LEAF]):
        return
    count = int.from_bytes(data[header + 3 : header + 5], "big")
    for place in range(header + 8, header + 8 + 2 * count, 2):
        offset = int.from_bytes(data[place : place + 2], "big")
        try:
            yield decoded(payload(data, page, offset))
        except (BrokenRowError, IndexError, struct.error):
            continue


def payload(data: bytes, page: bytes, offset: int) -> bytes:
    """Returns the bytes of the row whose cell is at an offset of a page."""
    length, offset = varint(page, offset)
    _, offset = varint(page, offset)
    if length > len(data):
        raise BrokenRowError
    if length <= MOST_LOCAL:
        return page[offset : offset + length]
    local = LEAST_LOCAL + (length - LEAST_LOCAL) % (PAGE_BYTES - 4)
    local = local if local <= MOST_LOCAL else LEAST_LOCAL
    parts = [page[offset : offset + local]]
    following, missing = page[offset + local : offset + local + 4], length - local
    while missing > 0:
        start = (int.from_bytes(following, "big") - 1) * PAGE_BYTES
        if start < 0 or start >= len(data):
            raise BrokenRowError
        parts.append(data[start + 4 : start + min(PAGE_BYTES, 4 + missing)])
        following, missing = data[start : start + 4], missing - (PAGE_BYTES - 4)
    return b"".join(parts)


def decoded(row: bytes) -> Row:
    """Returns the values of a row."""
    end, offset = varint(row, 0)
    values: list[Value] = []
    place = end
    while offset < end:
        kind, offset = varint(row, offset)
        size = INTEGER_BYTES[kind] if kind < 7 else (8, 0, 0)[kind - 7] if kind < 10 else (kind - 12) // 2
        if kind in (10, 11) or place + size > len(row):
            raise BrokenRowError
        values.append(value(kind, row[place : place + size]))
        place += size
    return tuple(values)


def value(kind: int, content: bytes) -> Value:
    """Returns the value of a type and content."""
    if kind == 0:
        return None
    if kind < 7:
        return int.from_bytes(content, "big", signed=True)
    if kind == 7:
        return float(struct.unpack(">d", content)[0])
    if kind < 10:
        return kind - 8
    return content if kind % 2 == 0 else content.decode("utf-8", "surrogateescape")


def varint(data: bytes, offset: int) -> tuple[int, int]:
    """Returns a big-endian number of 7 bits a byte (8 in the ninth), and the offset behind it."""
    result = 0
    for index in range(9):
        byte = data[offset + index]
        if index == 8:
            return result << 8 | byte, offset + 9
        result = result << 7 | byte & 0x7F
        if byte < 0x80:
            return result, offset + index + 1
    raise AssertionError
