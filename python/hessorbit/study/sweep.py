"""Runs a study: computes every width with every seed, cells in parallel, and stores each as it finishes."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from os import PathLike

from .. import _checks
from .leases import Leases
from .progress import progress_bar
from .record import Cell, Record
from .result import StudyResult
from .settings import Settings
from .store import Store
from .workers import Workers, available_cpus, check_executor, compute, leave_unguarded_import, waiting_room

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # between looks at cells that others compute


class WidthStudy(Settings):
    """A width study trains students of growing width on the same teacher, and measures their Hessians at minima.

    For every seed there is a teacher network with one hidden layer; students of every width are trained on what it
    computes, from random parameters, until the loss is below a tolerance. From there a second-order method goes on to a
    minimum, and where the student reproduces its teacher, the nearest point at which it is the teacher takes its place.
    There the Hessian is measured: trace, largest eigenvalue, condition numbers, zero modes and more, one row per width
    and seed, beside the same where training ended and where it began.

    Parameters
    ----------
    title : str
        Heading of the report.
    widths : sequence of int
        Numbers of hidden neurons of the students.
    seeds : int
        Number of seeds, 0 … seeds − 1.
    root_seed : int
        All random numbers come from it. Teacher and data depend on it and the seed, the student's initial parameters
        on the width besides; no cell depends on which others there are.
    inputs, outputs : int
        Numbers of inputs and outputs of all networks.
    teacher_width : int
        Number of hidden neurons of the teacher.
    teacher_scale : float
        The teacher's outgoing weights are plus or minus this. Its incoming weights and biases are standard normal,
        its output biases zero.
    activation, bias, parametrization
        As in `MLP`, of teacher and students.
    samples : int or "infinite"
        Number of samples; their inputs are standard normal. With ``"infinite"`` the loss is the exact expectation, as
        in `PopulationObjective`: the default for activations that have closed forms; for others it is 500.
    init : str
        Scheme of the students' initial parameters, as in `MLP.init`.
    optimizer : {"adam", "momentum", "gd"}
        Method of full-batch training, as in `minimize`.
    learning_rate : float
    loss_tolerance : float
        Training stops where the squared-error loss is at most this fraction of the loss of predicting the mean of the
        targets.
    max_steps : int
        Training stops after so many steps at the latest.
    polish : {"none", "lm", "newton"}
        The second-order method of `minimize` that goes on from there to a minimum. Steps and seconds are those of the
        training alone. Without one nothing is said about curvature.
    polish_steps : int
        Most steps of that method.
    threshold : float
        For the condition number of the eigenvalues above threshold times the largest.
    leading : int
        Number of leading eigenvectors whose participation ratios are averaged.

    Raises
    ------
    TypeError, ValueError
        If a setting has the wrong type, is unknown, or is out of range.

    Notes
    -----
    `WidthStudy.preset("quick")` and `WidthStudy.from_toml("study.toml")` make studies from named settings and from
    files; ``to_toml()`` writes all settings.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import hessorbit as ho
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> with ThreadPoolExecutor(1) as executor:
    ...     result = study.run(executor=executor)
    >>> result
    StudyResult(2 cells: widths 2, 4, 1 seeds)
    >>> result.table["parameters"].to_list()
    [9, 17]

    Without an executor, `run` starts worker processes; a script then has to call it under
    ``if __name__ == "__main__":``.
    """

    def run(
        self,
        store: str | PathLike[str] | None = None,
        *,
        executor: Executor | None = None,
        workers: int | None = None,
        progress: bool = True,
    ) -> StudyResult:
        """Computes the cells that the store does not have yet, and returns all cells of this study.

        Parameters
        ----------
        store : path, optional
            SQLite file that receives a row for each cell as it finishes. If it exists, the study resumes: cells in it
            are not computed again, unless they failed. Widths and seeds may have been added since; every other
            setting has to be the same. Several runs may share a store: each cell is computed by one of them, and all
            return all cells. By default rows are kept in memory.
        executor : concurrent.futures.Executor, optional
            Where cells are computed, such as a thread pool, Dask's ``client.get_executor()`` or mpi4py's
            ``MPIPoolExecutor``. By default worker processes, started by spawn and ended with the run, in which BLAS
            and OpenMP have one thread each.
        workers : int, optional
            Number of worker processes; by default the number of CPUs this process may use. With an executor, how many
            cells it is handed at a time: by default as many as it has workers, and all where it does not say, as
            Dask's, which leaves none to other runs that share the store.
        progress : bool
            Whether to show a progress bar on standard error, if that is a terminal.

        Returns
        -------
        StudyResult
            The cells of this study. Those that raised an error are in its `failures`, and do not stop the others.

        Raises
        ------
        OSError
            If the store cannot be opened or written, as when the disk is full; finished cells are kept.
        TypeError
            If executor is not a `concurrent.futures.Executor`.
        ValueError
            If the store is damaged, another kind of file, or of a study with other settings.
        RuntimeError
            If worker processes cannot be started.
        """
        leave_unguarded_import()
        count = None if workers is None else _checks.integer(workers, "workers", minimum=1)
        if executor is not None:
            check_executor(executor)
        cells = self.cells()
        with Store.create_or_resume(store, self) as rows, Leases(rows) as leases:
            done = len(rows.done().intersection(cells))
            logger.info("%d of %d cells are stored already", done, len(cells))
            with (
                progress_bar(len(cells), done, shown=progress) as show,
                closing(self.records(cells, leases, executor, count)) as records,
            ):
                for record in records:
                    rows.put(record)
                    done = len(rows.done().intersection(cells))
                    report_to_log(record, done, len(cells))
                    show(done)
            _, stored = rows.read_contents()
        return StudyResult(self, [record for record in stored if record.cell in set(cells)])

    def cells(self) -> list[Cell]:
        """Returns every width with every seed, the widest first: the longest first keep all workers busy to the end."""
        return [Cell(width, seed) for width in reversed(self.widths) for seed in range(self.seeds)]

    def records(
        self, cells: list[Cell], leases: Leases, executor: Executor | None, workers: int | None
    ) -> Generator[Record]:
        """Yields the records of the cells that this run computes, as they finish."""
        with ExitStack() as stack:
            while remaining := leases.open(cells):
                if executor is None:
                    executor = stack.enter_context(Workers(min(workers or available_cpus(), len(remaining))))
                alone = True
                for record in compute(self, leases.taken(remaining), executor, workers or waiting_room(executor)):
                    alone = False
                    yield record
                # Others compute what remains; they store it, fail, or vanish.
                if alone:
                    time.sleep(POLL_SECONDS)


def report_to_log(record: Record, done: int, total: int) -> None:
    """Says of each cell that it is done or failed."""
    width, seed = record.cell
    if record.error is None:
        logger.info("width %d, seed %d: done (%d of %d)", width, seed, done, total)
    else:
        logger.warning("width %d, seed %d failed: %s", width, seed, record.error)
