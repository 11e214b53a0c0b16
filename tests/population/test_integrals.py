"""The population loss and its derivatives against integrals that are done in other ways, for all activations."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

import hessorbit as ho
from hessorbit.activations import defaults
from oracles import normal_inputs, taylor

ACTIVATIONS = sorted(defaults())
DERIVATIVES = ("loss", "gradient", "hessian", "gauss_newton")


def unit(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_beside_others(name: str) -> None:
    """Student neurons of this activation and of the next one in the list, a teacher of the one after that."""
    rng = np.random.default_rng(ACTIVATIONS.index(name))
    others = [ACTIVATIONS[(ACTIVATIONS.index(name) + k) % len(ACTIVATIONS)] for k in (1, 2)]
    angles = rng.uniform(0, np.pi) + np.array([0, 0.8, 1.6, 2.4]) + rng.uniform(-0.1, 0.1, 4)
    names = [name, others[0], name, others[1]]
    neurons = [
        (n, rng.uniform(0.6, 1.0) * unit(angle), float(rng.uniform(-0.7, 0.7)))
        for n, angle in zip(names, angles, strict=True)
    ]
    v, u, c = rng.standard_normal(2), rng.standard_normal(2), 0.4
    expected = normal_inputs.hessian(neurons[:2], v, neurons[2:], u, c)
    nets = [ho.MLP([2, 2, 1], [names[k : k + 2]]) for k in (0, 2)]
    thetas = [
        net.flatten([(np.array([n[1] for n in part]), np.array([n[2] for n in part])), (out[None], np.array([bias]))])
        for net, part, out, bias in zip(nets, (neurons[:2], neurons[2:]), (v, u), (c, 0.0), strict=True)
    ]
    pop = ho.PopulationObjective(nets[0], nets[1], thetas[1])
    # The reference orders (w, b) by neuron.
    order = [0, 1, 4, 2, 3, 5, 6, 7, 8]
    for derivative in DERIVATIVES:
        found, wanted = np.asarray(getattr(pop, derivative)(thetas[0])), np.asarray(expected[derivative])
        found = found if found.ndim == 0 else found[order] if found.ndim == 1 else found[np.ix_(order, order)]
        # Both add some 10⁴ terms in float64; the grid of the reference leaves 1e-13 beside poles at π/4.
        assert np.abs(found - wanted).max() <= 3e-13 * max(1.0, np.abs(wanted).max()), derivative
    assert pop.error(thetas[0]) <= 1e-12 * np.abs(pop.hessian(thetas[0])).max()


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid", "erf", "softplus", "sin"])
@pytest.mark.parametrize("opposite", [False, True])
def test_nearly_parallel_neurons_of_analytic_activations(name: str, opposite: bool) -> None:
    """H is analytic in the angle between two neurons, so that angles from 0.01 to 0.3 give it at those near 0."""
    net = ho.MLP([2, 2, 1], name)
    turn = np.pi * opposite

    def hessian(angle: float) -> np.ndarray:
        weights = np.array([unit(0.3), 0.8 * unit(0.3 + turn + angle)])
        theta = net.flatten([(weights, [0.2, -0.3]), ([[1.0, -0.7]], [0.1])])
        teacher = net.flatten([([[0.2, 0.5], [-0.6, 0.4]], [0.1, 0.3]), ([[1.0, 0.5]], [0.0])])
        return ho.PopulationObjective(net, net, teacher).hessian(theta)

    count, half = 24, 0.3
    nodes = half * np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))
    values = np.array([hessian(angle) for angle in nodes])
    signs = (-1.0) ** np.arange(count) * np.sin((2 * np.arange(count) + 1) * np.pi / (2 * count))
    for angle in (1e-3, -1e-3, 1e-8, 1e-13, 0.0):
        barycentric = signs / (angle - nodes)
        interpolated = np.tensordot(barycentric, values, 1) / barycentric.sum()
        # Interpolation at Chebyshev's nodes loses about one digit; 24 of them resolve what is analytic within 1 of 0.
        assert np.abs(hessian(angle) - interpolated).max() <= 1e-13 * np.abs(interpolated).max()


def relu_block(w: np.ndarray, biases: np.ndarray, v: np.ndarray) -> np.ndarray:
    """v₁v₂ E[σ'₁ σ'₂ x̃x̃ᵀ] of two relu neurons in two dimensions, at 30 digits.

    E[θ(c + s u) u^l] has a closed form; over t₁ the panels shrink towards where the second neuron turns on.
    """
    with mpmath.workdps(30):
        mpf = mpmath.mpf
        a, b = ([mpf(float(x)) for x in row] for row in w)
        length = mpmath.sqrt(a[0] ** 2 + a[1] ** 2)
        e1 = [a[0] / length, a[1] / length]
        e2 = [-e1[1], e1[0]]
        along, across = b[0] * e1[0] + b[1] * e1[1], b[0] * e2[0] + b[1] * e2[1]
        start, place = -mpf(float(biases[0])) / length, -mpf(float(biases[1])) / along
        width = abs(across / along)
        steps = [width * 2**k for k in range(-2, 40) if width * 2**k < 10]
        cuts = sorted({p for p in [start, place, *(place + s for s in steps), *(place - s for s in steps),
                                   *map(mpf, range(-9, 10))] if start <= p <= 10})  # fmt: skip
        nodes, weights = np.polynomial.legendre.leggauss(20)
        totals = {(i, j): mpf(0) for i, j in itertools.product(range(3), range(3))}
        for low, high in itertools.pairwise(cuts):
            for node, weight in zip(nodes, weights, strict=True):
                t = (low + high) / 2 + (high - low) / 2 * mpf(float(node))
                c, s = along * t + mpf(float(biases[1])), across
                h = c / abs(s)
                on = mpmath.erfc(-h / mpmath.sqrt(2)) / 2
                density = mpmath.exp(-h * h / 2) / mpmath.sqrt(2 * mpmath.pi)
                inner = [on, mpmath.sign(s) * density, on - h * density]
                outer = (high - low) / 2 * mpf(float(weight)) * mpmath.exp(-t * t / 2) / mpmath.sqrt(2 * mpmath.pi)
                for i, j in totals:
                    totals[i, j] += outer * t**i * inner[j]
        result = np.zeros((3, 3))
        basis = [np.array([float(x) for x in e]) for e in (e1, e2)]
        m = {key: float(value) for key, value in totals.items()}
        result[:2, :2] = (
            m[2, 0] * np.outer(basis[0], basis[0]) + m[0, 2] * np.outer(basis[1], basis[1])
            + m[1, 1] * (np.outer(basis[0], basis[1]) + np.outer(basis[1], basis[0]))
        )  # fmt: skip
        result[:2, 2] = result[2, :2] = m[1, 0] * basis[0] + m[0, 1] * basis[1]
        result[2, 2] = m[0, 0]
        return v[0] * v[1] * result


@pytest.mark.parametrize("angle", [1e-1, 1e-3, -1e-3, 1e-8])
@pytest.mark.parametrize("opposite", [False, True])
@pytest.mark.parametrize("biases", [(0.2, 0.16), (0.2, -0.3)], ids=["same place", "apart"])
def test_nearly_parallel_relu(angle: float, opposite: bool, biases: tuple[float, float]) -> None:
    """The block between two neurons, whose integrand changes within the angle between them."""
    weights = np.array([unit(0.3), 0.8 * unit(0.3 + angle)])
    bias = np.array(biases)
    if opposite:
        weights[1], bias[1] = -weights[1], -bias[1]
    v = np.array([1.0, -0.7])
    net = ho.MLP([2, 2, 1], "relu")
    theta = net.flatten([(weights, bias), (v[None], [0.0])])
    block = ho.PopulationObjective(net, net, 0.5 * theta).hessian(theta)[np.ix_([0, 1, 4], [2, 3, 5])]
    # NumPy's nodes are those of float64.
    assert np.abs(block - relu_block(weights, bias, v)).max() <= 1e-14


@pytest.mark.parametrize("name", ["tanh", "relu", "g", "softsign", "gelu", "selu"])
def test_long_weights_on_a_line(name: str) -> None:
    """Weights up to 20 in one dimension, where all neurons are parallel or antiparallel."""
    weights, biases, v = np.array([20.0, -7.0, 12.0]), np.array([3.0, 0.5, -2.0]), np.array([1.0, -0.6, -0.8])
    places = sorted(-b / w for w, b in zip(weights, biases, strict=True))
    steps = [0.0, *(0.02 * 1.8**k for k in range(12))]
    cuts = np.unique([np.clip(p + sign * s, -10, 10) for p in [*places, 0.0] for s in steps for sign in (-1, 1)])
    nodes, quadrature = np.polynomial.legendre.leggauss(24)
    low, high = cuts[:-1, None], cuts[1:, None]
    t = ((low + high) / 2 + (high - low) / 2 * nodes).ravel()
    f = ((high - low) / 2 * quadrature).ravel() * np.exp(-t * t / 2) / np.sqrt(2 * np.pi)
    d = np.array(
        [
            [[float(x) for x in taylor.derivatives(name, mpmath.mpf(float(z)))] for z in w * t + b]
            for w, b in zip(weights, biases, strict=True)
        ]
    )  # (neuron, point, derivative)
    e = v @ d[:, :, 0]
    extended = np.stack([t, np.ones_like(t)])
    net = ho.MLP([1, 2, 1], name, bias=[True, False])
    one = ho.MLP([1, 1, 1], name, bias=[True, False])
    theta = net.flatten([(weights[:2, None], biases[:2]), (v[None, :2], None)])
    teacher = one.flatten([(weights[2:, None], biases[2:]), (-v[None, 2:], None)])
    pop = ho.PopulationObjective(net, one, teacher)
    assert abs(pop.loss(theta) - f @ e**2 / 2) <= 1e-13 * (f @ e**2)
    found = pop.hessian(theta)
    expected = np.zeros((6, 6))
    incoming = [[0, 2], [1, 3]]
    for i, j in itertools.product(range(2), range(2)):
        block = v[i] * v[j] * np.einsum("n,an,bn->ab", f * d[i, :, 1] * d[j, :, 1], extended, extended)
        mixed = v[i] * extended @ (f * d[i, :, 1] * d[j, :, 0])
        if i == j:
            block += v[i] * np.einsum("n,an,bn->ab", f * e * d[i, :, 2], extended, extended)
            mixed += extended @ (f * e * d[i, :, 1])
            at = -biases[i] / weights[i]
            jump = normal_inputs.jump(name) * np.exp(-at * at / 2) / np.sqrt(2 * np.pi) / abs(weights[i])
            there = [float(taylor.derivatives(name, mpmath.mpf(float(w * at + b)))[0])
                     for w, b in zip(weights, biases, strict=True)]  # fmt: skip
            block += v[i] * jump * (v @ there) * np.outer([at, 1], [at, 1])
        expected[np.ix_(incoming[i], incoming[j])] = block
        expected[incoming[i], 4 + j] = expected[4 + j, incoming[i]] = mixed
        expected[4 + i, 4 + j] = f @ (d[i, :, 0] * d[j, :, 0])
    # z = w t + b is rounded at |z| up to 200, which moves σ'' by 1e-14 in places.
    assert np.abs(found - expected).max() <= 1e-13 * np.abs(expected).max()
    assert pop.error(theta) <= 1e-12 * np.abs(found).max()
