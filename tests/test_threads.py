"""Threads of calls end with their work: a forked child computes, and Ctrl-C ends a long call that leaves all intact."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import joblib
import numpy as np
import pytest

import hessorbit as ho
from hessorbit import _core
from oracles.problem import random_problem, trace_of_hessian

pytestmark = pytest.mark.core

# A bound for what hangs, far beyond what anything here takes.
PATIENCE = 120


def run(program: str) -> str:
    """Returns what a program of its own process printed; fails if it hangs."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SETUP = """
import os, signal, threading, time
import numpy as np
import hessorbit as ho
rng = np.random.default_rng(0)
def objective(widths, samples, threads=2):
    net = ho.MLP(widths)
    x, y = rng.standard_normal((samples, widths[0])), rng.standard_normal((samples, widths[-1]))
    return ho.Objective(net, x, y, threads=threads), 0.1 * rng.standard_normal(net.num_parameters)
"""


def test_a_forked_child_computes_after_a_call_with_two_threads() -> None:
    out = run(
        SETUP
        + textwrap.dedent("""
        obj, theta = objective([2, 30, 1], 5000)
        expected = obj.hessian(theta)
        for _ in range(3):
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                os._exit(0 if np.array_equal(obj.hessian(theta), expected) else 1)
            print(os.waitpid(child, 0)[1])
        """)
    )
    assert out.split() == ["0"] * 3


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_pools_of_forked_processes() -> None:
    expected = [trace_of_hessian(seed) for seed in range(6)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(trace_of_hessian, range(6)).get(timeout=PATIENCE) == expected


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("widths", "samples", "method"),
    [
        ([20, 60, 60, 10], 20_000, "hessian"),
        ([20, 10, 1], 500_000, "hessian"),
        ([20, 100, 100, 10], 200_000, "gradient"),
        ([10, 200, 200, 200, 5], 2_000, "hessian_diagonal"),
    ],
)
def test_ctrl_c_ends_a_call(widths: list[int], samples: int, method: str, threads: int) -> None:
    """The call is made again and again until the signal comes in the middle of one."""
    out = run(
        SETUP
        + textwrap.dedent(f"""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        obj, theta = objective({widths}, {samples}, {threads})
        small, _ = objective({widths}, 10)
        before = small.gradient(theta)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            while True:
                obj.{method}(theta)
        except KeyboardInterrupt:
            print("interrupted")
        assert np.array_equal(small.gradient(theta), before)
        assert np.isfinite(obj.loss(theta))
        """)
    )
    assert out.strip() == "interrupted"


def test_ctrl_c_ends_the_search_for_eigenvalues() -> None:
    """Those without vectors, which the core finds; it is made again and again until the signal comes in the middle."""
    out = run(
        SETUP
        + textwrap.dedent("""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        obj, theta = objective([2, 300, 1], 10)
        matrix = np.random.default_rng(0).standard_normal((1201, 1201))
        matrix += matrix.T
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            while True:
                ho.spectrum(obj, theta, matrix=matrix, zero_modes=None)
        except KeyboardInterrupt:
            print("interrupted")
        after = ho.spectrum(obj, theta, matrix=np.eye(1201), zero_modes=None)
        assert abs(after.max - 1) <= after.floor
        """)
    )
    assert out.split() == ["interrupted"]


def test_ctrl_c_ends_the_wait_for_lapack() -> None:
    """LAPACK cannot be asked to stop; here it never returns, but for Ctrl-C."""
    out = run(
        SETUP
        + textwrap.dedent("""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        entered = threading.Event()
        def never(*_, **__):
            entered.set()
            while not threading.Event().wait(0.1):  # a signal just before a wait does not end it
                pass
        def interrupt():
            entered.wait()
            os.kill(os.getpid(), signal.SIGINT)
        obj, theta = objective([2, 80, 1], 10)
        more, _ = objective([2, 80, 1], 400)
        np.linalg.eigvalsh = np.linalg.eigh = np.linalg.svd = np.linalg.qr = never
        for call in (
            lambda: ho.spectrum(more, theta, matrix="gauss_newton", method="jacobian", zero_modes=None),
            lambda: ho.spectrum(obj, theta, vectors=True, method="dense", zero_modes=None),
            lambda: ho.best_conditioned(more, theta, over=ho.symmetries(more.net), matrix="gauss_newton"),
            lambda: ho.best_conditioned(more, theta, over=ho.symmetries(more.net), matrix="hessian"),
            lambda: ho.classify(more, theta),
        ):
            entered.clear()
            threading.Thread(target=interrupt, daemon=True).start()
            try:
                call()
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        os._exit(0)
        """)
    )
    assert out.split() == ["interrupted"] * 5


def test_ctrl_c_ends_the_wait_for_a_conic_program() -> None:
    """Clarabel knows nothing of signals; here it never returns but where it is called off."""
    out = run(
        SETUP
        + textwrap.dedent("""
        import clarabel
        from hessorbit.conditioning.clarabel_calls import solution
        signal.signal(signal.SIGINT, signal.default_int_handler)
        entered, ended = threading.Event(), threading.Event()
        class Solver:
            def __init__(self, *_):
                pass
            def set_termination_callback(self, called_off):
                self.called_off = called_off
            def solve(self):
                entered.set()
                while not self.called_off(None):
                    ended.wait(0.01)
                ended.set()
                raise RuntimeError
        def interrupt():
            entered.wait()
            os.kill(os.getpid(), signal.SIGINT)
        clarabel.DefaultSolver = Solver
        threading.Thread(target=interrupt, daemon=True).start()
        try:
            solution(np.ones(1), np.ones((1000, 1)), np.ones(1000), [clarabel.NonnegativeConeT(1000)])
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        print(ended.wait(60), flush=True)
        os._exit(0)
        """)
    )
    assert out.split() == ["interrupted", "True"]


def raw_calls() -> dict[str, list[Callable[[], Any]]]:
    """Calls of one object each, which several threads may make."""
    problem = random_problem(np.random.default_rng(0), (3, 8, 2), samples=300)
    obj, theta, rng = problem.objective(threads=2), problem.theta, np.random.default_rng(1)
    points = [theta + 0.1 * k for k in range(5)]
    squares = _core.DampedLeastSquares(rng.standard_normal((90, 60)), rng.standard_normal(90))
    matrix = rng.standard_normal((60, 60))
    system = _core.ShiftedSystem(matrix @ matrix.T, rng.standard_normal(60))
    group = ho.symmetries(obj.net)
    element = group.random(rng)
    population = ho.PopulationObjective(obj.net, obj.net, theta, threads=2)
    return {
        "objective": [partial(getattr(obj, name), at) for name in ("hessian", "gradient", "jacobian") for at in points],
        "hvp": [partial(obj.hvp, at, points[0]) for at in points],
        "least squares": [partial(squares.solve, 10.0**k) for k in range(-6, 4)],
        "shifted system": [partial(system.solve, 10.0**k) for k in range(-3, 4)] + [system.lowest_vector],
        "group element": [partial(element, at) for at in points],
        "population": [partial(population.hessian, at) for at in points],
    }


@pytest.mark.parametrize("kind", list(raw_calls()))
def test_threads_that_share_an_object_get_what_one_alone_gets(kind: str) -> None:
    calls = raw_calls()[kind]
    alone = [np.hstack(call()) for call in calls]
    wrong: list[int] = []

    def work(seed: int) -> None:
        for index in np.random.default_rng(seed).integers(len(calls), size=100):
            if not np.array_equal(np.hstack(calls[index]()), alone[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_fork_beside_a_thread_inside_of_a_call() -> None:
    """The child computes with the object that another thread of its parent was using."""
    out = run(
        SETUP
        + textwrap.dedent("""
        obj, theta = objective([2, 30, 1], 5000)
        expected = obj.hessian(theta)
        ended = threading.Event()
        def work():
            while not ended.is_set():
                obj.hessian(theta)
        def fork():
            for _ in range(10):
                child = os.fork()
                if child == 0:
                    signal.alarm(60)
                    os._exit(0 if np.array_equal(obj.hessian(theta), expected) else 1)
                print(os.waitpid(child, 0)[1])
            ended.set()
        threads = [threading.Thread(target=each) for each in (work, work, fork)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """)
    )
    assert out.split() == ["0"] * 10


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_pools_of_processes_started_in_any_way(method: str) -> None:
    expected = [trace_of_hessian(seed) for seed in range(4)]
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        assert list(pool.map(trace_of_hessian, range(4), timeout=PATIENCE)) == expected


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_workers_of_joblib(backend: str) -> None:
    expected = [trace_of_hessian(seed) for seed in range(4)]
    tasks = [joblib.delayed(trace_of_hessian)(seed) for seed in range(4)]
    assert joblib.Parallel(2, backend=backend, timeout=PATIENCE)(tasks) == expected
