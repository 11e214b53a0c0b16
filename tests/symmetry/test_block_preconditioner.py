"""Copies with outgoing vectors that are not parallel: the Gram matrix and the spectrum of the wide network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hessorbit as ho

CASES = [
    ([3, 2, 2], "tanh", "standard"),
    ([3, 2, 3], "gelu", "ntk"),
    ([2, 2, 2], "relu", "mean_field"),
    ([2, 2, 3, 2], "tanh", "standard"),
    ([2, 3, 2, 4], "relu", "ntk"),
    ([2, 2, 2, 2, 3], "softplus", "standard"),
]


def spread(case: Any, seed: int) -> tuple[ho.Widening, np.ndarray, np.ndarray, np.ndarray]:
    """A widening, θ, θ_wide with random outgoing vectors of the same sums, and inputs."""
    widths, activation, parametrization = case
    rng = np.random.default_rng(seed)
    net = ho.MLP(widths, activation, parametrization=parametrization)
    copies = [rng.integers(1, 4, width).tolist() for width in widths[1:-1]]
    factors: dict[str, Any] = {}
    if activation == "relu":
        factors["scales"] = [[rng.uniform(0.5, 2, m) for m in row] for row in copies]
    if activation == "tanh":
        factors["signs"] = [[rng.choice([-1.0, 1.0], m) for m in row] for row in copies]
    wide = ho.Widening(net, copies, dead=[0] * (len(copies) - 1) + [1] if activation == "tanh" else None, **factors)
    theta = net.init(rng, "normal(1)")
    theta_wide = wide(theta)
    outgoing, _ = wide.net.unflatten(theta_wide)[-1]
    last = wide.layers[-1]
    for neuron in range(widths[-2]):
        own = np.flatnonzero(last.source == neuron)
        change = rng.normal(size=(widths[-1], len(own)))
        gain = last.gain[own]
        outgoing[:, own] += change - np.outer(change @ gain, gain) / (gain @ gain)
    return wide, theta, theta_wide, rng.normal(size=(7, widths[0]))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_gram_matrix_and_spectrum(case: Any, seed: int) -> None:
    wide, theta, theta_wide, x = spread(case, seed)
    y = wide.source(theta, x)
    np.testing.assert_allclose(wide.net(theta_wide, x), y, atol=1e-13 * max(1.0, np.abs(y).max()))
    obj = ho.Objective(wide.net, x, wide.net(theta_wide, x))
    D = wide.block_preconditioner(theta, theta_wide)
    F = D.jacobian(x)
    gram = F @ (D.matrix @ F.T)
    jacobian = obj.jacobian(theta_wide)
    scale = np.abs(gram).max()
    np.testing.assert_allclose(gram, jacobian @ jacobian.T, atol=1e-13 * scale)
    # At zero residual H = JᵀJ/N; eigenvalues are off by rounding of the matrices, P eps λ₁ with P < 150.
    eigenvalues = np.linalg.eigvalsh(obj.hessian(theta_wide))[::-1]
    expected = np.linalg.eigvalsh(gram / len(x))[::-1]
    count = min(len(eigenvalues), len(expected))
    np.testing.assert_allclose(eigenvalues[:count], expected[:count], atol=1e-13 * expected[0])
    np.testing.assert_allclose(eigenvalues[count:], 0, atol=1e-13 * expected[0])


@pytest.mark.parametrize("case", CASES[:5], ids=str)
def test_parallel_copies_have_the_number_times_the_outer_product(case: Any) -> None:
    wide, theta, _, x = spread(case, 5)
    D = wide.block_preconditioner(theta)
    F = D.jacobian(x)
    J = ho.Objective(wide.source, x, np.zeros((7, wide.source.widths[-1]))).jacobian(theta)
    expected = (J * wide.preconditioner()) @ J.T
    np.testing.assert_allclose(F @ (D.matrix @ F.T), expected, atol=1e-13 * np.abs(expected).max())


def test_bad_input() -> None:
    net = ho.MLP([2, 2, 2])
    wide = ho.Widening(net, copies=[[2, 1]], dead=[1])
    theta = net.init(np.random.default_rng(0))
    good = wide(theta)
    with pytest.raises(ValueError, match="theta must have shape"):
        wide.block_preconditioner([theta, theta], good)
    moved = good.copy()
    moved[1] += 1
    with pytest.raises(ValueError, match=r"theta_wide must be widening\(theta\) but for.*theta_wide\[1\]"):
        wide.block_preconditioner(theta, moved)
    for neuron, what in ((0, "of the copies of neuron 0"), (2, "of the copies of neuron 1"), (3, "of dead neurons")):
        moved = good.copy()
        wide.net.unflatten(moved)[-1][0][0, neuron] += 1
        with pytest.raises(ValueError, match=what):
            wide.block_preconditioner(theta, moved)
    curved = ho.Widening(ho.MLP([2, 2, 2], output_activation="tanh"), copies=[[2, 1]])
    with pytest.raises(ValueError, match="linear output layer"):
        curved.block_preconditioner(theta, curved(theta))
