"""Same input, same bits: for any number of threads, alone or in a batch, again, pickled, and from several threads."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from oracles.compare import computed
from oracles.problem import Problem, random_problem

pytestmark = pytest.mark.core


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Few samples and many, few parameters and many, more threads than neurons and fewer.
PROBLEMS = {
    "one sample": random_problem(rng(), (3, 4, 2), "gelu", samples=1),
    "odd": random_problem(rng(), (2, 7, 5, 3), "tanh", loss="cross_entropy", samples=77, weighted=True, l2=0.1),
    "many samples": random_problem(rng(), (2, 3, 1), "softplus", loss="logistic", samples=20011),
    "wide": random_problem(rng(), (5, 60, 1), "relu", samples=300),
    "deep": random_problem(rng(), (4, 9, 8, 7, 6, 3), "silu", samples=1500),
    "linear": random_problem(rng(), (40, 5), samples=600),
}


def everything(problem: Problem, theta: Any, **options: Any) -> dict[str, Any]:
    objective = problem.objective(**options)
    v = rng(1).standard_normal((problem.num_parameters, 3))
    return computed(objective, theta) | {"product": objective.hvp(theta, v)}


def assert_same(results: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        np.testing.assert_array_equal(results[name], value, err_msg=name, strict=True)


@pytest.mark.parametrize("name", PROBLEMS)
def test_threads(name: str) -> None:
    problem = PROBLEMS[name]
    expected = everything(problem, problem.theta, threads=1)
    for threads in (1, 2, 3, 8):
        assert_same(everything(problem, problem.theta, threads=threads), expected)
    for limit in (1, 2, 8):
        with threadpool_limits(limit):
            assert_same(everything(problem, problem.theta), expected)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("one sample", np.float64), ("odd", np.float64), ("wide", np.float64), ("odd", np.longdouble)],
)
def test_batches(name: str, dtype: type) -> None:
    problem = PROBLEMS[name]
    theta = (problem.theta + 0.1 * rng(2).standard_normal((5, problem.num_parameters))).astype(dtype)
    alone = [everything(problem, t, threads=1) for t in theta]
    expected = {key: np.stack([results[key] for results in alone]).astype(dtype) for key in alone[0]}
    for threads in (1, 2, 8):
        assert_same(everything(problem, theta, threads=threads), expected)
        part = everything(problem, theta[2:4], threads=threads)
        assert_same(part, {key: value[2:4] for key, value in expected.items()})


def test_same_again_in_any_order() -> None:
    """Nothing that an objective keeps between calls shows in its results."""
    problem = PROBLEMS["odd"]
    objective = problem.objective(threads=2)
    expected = computed(objective, problem.theta)
    computed(objective, 3 * problem.theta)
    computed(objective, np.stack([problem.theta] * 4).astype(np.longdouble))
    assert_same(dict(reversed(computed(objective, problem.theta).items())), expected)
    assert_same(computed(pickle.loads(pickle.dumps(objective)), problem.theta), expected)


def test_called_from_several_threads() -> None:
    """The lock of the interpreter is released during a call, so calls on one objective run side by side."""
    problem = PROBLEMS["odd"]
    objective = problem.objective(threads=2)
    points = problem.theta * rng(3).uniform(0.5, 1.5, (40, 1))
    expected = [computed(objective, theta) for theta in points]
    with ThreadPoolExecutor(4) as pool:
        for results, value in zip(pool.map(lambda theta: computed(objective, theta), points), expected, strict=True):
            assert_same(results, value)
