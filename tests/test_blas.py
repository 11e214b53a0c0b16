"""BLAS is limited while matrices are factorised, and as before afterwards."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import hessorbit as ho
from hessorbit import _blas, _core
from hessorbit._blas import SMALL, calm_blas, core_threads, idle_cpus


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("idle", [1, 2, 100])
def test_small_matrices_get_one_thread_and_large_ones_what_is_idle(idle: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_blas, "idle_cpus", lambda: idle)
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with calm_blas(SMALL):
            assert blas_threads() == {1}
            with calm_blas(SMALL + 1):
                assert blas_threads() == {1}
        assert blas_threads() == before
        with calm_blas(SMALL + 1):
            assert blas_threads() == {min(n, idle) for n in before}
        assert blas_threads() == before


def test_idle_cpus_are_counted() -> None:
    assert idle_cpus() >= 1


def test_the_core_takes_what_is_idle_within_the_limit_of_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (1, 3):
        with threadpool_limits(limit, user_api="openmp"):
            allowed = _core.config()["threads"]  # the limit, where the core was built with OpenMP
            for idle in (1, 2, 100):
                monkeypatch.setattr(_blas, "idle_cpus", lambda idle=idle: idle)
                assert core_threads(SMALL) == 1
                assert core_threads(SMALL + 1) == min(idle, allowed)
            assert allowed == limit or _core.config()["openmp"] is None


def test_threads_inside_at_once_leave_everything_as_before() -> None:
    """Each leaves while others are inside, in another order than they came."""
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        inside = [calm_blas(SMALL) for _ in range(3)]
        for each in inside:
            each.__enter__()
        for each in inside:
            assert blas_threads() == {1}
            each.__exit__(None, None, None)
        assert blas_threads() == before

        def work() -> None:
            for _ in range(200):
                with calm_blas(SMALL):
                    pass

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert blas_threads() == before


def test_whichever_thread_is_the_last_to_leave() -> None:
    """A thread that set the limit first, and lives on, does not keep others from setting it."""
    before = blas_threads()
    entered, left, end = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with calm_blas(SMALL):
            entered.set()
            left.wait(60)
        end.wait(60)

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(60)
    assert blas_threads() == {1}
    inside = calm_blas(SMALL)
    inside.__enter__()
    left.set()
    while len(_blas.wanted) > 1:
        time.sleep(0.01)
    assert blas_threads() == {1}
    inside.__exit__(None, None, None)
    assert blas_threads() == before
    with calm_blas(SMALL):
        assert blas_threads() == {1}
    assert blas_threads() == before
    end.set()
    thread.join()


def test_minimisation_runs_with_one() -> None:
    rng = np.random.default_rng(0)
    net = ho.MLP([2, 3, 1])
    obj = ho.Objective(net, rng.normal(size=(20, 2)), rng.normal(size=20))
    seen = []
    ho.minimize(obj, net.init(rng), max_steps=2, callback=lambda _: seen.append(blas_threads()))
    assert all(threads == {1} for threads in seen)
    assert seen
