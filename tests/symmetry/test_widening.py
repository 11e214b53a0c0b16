"""Widening: the function, the transfer matrix T with J_wide = J T, and the spectra that follow from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from oracles import taylor
from oracles.compare import assert_close
from oracles.problem import LOSSES, PARAMETRIZATIONS, Problem, random_problem
from oracles.widenings import ALL, ODD_UP_TO_ONE, Wide, random_widening

SHAPES = {2: (2, 3), 3: (2, 3, 2), 4: (2, 2, 3, 2)}  # widths without the outputs, by the number of layers
EVERY_SHAPE = [(depth, outputs) for depth in SHAPES for outputs in (1, 3)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def network(activation: str, depth: int, outputs: int, **options: Any) -> Problem:
    options = {"parametrization": PARAMETRIZATIONS[depth - 2], "samples": 30, "scale": 0.8, **options}
    return random_problem(rng(depth), (*SHAPES[depth], outputs), activation, **options)


def mixed(seed: int) -> Problem:
    """Two hidden layers of any activations, with or without biases."""
    generator = rng(seed)
    layers = [tuple(generator.choice(ALL, width).tolist()) for width in (3, 2)]
    biases = tuple(generator.choice([True, False], 3).tolist())
    kind = str(generator.choice(PARAMETRIZATIONS))
    return random_problem(generator, (2, 3, 2, 2), layers, biases=biases, parametrization=kind, scale=0.8)


def labelled(net: Any, problem: Problem, targets: np.ndarray) -> Any:
    return ho.Objective(net, problem.x, targets)


def check_function(problem: Problem, wide: Wide) -> None:
    theta, net = problem.theta, wide.widening.net
    outputs, lifted = problem.network()(theta, problem.x), wide.widening(theta)
    assert lifted.shape == (net.num_parameters,)
    size = max(1, np.abs(outputs).max())  # biases that take up constants cancel against them
    assert_close(net(lifted, problem.x), outputs, parameters=net.num_parameters, scale=size)


def check_jacobian(problem: Problem, wide: Wide) -> None:
    outputs = problem.network()(problem.theta, problem.x)
    narrow, broad = (labelled(net, problem, outputs) for net in (problem.network(), wide.widening.net))
    jacobian, transfer = narrow.jacobian(problem.theta), wide.widening.transfer()
    assert transfer.shape == (problem.num_parameters, wide.widening.net.num_parameters)
    size = (np.abs(jacobian) @ np.abs(transfer.toarray())).max()
    lifted = wide.widening(problem.theta)
    assert_close(broad.jacobian(lifted), jacobian @ transfer, parameters=len(lifted), scale=size)


@pytest.mark.parametrize(("depth", "outputs"), EVERY_SHAPE)
@pytest.mark.parametrize("activation", ALL)
def test_function_and_jacobian(activation: str, depth: int, outputs: int) -> None:
    problem = network(activation, depth, outputs)
    wide = random_widening(problem, rng(outputs))
    check_function(problem, wide)
    check_jacobian(problem, wide)


@given(st.integers(0, 2**32))
def test_mixed_layers(seed: int) -> None:
    problem = mixed(seed)
    wide = random_widening(problem, rng(seed))
    check_function(problem, wide)
    check_jacobian(problem, wide)


@given(st.integers(0, 2**32))
def test_transfer_undoes_widening_to_first_order(seed: int) -> None:
    """f_wide(A θ) = f(θ) at every θ, so J T A = J for the matrix A of the widening, and T A = 1."""
    problem = mixed(seed)
    widening = random_widening(problem, rng(seed)).widening
    lift = widening(np.eye(problem.num_parameters)).T
    product, transfer = widening.transfer() @ lift, widening.transfer().toarray()
    size = (np.abs(transfer) @ np.abs(lift)).max()
    assert_close(product, np.eye(problem.num_parameters), parameters=len(lift), scale=size)


@given(st.integers(0, 2**32))
def test_preconditioner(seed: int) -> None:
    """D = T Tᵀ is diagonal, and by the formula Σ_k β_k² Σ_k N(c_k)² for weights."""
    problem = mixed(seed)
    wide = random_widening(problem, rng(seed), flip_constants=False)
    transfer, diagonal = wide.widening.transfer().toarray(), wide.widening.preconditioner()
    assert_close(transfer @ transfer.T, np.diag(diagonal), parameters=len(transfer))
    layers, wide_layers = problem.layers(), wide.widening.net.multipliers
    inner = [[np.ones(1)] * problem.widths[0], *wide.gains]
    slopes = [
        [a * n / c for a, n, c in zip(*rows, strict=True)]
        for rows in zip(wide.outgoing, wide.gains, wide.incoming, strict=True)
    ]
    slopes.append([np.ones(1)] * problem.widths[-1])
    for layer, wide_multiplier, gains, beta in zip(layers, wide_layers, inner, slopes, strict=True):
        expected = np.outer([b @ b for b in beta], [n @ n for n in gains]) * (wide_multiplier / layer.multiplier) ** 2
        assert_close(diagonal[layer.weights], expected, parameters=len(diagonal))


@pytest.mark.parametrize("activation", ODD_UP_TO_ONE)
def test_preconditioner_of_flipped_constants(activation: str) -> None:
    """The share of a flipped copy's outgoing weight goes to the bias too: T Tᵀ is not diagonal, and is refused."""
    widening = ho.Widening(ho.MLP([2, 1, 1], activation), [[2]], signs=[[[1, -1]]])
    transfer = widening.transfer().toarray()
    product = transfer @ transfer.T
    assert np.abs(product - np.diag(np.diag(product))).max() == 1
    with pytest.raises(ValueError, match=r"signs.*not diagonal"):
        widening.preconditioner()


@pytest.mark.parametrize(("depth", "outputs"), EVERY_SHAPE)
@pytest.mark.parametrize("activation", ALL)
def test_spectrum_at_zero_residual(activation: str, depth: int, outputs: int) -> None:
    """The nonzero eigenvalues of H_wide = Tᵀ H T are those of Lᵀ H L with T Tᵀ = L Lᵀ; P_wide − P more are zero.

    Weyl: eigenvalues differ by at most the rounding errors of H and of its decomposition, some P eps of the largest,
    and by the residual of about eps that rounding leaves. 1e-12 is more than 10 P eps here.
    """
    problem = network(activation, depth, outputs)
    widening = random_widening(problem, rng(outputs)).widening
    theta, count = problem.theta, problem.num_parameters
    targets = problem.network()(theta, problem.x)
    hessian = labelled(problem.network(), problem, targets).hessian(theta)
    transfer = widening.transfer().toarray()
    root = np.linalg.cholesky(transfer @ transfer.T)
    expected = np.linalg.eigvalsh(root.T @ hessian @ root)
    found = np.linalg.eigvalsh(labelled(widening.net, problem, targets).hessian(widening(theta)))
    more = widening.net.num_parameters - count
    assert np.abs(found[more:] - expected).max() <= 1e-12 * expected[-1]
    assert np.abs(found[:more]).max(initial=0) <= 1e-12 * expected[-1]


SMALL = [
    ("tanh", (2, 2, 1), [[2, 1]], {"signs": [[[1, -1], [-1]]], "coefficients": [[[0.25, -0.75], [-1]]]}),
    ("gelu", (2, 2, 3), [[1, 4]], {"coefficients": [[[1], [0.5, 0.75, -0.25, 0]]]}),
    ("sigmoid", (2, 2, 2), [[2, 2]], {"dead": [1]}),
    ("relu", (2, 2, 1), [[2, 2]], {"scales": [[[2, 0.5], [4, 1]]]}),
    ("square", (3, 2, 3), [[2, 1]], {"scales": [[[2, 0.5], [0.5]]], "signs": [[[1, -1], [-1]]]}),
    ("cube", (2, 2, 1), [[2, 1]], {"scales": [[[0.5, 2], [1]]], "signs": [[[-1, 1], [1]]], "dead": [2]}),
    ("identity", (2, 1, 2), [[2]], {"scales": [[[2, 0.25]]]}),
    ("sin", (2, 2, 2, 2), [[2, 1], [1, 2]], {"signs": [[[1, -1], [1]], [[1], [1, 1]]]}),
    ("sin", (2, 2, 2, 2, 2), [[2, 1], [1, 2], [1, 1]], {"dead": [0, 1, 1]}),
]


@pytest.mark.parametrize(("activation", "widths", "copies", "options"), SMALL)
def test_every_eigenvalue_to_twelve_digits(activation: str, widths: Any, copies: Any, options: Any) -> None:
    """Each nonzero eigenvalue by itself, with Hessians in longdouble and eigenvalues at 50 digits.

    All factors are exact in binary. What is left are the rounding errors of H in longdouble, at most about
    P eps λ₁ with eps = 1.1e-19 and P < 50, also by way of the residual: below 1e-12 of eigenvalues above 1e-5 λ₁, as
    all are that are not zero.
    """
    problem = random_problem(rng(1), widths, activation, samples=40, scale=len(widths) - 1.5)
    net, theta = problem.network(), problem.theta.astype(np.longdouble)
    widening = ho.Widening(net, copies, **options)
    targets = net(theta, problem.x)
    narrow, wide = (ho.Objective(network, problem.x, targets) for network in (net, widening.net))
    root = np.sqrt(widening.preconditioner().astype(np.longdouble))
    expected = eigenvalues(root[:, None] * narrow.hessian(theta) * root)
    found = eigenvalues(wide.hessian(widening(theta)))
    rounding = len(found) * np.finfo(np.longdouble).eps * expected[0]
    rank = sum(value > 1e-5 * expected[0] for value in expected)
    assert rank <= len(expected) - ho.symmetries(net).dimension
    assert max(map(abs, expected[rank:] + found[rank:])) <= rounding
    for a, b in zip(found[:rank], expected[:rank], strict=True):
        assert abs(a - b) <= 1e-12 * b


def eigenvalues(matrix: np.ndarray) -> list[Any]:
    """Descending eigenvalues of a longdouble matrix, at 50 digits."""
    exact = taylor.context.matrix(taylor.array_to_mp(matrix).tolist())
    return sorted(taylor.context.eigsy(exact, eigvals_only=True), reverse=True)


@pytest.mark.parametrize("loss", LOSSES)
def test_gauss_newton_everywhere(loss: str) -> None:
    """Away from zero residual, g_wide = Tᵀ g and G_wide = Tᵀ G T still hold, and H_wide = Tᵀ H T does not."""
    problem = network("softsign", 3, 3, loss=loss, integer_labels=False, weighted=True)
    widening = random_widening(problem, rng(1)).widening
    wide = ho.Objective(widening.net, problem.x, problem.y, loss=loss, sample_weight=problem.sample_weight)
    narrow, lifted = problem.objective(), widening(problem.theta)
    transfer = widening.transfer().toarray()
    count = len(lifted)
    assert_close(wide.gradient(lifted), transfer.T @ narrow.gradient(problem.theta), parameters=count)
    expected = transfer.T @ narrow.gauss_newton(problem.theta) @ transfer
    assert_close(wide.gauss_newton(lifted), expected, parameters=count)
    difference = wide.hessian(lifted) - transfer.T @ narrow.hessian(problem.theta) @ transfer
    assert np.abs(difference).max() > 1e-3 * np.abs(expected).max()


def test_layout() -> None:
    """Copies stand together, in the order of the originals, and the dead last."""
    net = ho.MLP([1, 2, 2, 1], [["tanh", "square"], "relu"])
    widening = ho.Widening(net, [[2, 1], [1, 2]], scales=[[[1, 1], [2]], [[1], [1, 3]]], dead=[1, 0])
    assert widening.net.widths == (1, 4, 3, 1)
    assert widening.net.activations[0] == ("tanh", "tanh", "square", "square")
    (w1, b1), (w2, b2), (w3, b3) = widening.net.unflatten(widening(np.arange(1.0, 14.0)))
    assert w1.tolist() == [[1], [1], [4], [0]]
    assert b1.tolist() == [3, 3, 8, 0]
    assert w2.tolist() == [[2.5, 2.5, 1.5, 0], [3.5, 3.5, 2, 0], [10.5, 10.5, 6, 0]]
    assert b2.tolist() == [9, 10, 30]
    assert w3.tolist() == [[11, 6, 2]]
    assert b3.tolist() == [13]
    assert repr(widening) == f"Widening({net!r} -> {widening.net!r})"


def test_nothing_changed() -> None:
    for net in (ho.MLP([2, 3, 2, 1]), ho.MLP([2, 1])):
        widening = ho.Widening(net)
        theta = net.init(rng())
        assert repr(widening.net) == repr(net)
        assert (widening(theta) == theta).all()
        assert (widening.transfer().toarray() == np.eye(len(theta))).all()
        assert (widening.preconditioner() == 1).all()


def test_batches_and_precision() -> None:
    problem = network("tanh", 3, 1)
    widening = random_widening(problem, rng()).widening
    thetas = rng().standard_normal((3, problem.num_parameters))
    assert (widening(thetas) == [widening(theta) for theta in thetas]).all()
    assert widening(thetas.astype(np.longdouble)).dtype == np.longdouble
    with pytest.raises(ValueError, match="theta must have shape"):
        widening(thetas[:, 1:])


TWO = ho.MLP([2, 2, 1, 1], ["tanh", "relu"])  # hidden layers of two and one neurons
GELU = ho.MLP([2, 1, 1], "gelu")
SIGMOID = ho.MLP([2, 1, 1], "sigmoid", bias=False)
COS = ho.MLP([2, 1, 2, 1], ["cos", "tanh"], bias=False)

# Name of the case: network, options, exception, fragments that the message must have.
BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], list[str]]] = {
    "net": ([2, 1], {}, TypeError, ["net must be an MLP", "list"]),
    "copies: a number": (TWO, {"copies": 2}, TypeError, ["copies", "2"]),
    "copies: a string": (TWO, {"copies": "21"}, TypeError, ["copies", "'21'"]),
    "copies: one layer": (TWO, {"copies": [[1, 1]]}, ValueError, ["copies", "list per hidden layer", "got 1"]),
    "copies: too many layers": (TWO, {"copies": [[1, 1], [1], [1]]}, ValueError, ["copies", "2", "got 3"]),
    "copies: no rows": (TWO, {"copies": [2, 1]}, TypeError, ["copies[0]", "2"]),
    "copies: too few": (TWO, {"copies": [[2], [1]]}, ValueError, ["copies[0]", "one per neuron", "got 1"]),
    "copies: too many": (TWO, {"copies": [[2, 1], [1, 1]]}, ValueError, ["copies[1]", "one per neuron", "got 2"]),
    "copies: none": (TWO, {"copies": [[2, 0], [1]]}, ValueError, ["copies[0][1]", "at least 1", "got 0"]),
    "copies: negative": (TWO, {"copies": [[2, 1], [-1]]}, ValueError, ["copies[1][0]", "at least 1", "-1"]),
    "copies: fraction": (TWO, {"copies": [[1.5, 1], [1]]}, TypeError, ["copies[0][0]", "integer", "1.5"]),
    "copies: boolean": (TWO, {"copies": [[True, 1], [1]]}, TypeError, ["copies[0][0]", "integer", "True"]),
    "coefficients: a number": (TWO, {"coefficients": 1}, TypeError, ["coefficients", "1"]),
    "coefficients: a string": (TWO, {"coefficients": "ab"}, TypeError, ["coefficients", "'ab'"]),
    "coefficients: layers": (TWO, {"coefficients": [[[1], [1]]]}, ValueError, ["coefficients", "2", "got 1"]),
    "coefficients: no rows": (TWO, {"coefficients": [1, 1]}, TypeError, ["coefficients[0]", "1"]),
    "coefficients: neurons": (TWO, {"coefficients": [[[1]], [[1]]]}, ValueError, ["coefficients[0]", "2", "got 1"]),
    "coefficients: scalar": (TWO, {"coefficients": [[1, 1], [1]]}, ValueError, ["coefficients[0][0]", "(1,)", "()"]),
    "coefficients: length": (
        TWO, {"coefficients": [[[1], [0.5, 0.5]], [[1]]]}, ValueError, ["coefficients[0][1]", "(1,)", "(2,)"],
    ),
    "coefficients: sum": (TWO, {"coefficients": [[[1], [0.9]], [[1]]]}, ValueError, ["coefficients[0][1]", "1", "0.9"]),
    "coefficients: sum with signs": (
        TWO, {"coefficients": [[[1], [1]], [[1]]], "signs": [[[1], [-1]], [[1]]]}, ValueError,
        ["coefficients[0][1]", "-1.0"],
    ),
    "coefficients: sum with scales": (
        TWO, {"coefficients": [[[1], [1]], [[1]]], "scales": [[[1], [1]], [[2]]]}, ValueError,
        ["coefficients[1][0]", "2.0"],
    ),
    "coefficients: NaN": (TWO, {"coefficients": [[[1], [np.nan]], [[1]]]}, ValueError, ["coefficients[0][1]", "nan"]),
    "coefficients: text": (TWO, {"coefficients": [[["a"], [1]], [[1]]]}, TypeError, ["coefficients[0][0]", "<U1"]),
    "scales: a number": (TWO, {"scales": 2.0}, TypeError, ["scales", "2.0"]),
    "scales: no rows": (TWO, {"scales": [1, 1]}, TypeError, ["scales[0]", "1"]),
    "scales: layers": (TWO, {"scales": [[[1], [1]]] * 3}, ValueError, ["scales", "2", "got 3"]),
    "scales: not homogeneous": (TWO, {"scales": [[[1], [2]], [[1]]]}, ValueError, ["scales[0][1]", "tanh", "2.0"]),
    "scales: zero": (TWO, {"scales": [[[1], [1]], [[0]]]}, ValueError, ["scales[1][0]", "positive", "0.0"]),
    "scales: negative": (TWO, {"scales": [[[1], [1]], [[-2]]]}, ValueError, ["scales[1][0]", "positive", "-2.0"]),
    "scales: infinite": (TWO, {"scales": [[[1], [1]], [[np.inf]]]}, ValueError, ["scales[1][0]", "finite", "inf"]),
    "scales: NaN": (TWO, {"scales": [[[1], [1]], [[np.nan]]]}, ValueError, ["scales[1][0]", "finite", "nan"]),
    "signs: a number": (TWO, {"signs": -1}, TypeError, ["signs", "-1"]),
    "signs: no rows": (TWO, {"signs": [[[1], [1]], 1]}, TypeError, ["signs[1]", "1"]),
    "signs: no sign": (TWO, {"signs": [[[1], [2]], [[1]]]}, ValueError, ["signs[0][1]", "+1 or -1", "2.0"]),
    "signs: relu": (TWO, {"signs": [[[1], [1]], [[-1]]]}, ValueError, ["signs[1][0]", "relu"]),
    "signs: gelu": (GELU, {"signs": [[[-1]]]}, ValueError, ["signs[0][0]", "gelu"]),
    "signs: no biases": (SIGMOID, {"signs": [[[-1]]]}, ValueError, ["signs[0][0]", "no biases"]),
    "signs: NaN": (TWO, {"signs": [[[1], [np.nan]], [[1]]]}, ValueError, ["signs[0][1]", "finite", "nan"]),
    "copies: huge": (TWO, {"copies": [[10**9, 1], [1]]}, ValueError, ["1000000001", "parameters", "at most 100000000"]),
    "copies: beyond integers": (TWO, {"copies": [[10**30, 1], [10**30]]}, ValueError, ["parameters", "at most"]),
    "dead: a number": (TWO, {"dead": 1}, TypeError, ["dead", "1"]),
    "dead: layers": (TWO, {"dead": [1, 0, 1]}, ValueError, ["dead", "2", "got 3"]),
    "dead: negative": (TWO, {"dead": [0, -1]}, ValueError, ["dead[1]", "at least 0", "-1"]),
    "dead: fraction": (TWO, {"dead": [0.5, 1]}, TypeError, ["dead[0]", "integer", "0.5"]),
    "copies and dead: huge": (TWO, {"dead": [10**5, 10**5]}, ValueError, ["100002", "parameters", "at most"]),
    "dead: no biases": (COS, {"dead": [1, 0]}, ValueError, ["dead[0]", "cos", "biases"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    net, options, kind, fragments = BAD[name]
    with pytest.raises(kind) as caught:
        ho.Widening(net, **options)
    message = str(caught.value)
    assert message.startswith(name.split(":")[0])
    for fragment in fragments:
        assert fragment in message
