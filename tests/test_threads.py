"""Threads of calls end with their work: a forked child computes, and Ctrl-C ends a long call that leaves all intact."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from oracles.problem import random_problem

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


def trace(seed: int) -> float:
    problem = random_problem(np.random.default_rng(seed), (2, 30, 1), samples=2000)
    return float(np.trace(problem.objective(threads=2).hessian(problem.theta)))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_pools_of_forked_processes() -> None:
    expected = [trace(seed) for seed in range(6)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(trace, range(6)).get(timeout=PATIENCE) == expected


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
