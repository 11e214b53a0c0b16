"""Tables that notebooks show in place of a result's text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any


def facts(caption: str, rows: Mapping[str, Any]) -> str:
    """Returns a table of names and values, without the values that are None."""
    cells = [(name, value) for name, value in rows.items() if value is not None]
    body = "".join(f'<tr><th scope="row">{escape(name)}</th>{cell(value)}</tr>' for name, value in cells)
    return wrapped(caption, body)


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table with a heading over each column."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    return wrapped(caption, f"<tr>{head}</tr>" + "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows))


def cell(value: Any) -> str:
    text = f"{value:.6g}" if type(value) is float else str(value)
    return f'<td style="text-align: left">{escape(text)}</td>'


def wrapped(caption: str, body: str) -> str:
    return f'<table><caption style="text-align: left">{escape(caption)}</caption>{body}</table>'
