"""What a study found: the table, the claims, the figures and the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from .cell import Cell, Record
from .claims import Finding, judge
from .configuration import Configuration
from .measurements import MEASUREMENTS
from .store import Store

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class StudyResult:
    """The cells of a width study; made by `WidthStudy.run` and `load`.

    Attributes
    ----------
    configuration : Configuration
    records : list of Record
        One per cell that was computed, ordered by width and seed: measurements, eigenvalues, final θ and loss curve
        (`arrays`), the time, and versions, instruction level and threads (`facts`).
    """

    configuration: Configuration
    records: list[Record]

    @property
    def done(self) -> list[Record]:
        """The records of cells that did not fail."""
        return [record for record in self.records if record.error is None]

    @property
    def failures(self) -> dict[Cell, str]:
        """What went wrong, by cell (width, seed)."""
        return {record.cell: record.error for record in self.records if record.error is not None}

    @property
    def missing(self) -> int:
        """Number of cells of the configuration that were not computed yet."""
        return len(self.configuration.widths) * self.configuration.seeds - len(self.records)

    @cached_property
    def table(self) -> DataFrame:
        """One row per width and seed that is done: `width`, `seed` and every measurement, as a pandas DataFrame."""
        from pandas import DataFrame

        columns = ["width", "seed", *(entry.column for entry in MEASUREMENTS)]
        return DataFrame([{**record.cell._asdict(), **record.measurements} for record in self.done], columns=columns)

    def claims(self) -> list[Finding]:
        """What the data say about each claim: effect per doubling of the width, interval and verdict.

        See `hessorbit.study.claims` for how they are found.
        """
        return judge(self.table)

    def plot(self) -> list[Axes]:
        """Draw all figures of the report into one matplotlib figure, and return their axes.

        The functions in `hessorbit.study.plots` draw one each, into axes of yours.
        """
        from .plots import plot_all

        return plot_all(self)

    def report(self, path: str | PathLike[str]) -> None:
        """Write everything as one HTML file that needs nothing else.

        Parameters
        ----------
        path : path
            File to write, such as ``"study.html"``.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        from .report import render

        Path(path).write_text(render(self), "utf-8")

    def __repr__(self) -> str:
        widths = ", ".join(map(str, self.configuration.widths))
        parts = [f"{len(self.done)} cells: widths {widths}, {self.configuration.seeds} seeds"]
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if self.missing:
            parts.append(f"{self.missing} missing")
        return f"StudyResult({'; '.join(parts)})"


def load(store: str | PathLike[str]) -> StudyResult:
    """Read the cells that a store holds, finished study or not.

    Parameters
    ----------
    store : path
        SQLite file that `WidthStudy.run` wrote.

    Returns
    -------
    StudyResult

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is not the store of a study.
    """
    with Store.read(store) as cells:
        return StudyResult(cells.configuration, cells.records())
