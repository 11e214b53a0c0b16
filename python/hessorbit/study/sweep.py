"""Runs a study: computes every width with every seed, cells in parallel, and stores each as it finishes."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from os import PathLike

from .. import _checks
from .executors import check_executor, opened, room_of
from .leases import Leases
from .own_measurements import Measurements, check_stored, checked
from .processes import leave_unguarded_import
from .progress import progress_bar
from .record import Cell, Record
from .result import StudyResult
from .settings import KNOWN, Settings
from .store import Store
from .workers import compute

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # between looks at cells that others compute


class WidthStudy(Settings):
    """A width study trains students of growing width on the same teacher, and measures their Hessians at minima.

    For every seed there is a teacher network with one hidden layer; students of every width are trained on what it
    computes, from random parameters, until the loss is below a tolerance. From there a second-order method goes on to a
    minimum, and where the student reproduces its teacher, the nearest point at which it is the teacher takes its place.
    There the Hessian is measured: trace, largest eigenvalue, condition numbers, zero modes and more, one row per width
    and seed, beside the same where training ended and where it began.

    Any setting but title, widths, seeds, root_seed, data and target may be a list of values: then the study has a
    variant, with all widths and seeds, for every combination, in one store.

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
    depth : int
        Number of hidden layers of the students, each of the width; the teacher has one. Students of more have numbers
        of samples, and no teacher's minimum.
    samples : int or "infinite"
        Number of samples; their inputs are standard normal. With ``"infinite"`` the loss is the exact expectation, as
        in `PopulationObjective`: the default for the squared error, activations that have closed forms, one hidden
        layer and no noise, if that holds for all variants; for others it is 500, and all of one's own data.
    loss : {"squared_error", "cross_entropy"}
        With the cross-entropy students learn classes, one for each output.
    targets : {"probabilities", "labels"}
        What students learn with the cross-entropy: the teacher's probabilities, or its likeliest class.
    label_noise : float
        Standard deviation of normal noise that is added to the targets trained on, as a share of theirs; for labels the
        share of those that are drawn anew, from all classes alike.
    l2 : float
        Coefficient of ½‖θ‖² in the loss of the students.
    data : str
        An npz, CSV or Parquet file that students learn from instead of a teacher. In an npz file there are two arrays,
        of inputs (N, d) and of targets, (N,) or (N, K). In the other ones all columns but the targets are inputs. A
        fifth of the rows, drawn for each seed, is held out; inputs, and targets that are no labels, are made to have
        mean 0 and variance 1. Inputs and outputs follow from the file.
    target : str
        The array of targets, or their columns with commas between them. With the cross-entropy a single column, of
        numbers or strings, holds the classes.
    data_digest : str
        A hash of the file's content, set when the study is: a file that has changed since is refused.
    init : str
        Scheme of the students' initial parameters, as in `MLP.init`.
    optimizer : {"adam", "momentum", "gd"}
        Method of training, as in `minimize`.
    learning_rate : float
    learning_rate_rule : {"fixed", "share", "tuned"}
        ``"fixed"``: the learning rate is the same for all students. ``"share"``: it is learning_rate times 2/λ_max with
        the largest eigenvalue at the start of each student; for gd and momentum. ``"tuned"``: for each student it is
        learning_rate · 2^k with the whole number k from which neither k − 1 nor k + 1 needs fewer steps, found from
        k = 0 uphill; steps and seconds are those of the best one.
    momentum : float
        That of the optimizer ``"momentum"``.
    batch_size : int or "full"
        Number of samples of which a step takes the gradient: parts of all samples, shuffled in each epoch; fresh ones
        where there are infinitely many. The loss is then looked at after each epoch, or each 50 steps.
    loss_tolerance : float
        Training stops where the loss, less the teacher's own, is at most this share, below 1, of the loss of predicting
        the mean, less the teacher's own. The teacher's own is 0 for the squared error without noise, and taken as 0 for
        data of one's own.
    max_steps : int
        Training stops after so many steps at the latest.
    polish : {"auto", "none", "lm", "newton"}
        The second-order method of `minimize` that goes on from there to a minimum; ``"auto"`` is lm for the squared
        error, and newton where something remains of the loss: for the cross-entropy, with noise or l2, and for data of
        one's own. Steps and seconds are those of the training alone. Without one nothing is said about curvature.
    polish_steps : int
        Most steps of that method.
    threshold : float
        For the condition number of the eigenvalues above threshold times the largest.
    leading : int
        Number of leading eigenvectors whose participation ratios are averaged.
    rate_steps : int
        Most steps of gradient descent at rate 1/λ_max from where training ended, until the loss is a tenth of that: the
        tail, which the spectrum at the minimum predicts. With 0 there is none.
    representatives : bool
        Whether gradient descent is also run from three representatives of one function near the teacher: as narrow as
        the teacher, split equally, and the best-conditioned one; for at most max_steps until the loss is a millionth.
    grow_from : int
        Width of a network that is trained, then widened to each wider student and trained on, as `grow` does it; steps
        are counted over all widths. With 0, none is.
    grow_at : str
        After how many steps it is widened, such as ``"500"``, or ``"200,400"``: more than once by way of widths that
        grow by about the same factor; at most max_steps.
    split_noise : float
        Of the split that is equal but for noise: its standard deviation over the root mean square of the parameters.
    factors : tuple
        Names and values of the settings that are lists; they follow from these, and need not be given.

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
    StudyResult(2 cells: widths 2, 4, 1 seed)
    >>> result.table["parameters"].to_list()
    [9, 17]

    Without an executor, `run` starts worker processes; a script then has to call it under
    ``if __name__ == "__main__":``.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_to_run()

    def run(
        self,
        store: str | PathLike[str] | None = None,
        *,
        executor: Executor | str | None = None,
        workers: int | None = None,
        shard: tuple[int, int] | None = None,
        measurements: Measurements | None = None,
        progress: bool = True,
    ) -> StudyResult:
        """Computes the cells that the store does not have yet, and returns all cells of this study.

        Parameters
        ----------
        store : path, optional
            SQLite file that receives a row for each cell as it finishes. If it exists, the study resumes: cells in it
            are not computed again, unless they failed. Widths, seeds and values in lists may have been added since;
            every other setting has to be the same. Several runs may share a store: each cell is computed by one of
            them, and all return all cells. By default rows are kept in memory.
        executor : concurrent.futures.Executor or str, optional
            Where cells are computed: ``"processes"``, the default, started by spawn and ended with the run;
            ``"threads"``; ``"dask"``, a cluster of this machine; ``"dask://host:port"``, the one whose scheduler is
            there; or any executor, such as Dask's ``client.get_executor()`` or mpi4py's ``MPIPoolExecutor``. A
            `submit` that returns jobs with ``done()`` and ``result()``, as submitit's, will do. BLAS and OpenMP have
            one thread for each cell.
        workers : int, optional
            Number of worker processes or threads; by default the number of CPUs this process may use. With an executor
            of one's own, how many cells it is handed at a time: by default as many as it has workers, for Dask two for
            each of its threads, and 32 where an executor does not say.
        shard : tuple of two int, optional
            (i, n): compute the i-th of n parts of the cells only, i from 1 to n, each in a store of its own. Then
            `merge` puts the stores together.
        measurements : dict of str to callable, optional
            Measurements of one's own: functions that return a number, by the names of the columns that they become.
            They take a trained student (`hessorbit.study.student.Student`). Worker processes import them, so they are
            to be at the top level of a module. Where one raises an error, its value is nan, and the page says why. The
            first line of its docstring says what it means.
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
            If executor is none, or a measurement cannot be computed in worker processes.
        ValueError
            If the store is damaged, another kind of file, of a study with other settings, or has cells without a
            measurement.
        RuntimeError
            If worker processes cannot be started, or a cluster cannot be reached.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
        >>> with ThreadPoolExecutor(1) as executor:
        ...     result = study.run(executor=executor)

        >>> result.table["width"].to_list()
        [2, 4]
        """
        leave_unguarded_import()
        count = None if workers is None else _checks.integer(workers, "workers", minimum=1)
        check_executor(executor)
        own = {} if measurements is None else checked(measurements, executor, KNOWN)
        cells = part_of(self.cells(), shard)
        mine = set(cells)
        with Store.create_or_resume(store, self) as rows, Leases(rows) as leases:
            if own:
                check_stored(rows.read_contents()[1], own, repr(rows.name))
            done = mine & rows.done()
            logger.info("%d of %d cells are stored already", len(done), len(cells))
            with (
                progress_bar(len(cells), len(done), shown=progress) as show,
                closing(self._records(cells, leases, executor, count, own)) as records,
            ):
                looked = time.monotonic()
                for record in records:
                    rows.put(record)
                    done |= {record.cell} if record.error is None else set()
                    if time.monotonic() > looked + POLL_SECONDS:
                        done, looked = mine & rows.done(), time.monotonic()
                    report_to_log(self.words(record.cell.variant), record, len(done), len(cells))
                    show(len(done))
            _, stored = rows.read_contents()
        all_cells = set(self.cells())
        return StudyResult(self, [record for record in stored if record.cell in all_cells])

    def _records(
        self,
        cells: list[Cell],
        leases: Leases,
        executor: Executor | str | None,
        workers: int | None,
        own: Measurements | None = None,
    ) -> Generator[Record]:
        """Yields the records of the cells that this run computes, as they finish."""
        pool = None
        with ExitStack() as stack:
            while remaining := leases.open(cells):
                if pool is None:
                    pool = opened(stack, executor, workers, len(remaining))
                    room = room_of(pool) if workers is None else lambda: workers
                alone = True
                for record in compute(self, leases.taken(remaining), pool, room, own):
                    alone = False
                    yield record
                # Others compute what remains; they store it, fail, or vanish.
                if alone:
                    time.sleep(POLL_SECONDS)


def part_of(cells: list[Cell], shard: tuple[int, int] | None) -> list[Cell]:
    """Returns the i-th of n parts of cells, which cost about the same, as each has some of every width."""
    if shard is None:
        return cells
    try:
        index, count = shard
    except (TypeError, ValueError):
        raise TypeError(f"shard must be two integers (i, n), for the i-th of n parts; got {shard!r}") from None
    count = _checks.integer(count, "shard[1]", minimum=1)
    index = _checks.integer(index, "shard[0]", minimum=1, maximum=count)
    return cells[index - 1 :: count]


def report_to_log(variant: str, record: Record, done: int, total: int) -> None:
    """Says of each cell that it is done or failed."""
    cell = ", ".join(filter(None, [variant, f"width {record.cell.width}, seed {record.cell.seed}"]))
    if record.error is None:
        logger.info("%s: done (%d of %d)", cell, done, total)
    else:
        logger.warning("%s failed: %s", cell, record.error)
