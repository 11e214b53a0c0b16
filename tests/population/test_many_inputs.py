"""With more inputs than neurons, products and the diagonal come from the span of all weights."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import hessorbit as ho


def spread(rng: np.random.Generator, inputs: int) -> dict[str, Any]:
    root = rng.standard_normal((inputs, inputs - 2)) / np.sqrt(inputs)
    return {"mean": 0.1 * rng.standard_normal(inputs), "covariance": root @ root.T}


@pytest.mark.parametrize("general", [False, True], ids=["standard", "general"])
@pytest.mark.parametrize("parametrization", ["standard", "ntk", "mean_field"])
@pytest.mark.parametrize("bias", [True, [True, False], [False, True], False], ids=str)
def test_products_and_diagonal_are_those_of_the_matrix(bias: Any, parametrization: str, general: bool) -> None:
    rng = np.random.default_rng(30)
    net = ho.MLP([12, 4, 2], [["tanh", "relu", "erf", "cos"]], bias=bias, parametrization=parametrization)
    teacher = ho.MLP([12, 2, 2], "gelu")
    laws = spread(rng, 12) if general else {}
    pop = ho.PopulationObjective(net, teacher, teacher.init(rng), l2=0.1, **laws)
    theta = net.init(rng)
    theta[:12] = theta[12:24]  # two neurons of the same weights: the span has a dimension less
    hessian, v = pop.hessian(theta), rng.standard_normal((net.num_parameters, 3))
    size = 1e-14 * max(1.0, float(np.abs(hessian).max()))
    # A product adds up to 82 entries.
    assert np.abs(pop.hvp(theta, v) - hessian @ v).max() <= 100 * size
    assert np.abs(pop.hvp(theta, v[:, 0]) - hessian @ v[:, 0]).max() <= 100 * size
    assert np.abs(pop.hessian_operator(theta) @ v - hessian @ v).max() <= 100 * size
    assert np.abs(pop.hessian_diagonal(theta) - np.diag(hessian)).max() <= size
    assert pop.hessian_trace(theta) == pytest.approx(np.trace(hessian), rel=1e-13)
    batch = pop.hvp(np.stack([theta, 2 * theta]), np.stack([v, v]))
    assert np.array_equal(batch[0], pop.hvp(theta, v))
    assert np.array_equal(batch[1], pop.hvp(2 * theta, v))
    # Twice the integrals, in other coordinates.
    assert pop.error(theta) <= 1e-12 * np.abs(hessian).max()


def test_zero_weights_and_zero_residual() -> None:
    rng = np.random.default_rng(31)
    net = ho.MLP([20, 3, 1], "tanh")
    teacher = net.init(rng)
    pop = ho.PopulationObjective(net, net, teacher)
    v = rng.standard_normal(net.num_parameters)
    # Where the residual is exactly 0, nothing but the Gauss–Newton matrix is left.
    assert np.abs(pop.hvp(teacher, v) - pop.gauss_newton(teacher) @ v).max() <= 1e-14
    nothing = np.zeros(net.num_parameters)
    assert np.abs(pop.hvp(nothing, v) - pop.hessian(nothing) @ v).max() <= 1e-13


def test_the_matrix_is_never_formed() -> None:
    """20 MB instead of 800 for one matrix."""
    rng = np.random.default_rng(32)
    net, teacher = ho.MLP([1000, 10, 1], "erf"), ho.MLP([1000, 3, 1], "erf")
    theta, v = net.init(rng), rng.standard_normal(10_021)
    pop = ho.PopulationObjective(net, teacher, teacher.init(rng))
    tracemalloc.start()
    product = pop.hvp(theta, v)
    pop.hessian_diagonal(theta)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most <= 20e6
    # By a difference of gradients, whose error is that of the step's square.
    step = 1e-5
    differences = (pop.gradient(theta + step * v) - pop.gradient(theta - step * v)) / (2 * step)
    assert np.abs(product - differences).max() <= 1e-6 * np.abs(product).max()
