"""Runs: what a row holds against a recomputation, resuming, failures, executors, and stores that are refused."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hessorbit as ho
from hessorbit.study import StudyResult, load, workers
from hessorbit.study.cell import run_cell
from hessorbit.study.processes import Workers
from hessorbit.study.record import Cell, Record
from hessorbit.study.task import make_task

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 2, "samples": 30, "max_steps": 100}
CLOCK = "seconds"


def rows(result: StudyResult) -> dict[Cell, tuple[dict[str, str], dict[str, bytes]]]:
    """Everything about every cell that the clock does not change, as comparable bits."""
    return {
        record.cell: (
            {name: float(value).hex() for name, value in record.measurements.items() if name != CLOCK},
            {name: array.tobytes() for name, array in record.arrays.items()},
        )
        for record in result.records
    }


class Immediately(Executor):
    """Computes at submission."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def ran(width: int, **settings: Any) -> Record:
    """The student of a width and seed 0, of the small study with other settings."""
    study = ho.WidthStudy(**{**SMALL, "widths": [width], **settings})
    return run_cell(study, study.cell(width, 0))


def test_a_row_against_jax() -> None:
    """Teacher and data from the documented streams, the Hessian from jax, where training ended and where it began."""
    study = ho.WidthStudy(**SMALL)
    record = run_cell(study, study.cell(4, 1))

    def random(*key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(0, spawn_key=(1, *key)))

    normals = random(0).standard_normal(2 * 2 + 2 + 2 + 1)
    x, held_out = random(1).standard_normal((30, 2)), random(4).standard_normal((10_000, 2))

    def outputs(theta: Any, width: int, x: Any = x) -> Any:
        """erf as in soft committee machines, of z/√2."""
        weights, biases, outgoing, bias = jnp.split(theta, np.cumsum([2 * width, width, width]))
        return jax.scipy.special.erf((x @ weights.reshape(width, 2).T + biases) / np.sqrt(2)) @ outgoing + bias

    teacher = np.concatenate([normals[:6], 3.0 * np.sign(normals[6:8]), [0.0]])
    with jax.enable_x64(True):
        y = np.asarray(outputs(jnp.asarray(teacher), 2))
        loss = lambda theta: ((outputs(theta, 4) - y) ** 2).mean() / 2  # noqa: E731
        theta = jnp.asarray(record.arrays["theta_at_tolerance"])
        hessian, value, gradient = (np.asarray(f(theta)) for f in (jax.hessian(loss), loss, jax.grad(loss)))
        unseen = np.asarray(outputs(theta, 4, held_out) - outputs(jnp.asarray(teacher), 2, held_out))
    eigenvalues = np.linalg.eigvalsh(hessian)
    size = np.abs(eigenvalues).max()
    expected = {
        "parameters": 17,
        "baseline": np.var(y) / 2,
        "relative_loss": value / (np.var(y) / 2),
        "held_out_loss": (unseen**2).mean() / np.var(y),
        "gradient_norm": np.abs(gradient).max(),
        "trace_at_tolerance": np.trace(hessian),
        "lambda_max_at_tolerance": eigenvalues[-1],
    }
    # Hessian and gradient are rounded sums of 30 terms of size 1.
    for name, wanted in expected.items():
        assert record.measurements[name] == pytest.approx(wanted, rel=1e-11), name
    np.testing.assert_allclose(record.arrays["eigenvalues_at_tolerance"], eigenvalues, atol=1e-12 * size)


def test_a_minimum_is_the_teacher_widened() -> None:
    """At the exact minimum the spectrum is that of D^{1/2} H D^{1/2}, with D from the copies' outgoing weights."""
    study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 3], seeds=2)
    record = run_cell(study, study.cell(3, 0))
    task = make_task(study, 0)
    net, teacher = study.network(3), task.teacher
    theta = record.arrays["theta"]
    x = np.random.default_rng(0).standard_normal((100, 2))
    np.testing.assert_allclose(net(theta, x), teacher(task.theta, x), atol=1e-12)
    found = record.measurements
    assert (found["at_minimum"], found["at_teacher"], found["idle_neurons"], found["rank"]) == (1, 1, 0, 9)
    (weights, biases), (outgoing, _) = net.unflatten(theta)
    (their_weights, their_biases), (their_outgoing, _) = teacher.unflatten(task.theta)
    incoming = np.zeros(2)
    copies = np.zeros(2)
    for i in range(2):
        row, own = np.append(their_weights[i], their_biases[i]), np.column_stack([weights, biases])
        signs = np.array([np.allclose(each, row) - np.allclose(each, -row) for each in own.round(9)], float)
        incoming[i] = np.square(signs * outgoing[0] / their_outgoing[0, i]).sum()
        copies[i] = np.abs(signs).sum()
    assert copies.sum() == 3
    diagonal = np.concatenate([np.repeat(incoming, 2), incoming, copies, [1.0]])
    hessian = ho.PopulationObjective(teacher, teacher, task.theta).hessian(task.theta)
    root = np.sqrt(diagonal)
    eigenvalues = np.linalg.eigvalsh(root[:, None] * hessian * root)
    size = eigenvalues[-1]
    np.testing.assert_allclose(record.arrays["eigenvalues"][-9:], eigenvalues, atol=1e-12 * size)
    np.testing.assert_allclose(record.arrays["eigenvalues"][:-9], 0.0, atol=1e-12 * size)
    kappa = eigenvalues[-1] / eigenvalues[0]
    # Eigenvalues are rounded by about 1e-15 of the largest, which κ amplifies.
    assert found["condition"] == pytest.approx(kappa, rel=1e-13 * kappa)
    assert found["condition_copies"] == pytest.approx(kappa, rel=1e-13 * kappa)
    assert found["best_condition"] <= found["best_condition_of_copies"] * (1 + 1e-4)
    assert found["best_condition_of_copies"] <= found["condition_copies"] * (1 + 1e-4)


def test_no_minimum_no_curvature() -> None:
    """A student left where training ended has its curvature there alone."""
    record = ran(4, polish="none")
    assert record.facts["ending"] == "not sought"
    assert record.measurements["at_minimum"] == 0
    assert record.facts["not_measured"]["trace"] == "ValueError: not at a minimum (not sought)"
    assert math.isnan(record.measurements["lambda_max"])
    assert record.measurements["lambda_max_at_tolerance"] > 0
    assert "eigenvalues" not in record.arrays


def test_infinitely_many_samples_are_the_limit_of_many() -> None:
    """Baseline and trace at the start; a mean of 10⁵ samples is off by less than 5/√10⁵ of a few units."""
    few = {"polish": "none", "max_steps": 1}
    limit, many = (ran(3, **few, samples=n).measurements for n in ("infinite", 10**5))
    for name in ("baseline", "trace_at_start", "lambda_max_at_start"):
        assert limit[name] == pytest.approx(many[name], rel=0.05), name


def test_best_condition_and_nearest_minimum(result: StudyResult) -> None:
    table = result.table
    assert (table["best_condition_bound"] <= table["best_condition"] * (1 + 1e-12)).all()
    assert (table["nearest_bound"] <= table["nearest_distance"] * (1 + 1e-12)).all()
    # Every widening of the teacher to a width is one to the next, with dead neurons: the best cannot get worse.
    theorem = result.theorem()
    assert (theorem.pairs, theorem.held, theorem.refuted) == (10, 10, 0)


def test_students_narrower_than_the_teacher() -> None:
    record = ran(1)
    for column in ("best_condition", "nearest_distance", "condition_copies"):
        assert math.isnan(record.measurements[column])


def test_what_cannot_be_measured_is_nan_and_said() -> None:
    record = ran(4, activation="identity")
    assert math.isnan(record.measurements["nearest_distance"])
    assert "nearest_distance" in record.facts["not_measured"]
    assert record.measurements["trace_at_tolerance"] > 0


def test_same_rows_on_any_executor() -> None:
    study = ho.WidthStudy(**SMALL)
    reference = rows(study.run(executor=Immediately()))
    assert len(reference) == 4
    with ThreadPoolExecutor(2) as threads:
        assert rows(study.run(executor=threads)) == reference
    assert rows(study.run(workers=2)) == reference


def test_more_widths_and_seeds_keep_the_cells_there_are(tmp_path: Path) -> None:
    store = tmp_path / "study.sqlite"
    first = ho.WidthStudy(**SMALL).run(store, executor=Immediately())
    stamps = {record.cell: record.measurements[CLOCK] for record in first.records}
    more = ho.WidthStudy(**{**SMALL, "widths": [3], "seeds": 3}).run(store, executor=Immediately())
    assert [record.cell[:2] for record in more.records] == [(3, 0), (3, 1), (3, 2)]
    everything = load(store)
    # The study now is that of both: widths 2, 3, 4 and three seeds, of which two were not asked for yet.
    assert (len(everything.records), everything.missing) == (7, 2)
    kept = {record.cell: record.measurements[CLOCK] for record in everything.records if record.cell in stamps}
    assert kept == stamps


def test_a_failed_cell_stops_nothing_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(settings: Any, cell: Cell) -> Any:
        if cell[:2] == (2, 1):
            raise MemoryError("out of memory")
        return run_cell(settings, cell)

    store = tmp_path / "study.sqlite"
    study = ho.WidthStudy(**SMALL)
    monkeypatch.setattr(workers, "run_cell", failing)
    result = study.run(store, executor=Immediately())
    assert result.failures == {study.cell(2, 1): "MemoryError: out of memory"}
    assert len(result.table) == 3
    assert "1 failed" in repr(result)
    monkeypatch.setattr(workers, "run_cell", run_cell)
    again = study.run(store, executor=Immediately())
    assert not again.failures
    assert rows(again) == rows(study.run(executor=Immediately()))


def test_divergence_is_a_failure() -> None:
    study = ho.WidthStudy(**{**SMALL, "optimizer": "gd", "learning_rate": 1e6, "activation": "square", "seeds": 1})
    result = study.run(executor=Immediately())
    assert len(result.failures) == 2
    assert all("diverged" in message for message in result.failures.values())
    assert {finding.verdict for finding in result.claims()} == {"undecided"}


def die(*_: Any) -> None:
    os._exit(3)


def test_a_worker_that_dies_costs_its_own_cell_alone() -> None:
    with Workers(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(die).exception() is not None
        assert pool.submit(os.getpid).result() != os.getpid()


def blocked() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, []))


def test_workers_are_deaf_to_ctrl_c_from_their_first_moment() -> None:
    """A terminal sends it to them too, and they would answer with tracebacks, also while they import."""
    before = blocked()
    with Workers(2) as pool:
        # A function of Python's own, as workers need not find the tests.
        futures = [pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()) for _ in range(4)]
        assert all(signal.SIGINT in future.result() for future in futures)
    assert blocked() == before


PROGRAM = """
import sys
import hessorbit as ho
if __name__ == "__main__":
    ho.WidthStudy(inputs=3, teacher_width=3, widths=[3, 6], seeds=6, samples=200, max_steps=20000,
                  loss_tolerance=1e-12).run(sys.argv[1], workers=2)
"""


def stored(path: Path) -> dict[tuple[int, int], str]:
    if not path.exists():
        return {}
    connection = sqlite3.connect(path, timeout=60)
    try:
        return {(w, s): str(t) for w, s, t in connection.execute("SELECT width, seed, finished FROM cells")}
    except sqlite3.OperationalError:  # the tables are not there yet
        return {}
    finally:
        connection.close()


def test_killed_and_resumed(tmp_path: Path) -> None:
    program, store = tmp_path / "program.py", tmp_path / "study.sqlite"
    program.write_text(PROGRAM, "utf-8")
    command = [sys.executable, str(program), str(store)]
    process = subprocess.Popen(command, start_new_session=True)
    while not (before := stored(store)) and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert before
    # The workers notice that their parent is gone.
    while group_is_alive(process.pid):
        time.sleep(0.05)
    kept = stored(store)
    assert kept.items() >= before.items()
    subprocess.run(command, check=True)
    after = stored(store)
    assert len(after) == 12
    assert after.items() >= kept.items()
    result = load(store)
    assert result.missing == 0
    one = result.records[0]
    assert rows(StudyResult(result.settings, [one]))[one.cell] == fresh(result, one.cell)


def fresh(result: StudyResult, cell: Cell) -> Any:
    return rows(StudyResult(result.settings, [run_cell(result.settings, cell)]))[cell]


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@pytest.mark.usefixtures("interruptible")
def test_interrupted_run_keeps_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "study.sqlite"
    count = 0

    def interrupted(settings: Any, cell: Cell) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return run_cell(settings, cell)

    monkeypatch.setattr(workers, "run_cell", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ho.WidthStudy(**SMALL).run(store, executor=Immediately())
    assert len(load(store).records) == 2


def test_refused_stores(tmp_path: Path) -> None:
    study = ho.WidthStudy(**SMALL)
    text = tmp_path / "notes.txt"
    text.write_text("not a database " * 100, "utf-8")
    with pytest.raises(ValueError, match=r"notes\.txt.*must be a file that a width study wrote"):
        study.run(text, executor=Immediately())
    assert text.read_text("utf-8").startswith("not a database")

    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
    connection.close()
    with pytest.raises(ValueError, match=r"foreign\.sqlite.*another database"):
        study.run(foreign, executor=Immediately())

    with pytest.raises(IsADirectoryError, match="must be a file; it is a folder"):
        study.run(tmp_path, executor=Immediately())
    with pytest.raises(OSError, match="cannot be opened"):
        study.run(tmp_path / "nowhere" / "study.sqlite", executor=Immediately())
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load(tmp_path / "missing.sqlite")


def test_store_of_another_study(tmp_path: Path) -> None:
    store = tmp_path / "study.sqlite"
    ho.WidthStudy(**SMALL).run(store, executor=Immediately())
    with pytest.raises(ValueError, match=r"other settings: samples is 30 there and 31 here\. Use its settings"):
        ho.WidthStudy(**{**SMALL, "samples": 31}).run(store, executor=Immediately())
    assert len(load(store).records) == 4


@pytest.mark.parametrize("value", [0, -1])
def test_refused_workers(value: int) -> None:
    with pytest.raises(ValueError, match="workers must be at least 1"):
        ho.WidthStudy(**SMALL).run(workers=value)


class Client:
    """Like Dask's: it has submit, and is no executor."""

    def submit(self, *_: Any) -> Any:
        return None

    def get_executor(self) -> Any:
        return None


class Jobs:
    """Like submitit's executors: submit returns what is no future."""

    def submit(self, *_: Any) -> Any:
        return object()


class Parallel:
    """Like joblib's."""

    def __call__(self, calls: Any) -> Any:
        return list(calls)


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        (
            Client(),
            r"executor must be a concurrent\.futures\.Executor; got a Client, whose get_executor\(\) returns one",
        ),
        (Parallel(), "executor must be a concurrent.futures.Executor, such as .*; got .*Parallel.*has no submit"),
        (Jobs(), r"executor must return from submit futures, or jobs with .*; Jobs returned a object"),
    ],
)
def test_refused_executors(executor: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        ho.WidthStudy(**SMALL).run(executor=executor)
    assert "\n" not in str(caught.value)


SPAWNING = """
import multiprocessing as mp
import sys
from concurrent.futures import ProcessPoolExecutor
import hessorbit as ho
study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=2, samples=30, max_steps=100)
study.run(sys.argv[1], executor=ProcessPoolExecutor(2, mp.get_context("spawn")))
"""


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (PROGRAM.replace('if __name__ == "__main__":', "if True:"), "worker processes could not be started"),
        (SPAWNING, "executor (ProcessPoolExecutor) takes no more cells"),
    ],
)
def test_a_missing_main_guard_is_one_sentence(text: str, start: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(text, "utf-8")
    run = subprocess.run([sys.executable, program, tmp_path / "study.sqlite"], capture_output=True, text=True)
    assert f"RuntimeError: {start}" in run.stderr
    assert "call run under `if __name__ == '__main__':`" in run.stderr
    # Nothing from the workers, which leave without a word.
    assert run.stderr.count("Traceback") == 1
