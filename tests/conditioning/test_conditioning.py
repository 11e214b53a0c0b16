"""The best-conditioned point: what is claimed at it, and that nothing in the orbit or among the widenings is better."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize

import hessorbit as ho
from hessorbit.conditioning.branching import Search
from hessorbit.conditioning.choices import Choice
from hessorbit.conditioning.diagonals import Architecture
from hessorbit.conditioning.regions import split_into_copies
from hessorbit.conditioning.scope import orbit_scope, widening_scope
from hessorbit.conditioning.smoothed_spectrum import Balanced, Extremes, Trace, soft_maximum
from oracles.autodiff import AutodiffReference
from oracles.problem import Problem, random_problem
from oracles.semidefinite import ConditionProgram

GAP = 1e-4  # what the library promises where the problem is convex
JAX = 1e-13  # relative error of an entry of a Hessian from jax, times √P; see oracles/compare.py
EPS = np.finfo(float).eps


def planted(
    seed: int, widths: tuple[int, ...], activations: Any = "tanh", **options: Any
) -> tuple[Problem, ho.Objective]:
    """A problem whose targets are the network's own outputs, so that its θ has zero residual."""
    rng = np.random.default_rng(seed)
    options.setdefault("samples", 40)
    options.setdefault("scale", 1.5)
    problem = random_problem(rng, widths, activations, **options)
    outputs = problem.network()(problem.theta, problem.x)
    if problem.loss == "cross_entropy":
        outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs /= outputs.sum(axis=1, keepdims=True)
    if problem.loss == "logistic":
        outputs = 1 / (1 + np.exp(-outputs))
    if problem.loss == "poisson":
        outputs = np.exp(outputs)
    problem = problem.replace(y=outputs)
    return problem, problem.objective()


def compiled(function: Any, theta: np.ndarray) -> np.ndarray:
    # Called once: time spent on optimising the compiled code would be lost.
    return np.asarray(jax.jit(function).lower(theta).compile({"xla_backend_optimization_level": 0})(theta))


def hessian_of(problem: Problem) -> np.ndarray:
    """(P, P), from jax."""
    return compiled(jax.hessian(AutodiffReference(problem).loss), problem.theta)


def jacobian_of(problem: Problem) -> np.ndarray:
    """(N·K, P), from jax."""
    reference = AutodiffReference(problem)
    rows = compiled(lambda theta: jax.vmap(jax.jacrev(reference.output), (None, 0))(theta, problem.x), problem.theta)
    return rows.reshape(-1, problem.num_parameters)


def at(problem: Problem, best: ho.BestConditioned) -> Problem:
    """The same data with the network and the θ that were found."""
    net = best.net
    return problem.replace(widths=net.widths, activations=net.activations, theta=best.theta)


def squares_of(best: ho.BestConditioned) -> np.ndarray:
    """Sums of squares of the rows of T, or of the inverse of an element of the orbit."""
    rows = best.widening.transfer().toarray() if best.widening else np.linalg.inv(best.element.matrix().toarray())
    return (rows**2).sum(axis=1)


def check_value(problem: Problem, best: ho.BestConditioned) -> None:
    """The function is the same, and the criterion, from jax's Hessian at the point found, is the value claimed."""
    found = at(problem, best)
    outputs = best.net(best.theta, problem.x)
    before = problem.network()(problem.theta, problem.x)
    # α c of the copies of a neuron sum to one with |α c| up to √(D_in D_out): that many digits cancel.
    largest = best.scaling.max() if best.scaling is not None else squares_of(best).max()
    cancelled = 1 + np.sqrt(largest * max(1.0, largest))
    assert np.abs(outputs - before).max() <= 1e-13 * cancelled * np.abs(before).max()
    hessian = hessian_of(found)
    # The norm of a matrix is at most P times its largest entry.
    error = 2 * JAX * np.sqrt(len(hessian)) * len(hessian) * np.abs(hessian).max()
    eigenvalues = np.sort(np.abs(np.linalg.eigvalsh((hessian + hessian.T) / 2)))[::-1]
    if best.criterion == "trace":
        assert abs(np.trace(hessian) - best.value) <= error
    elif best.criterion == "max":
        assert abs(eigenvalues[0] - best.value) <= error
    else:
        smallest = eigenvalues[best.rank - 1]
        assert smallest > 3 * error, "a case too ill-conditioned to test"
        assert best.value == pytest.approx(eigenvalues[0] / smallest, rel=3 * error / smallest)
    assert best.lower_bound <= best.value


CASES = {
    "tanh": ((2, 3, 1), "tanh", {}),
    "two outputs": ((2, 3, 2), "gelu", {}),
    "no biases": ((3, 2, 1), "sigmoid", {"biases": False}),
    "rests at a bias": ((2, 2, 1), "sigmoid", {}),
    "ntk": ((2, 3, 1), "erf", {"parametrization": "ntk"}),
    "mean field": ((2, 3, 2), "relu", {"parametrization": "mean_field"}),
    "relu": ((2, 3, 1), "relu", {}),
    "linear": ((2, 1, 1), "identity", {}),
    "square": ((2, 2, 1), "square", {}),
    "cube": ((2, 2, 1), "cube", {}),
    "exponential": ((2, 2, 1), "exp", {"scale": 0.7}),
    "mixed": ((2, 4, 1), [["tanh", "relu", "gelu", "relu"]], {}),
    "weighted": ((2, 3, 1), "tanh", {"weighted": True}),
    "logistic": ((2, 2, 1), "tanh", {"loss": "logistic"}),
    "huber": ((2, 2, 1), "tanh", {"loss": "huber"}),
    "poisson": ((2, 2, 1), "tanh", {"loss": "poisson"}),
    "cross-entropy": ((2, 2, 3), "gelu", {"loss": "cross_entropy", "integer_labels": False}),
    "deep": ((2, 2, 2, 1), "tanh", {"samples": 100}),
    "deep relu": ((2, 3, 3, 1), "relu", {}),
    "few samples": ((3, 4, 1), "tanh", {"samples": 12}),
}


@pytest.mark.parametrize(
    ("name", "criterion"),
    [
        *((name, "condition_number") for name in CASES),
        *itertools.product(["mean field", "cube", "mixed", "cross-entropy", "deep relu"], ["max", "trace"]),
    ],
)
def test_value_is_that_of_the_recomputed_hessian(name: str, criterion: str) -> None:
    widths, activations, options = CASES[name]
    problem, obj = planted(3, widths, activations, **options)
    over = ho.best_conditioned(obj, problem.theta, over=ho.symmetries(obj.net), criterion=criterion, max_nodes=4)
    check_value(problem, over)
    np.testing.assert_array_equal(over.element(problem.theta), over.theta)
    assert over.value <= over.start * (1 + GAP)
    wide = ho.best_conditioned(
        obj, problem.theta, widths=[2 * width + 1 for width in widths[1:-1]], criterion=criterion, max_nodes=4
    )
    check_value(problem, wide)
    assert wide.value <= wide.start * (1 + GAP)
    assert wide.net.widths[1:-1] == tuple(2 * width + 1 for width in widths[1:-1])


@pytest.mark.parametrize("name", ["tanh", "relu", "cube", "deep", "mean field"])
def test_scaling_is_that_of_the_widening(name: str) -> None:
    widths, activations, options = CASES[name]
    problem, obj = planted(5, widths, activations, **options)
    best = ho.best_conditioned(obj, problem.theta, copies=[[2] * width for width in widths[1:-1]])
    # Scales are roots and reciprocals of D: a few roundings, relative.
    np.testing.assert_allclose(best.widening.preconditioner(), best.scaling, rtol=100 * EPS)
    np.testing.assert_array_equal(best.widening(problem.theta), best.theta)


def groups(problem: Problem) -> list[np.ndarray]:
    """Σ_p m_p m_pᵀ over the incoming parameters of each neuron of one hidden layer, the outgoing ones, and the rest.

    M(D) has the nonzero spectrum of D^{1/2} H D^{1/2}; m_p are columns of a square root of the range of H.
    """
    rows = jacobian_of(problem)
    rows = rows * np.sqrt(np.repeat(problem.normalised_weights.astype(float), problem.widths[-1]))[:, None]
    _, singular, vectors = np.linalg.svd(rows, full_matrices=False)
    kept = singular > 1e-10 * singular[0]
    root = singular[kept, None] * vectors[kept]
    first, last = problem.layers()
    used: list[np.ndarray] = [
        *(np.append(first.weights[i], [] if first.bias is None else first.bias[i]) for i in range(problem.widths[1])),
        *(last.weights[:, i] for i in range(problem.widths[1])),
        np.array([] if last.bias is None else last.bias),
    ]
    indices = [index.astype(int) for index in used]
    return [root[:, index] @ root[:, index].T for index in indices]


def program(matrices: list[np.ndarray]) -> ConditionProgram:
    """D_in of neuron i is d_i, D_out is d_{n+i}, and what no neuron touches is s."""
    result = ConditionProgram(matrices)
    result.equal(len(matrices) - 1, 1.0)
    return result


def with_copies(matrices: list[np.ndarray], names: Sequence[str], copies: Sequence[int]) -> float:
    """The best κ with these numbers of copies of the neurons of one hidden layer, by the semidefinite program."""
    sdp, width = program(matrices), len(names)
    for i, (name, m) in enumerate(zip(names, copies, strict=True)):
        homogeneous = name == "relu"
        if homogeneous and m > 1:
            sdp.products.append((i, width + i))
        elif m == 1:
            assert not homogeneous, "a curve is no convex set"
            sdp.equal(i, 1.0)
            sdp.equal(width + i, 1.0)
        else:
            sdp.at_least(1 / m, **{f"d{i}": 1.0})
            sdp.equal(width + i, float(m))
    return sdp.solve()


# Clarabel stops at a relative gap of 1e-8; κ also carries the error of a matrix with that condition number.
SDP = 1e-5


@pytest.mark.parametrize(
    ("widths", "activations", "copies", "options"),
    [
        ((2, 3, 1), "tanh", [2, 2, 2], {}),
        ((2, 3, 1), "gelu", [1, 4, 2], {}),
        ((3, 3, 2), "erf", [2, 1, 3], {}),
        ((3, 3, 1), "tanh", [2, 2, 2], {"samples": 9}),
        ((2, 3, 1), "relu", [2, 2, 2], {}),
        ((3, 2, 2), "relu", [3, 2], {"biases": False}),
        ((2, 4, 1), [["tanh", "relu", "gelu", "relu"]], [2, 2, 1, 2], {}),
    ],
)
def test_given_copies_against_a_semidefinite_program(
    widths: tuple[int, ...], activations: Any, copies: list[int], options: dict[str, Any]
) -> None:
    problem, obj = planted(11, widths, activations, **options)
    best = ho.best_conditioned(obj, problem.theta, copies=[copies])
    assert best.certificate == "minimum"
    assert best.gap <= GAP
    reference = with_copies(groups(problem), problem.activations[0], copies)
    assert best.lower_bound <= reference * (1 + SDP)
    assert best.value >= reference * (1 - SDP)


@pytest.mark.parametrize(("seed", "widths", "activation"), [(3, (2, 3, 2), "leaky_relu"), (10, (2, 3, 1), "relu")])
def test_bounds_where_factors_have_very_different_sizes(seed: int, widths: tuple[int, ...], activation: str) -> None:
    """The program's multipliers lose digits there, unless its variables are counted in units of their own."""
    problem, obj = planted(seed, widths, activation)
    best = ho.best_conditioned(obj, problem.theta, copies=[[2, 2, 2]])
    assert (best.certificate, best.gap <= GAP) == ("minimum", True)
    wide = at(problem, best)
    assert kappa_of(wide, best.net, best.theta, best.rank) == pytest.approx(best.value, rel=1e-8)


@pytest.mark.parametrize(("activation", "most"), [("tanh", 5), ("gelu", 6)])
def test_numbers_of_copies_against_all_of_them(activation: str, most: int) -> None:
    problem, obj = planted(2, (2, 3, 1), activation)
    best = ho.best_conditioned(obj, problem.theta, widths=[most])
    assert best.certificate == "minimum"
    matrices = groups(problem)
    every = {
        copies: with_copies(matrices, problem.activations[0], copies)
        for copies in itertools.product(range(1, most - 1), repeat=3)
        if sum(copies) <= most
    }
    assert best.value == pytest.approx(min(every.values()), rel=GAP + SDP)
    assert every[best.copies[0]] <= min(every.values()) * (1 + GAP + SDP)


def test_real_numbers_of_copies_against_a_semidefinite_program() -> None:
    problem, obj = planted(4, (2, 3, 1), "tanh")
    width, most = 3, 5
    sdp = program(groups(problem))
    for i in range(width):
        sdp.products.append((i, width + i))
        sdp.at_least(1.0, **{f"d{width + i}": 1.0})
    sdp.at_least(-float(most), **{f"d{width + i}": -1.0 for i in range(width)})
    reference = sdp.solve()
    # With a single problem to solve, the bound is that of the relaxation.
    best = ho.best_conditioned(obj, problem.theta, widths=[most], max_nodes=1)
    assert best.lower_bound == pytest.approx(reference, rel=GAP)
    assert best.value >= reference * (1 - SDP)


def condition(factor: np.ndarray, scaling: np.ndarray) -> float:
    singular = np.linalg.svd(factor * np.sqrt(scaling), compute_uv=False)
    return float((singular[0] / singular[-1]) ** 2)


def test_deep_widenings_against_direct_search() -> None:
    """Two hidden layers of two tanh neurons, two copies each: four free D_in, κ straight from jax's Jacobian."""
    problem, obj = planted(8, (2, 2, 2, 1), "tanh", samples=100)
    rows = jacobian_of(problem)
    factor = np.linalg.qr(rows, mode="r")
    first, second, last = problem.layers()

    def kappa(free: np.ndarray) -> float:
        incoming = 0.5 + np.exp(free)  # D_in ≥ 1/m, D_out = m
        scaling = np.ones(len(problem.theta))
        scaling[first.weights], scaling[first.bias] = incoming[:2, None], incoming[:2]
        scaling[second.weights], scaling[second.bias] = 2 * incoming[2:, None], incoming[2:]
        scaling[last.weights] = 2
        return float(np.log(condition(factor, scaling)))

    rng = np.random.default_rng(0)
    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}
    direct = min(
        optimize.minimize(kappa, rng.normal(0, 2, 4), method="Nelder-Mead", options=options).fun for _ in range(4)
    )
    best = ho.best_conditioned(obj, problem.theta, copies=[[2, 2], [2, 2]])
    assert best.certificate == "minimum"
    assert best.lower_bound <= np.exp(direct)
    assert best.value <= np.exp(direct) * (1 + GAP)


def test_no_certificate_where_mixings_lower_the_value() -> None:
    problem, obj = planted(6, (2, 2, 1), "identity")
    best = ho.best_conditioned(obj, problem.theta, over=ho.symmetries(obj.net))
    rows = jacobian_of(problem)

    def kappa(entries: np.ndarray) -> float:
        element = ho.symmetries(obj.net).linear(layer=1, matrix=linalg.expm(entries.reshape(2, 2)))
        values = np.linalg.svd(rows @ np.linalg.inv(element.matrix().toarray()), compute_uv=False)
        return float(values[0] / values[best.rank - 1]) ** 2

    mixed = optimize.minimize(kappa, np.zeros(4), method="Nelder-Mead", options={"maxiter": 2000}).fun
    assert mixed < 0.999 * best.value
    assert best.certificate == "none"
    assert "mixings" in best.message


@pytest.mark.parametrize("names", [["identity"], ["tanh", "identity"]])
def test_no_certificate_where_shifts_of_one_linear_neuron_lower_the_value(names: list[str]) -> None:
    problem, obj = planted(2, (2, len(names), 2), [names], scale=1.0)
    group, rows = ho.symmetries(obj.net), jacobian_of(problem)
    best = ho.best_conditioned(obj, problem.theta, over=group)

    def kappa(v: np.ndarray) -> float:
        neuron = names.index("identity")
        move = group.translation(layer=1, shifts=[v[0]], neurons=[neuron])
        moved = (move @ group.rescaling(layer=1, factors=[np.exp(v[1])], neurons=[neuron])).matrix().toarray()
        values = np.linalg.svd(rows @ np.linalg.inv(moved.astype(float)), compute_uv=False)
        return float(values[0] / values[best.rank - 1]) ** 2

    assert optimize.minimize(kappa, np.zeros(2), method="Nelder-Mead").fun < 0.999 * best.value
    assert best.certificate == ho.best_conditioned(obj, problem.theta, widths=[len(names) + 1]).certificate == "none"
    assert "shifts of linear neurons" in best.message


@pytest.mark.parametrize("activation", ["relu", "square"])
def test_own_orbit_against_a_grid(activation: str) -> None:
    """Two homogeneous neurons, where κ is convex neither in D nor in log D: branch and bound against all of a grid."""
    problem, obj = planted(6, (2, 2, 1), activation)
    group = ho.symmetries(obj.net)
    best = ho.best_conditioned(obj, problem.theta, over=group)
    assert best.certificate == "minimum"
    rows = jacobian_of(problem)
    _, singular, vectors = np.linalg.svd(rows, full_matrices=False)
    kept = singular > 1e-10 * singular[0]
    factor = singular[kept, None] * vectors[kept]
    degree = {"relu": 1, "square": 2}[activation]
    first, last = problem.layers()
    lowest = np.inf
    for c in itertools.product(np.exp(np.linspace(-3, 3, 61)), repeat=2):
        scaling = np.ones(len(problem.theta))
        scaling[first.weights] = np.array(c)[:, None] ** -2
        scaling[first.bias] = np.array(c) ** -2.0
        scaling[last.weights] = np.array(c) ** (2.0 * degree)
        lowest = min(lowest, condition(factor, scaling))
    assert best.lower_bound <= lowest
    assert best.value <= lowest * (1 + GAP)
    # The grid's step of 0.1 in log c moves log D by at most 0.2 · degree, and so log κ by at most twice that.
    assert best.value >= lowest * np.exp(-0.2 * degree)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_no_widening_beats_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    activation = str(rng.choice(["tanh", "relu", "gelu", "leaky_relu"]))
    widths = ((2, 2, 1), (2, 2, 2, 1))[rng.integers(2)]
    problem, obj = planted(seed % 5, widths, activation)
    size = [width + 2 for width in widths[1:-1]]
    best = ho.best_conditioned(obj, problem.theta, widths=size, max_nodes=5)
    copies, coefficients, scales = [], [], []
    for width in widths[1:-1]:
        numbers = 1 + rng.multinomial(2, np.full(width, 1 / width))
        scale = [np.exp(rng.normal(size=m)) if "relu" in activation else np.ones(m) for m in numbers]
        alpha = [rng.normal(size=m) + 1 for m in numbers]
        copies.append(numbers.tolist())
        scales.append(scale)
        coefficients.append([a + (1 - a @ c) * c / (c @ c) for a, c in zip(alpha, scale, strict=True)])
    wide = ho.Widening(obj.net, copies, coefficients=coefficients, scales=scales)
    other = ho.Objective(wide.net, problem.x, problem.y)
    spectrum = ho.spectrum(other, wide(problem.theta), matrix="gauss_newton", method="jacobian", zero_modes=None)
    kappa = spectrum.condition_number(rank=best.rank)
    assert best.lower_bound <= kappa * (1 + 1e-9)


def test_best_condition_number_does_not_grow_with_width() -> None:
    problem, obj = planted(9, (2, 2, 1), "sigmoid")
    values = [ho.best_conditioned(obj, problem.theta, widths=[width]) for width in (2, 3, 4, 6, 9)]
    assert all(best.certificate == "minimum" for best in values)
    for narrow, wide in itertools.pairwise(values):
        assert wide.lower_bound <= narrow.value
        assert wide.value <= narrow.value * (1 + GAP)


def test_trace_has_a_closed_form() -> None:
    """Σ_i min (a_i D_in + b_i D_out): 2 √(a b) for rectifiers, a/m + b m for m copies of others."""
    problem, obj = planted(1, (3, 3, 2), "relu")
    first, last = problem.layers()
    diagonal = np.diag(hessian_of(problem))
    incoming = diagonal[first.weights].sum(axis=1) + diagonal[first.bias]
    outgoing, rest = diagonal[last.weights].sum(axis=0), diagonal[last.bias].sum()
    best = ho.best_conditioned(obj, problem.theta, over=ho.symmetries(obj.net), criterion="trace")
    exact = 2 * np.sqrt(incoming * outgoing).sum() + rest
    assert best.lower_bound <= exact * (1 + 1e-12)
    assert best.value == pytest.approx(exact, rel=GAP)

    problem, obj = planted(1, (3, 3, 2), "tanh")
    diagonal = np.diag(hessian_of(problem))
    incoming = diagonal[first.weights].sum(axis=1) + diagonal[first.bias]
    outgoing, rest = diagonal[last.weights].sum(axis=0), diagonal[last.bias].sum()
    every = [
        (incoming / copies + outgoing * np.array(copies)).sum() + rest
        for copies in itertools.product(range(1, 6), repeat=3)
        if sum(copies) <= 7
    ]
    best = ho.best_conditioned(obj, problem.theta, widths=[7], criterion="trace")
    assert best.certificate == "minimum"
    assert best.value == pytest.approx(min(every), rel=GAP)


def test_largest_eigenvalue_is_smallest_at_equal_parts() -> None:
    """λ_max grows with every entry of D, so D_in = 1/m."""
    problem, obj = planted(1, (3, 3, 2), "tanh")
    best = ho.best_conditioned(obj, problem.theta, copies=[[1, 2, 3]], criterion="max")
    wide = ho.Widening(obj.net, copies=[[1, 2, 3]])
    equal = ho.Objective(wide.net, problem.x, problem.y)
    largest = np.linalg.eigvalsh(equal.hessian(wide(problem.theta)))[-1]
    assert best.lower_bound <= largest * (1 + 1e-12)
    assert best.value == pytest.approx(largest, rel=GAP)


def test_own_orbit_away_from_zero_residual() -> None:
    """H' = A⁻ᵀ H A⁻¹ at any θ: at a minimum with a residual, where the orbit's tangents are zero modes."""
    rng = np.random.default_rng(0)
    problem, _ = planted(0, (2, 2, 1), "cube", samples=80)
    problem = problem.replace(y=problem.y + 0.05 * rng.standard_normal(problem.y.shape))
    obj = problem.objective()
    theta = ho.minimize(obj, problem.theta, method="newton", tol=1e-13).x
    problem = problem.replace(theta=theta)
    for criterion in ("condition_number", "max", "trace"):
        best = ho.best_conditioned(obj, theta, over=ho.symmetries(obj.net), criterion=criterion)
        check_value(problem, best)
        assert best.certificate == "minimum"
        assert best.rank == len(theta) - 2 or criterion == "trace"
    wider = ho.best_conditioned(obj, theta, widths=[4])
    assert wider.copies == ((1, 1),)  # the others rest
    assert "its B is indefinite" in wider.uncopied[0]


def test_a_network_with_a_rigid_orbit_is_left_as_it_is() -> None:
    problem, obj = planted(0, (2, 3, 1), "tanh")
    best = ho.best_conditioned(obj, problem.theta, over=ho.symmetries(obj.net))
    np.testing.assert_array_equal(best.theta, problem.theta)
    assert (best.value, best.gap, best.certificate) == (best.start, 0.0, "minimum")


def test_depth_and_a_singular_hessian_have_no_certificate() -> None:
    problem, obj = planted(3, (2, 3, 3, 1), "relu")
    best = ho.best_conditioned(obj, problem.theta, widths=[6, 6])
    assert best.certificate == "none"
    assert "no certificate" in repr(best)
    assert 1 <= best.lower_bound <= best.value


def test_dead_neurons_fill_what_copies_leave() -> None:
    problem, obj = planted(3, (2, 2, 1), "sigmoid")
    best = ho.best_conditioned(obj, problem.theta, widths=[7], copies=[[2, 1]])
    assert best.net.widths == (2, 7, 1)
    check_value(problem, best)
    same = ho.best_conditioned(obj, problem.theta, copies=[[2, 1]])
    assert best.value == same.value


def test_unused_neurons_are_left_alone() -> None:
    """A rectifier that no sample reaches has no derivatives; its copies stay of moderate size."""
    problem, _ = planted(0, (2, 3, 1), "relu")
    theta = problem.theta.copy()
    theta[problem.layers()[0].bias[1]] = -1e3
    problem = problem.replace(theta=theta)
    problem = problem.replace(y=problem.network()(theta, problem.x))
    best = ho.best_conditioned(problem.objective(), theta, widths=[6])
    assert best.certificate == "minimum"
    check_value(problem, best)
    assert best.scaling[problem.layers()[0].bias[1]] < 10


def test_same_question_same_answer() -> None:
    problem, obj = planted(3, (2, 3, 1), "tanh")
    one, two = (ho.best_conditioned(obj, problem.theta, widths=[6]) for _ in range(2))
    np.testing.assert_array_equal(one.theta, two.theta)
    assert (one.value, one.lower_bound) == (two.value, two.lower_bound)


def functions(rng: np.random.Generator, rank: int, count: int) -> list[Any]:
    factor = rng.standard_normal((rank, count))
    return [
        Extremes(factor, smallest=True, parameters=count),
        Extremes(factor, smallest=False, parameters=count),
        Balanced(Extremes(factor, smallest=True, parameters=count), 0.1),
        Trace((factor**2).sum(axis=0)),
    ]


@given(st.integers(0, 2**32 - 1), st.sampled_from([(4, 4), (3, 5), (1, 2)]), st.sampled_from([3.0, 1e2]))
@settings(max_examples=20)
def test_derivatives_of_the_smoothed_spectrum(seed: int, shape: tuple[int, int], sharpness: float) -> None:
    rng = np.random.default_rng(seed)
    u, along, step = rng.standard_normal(shape[1]), rng.standard_normal(shape[1]), 1e-4
    for function in functions(rng, *shape):
        value, gradient, hessian, concave = function.derivatives(u, sharpness)
        assert value == pytest.approx(function.value(u, sharpness), rel=1e-12, abs=1e-12)
        ahead, behind = (function.derivatives(u + sign * step * along, sharpness) for sign in (1, -1))
        # Central differences err by step²/6 times a third derivative, which grows as the square of the sharpness.
        bound = 1e-7 * (1 + sharpness**2) * (1 + np.abs(along).max() ** 3)
        assert abs((ahead[0] - behind[0]) / (2 * step) - gradient @ along) < bound
        assert np.abs((ahead[1] - behind[1]) / (2 * step) - hessian @ along).max() < bound * (1 + sharpness)
        # −log λ_min is convex in D, and the rest in log D. Rounding is relative to the largest entry.
        assert np.linalg.eigvalsh(hessian + np.diag(concave))[0] > -1e-9 * (1 + np.abs(hessian).max())


@pytest.mark.parametrize("spread", [0.0, 2.0, 4.0])
@pytest.mark.parametrize("smallest", [True, False])
def test_a_gram_matrix_serves_where_its_error_is_allowed(spread: float, smallest: bool) -> None:
    """Value and derivatives are those of singular values, to within the error that is allowed."""
    rng = np.random.default_rng(0)
    factor = np.exp(spread * rng.standard_normal(70))[:, None] * rng.standard_normal((70, 90))
    u, sharpness = rng.standard_normal(90), 100.0
    logarithms = 2 * np.log(linalg.svdvals(factor * np.exp(u / 2)))
    condition = np.exp(logarithms[0] - logarithms[-1]) if smallest else 1.0
    # The Gram matrix has rounding errors of up to eps times its size in every entry, of which 70 add up at most.
    error = 70 * EPS * condition
    for allowed in (1e-3 * EPS * condition, 2 * EPS * condition):
        exact, near = Extremes(factor, smallest, 90), Extremes(factor, smallest, 90)
        assert near.value(u, sharpness, allowed) == pytest.approx(exact.value(u, sharpness), abs=error)
        found, right = near.derivatives(u, sharpness, allowed), exact.derivatives(u, sharpness)
        for mine, its in zip(found, right, strict=True):
            # Derivatives of a function that is smooth over 1/t move by t times as much at each order.
            assert np.abs(mine - its).max() <= 4 * error * sharpness**2 * (1 + np.abs(its).max())
        assert near.exact(u) == pytest.approx(logarithms[0] - smallest * logarithms[-1], abs=1e-12 * np.sqrt(condition))


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=50)
def test_supports_are_below(seed: int, square: bool) -> None:
    """The tangent at u is below the function everywhere, whatever the sharpness its weights come from."""
    rng = np.random.default_rng(seed)
    for function in functions(rng, 5 if square else 4, 5):
        u, other = 2 * rng.standard_normal((2, 5))
        support = function.support(u, float(np.exp(rng.uniform(0, 12))))
        if support is None:
            assert not function.convex
            continue
        assert support.value + support.slope @ (other - u) <= function.exact(other) + 1e-9


def test_soft_maximum_is_the_barrier_of_the_largest() -> None:
    values = np.array([0.3, -2.0, 0.29, 0.0])
    for sharpness in (1.0, 10.0, 1e4):
        value, weights = soft_maximum(values, sharpness)
        direct = optimize.minimize_scalar(
            lambda a, t=sharpness: a - np.log(-np.expm1(values - a)).sum() / t,
            bounds=(0.3 + 1e-14, 4.0),
            method="bounded",
            options={"xatol": 1e-13},
        )
        assert value == pytest.approx(direct.fun, abs=1e-12)
        assert weights.sum() == pytest.approx(sharpness, rel=1e-12)


@given(st.integers(0, 3), st.integers(1, 6), st.floats(0.05, 20), st.floats(0.05, 20))
def test_copies_have_the_pair_asked_for(degree: int, copies: int, spread: float, outgoing: float) -> None:
    if degree == 0:
        outgoing = float(copies)
    least = (copies ** (1 - degree) / outgoing) ** (1 / degree) if degree else 1 / copies
    incoming = least if copies == 1 else least * (1 + spread)
    alpha, c = split_into_copies(degree, copies, incoming, outgoing)
    assert alpha @ c**degree == pytest.approx(1, rel=1e-12)
    assert ((alpha * c ** (degree - 1 if degree else 0)) ** 2).sum() == pytest.approx(incoming, rel=1e-12)
    assert (c ** (2 * degree)).sum() == pytest.approx(outgoing, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(-2, 2), st.floats(0, 2))
@settings(max_examples=60)
def test_cheapest_pairs_are_below_every_pair(seed: int, a: float, b: float, price: float) -> None:
    """The closed forms behind the bounds, against random points of the same regions."""
    rng = np.random.default_rng(seed)
    choices = [
        *(Choice(degree, m, m) for degree in range(4) for m in (1, 2, 5)),
        *(Choice(degree, 1, 4) for degree in (0, 2, 3)),
        *(Choice(degree, 1, 1, range=(-1.5, 2.0)) for degree in (1, 2, 3)),
        *(Choice(0, low, high, shifted=True) for low, high in ((1, 1), (3, 3), (1, 4))),
    ]
    for choice in choices:
        neuron = choice.relaxation(2.5)
        region = neuron.region()
        cheapest = neuron.cheapest(a, b, 0.0, price)
        for _ in range(20):
            v = region.start + rng.standard_normal(len(region.start))
            inside = region.inequalities is None or (region.inequalities @ v >= region.bounds).all()
            inside &= all(p.weights @ np.exp(v[p.indices]) <= p.most for p in region.posynomials)
            if not inside:
                continue
            incoming, outgoing, flipped = np.exp(region.rows @ v + region.constants)
            assert flipped == 0
            cost = a * incoming + b * outgoing
            if region.log_copies is not None:
                cost += price * np.exp(v[region.log_copies])
            assert cheapest <= cost + 1e-9 * (1 + abs(cost))


@given(st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2), st.floats(0, 2))
@settings(max_examples=60)
def test_cheapest_signs_are_below_all_signs(seed: int, a: float, b: float, c: float, price: float) -> None:
    rng = np.random.default_rng(seed)
    for choice in (Choice(0, 1, 1, flips=True), Choice(0, 3, 3, flips=True, signs=(1, 2)), Choice(0, 1, 4, flips=True)):
        neuron = choice.relaxation(2.5)
        for copies in range(choice.low, choice.high + 1):
            fewest, most = choice.flipped
            for flipped in range(fewest, min(most, copies) + 1):
                incoming = 1 / copies + (copies > 1) * rng.exponential()
                cost = a * incoming + b * (copies - flipped) + c * flipped + price * copies * (choice.low < choice.high)
                assert neuron.cheapest(a, b, c, price) <= cost + 1e-9 * (1 + abs(cost))


def test_relaxations_hold_what_they_relax() -> None:
    """Every relaxation is at least as good as each choice it stands for."""
    problem, obj = planted(4, (2, 3, 1), "cube")
    factor = np.linalg.qr(obj.jacobian(problem.theta), mode="r")
    function = Extremes(factor, smallest=False, parameters=factor.shape[1])
    architecture = Architecture(obj.net, (6,))

    def bound(choices: list[Choice]) -> float:
        search = Search(function, architecture, (range(3),), (6,), (False,), 1)
        settled = search.settle(tuple(choices))
        assert settled is not None
        return search.solve(settled, -np.inf, None).bound

    whole = bound([Choice(3, 1, 4)] * 3)
    for copies in ((1, 1, 4), (2, 2, 2), (1, 2, 3)):
        assert whole <= bound([Choice(3, m, m) for m in copies]) + 1e-4


@pytest.mark.parametrize(
    ("activation", "options", "words", "not_searched"),
    [
        ("tanh", {}, "the point itself", ""),
        ("relu", {}, "rescalings of homogeneous neurons", "even-linear flips"),
        ("cube", {}, "rescalings of homogeneous neurons", ""),
        ("exp", {}, "shifts of exponential neurons", ""),
        ("sigmoid", {}, "sign flips", ""),
        ("sigmoid", {"bias": False}, "the point itself", ""),
        ("normal_cdf", {}, "sign flips", ""),
        ("identity", {}, "rescalings of linear neurons", "mixings and shifts of linear neurons"),
        ([["tanh", "relu", "sigmoid"]], {}, "sign flips", "even-linear flips"),
    ],
)
def test_scope_of_an_orbit(activation: Any, options: dict[str, Any], words: str, not_searched: str) -> None:
    scope = orbit_scope(ho.MLP([2, 3, 1], activation, **options))
    searched, _, rest = scope.partition(". Not searched: ")
    assert words in searched
    assert not_searched in rest
    assert bool(rest) == bool(not_searched)


def test_scope_of_widenings() -> None:
    assert "constant that is not zero" in widening_scope(ho.MLP([2, 3, 1]), (5,), False)
    assert "not searched" not in widening_scope(ho.MLP([2, 3, 1]), (3,), False).lower()
    assert "all numbers of copies" in widening_scope(ho.MLP([2, 3, 1]), (5,), False)
    assert "numbers of copies given" in widening_scope(ho.MLP([2, 3, 1]), (5,), True)
    assert "signs of copies" in widening_scope(ho.MLP([2, 3, 1], "sigmoid"), (5,), False)
    assert "shifts of copies" in widening_scope(ho.MLP([2, 3, 1], "exp"), (5,), False)
    for net, widths in ((ho.MLP([2, 3, 2]), (5,)), (ho.MLP([2, 3, 2, 1]), (5, 4))):
        assert "not parallel" in widening_scope(net, widths, False)


def test_scope_is_told_with_the_bound() -> None:
    problem, obj = planted(0, (2, 3, 1), "sigmoid")
    best = ho.best_conditioned(obj, problem.theta, over=ho.symmetries(obj.net))
    assert best.scope == orbit_scope(obj.net)
    assert best.scope in repr(best)


class TestBadInput:
    problem, obj = planted(0, (2, 3, 1), "tanh")
    theta = problem.theta

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({}, TypeError, "either over=symmetries"),
            ({"over": ho.symmetries(ho.MLP([2, 3, 1])), "widths": [4]}, TypeError, "either over=symmetries"),
            ({"over": "orbit"}, TypeError, "over must be a SymmetryGroup"),
            ({"over": ho.symmetries(ho.MLP([2, 4, 1]))}, ValueError, "over must be the symmetries of obj's network"),
            ({"widths": 6}, TypeError, "widths must be a sequence"),
            ({"widths": [6, 6]}, ValueError, "widths must have 1 entry,"),
            ({"widths": [2]}, ValueError, r"widths\[0\] must be at least 3"),
            ({"widths": [6.0]}, TypeError, r"widths\[0\] must be an integer"),
            ({"copies": [[1, 2]]}, ValueError, r"copies\[0\] must have 3 entries"),
            ({"copies": [[1, 2, 0]]}, ValueError, r"copies\[0\]\[2\] must be at least 1"),
            ({"copies": [[1, 2, 3]], "widths": [5]}, ValueError, r"widths\[0\] must be at least 6"),
            ({"widths": [6], "criterion": "condition"}, ValueError, "criterion must be one of"),
            ({"widths": [6], "max_nodes": 0}, ValueError, "max_nodes must be at least 1"),
        ],
    )
    def test_arguments(self, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            ho.best_conditioned(self.obj, self.theta, **arguments)

    def test_points(self) -> None:
        with pytest.raises(TypeError, match="obj must be an Objective"):
            ho.best_conditioned(self.obj.net, self.theta, widths=[6])  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"theta must have shape \(13,\)"):
            ho.best_conditioned(self.obj, self.theta[None], widths=[6])
        with pytest.raises(ValueError, match="theta must be finite"):
            ho.best_conditioned(self.obj, np.full(13, np.nan), widths=[6])
        with pytest.raises(TypeError, match="theta must be float64"):
            ho.best_conditioned(self.obj, self.theta.astype(np.longdouble), widths=[6])
        with pytest.raises(ValueError, match="weight decay"):
            ho.best_conditioned(self.problem.replace(l2=0.1).objective(), self.theta, widths=[6])

    def test_residuals(self) -> None:
        with pytest.raises(ValueError, match="theta must be a critical point, or have zero residual"):
            ho.best_conditioned(self.obj, self.theta + 0.1, widths=[6])
        with pytest.raises(ValueError, match="theta must have a positive semidefinite Hessian"):
            ho.best_conditioned(self.obj, -2 * self.theta, over=ho.symmetries(self.obj.net))

    def test_flat_functions(self) -> None:
        net = ho.MLP([2, 2, 1], "relu", bias=False)
        obj = ho.Objective(net, np.ones((3, 2)), np.zeros(3))
        with pytest.raises(ValueError, match="theta must have a Hessian other than zero"):
            ho.best_conditioned(obj, np.zeros(6), widths=[4])

    @pytest.mark.parametrize("bias", [False, [False, True]])
    def test_copies_must_fill_a_layer_that_cannot_rest(self, bias: Any) -> None:
        net = ho.MLP([2, 2, 1], "sigmoid", bias=bias)
        theta, x = net.init(np.random.default_rng(0), "normal(1)"), np.random.default_rng(1).standard_normal((20, 2))
        obj = ho.Objective(net, x, net(theta, x))
        with pytest.raises(ValueError, match=r"copies\[0\] must sum to widths\[0\]"):
            ho.best_conditioned(obj, theta, copies=[[1, 2]], widths=[5])


def kappa_of(problem: Problem, net: ho.MLP, theta: np.ndarray, rank: int) -> float:
    """λ_1/λ_r of the Gauss–Newton matrix of squared error, from jax's Jacobian."""
    wide = problem.replace(widths=net.widths, activations=net.activations, theta=theta)
    key = net.widths, net.activations
    if key not in jacobians:
        output = AutodiffReference(wide).output
        jacobians[key] = jax.jit(lambda at, x: jax.vmap(jax.jacrev(output), (None, 0))(at, x))
    rows = np.asarray(jacobians[key](theta, problem.x)).reshape(-1, len(theta))
    singular = np.linalg.svd(rows, compute_uv=False)
    return float((singular[0] / singular[rank - 1]) ** 2)


jacobians: dict[Any, Any] = {}  # compiled once for each network


@pytest.mark.parametrize("activation", ["sigmoid", "normal_cdf"])
@pytest.mark.parametrize("widths", [(2, 3, 1), (2, 2, 2, 1)])
def test_no_sign_flip_beats_the_orbit(activation: str, widths: tuple[int, ...]) -> None:
    problem, obj = planted(1, widths, activation, samples=120)
    group = ho.symmetries(obj.net)
    best = ho.best_conditioned(obj, problem.theta, over=group)
    assert best.certificate == "minimum"
    hidden = [(layer, neuron) for layer, width in enumerate(widths[1:-1], 1) for neuron in range(width)]
    flipped = []
    for chosen in itertools.product([False, True], repeat=len(hidden)):
        theta = problem.theta
        for (layer, neuron), flip in zip(hidden, chosen, strict=True):
            theta = group.sign_flip(layer=layer, neurons=[neuron])(theta) if flip else theta
        flipped.append(kappa_of(problem, obj.net, theta, best.rank))
    # jax's Jacobian has errors of some eps, and κ an error of eps √κ relative.
    assert best.value == pytest.approx(min(flipped), rel=1e-9 + 100 * EPS * np.sqrt(best.value))


@pytest.mark.parametrize("activation", ["sigmoid", "normal_cdf"])
def test_no_signs_of_copies_beat_the_bound(activation: str) -> None:
    problem, obj = planted(2, (2, 2, 1), activation, samples=80)
    best = ho.best_conditioned(obj, problem.theta, widths=[4])
    assert best.certificate == "minimum"
    assert kappa_of(problem, best.net, best.theta, best.rank) == pytest.approx(best.value, rel=1e-8)
    rng = np.random.default_rng(0)
    for _ in range(60):
        numbers = [[1, 3], [2, 2], [3, 1]][rng.integers(3)]
        signs = [rng.choice([-1.0, 1.0], m) for m in numbers]
        shares = [rng.normal(size=m) * rng.choice([0.01, 0.1, 1.0]) for m in numbers]
        shares = [(share + (1 - share.sum()) / len(share)) for share in shares]
        coefficients = [share * sign for share, sign in zip(shares, signs, strict=True)]
        wide = ho.Widening(obj.net, [numbers], coefficients=[coefficients], signs=[signs])
        kappa = kappa_of(problem, wide.net, wide(problem.theta), best.rank)
        assert kappa >= best.lower_bound * (1 - 1e-8)


def test_copies_of_exponential_neurons_are_shifted() -> None:
    problem, obj = planted(3, (2, 2, 1), "exp", scale=0.7)
    best = ho.best_conditioned(obj, problem.theta, widths=[4])
    assert best.certificate == "minimum"
    check_value(problem, best)
    rng = np.random.default_rng(0)
    for _ in range(60):
        shifts = [rng.normal(size=2) for _ in range(2)]
        shares = [rng.normal(0.5, 0.5, size=2) for _ in range(2)]
        coefficients = [(s + (1 - s.sum()) / 2) * np.exp(-shift) for s, shift in zip(shares, shifts, strict=True)]
        wide = ho.Widening(obj.net, [[2, 2]], coefficients=[coefficients], shifts=[shifts])
        np.testing.assert_allclose(wide.net(wide(problem.theta), problem.x), problem.y, rtol=1e-12)
        assert kappa_of(problem, wide.net, wide(problem.theta), best.rank) >= best.lower_bound * (1 - 1e-8)


@pytest.mark.parametrize("biases", [(False, True), (False, False)])
def test_copies_of_exponential_neurons_without_biases_have_no_shifts(biases: tuple[bool, bool]) -> None:
    """Three copies have D_out = 3, whose logarithm is not that of 3/3 to the last digit."""
    problem, obj = planted(3, (2, 2, 1), "exp", scale=0.7, biases=biases)
    best = ho.best_conditioned(obj, problem.theta, copies=[[3, 1]])
    check_value(problem, best)


@given(st.sampled_from(["relu", "square", "exp", "cube"]), st.integers(0, 3), st.lists(st.floats(-12, 12), min_size=2))
@settings(max_examples=8)
def test_certificate_does_not_depend_on_the_representative(activation: str, seed: int, logs: list[float]) -> None:
    problem, obj = planted(seed, (2, 2, 1), activation, scale=0.7)
    group = ho.symmetries(obj.net)
    move = group.translation if activation == "exp" else group.rescaling
    values = {"shifts": logs[:2]} if activation == "exp" else {"factors": np.exp(logs[:2])}
    other = move(layer=1, **values)(problem.theta)
    one, two = (ho.best_conditioned(obj, theta, over=group, max_nodes=20) for theta in (problem.theta, other))
    assert one.certificate == two.certificate
    # Both are within their gap of the minimum of one and the same set.
    assert two.value == pytest.approx(one.value, rel=2 * GAP if one.certificate == "minimum" else 1e-3)


def test_the_limits_of_the_search_move_with_the_best_point() -> None:
    """The best factors of one neuron are 1e12 and more from balance."""
    problem, obj = planted(4, (2, 2, 1), "relu")
    x = problem.x * np.array([1e7, 1e7])
    obj = ho.Objective(obj.net, x, obj.net(problem.theta, x))
    group = ho.symmetries(obj.net)
    best = ho.best_conditioned(obj, problem.theta, over=group)
    moved = problem.replace(x=x, y=obj.y)
    direct = min(
        kappa_of(moved, obj.net, group.rescaling(layer=1, factors=c)(problem.theta), best.rank)
        for c in itertools.product(np.exp(np.linspace(-25, 25, 26)), repeat=2)
    )
    assert best.certificate == "minimum"
    assert best.lower_bound <= direct * (1 + 1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "logistic"])
def test_gauss_newton_matrix_of_any_point(loss: str) -> None:
    """GGN_wide = Tᵀ GGN T at a random θ with random labels: the value is that of jax's matrix at the wide point."""
    rng = np.random.default_rng(0)
    problem = random_problem(rng, (2, 3, 3 if loss == "cross_entropy" else 1), "tanh", loss=loss, samples=40, scale=1.0)
    obj = problem.objective()
    best = ho.best_conditioned(obj, problem.theta, widths=[5], matrix="gauss_newton")
    wide = at(problem, best)
    rows = jacobian_of(wide).reshape(40, obj.net.widths[-1], -1)
    f = best.net(best.theta, problem.x)
    q = np.exp(f - f.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    s = 1 / (1 + np.exp(-f))
    middle = {
        "squared_error": np.broadcast_to(np.eye(f.shape[1]), (40, f.shape[1], f.shape[1])),
        "logistic": (s * (1 - s))[:, :, None] * np.eye(f.shape[1]),
        "cross_entropy": q[:, :, None] * np.eye(f.shape[1]) - q[:, :, None] * q[:, None, :],
    }[loss]
    matrix = np.einsum("nkp,nkl,nlq->pq", rows, middle, rows) / 40
    eigenvalues = np.sort(np.linalg.eigvalsh(matrix))[::-1]
    assert eigenvalues[0] / eigenvalues[best.rank - 1] == pytest.approx(best.value, rel=1e-6)
    assert best.certificate == "minimum"
    assert best.matrix == "gauss_newton"
    with pytest.raises(ValueError, match='matrix="gauss_newton"'):
        ho.best_conditioned(obj, problem.theta, widths=[5])


def test_directions_of_the_orbit_are_no_curvature_where_the_gradient_is_small() -> None:
    """relu near a minimum: eigenvalues along the orbit are of the size of the gradient, and are not counted."""
    rng = np.random.default_rng(5)
    problem = random_problem(rng, (2, 2, 1), "relu", samples=60, scale=1.0)
    obj = problem.objective()
    group = ho.symmetries(obj.net)
    starts = (obj.net.init(rng, "normal(1)") for _ in range(20))
    found = (ho.minimize(obj, start, method="newton", tol=1e-10) for start in starts)
    minimum = next(r.x for r in found if r.success and np.linalg.eigvalsh(obj.hessian(r.x))[group.dimension] > 1e-4)
    near = minimum + 1e-5 * rng.normal(size=len(minimum))
    best = ho.best_conditioned(obj, near, over=group)
    assert best.rank == obj.net.num_parameters - group.dimension
    assert "the gradient at theta is" in best.message
    # Near the minimum the answer is near that of the minimum itself.
    exact = ho.best_conditioned(obj, minimum, over=group)
    assert best.value == pytest.approx(exact.value, rel=1e-2)


@pytest.mark.parametrize("activation", ["sigmoid", "normal_cdf", "cos"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_neuron_is_a_copy_where_an_unused_one_would_not_be_silent(activation: str, seed: int) -> None:
    """Without biases σ(0) ≠ 0 would be one more function: no node of the search may leave a neuron over."""
    generator = np.random.default_rng(seed)
    net = ho.MLP([2, 2, 1], activation, bias=False)
    theta, x = net.init(generator, "normal(1)"), generator.standard_normal((40, 2))
    obj = ho.Objective(net, x, net(theta, x))
    best = ho.best_conditioned(obj, theta, widths=[3], matrix="gauss_newton")
    assert best.net.widths == (2, 3, 1)
    np.testing.assert_allclose(best.net(best.theta, x), net(theta, x), rtol=1e-9, atol=1e-12)
    # The bound holds for every widening to three neurons, whatever the shares.
    for split in ([2, 1], [1, 2]):
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):
            shares = [[share, 1 - share] if count == 2 else [1.0] for count in split]
            widening = ho.Widening(net, [split], coefficients=[shares])
            values = np.linalg.eigvalsh(ho.Objective(widening.net, x, obj.y).gauss_newton(widening(theta)))
            # The three null vectors of T are left out.
            kappa = values[-1] / values[len(values) - net.num_parameters]
            assert kappa >= best.lower_bound * (1 - 1e-6)


def test_networks_without_hidden_neurons_are_alone_in_their_orbit() -> None:
    net = ho.MLP([2, 1])
    x = np.random.default_rng(0).standard_normal((20, 2))
    obj = ho.Objective(net, x, x[:, 0])
    best = ho.best_conditioned(obj, [1.0, 0.0, 0.0], over=ho.symmetries(net))
    values = np.linalg.eigvalsh(obj.hessian([1.0, 0.0, 0.0]))
    assert best.value == pytest.approx(values[-1] / values[0], rel=1e-10)
    assert best.theta.tolist() == [1.0, 0.0, 0.0]
