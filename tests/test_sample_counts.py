"""Every number of samples: 1 to 80 against jets, and around the sizes of chunks by adding up pieces."""

from __future__ import annotations

import numpy as np
import pytest

from oracles import jets, sweep
from oracles.compare import METHODS, assert_close, assert_matches
from oracles.problem import Problem, random_problem

pytestmark = pytest.mark.core

PROBLEMS = sweep.problems()
AVERAGES = ("loss", "gradient", "hessian", "gauss_newton", "diagonal", "trace")


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_count_to_eighty(name: str) -> None:
    reference = jets.evaluate(PROBLEMS[name])
    for count, results in zip(sweep.COUNTS, sweep.results(PROBLEMS[name]), strict=True):
        assert_matches(results, reference, count, what=name)


def by_pieces(problem: Problem, name: str) -> np.ndarray:
    """An average over all samples from those over pieces of at most 64."""
    count, total = len(problem.x), np.longdouble(0)
    for start in range(0, count, 64):
        piece = problem.replace(x=problem.x[start : start + 64], y=problem.y[start : start + 64])
        total = total + len(piece.x) * getattr(piece.objective(), METHODS[name])(problem.theta)
    return np.asarray(total / np.longdouble(count))


@pytest.mark.parametrize("size", [128, 256, 512, 1024, 2048, 4096])
def test_around_powers_of_two(size: int) -> None:
    problem = random_problem(np.random.default_rng(size), (3, 5, 4, 2), "tanh", samples=size + 9)
    for count in (size - 9, size - 1, size, size + 1, size + 9):
        part = problem.first(count)
        objective = part.objective()
        for name in AVERAGES:
            expected = by_pieces(part, name)
            # Whole and pieces have errors of their own, hence twice the accuracy asked; a trace adds up both signs.
            scale = np.abs(by_pieces(part, "diagonal")).sum() if name == "trace" else None
            assert_close(
                getattr(objective, METHODS[name])(problem.theta),
                expected,
                parameters=problem.num_parameters,
                scale=scale,
                relative=2e-13,
                what=f"{name}, N = {count}",
            )
