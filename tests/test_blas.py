"""BLAS is limited while small matrices are factorised, and as before afterwards."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import hessorbit as ho
from hessorbit._blas import SMALL, one_blas_thread


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_inside_and_as_many_as_before_outside() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_blas_thread(SMALL):
            assert blas_threads() == {1}
        assert blas_threads() == before
        with one_blas_thread(SMALL + 1):
            assert blas_threads() == before


def test_minimisation_runs_with_one() -> None:
    rng = np.random.default_rng(0)
    net = ho.MLP([2, 3, 1])
    obj = ho.Objective(net, rng.normal(size=(20, 2)), rng.normal(size=20))
    seen = []
    ho.minimize(obj, net.init(rng), max_steps=2, callback=lambda _: seen.append(blas_threads()))
    assert all(threads == {1} for threads in seen)
    assert seen
