"""Merges stores: writes the cells of several, such as the parts of a study that several jobs computed, to one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike

from .._words import number_of
from .record import Cell, Record
from .settings import Settings
from .store import Store, checked_path


@dataclass(frozen=True)
class Merge:
    """A merge says what `merge` wrote.

    Attributes
    ----------
    cells : int
        Number of cells that the store has, failed ones included.
    missing : int
        Number of cells of the study that are in none of the stores, or failed in all that have them.
    twice : int
        Number of cells that were computed more than once; the one that was finished first is kept.
    message : str
        The same in a sentence.

    Examples
    --------
    >>> from hessorbit.study import Merge
    >>> Merge(cells=50, missing=0, twice=0, message="50 cells are in all.sqlite, none are missing").missing
    0
    """

    cells: int
    missing: int
    twice: int
    message: str


def merge(stores: Iterable[str | PathLike[str]], into: str | PathLike[str]) -> Merge:
    """Writes the cells of stores to one, and returns how many there are.

    Parameters
    ----------
    stores : sequence of path
        SQLite files of one study, or of studies that differ in widths, seeds and what one of them has a list of. They
        are not changed.
    into : path
        SQLite file to write, all at once or not at all; none of the stores. If it exists, what is in it stays.

    Returns
    -------
    Merge

    Raises
    ------
    OSError
        If a store cannot be read, or the new one cannot be written.
    ValueError
        If there is no store, one is damaged or of another version, or is `into`, or they belong to studies with other
        settings.

    Notes
    -----
    Of a cell that several stores have, one that did not fail is kept; among these one of the newest revision of what
    columns mean, and then the one finished first.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from pathlib import Path
    >>> import hessorbit as ho
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     parts = [Path(folder, f"{i}.sqlite") for i in (1, 2)]
    ...     for i, part in enumerate(parts, start=1):
    ...         _ = study.run(part, executor=executor, shard=(i, 2))
    ...     merged = ho.study.merge(parts, Path(folder, "all.sqlite"))
    >>> merged.cells, merged.missing
    (2, 0)
    """
    if isinstance(stores, str | bytes | PathLike):
        raise TypeError(f"stores must be a sequence of paths; got {stores!r}")
    sources, target = [checked_path(each) for each in stores], checked_path(into, "into")
    if not sources:
        raise ValueError("stores must name at least one store; got none")
    contents = [contents_of(source) for source in sources]
    if same := [source for source in sources if os.path.exists(target) and os.path.samefile(source, target)]:
        raise ValueError(
            f"into must be another file than the stores, which are not changed; {same[0]!r} is both: leave it out of "
            f"the stores, as what is in it already stays"
        )
    settings = contents[0][0]
    for source, (other, _) in zip(sources, contents, strict=True):
        settings = together(settings, other, sources[0], source)
    with Store.create_or_resume(target, settings) as store:
        old = store.read_contents()[1]
        kept, twice = chosen([old, *(records for _, records in contents)])
        before = {record.cell: record for record in old}
        store.put(*(record for cell, record in kept.items() if before.get(cell) is not record))
        whole = store.settings
    done = sum(record.error is None for record in kept.values())
    missing = len(whole.cells()) - done
    return Merge(len(kept), missing, twice, sentence(len(kept), missing, twice, target))


def contents_of(source: str) -> tuple[Settings, list[Record]]:
    with Store.read(source) as store:
        return store.read_contents()


def together(mine: Settings, other: Settings, first: str, source: str) -> Settings:
    """Returns the study that has the cells of both, or says why there is none."""
    if differences := other.differences(mine):
        raise ValueError(
            f"stores must be of one study; {os.path.basename(source)!r} has other settings than "
            f"{os.path.basename(first)!r}: {'; '.join(differences)}"
        )
    return other.joined(mine)


def chosen(groups: list[list[Record]]) -> tuple[dict[Cell, Record], int]:
    """Returns the record that is kept of each cell, and how many cells were computed more than once."""
    kept: dict[Cell, Record] = {}
    twice: set[Cell] = set()
    for record in (record for group in groups for record in group):
        other = kept.setdefault(record.cell, record)
        if other is record:
            continue
        if record.error is None and other.error is None and record.finished != other.finished:
            twice.add(record.cell)
        kept[record.cell] = min(other, record, key=standing)
    return kept, len(twice)


def standing(record: Record) -> tuple[bool, int, str]:
    """Orders the records of a cell: those that did not fail, of the newest revision, and finished first lead."""
    return record.error is not None, -record.revision, record.finished


def sentence(cells: int, missing: int, twice: int, target: str) -> str:
    again = f"; {number_of(twice, 'was', 'were')} computed more than once, and the first is kept" if twice else ""
    left = number_of(missing, "of the study is", "of the study are") if missing else "none of the study is"
    return f"{number_of(cells, 'cell is', 'cells are')} in {target}, {left} missing{again}."
