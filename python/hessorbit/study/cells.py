"""The cells that a study has computed, as plain data; figures, reports and results are made from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .claims import Finding, judge
from .measurements import COLUMNS, COUNTS
from .record import Cell, Record
from .settings import Settings
from .theorem import Theorem, check

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class StudyCells:
    """The settings of a study, and the records of the cells that were computed."""

    settings: Settings
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
        """Number of cells of the study that were not computed yet."""
        return len(self.settings.widths) * self.settings.seeds - len(self.records)

    @cached_property
    def table(self) -> DataFrame:
        """One row per width and seed that is done: `width`, `seed` and every measurement, as a pandas DataFrame.

        Counts are integers; where one could not be measured, its column is of pandas' type Int64 and has a missing
        value there.
        """
        from pandas import DataFrame

        rows = [{**record.cell._asdict(), **record.measurements} for record in self.done]
        table = DataFrame(rows, columns=["width", "seed", *COLUMNS])
        types = {name: "int64" if table[name].notna().all() else "Int64" for name in ("width", "seed", *COUNTS)}
        return table.astype(types)

    def claims(self) -> list[Finding]:
        """Returns what the data say about each empirical claim: effects of a doubling, intervals, tests and verdict.

        See `hessorbit.study.claims` for how they are found.
        """
        return judge(self.table, self.failures, least_width=self.settings.teacher_width)

    def theorem(self) -> Theorem:
        """Returns the check of the theorem that the best κ in the teacher's class does not grow with width."""
        return check(self.table)
