"""Runs that share a store: no cell is computed twice, and every run returns all of them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import hessorbit as ho
from hessorbit.study import leases, load, workers
from hessorbit.study.cell import run_cell
from hessorbit.study.leases import Leases
from hessorbit.study.record import Cell
from hessorbit.study.store import Store

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 4, "samples": 30, "max_steps": 100}
STUDY = ho.WidthStudy(**SMALL)

PROGRAM = """
import os, sys, time
from concurrent.futures import ThreadPoolExecutor
import hessorbit as ho
from hessorbit.study import workers
from hessorbit.study.cell import run_cell

def counted(settings, cell):
    with open(sys.argv[2], "a") as file:
        file.write(f"{cell.width} {cell.seed}\\n")
    time.sleep(float(sys.argv[3]))
    return run_cell(settings, cell)

workers.run_cell = counted
with ThreadPoolExecutor(1) as executor:
    result = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=4, samples=30, max_steps=100).run(
        sys.argv[1], executor=executor)
print(len(result.records), result.missing)
"""


def started(store: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a run that writes the cells it computes to a log, and takes so many seconds more for each."""
    command = [sys.executable, "-c", PROGRAM, str(store), str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_compute_no_cell_twice(tmp_path: Path) -> None:
    store, logs = tmp_path / "study.sqlite", [tmp_path / "one.log", tmp_path / "two.log"]
    processes = [started(store, log, 0.5) for log in logs]
    outputs = [process.communicate()[0] for process in processes]
    assert outputs == ["8 0\n", "8 0\n"]
    computed = Counter(line for log in logs for line in log.read_text("utf-8").splitlines())
    assert len(computed) == 8
    assert set(computed.values()) == {1}
    with Store.create_or_resume(store, ho.WidthStudy(**SMALL)) as rows:
        assert rows.connection.execute("SELECT count(*) FROM leases").fetchone() == (0,)


def test_the_cell_of_a_killed_process_is_computed_at_once(tmp_path: Path) -> None:
    store, log = tmp_path / "study.sqlite", tmp_path / "killed.log"
    with started(store, log, 1000.0) as process:
        while not log.exists() or not log.read_text("utf-8"):
            time.sleep(0.02)
        process.kill()
    with Store.create_or_resume(store, ho.WidthStudy(**SMALL)) as rows:
        assert rows.connection.execute("SELECT count(*) FROM leases").fetchone() == (1,)
    with ThreadPoolExecutor(1) as executor:
        result = ho.WidthStudy(**SMALL).run(store, executor=executor)
    assert (len(result.records), result.missing, result.failures) == (8, 0, {})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create_or_resume(tmp_path / "study.sqlite", ho.WidthStudy(**SMALL))


def lease(store: Store, host: str, pid: int, seconds: Any) -> None:
    expires = time.time() + seconds if isinstance(seconds, float) else seconds
    row = (*STUDY.cell(2, 0), "another run", host, pid, expires)
    store.connection.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def test_which_leases_hold(store: Store) -> None:
    mine = Leases(store)
    here, alive = leases.host(), os.getpid()
    lease(store, here, alive, 30.0)
    assert not mine.take(STUDY.cell(2, 0))
    assert mine.take(STUDY.cell(2, 1))
    lease(store, "elsewhere", 1, 30.0)  # a process number means nothing on another machine
    assert not mine.take(STUDY.cell(2, 0))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    # Over: an ended process, a time that has passed, times that no lease has, and what no run writes.
    for case in ((here, gone.pid, 30.0), (here, alive, -1.0), ("elsewhere", 1, 1e9), (here, alive, "soon")):
        lease(store, *case)
        mine = Leases(store)
        assert mine.take(STUDY.cell(2, 0))
        assert not mine.take(STUDY.cell(2, 0))
        assert not Leases(store).take(STUDY.cell(2, 0))
    assert platform.node() in here


def test_a_run_waits_for_the_cells_of_another(store: Store, tmp_path: Path) -> None:
    """A lease from a machine that vanished ends with its time."""
    lease(store, "elsewhere", 1, 2.0)
    began = time.time()
    with ThreadPoolExecutor(1) as executor:
        result = ho.WidthStudy(**SMALL).run(tmp_path / "study.sqlite", executor=executor)
    assert result.missing == 0
    assert time.time() >= began + 1.5


def test_leases_are_renewed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.2)
    with Leases(store) as mine:
        assert mine.take(STUDY.cell(2, 0))
        query = "SELECT expires FROM leases"
        (first,) = store.connection.execute(query).fetchone()
        while store.connection.execute(query).fetchone() == (first,):
            time.sleep(0.01)
        assert not Leases(store).take(STUDY.cell(2, 0))
    assert store.connection.execute("SELECT count(*) FROM leases").fetchone() == (0,)


@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_a_failure_elsewhere_is_not_repeated(
    seconds: float, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run reports that its cell failed: while this one computes, or waits for it."""
    lease(store, "elsewhere", 1, 50.0)
    computed: list[Cell] = []

    def counted(settings: Any, cell: Cell) -> Any:
        if not computed:
            timer.start()
        computed.append(cell)
        return run_cell(settings, cell)

    def fail_elsewhere() -> None:
        from hessorbit.study.cell import failure

        store.put(failure(STUDY.cell(2, 0), ValueError("elsewhere")))

    monkeypatch.setattr(workers, "run_cell", counted)
    timer = threading.Timer(seconds, fail_elsewhere)
    with ThreadPoolExecutor(1) as executor:
        result = ho.WidthStudy(**SMALL).run(tmp_path / "study.sqlite", executor=executor)
    timer.join()
    assert STUDY.cell(2, 0) not in computed
    assert result.failures == {STUDY.cell(2, 0): "ValueError: elsewhere"}
    assert len(load(tmp_path / "study.sqlite").records) == 8


class Quiet:
    """An executor that does not say how many workers it has; it counts the cells it was handed and has not computed."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool, self.waiting, self.most, self.lock = pool, 0, 0, threading.Lock()

    def submit(self, function: Any, *arguments: Any) -> Any:
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)

        def work() -> Any:
            try:
                return function(*arguments)
            finally:
                with self.lock:
                    self.waiting -= 1

        return self.pool.submit(work)


@pytest.mark.parametrize("cells", [1, 3])
def test_workers_say_how_many_cells_an_executor_is_handed(cells: int, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        executor = Quiet(pool)
        result = ho.WidthStudy(**SMALL).run(tmp_path / "study.sqlite", executor=executor, workers=cells)
    assert (len(result.records), executor.most) == (8, cells)
