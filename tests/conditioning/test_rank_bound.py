"""What rounding leaves out of a condition number: bounds on ranks, and results that say so."""

from __future__ import annotations

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.conditioning.rank_bound import rank_bound

ACTIVATIONS = ["tanh", "relu", "square", "cube", "identity", "gelu"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_rank_exceeds_the_bound(activation: str) -> None:
    """Against the rank that NumPy counts, for networks, losses and data that repeat."""
    reached = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        inputs, outputs, depth = (int(rng.integers(1, most)) for most in (4, 4, 3))
        widths = [inputs, *(int(each) for each in rng.integers(1, 5, depth)), outputs]
        net = ho.MLP(widths, activation, bias=[bool(each) for each in rng.integers(0, 2, depth + 1)])
        x = rng.standard_normal((int(rng.integers(1, 60)), inputs))
        if seed % 3 == 0:
            x = np.round(x)
        if outputs > 1 and seed % 2:
            obj = ho.Objective(net, x, rng.integers(0, outputs, len(x)), loss="cross_entropy")
        else:
            obj = ho.Objective(net, x, rng.standard_normal((len(x), outputs)))
        factor = obj.gauss_newton_factor(net.init(rng))
        rank = int(np.linalg.matrix_rank(factor)) if factor.any() else 0
        assert rank <= rank_bound(obj), (seed, widths)
        reached += rank == rank_bound(obj)
    assert reached >= 5, "the bound is not idle"


@pytest.mark.parametrize("seed", range(3))
def test_eigenvalues_below_rounding_leave_no_certificate(seed: int) -> None:
    """Against the condition number in 70 digits, which is far larger than that of what float64 resolves."""
    net = ho.MLP([1, 1, 2, 1], "sigmoid", parametrization="ntk")
    theta = 0.3 * net.init(np.random.default_rng(seed), "normal(1)")
    x = np.random.default_rng(seed).standard_normal((40, 1))
    obj = ho.Objective(net, x, net(theta, x))
    best = ho.best_conditioned(obj, theta, over=ho.symmetries(net), matrix="gauss_newton")
    kappa = ho.spectrum(obj, theta, matrix="gauss_newton", digits=70).condition_number()
    assert kappa > 1e6 * best.start
    assert best.rank < net.num_parameters
    assert best.certificate == "none"
    assert f"{net.num_parameters - best.rank} not predicted to be 0" in best.message


def test_zeros_that_data_make_leave_the_certificate() -> None:
    """Fewer rows than parameters, and a polynomial network with more parameters than monomials."""
    rng = np.random.default_rng(1)
    for net, samples in ((ho.MLP([3, 4, 1], "tanh"), 6), (ho.MLP([2, 2, 1], "square"), 50)):
        x = rng.standard_normal((samples, net.widths[0]))
        obj = ho.Objective(net, x, np.zeros((samples, 1)))
        best = ho.best_conditioned(obj, net.init(rng), over=ho.symmetries(net), matrix="gauss_newton")
        assert best.rank == 6
        assert best.certificate == "minimum"
        assert "not predicted" not in best.message
