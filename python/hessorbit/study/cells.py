"""The cells that a study has computed, as plain data; figures, reports and results are made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from .._checks import Array
from .._extras import need
from .claims import CLAIMS, Claim, Finding, judge
from .growth import growth_claims
from .measurements import CHANGES, COLUMNS, COUNTS, MEASUREMENTS
from .rates import PREDICTED, representative_claims
from .record import Cell, Record
from .settings import Settings
from .task import unit_of
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
        """What went wrong, by cell (width, seed, variant)."""
        return {record.cell: record.error for record in self.records if record.error is not None}

    @property
    def missing(self) -> int:
        """Number of cells of the study that were not computed yet."""
        return len(self.settings.cells()) - len(self.records)

    def relative_losses(self, record: Record, losses: Array) -> Array:
        """Returns losses of a student above its teacher's, relative to that of predicting the mean.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> record = result.records[0]
        >>> baseline = record.measurements["baseline"]
        >>> float(result.relative_losses(record, baseline))
        1.0
        """
        return np.asarray((losses - record.measurements.get("floor", 0.0)) / self.unit(record))

    def unit(self, record: Record) -> float:
        """Returns what relative losses of a student are relative to.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> record = result.records[0]
        >>> result.unit(record) == record.measurements["baseline"]  # as the teacher's own loss is 0
        True
        """
        return unit_of(record.measurements["baseline"], record.measurements.get("floor", 0.0))

    def loss_curve(self, record: Record) -> tuple[Array, Array]:
        """Returns the recorded steps of a student's training, and its relative losses there.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> steps, losses = result.loss_curve(result.records[0])
        >>> int(steps[0]), len(steps) == len(losses), bool(losses[-1] < losses[0])
        (0, True, True)
        """
        return record.arrays["steps_recorded"], self.relative_losses(record, record.arrays["losses"])

    @cached_property
    def parts(self) -> dict[str, Self]:
        """The result of each variant, by words such as "activation=tanh"; of a plain study, itself by ""."""
        if not self.settings.factors:
            return {"": self}
        found: dict[str, list[Record]] = {key: [] for key in self.settings.variants}
        for record in self.records:
            found[record.cell.variant].append(record)
        variants = self.settings.variants
        return {self.settings.words(key): type(self)(variants[key], records) for key, records in found.items()}

    @cached_property
    def table(self) -> DataFrame:
        """One row per cell that is done, as a pandas DataFrame: `width`, `seed`, factors, and every measurement.

        A study whose settings are plain values has no factors. Counts are integers; where one could not be measured,
        its column is of pandas' type Int64 and has a missing value there.
        """
        need("pandas", "the table of a study")
        from pandas import DataFrame

        factors = [name for name, _ in self.settings.factors]
        known = dict.fromkeys(COLUMNS)
        others = dict.fromkeys(name for record in self.done for name in record.measurements if name not in known)
        rows = [
            {
                "width": record.cell.width,
                "seed": record.cell.seed,
                **self.settings.values(record.cell.variant),
                **record.measurements,
            }
            for record in self.done
        ]
        table = DataFrame(rows, columns=["width", "seed", *factors, *known, *others])
        types = {name: "int64" if table[name].notna().all() else "Int64" for name in ("width", "seed", *COUNTS)}
        return table.astype(types)

    def changes(self) -> dict[str, int]:
        """Returns what changed in columns since cells of this study were measured, and for how many of them.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> result.changes()
        {}
        """
        losses = {key: variant.loss for key, variant in self.settings.variants.items()}
        found = {
            change.what: sum(
                record.revision < change.revision and losses[record.cell.variant] == change.loss for record in self.done
            )
            for change in CHANGES
        }
        return {what: count for what, count in found.items() if count}

    @property
    def meanings(self) -> dict[str, str]:
        """What the columns mean, by name, those of the user's own included."""
        known = {entry.column: entry.meaning for entry in MEASUREMENTS}
        return known | {name: text for r in self.done for name, text in r.facts.get("meanings", {}).items()}

    def claims(self) -> list[Finding]:
        """Returns what the data say about each claim that the settings ask about: effects, intervals, tests, verdicts.

        Each variant is judged by itself, one after the other. See `hessorbit.study.claims` for how.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> [(finding.claim.column, finding.verdict) for finding in result.claims()][:2]
        [('trace', 'undecided'), ('lambda_max', 'undecided')]
        """
        return [replace(finding, variant=words) for words, part in self.parts.items() for finding in part.judged]

    @cached_property
    def judged(self) -> list[Finding]:
        """The findings of a study of plain settings."""
        least = self.settings.teacher_width
        return judge(self.table, self.failures, least_width=least, claims=claims_of(self.settings))

    def theorem(self) -> Theorem:
        """Returns the check of the theorem that the best κ in the teacher's class does not grow with width.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> result.theorem()
        Theorem(sentence="The best κ in the teacher's class does not grow with width", pairs=1, held=1, refuted=0)
        """
        checks = [check(part.table) for part in self.parts.values()]
        counts = [sum(getattr(each, name) for each in checks) for name in ("pairs", "held", "refuted")]
        return Theorem(checks[0].sentence, *counts)


def claims_of(settings: Settings) -> tuple[Claim, ...]:
    """Returns the claims that a study with these settings is about."""
    claims = [*CLAIMS]
    if settings.rate_steps:
        claims.append(PREDICTED)
    if settings.polish == "none":
        claims = [claim for claim in claims if not claim.at_minima]
    if settings.foreign:
        # Some claims have a meaning only where a student can be its teacher.
        claims = [claim for claim in claims if not claim.of_teacher]
    if settings.representatives and not settings.foreign:
        claims += representative_claims(settings.teacher_width)
    if settings.grow_from:
        claims += growth_claims(settings.grow_from)
    return tuple(claims)
