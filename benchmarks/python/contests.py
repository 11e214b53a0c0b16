"""What is compared with what.

Every contest yields rows: what was timed, on what, both times, and the goal set for the ratio, theirs / ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from problems import Problem, jax_loss, torch_loss
from rows import Row
from timing import contest

import hessorbit as ho

GRID = [
    Problem((2, 10, 1), 100), Problem((2, 10, 1), 1000), Problem((2, 10, 1), 10000), Problem((2, 50, 1), 1000),
    Problem((2, 100, 1), 1000), Problem((10, 20, 1), 1000), Problem((10, 50, 1), 1000), Problem((20, 50, 5), 2000),
]  # fmt: skip
DEEP = [
    Problem(sizes, 1000, activation, loss)
    for sizes in ((5, 30, 30, 1), (10, 64, 64, 3))
    for activation, loss in (("gelu", "squared_error"), ("relu", "squared_error"), ("gelu", "cross_entropy"))
    if not (loss == "cross_entropy" and sizes[-1] == 1)
]
BLAS = [Problem((10, 100, 1), 2000), Problem((50, 40, 1), 4000), Problem((20, 50, 1), 2000)]
GRADIENT = [
    Problem((2, 10, 1), 100), Problem((2, 50, 1), 1000), Problem((10, 50, 1), 1000), Problem((10, 100, 1), 10000)
]  # fmt: skip


def finished(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """A call of a jax function that returns when the result is there."""
    return lambda: function(*arguments).block_until_ready()


def hessian_against_jax() -> Iterator[Row]:
    import jax

    for problem in GRID + DEEP:
        objective, theta = problem.objective()
        loss, at = jax_loss(problem)
        rival = jax.jit(jax.hessian(loss))
        times = contest({"ours": partial(objective.hessian, theta), "jax": finished(rival, at)})
        name, goal = ("deep Hessian", 60) if problem in DEEP else ("Hessian", 25)
        yield Row(name, str(problem), "jax", times["ours"], times["jax"], goal)


def hessian_against_torch() -> Iterator[Row]:
    import torch

    for problem in GRID:
        objective, theta = problem.objective()
        loss, at = torch_loss(problem)
        rival = torch.func.hessian(loss)
        times = contest({"ours": partial(objective.hessian, theta), "torch": partial(rival, at)})
        yield Row("Hessian", str(problem), "torch", times["ours"], times["torch"], 25)


def hessian_against_blas() -> Iterator[Row]:
    """dsyrk forms JᵀJ from a ready Jacobian; dgemm sets the rate of the machine."""
    from scipy.linalg.blas import dgemm, dsyrk

    square = np.asfortranarray(np.random.default_rng(0).standard_normal((2000, 2000)))
    for problem in BLAS:
        objective, theta = problem.objective()
        jacobian = np.asfortranarray(objective.jacobian(theta))
        times = contest(
            {
                "ours": partial(objective.hessian, theta),
                "dsyrk": partial(dsyrk, 1.0, jacobian, trans=1),
                "dgemm": partial(dgemm, 1.0, square, square),
            }
        )
        yield Row("Hessian", str(problem), "dsyrk", times["ours"], times["dsyrk"], 1 / 0.7)
        inputs, hidden, _ = problem.sizes
        ideal = problem.samples * (hidden * (inputs + 1)) ** 2 / 2 / (2 * 2000**3 / times["dgemm"])
        note = "time for N·P₁²/2 flops at dgemm's rate"
        yield Row("Hessian", str(problem), "dgemm", times["ours"], ideal, 0.75, note)


def gradient_against_jax() -> Iterator[Row]:
    import jax

    for problem in GRADIENT:
        objective, theta = problem.objective()
        loss, at = jax_loss(problem)
        rival = jax.jit(jax.grad(loss))
        times = contest({"ours": partial(objective.gradient, theta), "jax": finished(rival, at)})
        yield Row("gradient", str(problem), "jax", times["ours"], times["jax"], 3)


def descent_against_jax(steps: int = 10_000) -> Iterator[Row]:
    import jax
    import jax.numpy as jnp

    problem = Problem((5, 20, 1), 500)
    objective, theta = problem.objective()
    loss, at = jax_loss(problem)
    gradient = jax.grad(loss)
    rate, beta1, beta2, epsilon = 1e-3, 0.9, 0.999, 1e-8

    def gd_step(state: Any) -> Any:
        step, theta = state
        return step + 1, theta - rate * gradient(theta)

    def adam_step(state: Any) -> Any:
        step, theta, first, second = state
        g, step = gradient(theta), step + 1
        first, second = beta1 * first + (1 - beta1) * g, beta2 * second + (1 - beta2) * g * g
        change = first / (1 - beta1**step) / (jnp.sqrt(second / (1 - beta2**step)) + epsilon)
        return step, theta - rate * change, first, second

    for method, step, start in (
        ("gd", gd_step, (0, at)),
        ("adam", adam_step, (0.0, at, jnp.zeros_like(at), jnp.zeros_like(at))),
    ):
        rival = jax.jit(lambda state, step=step: jax.lax.while_loop(lambda s: s[0] < steps, step, state)[1])
        times = contest(
            {
                "ours": partial(
                    ho.minimize, objective, theta, method=method, learning_rate=rate, max_steps=steps, tol=0.0
                ),
                "jax": finished(rival, start),
            },
            turns=3,
        )
        yield Row(f"{steps:,} steps of {method}", str(problem), "jax", times["ours"], times["jax"], 3)


def batches() -> Iterator[Row]:
    problem = Problem((2, 10, 1), 100)
    one, _ = problem.objective(threads=1)
    two, _ = problem.objective(threads=2)
    thetas = problem.net.init(np.random.default_rng(0), scheme="torch", size=(1000,))
    times = contest(
        {
            "one thread": lambda: one.hessian(thetas),
            "two threads": lambda: two.hessian(thetas),
            "one by one": lambda: [two.hessian(theta) for theta in thetas],
        }
    )
    yield Row("1,000 Hessians", str(problem), "one by one", times["two threads"], times["one by one"], 3)
    yield Row("1,000 Hessians", str(problem), "one thread", times["two threads"], times["one thread"], 1.8)


def call_overhead() -> Iterator[Row]:
    """A call from Python less the same work inside a batch, on the smallest network."""
    objective, theta = Problem((1, 1, 1), 1).objective(threads=1)
    many = np.repeat(theta[None], 10_000, axis=0)
    for name in ("loss", "gradient", "hessian"):
        method = getattr(objective, name)
        times = contest({"call": partial(method, theta), "batch": partial(method, many)})
        overhead = times["call"] - times["batch"] / len(many)
        yield Row("overhead of a call", name, "4 µs", overhead, 4e-6, 1, "theirs is the budget")


def dense_eigenvalues(objective: ho.Objective, theta: np.ndarray) -> np.ndarray:
    from scipy.linalg import eigh

    eigenvalues: np.ndarray = eigh(objective.hessian(theta), driver="evd", eigvals_only=True)
    return eigenvalues


def eigenvalues() -> Iterator[Row]:
    for problem, planted in ((Problem((10, 60, 1), 2000), False), (Problem((10, 100, 1), 300), True)):
        theta, x, _ = problem.data()
        y = problem.net(theta, x) if planted else problem.data()[2]
        objective = ho.Objective(problem.net, x, y)
        times = contest(
            {
                "ours": partial(ho.spectrum, objective, theta, zero_modes=None),
                "eigh": partial(dense_eigenvalues, objective, theta),
            },
            turns=5,
        )
        kind = "zero residual" if planted else "full"
        goal = (len(theta) / (problem.samples * problem.sizes[-1])) ** 3 if planted else 1.0
        note = "the Hessian, or what replaces it, included"
        yield Row("eigenvalues", f"{problem} {kind}", "eigh", times["ours"], times["eigh"], goal, note)


def width_study() -> Iterator[Row]:
    from jax_study import CASE, contest_of_studies

    ours, theirs, note = contest_of_studies()
    yield Row("width study", CASE, "jax", ours, theirs, 15, note)


CONTESTS: dict[str, Callable[[], Iterator[Row]]] = {
    "jax": hessian_against_jax,
    "torch": hessian_against_torch,
    "blas": hessian_against_blas,
    "gradient": gradient_against_jax,
    "descent": descent_against_jax,
    "batch": batches,
    "overhead": call_overhead,
    "eigenvalues": eigenvalues,
    "study": width_study,
}
