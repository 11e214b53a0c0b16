"""Sizes that no memory holds, or that nobody can wait for, are refused at once; what is large but possible answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import hessorbit as ho

NET = ho.MLP([2, 2, 1])
THETA = np.linspace(0.1, 0.9, NET.num_parameters)
RELU = ho.MLP([2, 3, 1], "relu", bias=False)


def objective() -> ho.Objective:
    rng = np.random.default_rng(0)
    return ho.Objective(NET, rng.standard_normal((9, 2)), rng.standard_normal(9))


def reach(samples: int) -> Any:
    return ho.reach_probability(NET, NET, THETA, 1.0, rng=np.random.default_rng(0), samples=samples)


def best(**widths: Any) -> Any:
    return ho.best_conditioned(objective(), THETA, matrix="gauss_newton", **widths)


@pytest.mark.parametrize(
    "ask",
    [
        *(lambda n=n: ho.Widening(NET, copies=[[n, 1]]) for n in (10**9, 10**12, 10**18, 10**30, 0, -1, -(10**9))),
        *(lambda n=n: ho.Widening(NET, dead=[n]) for n in (10**9, 10**18, -1)),
        *(lambda n=n: ho.MLP([2, n, 1]) for n in (10**9, 10**12, 10**18, 10**30, 0, -1)),
        lambda: ho.MLP([2, 10**5, 10**5, 1]),
        *(lambda n=n: NET.init(np.random.default_rng(0), size=n) for n in (10**15, 10**30, 0, -1)),
        *(lambda n=n: reach(n) for n in (10**14, 10**30, 0, -1)),
        *(lambda n=n: ho.count_minima(3, n) for n in (10**9, 10**18, 0, -1)),
        *(lambda n=n: list(ho.enumerate_minima(n, 10**9, inputs=2)) for n in (1, 10**9)),
        *(lambda n=n: best(widths=[n]) for n in (10**9, 10**18, 1, -1)),
        *(lambda n=n: best(copies=[[n, 1]]) for n in (10**9, 10**18, 0, -1)),
        lambda: objective().hessian(np.broadcast_to(0.0, (10**12, NET.num_parameters))),
        lambda: objective().hvp(THETA, np.broadcast_to(0.0, (NET.num_parameters, 10**12))),
        lambda: ho.Objective(NET, np.broadcast_to(0.0, (10**13, 2)), np.broadcast_to(0.0, (10**13,))),
        lambda: NET(THETA, np.broadcast_to(0.0, (10**13, 2))),
        lambda: NET.block(layer=1, part="outgoing", neurons=np.broadcast_to(1, (10**10,))),
        lambda: ho.symmetries(NET).permutation(layer=1, order=np.broadcast_to(1, (10**10,))),
        lambda: ho.symmetries(ho.MLP([2, 3000, 1], "identity")).generators(),
        lambda: ho.symmetries(ho.MLP([2, 3000, 1], "identity")).tangents(np.zeros(12001)),
    ],
)
def test_refused_at_once(ask: Callable[[], Any]) -> None:
    with pytest.raises((ValueError, MemoryError)):
        ask()


@pytest.mark.parametrize("threads", [0, -1, 1025, 100_000, 2**31, 10**30])
def test_threads_have_one_maximum_everywhere(threads: int) -> None:
    teacher = ho.MLP([2, 1, 1])
    goal, rng = np.ones(5), np.random.default_rng(0)
    for call in (
        lambda: NET(THETA, [[0.0, 0.0]], threads=threads),
        lambda: ho.Objective(NET, [[0.0, 0.0]], [0.0], threads=threads),
        lambda: ho.PopulationObjective(NET, teacher, goal, threads=threads),
        lambda: ho.nearest_minimum(NET, THETA, teacher, goal, threads=threads),
        lambda: ho.reach_probability(NET, teacher, goal, 1.0, rng=rng, samples=2, threads=threads),
        lambda: ho.minima.reach_by_width(teacher, goal, [2], rng=rng, samples=2, threads=threads),
        lambda: ho.minima.compare_descent(NET, THETA, THETA, teacher, goal, threads=threads),
    ):
        with pytest.raises(ValueError, match="threads must be at"):
            call()


def test_groups_of_orders_beyond_what_python_prints() -> None:
    group = ho.symmetries(ho.MLP([2, 3000, 1]))
    assert group.order.bit_length() > 30_000
    assert "order 5.1e+10033" in repr(group)  # 3000! 2^3000, by Stirling's series with 1/(12 n)
    assert "order 4.1e+9130" in repr(group.factors)


@contextmanager
def refused(*reasons: str) -> Iterator[None]:
    """Allows a ValueError that names one of the reasons."""
    try:
        yield
    except ValueError as error:
        if not any(reason in str(error) for reason in reasons):
            raise


@pytest.mark.parametrize("scale", [100.0, 1000.0, 1e300, 1e308])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.1)", "cube", "square", "identity"])
@pytest.mark.parametrize("bias", [False, True])
def test_elements_of_any_scale_are_finite_or_refused(scale: float, activation: str, bias: bool) -> None:
    net = ho.MLP([2, 3, 1], activation, bias=bias)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        with refused("float64", "take a smaller scale"):
            element = ho.symmetries(net).random(rng, scale=scale)
            for moved in (element(net.init(rng)), element.matrix().toarray(), element.inverse()(net.init(rng))):
                assert np.isfinite(moved).all()


@pytest.mark.parametrize("size", [1e150, 1e154, 1e200, 1e300, 1e308, 1e-150, 1e-300, 5e-324])
@pytest.mark.parametrize("activation", ["cube", "square", "relu", "tanh", "identity", "exp"])
@pytest.mark.parametrize("bias", [False, True])
def test_canonical_forms_at_any_size_are_finite_or_refused(size: float, activation: str, bias: bool) -> None:
    net = ho.MLP([2, 3, 1], activation, bias=bias)
    for theta in (np.full(net.num_parameters, size), size * np.linspace(0.2, 1, net.num_parameters)):
        for reduce in (False, True):
            with refused("float64", "range"):
                assert np.isfinite(ho.canonical(net, theta, reduce=reduce).theta).all()
