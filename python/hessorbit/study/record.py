"""A cell of a study, a width and a seed in a variant, and the record that is kept of it: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .._checks import Array


class Cell(NamedTuple):
    """A cell is a student of a width, for a seed, in a variant of the study.

    Attributes
    ----------
    width, seed : int
    variant : str
        The fingerprint of the settings that determine the cell: a key of `StudyResult.settings.variants`.

    Examples
    --------
    >>> import hessorbit as ho
    >>> cell = ho.WidthStudy(widths=[2, 4], seeds=1).cells()[0]
    >>> cell.width, cell.seed, len(cell.variant)
    (4, 0, 16)
    """

    width: int
    seed: int
    variant: str


@dataclass(frozen=True, eq=False)
class Record:
    """A record holds what is kept of a cell; one row of the store.

    Attributes
    ----------
    cell : Cell
    error : str or None
        What went wrong, if anything did.
    finished : str
        When the cell was done, in UTC.
    facts : dict
        Versions, the `revision` of what columns mean, instruction level, threads, what kind of point training was
        brought to (`ending`), and by column what could not be measured.
    measurements : dict of str to float
        By column; nan where a quantity has no meaning.
    arrays : dict of str to ndarray
        By name, one-dimensional: θ and eigenvalues of the Hessian at the minimum, if there is one, and where training
        ended; the loss curve; that of the tail, with what is predicted for it.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import hessorbit as ho
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> with ThreadPoolExecutor(1) as executor:
    ...     result = study.run(executor=executor)

    >>> record = result.records[0]
    >>> record.cell.width, record.error, record.arrays["theta_at_tolerance"].shape
    (2, None, (9,))
    """

    cell: Cell
    error: str | None
    finished: str
    facts: dict[str, Any]
    measurements: dict[str, float]
    arrays: dict[str, Array]

    @property
    def revision(self) -> int:
        """The revision of what columns mean that it was measured by; 1 before cells said so."""
        return int(self.facts.get("revision", 1))


def now() -> str:
    """Returns the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
