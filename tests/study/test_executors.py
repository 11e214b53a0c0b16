"""Executors by name, jobs that are no futures, a real Dask cluster, and one thread for each cell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import distributed
import pytest
from threadpoolctl import threadpool_info

import hessorbit as ho
from hessorbit.study import StudyResult, executors, workers
from hessorbit.study.cell import run_cell
from hessorbit.study.executors import room_of
from hessorbit.study.one_thread import one_thread
from oracles.dying import first_cell_kills

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 2, "samples": 30, "max_steps": 60}
STUDY = ho.WidthStudy(**SMALL)


def steps(result: StudyResult) -> list[int]:
    assert not result.failures
    return [int(count) for count in result.table["steps"]]


@pytest.fixture(scope="module")
def wanted() -> list[int]:
    with ThreadPoolExecutor(1) as executor:
        return steps(STUDY.run(executor=executor))


def test_threads_by_name(wanted: list[int]) -> None:
    assert steps(STUDY.run(executor="threads", workers=2)) == wanted


class Job:
    """Like submitit's: it has done() and result(), and is no future."""

    def __init__(self, future: Future[Any]) -> None:
        self.future = future
        self.done, self.result = future.done, future.result


class Jobs:
    """Like submitit's executors."""

    def __init__(self, pool: ThreadPoolExecutor, fails: bool = False) -> None:
        self.pool, self.fails = pool, fails

    def submit(self, function: Any, *arguments: Any) -> Job:
        def fail() -> None:
            raise OSError("the node went down")

        return Job(self.pool.submit(fail) if self.fails else self.pool.submit(function, *arguments))


def test_jobs_that_are_no_futures(wanted: list[int]) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert steps(STUDY.run(executor=Jobs(pool))) == wanted  # type: ignore[arg-type]
        failed = STUDY.run(executor=Jobs(pool, fails=True))  # type: ignore[arg-type]
    assert set(failed.failures.values()) == {"OSError: the node went down"}


def test_a_cancelled_future_is_a_failure() -> None:
    class Cancelling:
        def submit(self, *_: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    result = STUDY.run(executor=Cancelling())  # type: ignore[arg-type]
    assert len(result.failures) == 4
    assert all(text.startswith("CancelledError") for text in result.failures.values())


@pytest.mark.parametrize("name", ["dusk", "dask://", "ray"])
def test_unknown_executors(name: str) -> None:
    message = rf"executor must be processes, threads, dask or dask://host:port; got '{name}'"
    with pytest.raises(ValueError, match=message):
        STUDY.run(executor=name)


def test_a_cell_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """BLAS and OpenMP, wherever it is computed; and as many as before in the end."""
    before = {each["filepath"]: each["num_threads"] for each in threadpool_info()}
    seen: list[int] = []

    def looking(settings: Any, cell: Any) -> Any:
        with one_thread():
            seen.extend(each["num_threads"] for each in threadpool_info())
        return run_cell(settings, cell)

    monkeypatch.setattr(workers, "run_cell", looking)
    STUDY.run(executor="threads", workers=2)
    assert set(seen) == {1}
    assert {each["filepath"]: each["num_threads"] for each in threadpool_info()} == before


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster(client: distributed.Client, wanted: list[int]) -> None:
    """By an executor of one's own, and by the address of its scheduler."""
    assert steps(STUDY.run(executor=client.get_executor())) == wanted
    address = client.scheduler.address.removeprefix("tcp://")
    assert steps(STUDY.run(executor=f"dask://{address}")) == wanted


def test_a_cluster_is_handed_few_cells(client: distributed.Client) -> None:
    assert room_of(client.get_executor())() == 32
    assert room_of(object())() == 32
    with ThreadPoolExecutor(3) as pool:
        assert room_of(pool)() == 3


class Empty:
    """An executor of a cluster without workers, whose cells are computed after it was asked for them."""

    def __init__(self) -> None:
        self._client = self
        self.waiting: list[tuple[Future[Any], Any, Any]] = []

    def nthreads(self) -> dict[str, int]:
        while self.waiting:
            future, function, arguments = self.waiting.pop()
            future.set_result(function(*arguments))
        return {}

    def submit(self, function: Any, *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, function, arguments))
        return future


def test_a_cluster_without_workers_is_waited_for_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wanted: list[int]
) -> None:
    monkeypatch.setattr(workers, "REMIND_SECONDS", 0.01)
    assert steps(STUDY.run(executor=Empty(), workers=4)) == wanted  # type: ignore[arg-type]
    assert "the cluster has no workers" in caplog.text


class Killing:
    """Dask's executor, whose first cell kills the worker that computes it."""

    def __init__(self, client: distributed.Client, path: Path) -> None:
        self.executor, self.path = client.get_executor(), str(path)

    def submit(self, _: Any, *arguments: Any) -> Any:
        return self.executor.submit(first_cell_kills, self.path, *arguments)


def test_a_killed_worker_costs_nothing(client: distributed.Client, tmp_path: Path, wanted: list[int]) -> None:
    """Dask computes its cells again, on another one."""
    before = {worker.get("pid", name) for name, worker in client.scheduler_info()["workers"].items()}
    assert steps(STUDY.run(executor=Killing(client, tmp_path / "killed"))) == wanted  # type: ignore[arg-type]
    assert (tmp_path / "killed").exists()
    client.wait_for_workers(2, timeout=60)
    after = {worker.get("pid", name) for name, worker in client.scheduler_info()["workers"].items()}
    assert after != before


PROGRAM = """
import sys
import hessorbit as ho
if __name__ == "__main__" or "unguarded" in sys.argv:
    study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=2, samples=30, max_steps=60)
    print(len(study.run(executor="dask", workers=1).done))
"""


def test_a_cluster_of_this_machine(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    run = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert run.stdout == "4\n"


@contextmanager
def interrupted_run(name: str) -> Iterator[Executor]:
    """Gives an executor of a run that Ctrl-C ends."""
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        yield executors.opened(stack, name, 1, 1)
        raise KeyboardInterrupt


def test_an_exception_does_not_wait_for_threads() -> None:
    ended = threading.Event()
    with interrupted_run("threads") as pool:
        future = pool.submit(ended.wait)
    assert not future.done()
    ended.set()


def test_an_exception_ends_the_processes_of_a_cluster_of_this_machine() -> None:
    with interrupted_run("dask") as pool:
        process = pool.submit(os.getpid).result()
        assert signal.SIGINT in pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
        pool.submit(time.sleep, 1000.0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 0.5)
    with pytest.raises(RuntimeError, match=r"executor 'dask://127\.0\.0\.1:9' cannot be reached") as caught:
        STUDY.run(executor="dask://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_a_cluster_of_an_unguarded_program(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    run = subprocess.run([sys.executable, program, "unguarded"], capture_output=True, text=True)
    assert "RuntimeError: worker processes could not be started" in run.stderr
    assert run.stderr.count("Traceback") == 1
