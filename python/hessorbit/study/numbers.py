"""The numbers that a figure of a study shows, as a table to be read where the figure cannot be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._checks import Array
from .cells import StudyCells

SPECTRUM_PLACES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
LOSS_STEPS = (0, 10, 100, 1000, 10_000, 100_000)


@dataclass(frozen=True)
class Numbers:
    """A table: what is in its first column, headings of the others, and rows that begin with a name."""

    first: str
    headings: list[str]
    rows: list[tuple[str, list[str]]]

    def said(self, column: int = 0) -> str:
        """Says a column in words."""
        parts = [f"{values[column]} at {self.first} {name}" for name, values in self.rows if values[column] != DASH]
        return f"{self.headings[column]}: {', '.join(parts)}." if parts else ""


DASH = "–"


def number(value: float) -> str:
    """Writes four significant digits, and a dash for nan."""
    if not np.isfinite(value):
        return DASH
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


def numbers_by_width(result: StudyCells, columns: Sequence[tuple[str, str]]) -> Numbers:
    """Returns medians of columns, given with their labels, over seeds for each width, and quartiles behind them."""
    there = [(column, label) for column, label in columns if column in result.table]
    table = result.table[["width", *(column for column, _ in there)]].astype(float)
    rows = []
    for width in result.settings.widths:
        chosen = table[table["width"] == width]
        rows.append((str(width), [spread_of(chosen[column].to_numpy()) for column, _ in there]))
    return Numbers("width", [label for _, label in there], rows)


def spread_of(values: Array) -> str:
    """Writes median and quartiles of those that are finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return DASH
    low, median, high = np.quantile(finite, [0.25, 0.5, 0.75])
    return number(median) if low == high else f"{number(median)} ({number(low)} to {number(high)})"


def numbers_of_spectra(result: StudyCells) -> Numbers:
    """Returns magnitudes of eigenvalues at minima by their place in descending order, medians over seeds."""
    spectra = {
        width: [
            np.sort(np.abs(record.arrays["eigenvalues"]))[::-1]
            for record in result.done
            if record.cell.width == width and "eigenvalues" in record.arrays
        ]
        for width in result.settings.widths
    }
    longest = max((len(each) for group in spectra.values() for each in group), default=0)
    rows = [
        (str(place), [median_at(group, place - 1) for group in spectra.values()])
        for place in SPECTRUM_PLACES
        if place <= longest
    ]
    return Numbers("place", [f"width {width}" for width in spectra], rows)


def median_at(arrays: list[Array], index: int) -> str:
    values = [array[index] for array in arrays if index < len(array)]
    return number(float(np.median(values))) if values else DASH


def numbers_of_losses(result: StudyCells) -> Numbers:
    """Returns relative losses after some numbers of steps, medians over those that train so long."""
    longest = max((record.arrays["steps_recorded"][-1] for record in result.done), default=0)
    rows = []
    for step in (each for each in LOSS_STEPS if each <= longest):
        cells = []
        for width in result.settings.widths:
            losses = [
                value_after(step, *result.loss_curve(record))
                for record in result.done
                if record.cell.width == width and record.arrays["steps_recorded"][-1] >= step
            ]
            cells.append(number(float(np.median(losses))) if losses else DASH)
        rows.append((str(step), cells))
    return Numbers("steps", [f"width {width}" for width in result.settings.widths], rows)


def value_after(step: int, steps: Array, values: Array) -> float:
    """Returns the value at the last of some steps up to this one."""
    return float(values[np.searchsorted(steps, step, side="right") - 1])
