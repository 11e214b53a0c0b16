"""What is compared with what.

Every contest yields rows: what was timed, on what, both times, and the goal set for the ratio, theirs / ours. Where
there is no rival, what hessorbit takes stands alone, or beside a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from cases import COSTS, EQUIVALENCE, Case
from problems import Problem, jax_loss, torch_loss
from rows import Row, budget
from timing import Call, Times, contest

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


def our(method: str, problem: Problem, threads: int | None = None) -> Call:
    objective, theta = problem.objective(threads=threads)
    return partial(getattr(objective, method), theta)


def jax_derivative(transform: str, problem: Problem) -> Call:
    """A compiled derivative (`hessian`, `grad`) of the loss; a call returns when the result is there."""
    import jax

    loss, at = jax_loss(problem)
    derivative = jax.jit(getattr(jax, transform)(loss)).lower(at).compile()
    return lambda: derivative(at).block_until_ready()


def torch_hessian(problem: Problem) -> Call:
    import torch

    loss, at = torch_loss(problem)
    return partial(torch.func.hessian(loss), at)


def hessian_against_jax(problems: Sequence[Problem], name: str, goal: float) -> Iterator[Row]:
    for problem in problems:
        times = contest({"ours": partial(our, "hessian", problem), "jax": partial(jax_derivative, "hessian", problem)})
        yield Row(name, str(problem), "jax", times["ours"], times["jax"], goal)


def hessian_against_torch() -> Iterator[Row]:
    for problem in GRID:
        times = contest({"ours": partial(our, "hessian", problem), "torch": partial(torch_hessian, problem)})
        yield Row("Hessian", str(problem), "torch", times["ours"], times["torch"], 25)


def curvlinops_hessian(problem: Problem) -> Call:
    """The dense Hessian of a torch module, as curvlinops makes it: its linear operator times the unit matrix."""
    import torch
    from curvlinops import HessianLinearOperator

    theta, x, y = (torch.from_numpy(a) for a in problem.data())
    inputs, hidden, outputs = problem.sizes
    model = torch.nn.Sequential(torch.nn.Linear(inputs, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, outputs))
    model.double()
    torch.nn.utils.vector_to_parameters(theta, model.parameters())
    arguments = (model, torch.nn.MSELoss(), list(model.parameters()), [(x, y)])
    operator = HessianLinearOperator(*arguments, check_deterministic=False)
    unit = torch.eye(len(theta), dtype=torch.float64)
    return lambda: operator @ unit


def hessian_against_curvlinops() -> Iterator[Row]:
    for problem in GRID[:-1]:  # the last takes it minutes
        makers = {"ours": partial(our, "hessian", problem), "curvlinops": partial(curvlinops_hessian, problem)}
        times = contest(makers)
        yield Row("Hessian", str(problem), "curvlinops", times["ours"], times["curvlinops"])


def syrk(problem: Problem) -> Call:
    """JᵀJ from a ready Jacobian."""
    from scipy.linalg.blas import dsyrk

    objective, theta = problem.objective()
    return partial(dsyrk, 1.0, np.asfortranarray(objective.jacobian(theta)), trans=1)


def gemm(size: int) -> Call:
    from scipy.linalg.blas import dgemm

    square = np.asfortranarray(np.random.default_rng(0).standard_normal((size, size)))
    return partial(dgemm, 1.0, square, square)


def hessian_against_blas() -> Iterator[Row]:
    """dsyrk forms JᵀJ from a ready Jacobian; dgemm sets the rate of the machine."""
    for problem in BLAS:
        times = contest(
            {"ours": partial(our, "hessian", problem), "dsyrk": partial(syrk, problem), "dgemm": partial(gemm, 2000)}
        )
        yield Row("Hessian", str(problem), "dsyrk", times["ours"], times["dsyrk"], 1 / 0.7)
        if problem not in BLAS[:2]:
            continue
        inputs, hidden, _ = problem.sizes
        ideal = times["dgemm"].scaled(problem.samples * (hidden * (inputs + 1)) ** 2 / 2 / (2 * 2000**3))
        note = "time for N·P₁²/2 flops at dgemm's rate"
        yield Row("Hessian", str(problem), "dgemm", times["ours"], ideal, 0.75, note)


def gradient_against_jax() -> Iterator[Row]:
    for problem in GRADIENT:
        times = contest({"ours": partial(our, "gradient", problem), "jax": partial(jax_derivative, "grad", problem)})
        yield Row("gradient", str(problem), "jax", times["ours"], times["jax"], 3)


DESCENT = Problem((5, 20, 1), 500)
RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def our_descent(method: str, steps: int) -> Call:
    objective, theta = DESCENT.objective()
    return partial(ho.minimize, objective, theta, method=method, learning_rate=RATE, max_steps=steps, tol=0.0)


def jax_descent(method: str, steps: int) -> Call:
    import jax
    import jax.numpy as jnp

    loss, at = jax_loss(DESCENT)
    gradient = jax.grad(loss)

    def gd_step(state: Any) -> Any:
        step, theta = state
        return step + 1, theta - RATE * gradient(theta)

    def adam_step(state: Any) -> Any:
        step, theta, first, second = state
        g, step = gradient(theta), step + 1
        first, second = BETA1 * first + (1 - BETA1) * g, BETA2 * second + (1 - BETA2) * g * g
        change = first / (1 - BETA1**step) / (jnp.sqrt(second / (1 - BETA2**step)) + EPSILON)
        return step, theta - RATE * change, first, second

    zeros = jnp.zeros_like(at)
    step, start = (gd_step, (0, at)) if method == "gd" else (adam_step, (0.0, at, zeros, zeros))
    train = jax.jit(lambda state: jax.lax.while_loop(lambda s: s[0] < steps, step, state)[1])
    return lambda: train(start).block_until_ready()


def descent_against_jax(steps: int = 10_000) -> Iterator[Row]:
    for method in ("gd", "adam"):
        times = contest(
            {"ours": partial(our_descent, method, steps), "jax": partial(jax_descent, method, steps)}, turns=5
        )
        yield Row(f"{steps:,} steps of {method}", str(DESCENT), "jax", times["ours"], times["jax"], 3)


BATCH = Problem((2, 10, 1), 100)


def batch(threads: int, *, one_by_one: bool = False) -> Call:
    objective, _ = BATCH.objective(threads=threads)
    thetas = BATCH.net.init(np.random.default_rng(0), scheme="torch", size=(1000,))
    if one_by_one:
        return lambda: [objective.hessian(theta) for theta in thetas]
    return lambda: objective.hessian(thetas)


def batches() -> Iterator[Row]:
    times = contest(
        {
            "one thread": partial(batch, 1),
            "two threads": partial(batch, 2),
            "one by one": partial(batch, 2, one_by_one=True),
        }
    )
    yield Row("1,000 Hessians", str(BATCH), "one by one", times["two threads"], times["one by one"], 3)
    yield Row("1,000 Hessians", str(BATCH), "one thread", times["two threads"], times["one thread"], 1.8)


SMALLEST = Problem((1, 1, 1), 1)


def our_batch(method: str, count: int) -> Call:
    objective, theta = SMALLEST.objective(threads=1)
    return partial(getattr(objective, method), np.repeat(theta[None], count, axis=0))


def call_overhead(count: int = 10_000) -> Iterator[Row]:
    """A call from Python less the same work inside a batch, on the smallest network."""
    for name in ("loss", "gradient", "hessian"):
        times = contest({"call": partial(our, name, SMALLEST, 1), "batch": partial(our_batch, name, count)})
        overhead = times["call"].less(times["batch"].median / count)
        yield Row("overhead of a call", name, "a budget", overhead, budget(4e-6), 1)


def eigenvalues_of(rival: str, problem: Problem, planted: bool) -> Call:
    """`ours`: spectrum; `eigh`: LAPACK on the Hessian, made anew."""
    from scipy.linalg import eigh

    theta, x, y = problem.data()
    objective = ho.Objective(problem.net, x, problem.net(theta, x) if planted else y)
    if rival == "ours":
        return partial(ho.spectrum, objective, theta, zero_modes=None)
    return lambda: eigh(objective.hessian(theta), driver="evd", eigvals_only=True)


def eigenvalues() -> Iterator[Row]:
    for problem, planted in ((Problem((10, 60, 1), 2000), False), (Problem((10, 100, 1), 300), True)):
        times = contest({name: partial(eigenvalues_of, name, problem, planted) for name in ("ours", "eigh")}, turns=21)
        kind = "zero residual" if planted else "full"
        goal = (problem.net.num_parameters / (problem.samples * problem.sizes[-1])) ** 3 if planted else 1.0
        note = "the Hessian, or what replaces it, included"
        yield Row("eigenvalues", f"{problem} {kind}", "eigh", times["ours"], times["eigh"], goal, note)


def population() -> Iterator[Row]:
    """Beside Gauss–Hermite rules, whose errors are told: the same accuracy would take them longer."""
    import populations

    for activation in ("erf", "relu", "gelu", "tanh"):
        case = populations.Population(activation)
        pop, theta = case.objective(), case.thetas[0]
        gradient, hessian = pop.gradient(theta), pop.hessian(theta)
        errors = {
            "numpy": populations.relative_error(populations.numpy_value_and_gradient(case)()[1], gradient),
            "jax": populations.relative_error(populations.jax_derivative("value_and_grad", case)()[1], gradient),
            "jax hessian": populations.relative_error(populations.jax_derivative("hessian", case)(), hessian),
        }
        times = contest(
            {
                "ours": partial(populations.ours, "value_and_gradient", case),
                "numpy": partial(populations.numpy_value_and_gradient, case),
                "jax": partial(populations.jax_derivative, "value_and_grad", case),
            }
        )
        for rival in ("numpy", "jax"):
            note = f"its error {errors[rival]:.0e}"
            yield Row("population gradient", str(case), rival, times["ours"], times[rival], 1.0, note)
        times = contest(
            {
                "ours": partial(populations.ours, "hessian", case),
                "jax": partial(populations.jax_derivative, "hessian", case),
            }
        )
        note = f"its error {errors['jax hessian']:.0e}"
        yield Row("population Hessian", str(case), "jax", times["ours"], times["jax"], 1.0, note)


def width_study() -> Iterator[Row]:
    from jax_study import CASE, contest_of_studies

    ours, theirs, note = contest_of_studies()
    yield Row("width study", CASE, "jax", Times((ours,)), Times((theirs,)), 15, note)


def alone(cases: Sequence[Case]) -> Iterator[Row]:
    """What has no rival."""
    for case in cases:
        times = contest({"ours": case.make})["ours"]
        if case.budget is None:
            yield Row(case.name, case.of, "", times, note=case.cost)
        else:
            yield Row(case.name, case.of, "a budget", times, budget(case.budget), 1, case.cost)


CONTESTS: dict[str, Callable[[], Iterator[Row]]] = {
    "jax": partial(hessian_against_jax, GRID, "Hessian", 25),
    "deep": partial(hessian_against_jax, DEEP, "deep Hessian", 60),
    "torch": hessian_against_torch,
    "curvlinops": hessian_against_curvlinops,
    "blas": hessian_against_blas,
    "gradient": gradient_against_jax,
    "descent": descent_against_jax,
    "batch": batches,
    "overhead": call_overhead,
    "eigenvalues": eigenvalues,
    "population": population,
    "study": width_study,
    "equivalence": partial(alone, EQUIVALENCE),
    "costs": partial(alone, COSTS),
}
