"""What a study found: its cells, and the figures and the page that are made from them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from .. import _checks, _files, _html
from .._words import number_of, those
from ..plot.drawing import FORMATS
from .cells import StudyCells
from .files import replace_file
from .plots import plot_all
from .report import pages
from .store import Store
from .written import figure_files, table_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class StudyResult(StudyCells):
    """A study result holds the cells of a width study, with figures and a page; made by `WidthStudy.run` and `load`.

    Where settings are lists, `parts` has the result of each variant.

    Attributes
    ----------
    settings : Settings
    records : list of Record
        One per cell that was computed, ordered by width and seed: measurements, eigenvalues, final θ and loss curve
        (`arrays`), the time, and versions, instruction level and threads (`facts`).

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import hessorbit as ho
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> with ThreadPoolExecutor(1) as executor:
    ...     result = study.run(executor=executor)

    >>> result
    StudyResult(2 cells: widths 2, 4, 1 seed)
    >>> result.table["parameters"].to_list(), result.missing, result.failures
    ([9, 17], 0, {})
    """

    def plot(self) -> list[Axes]:
        """Draws all figures of the report into one matplotlib figure, and returns their axes.

        The functions in `hessorbit.study.plots` draw one each, into axes of yours.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> len(result.plot()) > 5
        True
        """
        return plot_all(self)

    def report(self, path: str | PathLike[str]) -> None:
        """Writes everything as HTML that needs nothing else.

        Parameters
        ----------
        path : path
            File to write, such as ``"study.html"``. A page that is there already is replaced when the new one is
            complete, and kept if that fails. A study of variants has pages beside it, one for each claim.

        Raises
        ------
        OSError
            If it cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from pathlib import Path
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result.report(Path(folder, "study.html"))
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['study.html']
        """
        target = _files.path_of(path)
        for name, page in pages(self, target).items():
            replace_file(target.with_name(name), page.encode())

    def save_figures(self, folder: str | PathLike[str], format: str = "pdf") -> list[Path]:
        """Writes the figures of the report into files, and returns their paths.

        Parameters
        ----------
        folder : path
            Where to write them; it is made if it is not there. Files are named after what they show, as ``trace.pdf``.
        format : {"pdf", "svg", "png"}

        Returns
        -------
        list of Path

        Raises
        ------
        OSError
            If one cannot be written.
        ValueError
            If the format is another, or no cell is done.

        Examples
        --------
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(path.name for path in result.save_figures(folder, "svg"))[:2]
        ['best_condition.svg', 'condition.svg']
        """
        _checks.one_of(format, FORMATS, "format")
        found = figure_files(self, format)
        target = _files.made_folder(folder)
        paths = [target / name for name in found]
        for path, content in zip(paths, found.values(), strict=True):
            replace_file(path, content)
        return paths

    def save_table(self, path: str | PathLike[str]) -> None:
        """Writes the table of all cells that are done as CSV or Parquet, by the ending of the file's name.

        Parameters
        ----------
        path : path
            File to write, such as ``"study.csv"`` or ``"study.parquet"``.

        Raises
        ------
        OSError
            If it cannot be written.
        ValueError
            If its name has another ending.
        RuntimeError
            If Parquet is asked for and pyarrow is not installed.

        Examples
        --------
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from pathlib import Path
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "study.csv")
        ...     result.save_table(path)
        ...     path.read_text("utf-8")[:10]
        'width,seed'
        """
        target = _files.path_of(path)
        replace_file(target, table_file(self.table, target.suffix.lower()))

    def __repr__(self) -> str:
        widths = those("width", self.settings.widths)
        parts = [f"{number_of(len(self.done), 'cell')}: {widths}, {number_of(self.settings.seeds, 'seed')}"]
        if self.settings.factors:
            parts.append(number_of(len(self.settings.variants), "variant"))
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if self.missing:
            parts.append(f"{self.missing} missing")
        return f"StudyResult({'; '.join(parts)})"

    def _repr_html_(self) -> str:
        several = bool(self.settings.factors)
        rows = [
            (finding.claim.label, *([finding.variant] if several else []), f"×{finding.factor.value:.3g}",
             f"{finding.factor.low:.3g} to {finding.factor.high:.3g}", finding.factor.n, finding.conclusion)
            for finding in self.claims()
        ]  # fmt: skip
        headings = ("claim", *(["variant"] if several else []), "factor", "95 % interval", "n", "verdict")
        return _html.table(repr(self), headings, rows)


def load(store: str | PathLike[str]) -> StudyResult:
    """Returns the cells that a store holds, of a study that is finished or not.

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
    DamagedStoreError
        If anything in the file is not what was written; the message says how many rows `recover` would save.
    ValueError
        If it is not the store of a study.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from pathlib import Path
    >>> import hessorbit as ho
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     store = Path(folder, "study.sqlite")
    ...     result = study.run(store, executor=executor)
    ...     again = ho.study.load(store)
    >>> again
    StudyResult(2 cells: widths 2, 4, 1 seed)
    """
    with Store.read(store) as rows:
        return StudyResult(*rows.read_contents())
