"""Everything an objective computes, against automatic differentiation, jets, and the identities between them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse.linalg

import hessorbit as ho
from oracles import jets
from oracles.autodiff import AutodiffReference
from oracles.compare import METHODS, assert_close, assert_matches, computed
from oracles.problem import ACTIVATIONS, LOSSES, PARAMETRIZATIONS, Problem, random_problem

pytestmark = pytest.mark.core

# jax differentiates in float64, with errors of its own: both together get twice what one may have.
BOTH = 2e-13


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def check(problem: Problem, *, digits50: bool = False) -> None:
    """All quantities in float64, the Hessian by products too, against jets in extended precision or at 50 digits."""
    objective, reference = problem.objective(), jets.evaluate(problem, digits50=digits50)
    results = computed(objective, problem.theta)
    assert_matches(results, reference)
    assert (results["hessian"] == results["hessian"].T).all()
    assert (results["gauss_newton"] == results["gauss_newton"].T).all()
    loss, gradient = objective.value_and_gradient(problem.theta)
    assert loss == results["loss"]
    assert (gradient == results["gradient"]).all()
    product = objective.hvp(problem.theta, np.eye(problem.num_parameters))
    assert_close(product, reference.total("hessian"), parameters=problem.num_parameters, what="hvp")


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "leaky_relu(-0.5)"])
def test_every_activation(activation: str) -> None:
    check(random_problem(rng(), (2, 3, 2), activation, samples=9))
    check(random_problem(rng(), (2, 3, 2, 1), activation, samples=9, scale=0.5))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_activated_outputs(activation: str, loss: str) -> None:
    check(random_problem(rng(), (2, 3, 2), loss=loss, output_activation=activation))


@pytest.mark.filterwarnings("ignore:the loss 'cross_entropy' of one output")
@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss: str, outputs: int) -> None:
    for integers in (True, False):
        check(random_problem(rng(), (3, 4, outputs), loss=loss, integer_labels=integers, samples=11))


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("biases", [(True, True, True), (False, False, False), (True, False, True)])
def test_parametrizations_and_biases(parametrization: str, biases: tuple[bool, ...]) -> None:
    check(random_problem(rng(), (3, 4, 2, 2), parametrization=parametrization, biases=biases))


def test_one_layer() -> None:
    for loss in LOSSES:
        for biases in (True, False):
            check(random_problem(rng(), (4, 3), loss=loss, biases=biases))


def test_mixed_activations_in_a_layer() -> None:
    layers = [["tanh", "relu", "tanh", "gelu", "leaky_relu(0.2)"], ["sin", "identity", "softplus"]]
    check(random_problem(rng(), (2, 5, 3, 2), layers, output_activation=("tanh", "identity")))


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_and_penalty(loss: str) -> None:
    problem = random_problem(rng(), (2, 4, 2), loss=loss, weighted=True, l2=0.3, samples=13)
    check(problem)
    assert problem.sample_weight is not None
    check(problem.replace(sample_weight=problem.sample_weight * (np.arange(13) % 3 == 0)))


def test_weights_of_any_scale() -> None:
    problem = random_problem(rng(), (2, 4, 1), weighted=True, samples=7)
    assert problem.sample_weight is not None
    for scale in (1e-300, 1e300):
        check(problem.replace(sample_weight=problem.sample_weight * scale))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "selu", "softsign"])
def test_kinks(activation: str) -> None:
    """Every neuron of the first layer sits on its kink for the first sample."""
    problem = random_problem(rng(), (2, 3, 2), activation, biases=(False, True), samples=4)
    x = problem.x.copy()
    x[0] = 0.0
    check(problem.replace(x=x))


@pytest.mark.parametrize("loss", ["cross_entropy", "logistic"])
@pytest.mark.parametrize("x", [[[30.0]], [[-30.0]], [[30.0], [-30.0]], [[800.0], [-800.0]]])
def test_saturated_losses(loss: str, x: list[list[float]]) -> None:
    """Outputs in the tails: e^800 overflows; targets that are right (loss e^−60 at 30) and wrong."""
    y = [0] * len(x) if loss == "cross_entropy" else [[1, 0]] * len(x)
    problem = random_problem(rng(), (1, 2), loss=loss, samples=len(x))
    problem = problem.replace(x=np.array(x), y=np.array(y), theta=np.array([1.0, -1.0, 0.25, 0.0]))
    check(problem, digits50=True)


@pytest.mark.parametrize("loss", LOSSES)
def test_fifty_digits(loss: str) -> None:
    problem = random_problem(
        rng(), (2, 3, 2, 2), [["gelu", "g", "softsign"], ["tanh", "erf"]], loss=loss, weighted=True, l2=0.1
    )
    reference = jets.evaluate(problem, digits50=True)
    for dtype in (np.float64, np.longdouble):
        assert_matches(computed(problem.objective(), problem.theta.astype(dtype)), reference)


AUTODIFF = {
    "one hidden layer": random_problem(rng(), (5, 16, 1), "gelu", samples=200),
    "classification": random_problem(rng(1), (6, 9, 7, 4), "tanh", loss="cross_entropy", samples=60, weighted=True),
    "deep": random_problem(rng(2), (3, 6, 5, 4, 2), ["silu", "erf", "softplus"], loss="logistic", samples=40, l2=0.1),
    "many classes": random_problem(rng(3), (3, 5, 40), "tanh", loss="cross_entropy", samples=30, weighted=True),
    "classes alone": random_problem(rng(4), (2, 30), "tanh", loss="cross_entropy", samples=30),
    "bent classes": random_problem(
        rng(5), (2, 3, 12), "tanh", output_activation="softplus", loss="cross_entropy", samples=30
    ),
    "many outputs": random_problem(rng(6), (2, 4, 3, 25), "gelu", samples=30),
}


@pytest.mark.parametrize("name", AUTODIFF)
def test_autodiff(name: str) -> None:
    problem = AUTODIFF[name]
    v = rng().standard_normal(problem.num_parameters)
    expected = AutodiffReference(problem).derivatives(problem.theta, v)
    objective = problem.objective()
    results = computed(objective, problem.theta) | {"product": objective.hvp(problem.theta, v)}
    assert results.keys() == expected.keys()
    scale = {"trace": np.abs(expected["diagonal"]).sum(), "diagonal": np.abs(expected["hessian"]).max()}
    for key, value in results.items():
        assert_close(
            value, expected[key], parameters=problem.num_parameters, scale=scale.get(key), relative=BOTH, what=key
        )


@pytest.mark.parametrize("loss", LOSSES)
def test_identities_of_a_large_problem(loss: str) -> None:
    """GGN = Σ w JᵀMJ / Σ w + l2 and ∇L = Σ w Jᵀr / Σ w + l2 θ from the objective's own Jacobian and residual."""
    problem = random_problem(rng(), (7, 30, 12, 3), "tanh", loss=loss, samples=700, weighted=True, l2=0.01)
    objective, theta, parameters = problem.objective(), problem.theta, problem.num_parameters
    jacobian = objective.jacobian(theta).reshape(700, 3, parameters)
    residual = objective.residual(theta).reshape(700, 3)
    weights = problem.normalised_weights.astype(float)
    curvatures = AutodiffReference(problem).curvatures(objective.outputs(theta))
    curved = weights[:, None, None] * curvatures @ jacobian
    gauss_newton = jacobian.reshape(-1, parameters).T @ curved.reshape(-1, parameters) + 0.01 * np.eye(parameters)
    gradient = np.einsum("n,nk,nkp->p", weights, residual, jacobian) + 0.01 * theta
    hessian = objective.hessian(theta)
    assert_close(objective.gauss_newton(theta), gauss_newton, parameters=parameters, relative=BOTH, what="GGN")
    assert_close(objective.gradient(theta), gradient, parameters=parameters, relative=BOTH, what="gradient")
    v = rng().standard_normal((parameters, 5))
    size = np.abs(hessian).sum(axis=1).max() * np.abs(v).max()
    assert_close(objective.hvp(theta, v), hessian @ v, parameters=1, scale=size, what="Hv")
    diagonal = objective.hessian_diagonal(theta)
    assert_close(diagonal, np.diagonal(hessian), parameters=parameters, scale=np.abs(hessian).max(), what="diagonal")
    assert_close(objective.hessian_trace(theta), np.trace(hessian), parameters=1, scale=np.abs(diagonal).sum())


# Few outputs and many, about as many as the last hidden layer has neurons; widths that no tile divides.
DEEP = [(2, 3, 7, 1), (3, 7, 9, 6), (2, 5, 6, 9), (2, 5, 6, 6), (2, 3, 5, 4, 2), (3, 6, 4, 5, 9), (2, 4, 7, 6, 8),
        (2, 3, 1, 4, 1, 3), (3, 5, 6, 4, 7, 3, 5), (2, 21, 22, 23, 40)]  # fmt: skip


@pytest.mark.parametrize("bend", ["tanh", "leaky_relu(0.3)", "curved output"])
@pytest.mark.parametrize("loss", LOSSES)
def test_curvature_along_neurons_of_deep_networks(loss: str, bend: str) -> None:
    """The diagonal of the Hessian, and blocks of neurons in it and in the Gauss–Newton matrix, are theirs."""
    for count, widths in zip((1, 7, 8, 9, 16, 23, 40, 63, 64, 79), DEEP, strict=True):
        if loss == "cross_entropy" and widths[-1] == 1:
            continue
        output = "softplus" if bend == "curved output" else "identity"
        hidden = "tanh" if bend == "curved output" else bend
        problem = random_problem(
            rng(count), widths, hidden, output_activation=output, loss=loss, samples=count, weighted=True, l2=0.1
        )
        objective = problem.objective()
        for theta in (problem.theta.astype(np.float64), problem.theta.astype(np.longdouble)):
            eps = np.finfo(theta.dtype).eps
            for name in ("hessian", "gauss_newton"):
                matrix = getattr(objective, name)(theta)
                # Some hundreds of products of sizes that cancel, each rounded, in both.
                allowed = 200 * eps * np.abs(matrix).max()
                blocks = ho.block_diagonal(objective, theta, matrix=name, by="neuron")
                for at, block in zip(blocks.parameters, blocks.blocks, strict=True):
                    assert np.abs(block - matrix[np.ix_(at, at)]).max() <= allowed
                if name == "hessian":
                    assert np.abs(objective.hessian_diagonal(theta) - np.diagonal(matrix)).max() <= allowed


@pytest.mark.parametrize("loss", LOSSES)
def test_diagonal_of_deep_networks_does_not_depend_on_threads(loss: str) -> None:
    problem = random_problem(rng(), (3, 6, 4, 5, 9), "tanh", loss=loss, samples=1500)
    thetas = problem.theta + 0.1 * rng(1).standard_normal((3, problem.num_parameters))
    expected = problem.objective().hessian_diagonal(thetas)
    for threads in (1, 2, 3):
        objective = problem.objective(threads=threads)
        assert (objective.hessian_diagonal(thetas) == expected).all()
        assert (objective.hessian_diagonal(thetas[1]) == expected[1]).all()


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_batches_are_loops(dtype: type) -> None:
    problem = random_problem(rng(), (3, 5, 4, 2), "gelu", loss="cross_entropy", samples=37, l2=0.1)
    objective = problem.objective()
    theta = (problem.theta + rng(1).standard_normal((6, problem.num_parameters))).astype(dtype)
    for method in [*METHODS.values(), "value_and_gradient"]:
        together = getattr(objective, method)(theta)
        alone = [getattr(objective, method)(t) for t in theta]
        if method == "value_and_gradient":
            for part, parts in zip(together, zip(*alone, strict=True), strict=True):
                np.testing.assert_array_equal(part, np.stack(parts), strict=True)
        else:
            np.testing.assert_array_equal(together, np.stack(alone).astype(dtype), strict=True)


def test_products_by_shape() -> None:
    """v may be one vector, columns for all θ, or columns for each θ; results have v's shape and a batch's leading B."""
    problem = random_problem(rng(), (2, 4, 1), samples=9)
    objective, parameters = problem.objective(), problem.num_parameters
    theta = problem.theta + rng(1).standard_normal((3, parameters))
    v = rng(2).standard_normal((3, parameters, 5))
    hessians = objective.hessian(theta)
    cases: list[tuple[Any, Any, np.ndarray]] = [
        (theta[0], v[0, :, 0], hessians[0] @ v[0, :, 0]),
        (theta[0], v[0], hessians[0] @ v[0]),
        (theta, v[0, :, 0], hessians @ v[0, :, 0]),
        (theta, v[0], hessians @ v[0]),
        (theta, v, hessians @ v),
        (theta[0], v[0, :, :0], np.zeros((parameters, 0))),
    ]
    for at, vectors, expected in cases:
        product = objective.hvp(at, vectors)
        assert product.flags.c_contiguous
        assert_close(product, expected, parameters=parameters, scale=np.abs(hessians).max() * 10, what="Hv")


def test_linear_operator() -> None:
    problem = random_problem(rng(), (3, 6, 1), samples=50)
    objective, theta = problem.objective(), problem.theta.copy()
    hessian = objective.hessian(theta)
    operator = objective.hessian_operator(theta)
    theta[:] = 0.0  # the operator keeps its own copy
    size, scale = problem.num_parameters, 10 * np.abs(hessian).max()
    v = rng().standard_normal((size, 3))
    assert operator.shape == (size, size)
    assert operator.dtype == np.float64
    for product, expected in [
        (operator @ v, hessian @ v),
        (operator.T @ v, hessian @ v),
        (operator.H @ v[:, 0], hessian @ v[:, 0]),
        (operator @ v[:, :1], hessian @ v[:, :1]),
    ]:
        assert_close(product, expected, parameters=size, scale=scale, what="operator")
    largest = scipy.sparse.linalg.eigsh(operator, k=1, v0=np.ones(size), return_eigenvectors=False)[0]
    eigenvalues = np.linalg.eigvalsh(hessian)
    # eigsh converges to the machine precision relative to the largest eigenvalue.
    assert abs(largest - eigenvalues[np.abs(eigenvalues).argmax()]) < 1e-12 * abs(largest)


@pytest.mark.parametrize("options", [{"method": "trust-exact", "hess": True}, {"method": "trust-ncg", "hessp": True},
                                     {"method": "BFGS"}])  # fmt: skip
def test_methods_fit_scipy(options: dict[str, Any]) -> None:
    """Minimising a ridge regression, whose minimum solves a linear system."""
    x, y = rng().standard_normal((30, 3)), rng(1).standard_normal(30)
    objective = ho.Objective(ho.MLP([3, 1], bias=False), x, y, l2=0.1)
    solution = np.linalg.solve(x.T @ x / 30 + 0.1 * np.eye(3), x.T @ y / 30)
    given = {"hess": objective.hessian, "hessp": objective.hvp}
    options = {key: given.get(key, value) for key, value in options.items()}
    found = scipy.optimize.minimize(objective.loss, np.zeros(3), jac=objective.gradient, tol=1e-9, **options)
    # A gradient below the tolerance leaves an error of at most tolerance / λ_min, and λ_min ≥ l2.
    assert np.abs(found.x - solution).max() < 1e-9 * np.sqrt(3) / 0.1


def test_array_likes_are_converted_exactly() -> None:
    net = ho.MLP([2, 2, 1])
    x, y = [[1, 2], [3, 4], [0, -1]], [1, 0, 2]
    plain = ho.Objective(net, np.array(x, float), np.array(y, float)[:, None])
    theta = np.linspace(-1, 1, 9).astype(np.float32)
    expected = plain.hessian(theta.astype(float))
    for given in (x, np.asfortranarray(x), np.array(x, np.int8), np.array(x, np.float16), np.array(x, ">f8")):
        objective = ho.Objective(net, given, y)
        for at in (theta, theta.tolist(), np.repeat(theta, 2)[::2], theta.astype(">f8")):
            np.testing.assert_array_equal(objective.hessian(at), expected, strict=True)
    misaligned = np.frombuffer(b"\0" + theta.astype(float).tobytes(), np.uint8)[1:].view(float)
    np.testing.assert_array_equal(plain.hessian(misaligned), expected, strict=True)


def test_scalars_are_numbers() -> None:
    problem = random_problem(rng(), (2, 3, 1))
    objective = problem.objective()
    assert type(objective.loss(problem.theta)) is float
    assert type(objective.hessian_trace(problem.theta)) is float
    assert type(objective.value_and_gradient(problem.theta)[0]) is float
    assert type(objective.loss(problem.theta.astype(np.longdouble))) is np.longdouble
    assert type(objective.hessian_trace(problem.theta.astype(np.longdouble))) is np.longdouble
    assert objective.loss(problem.theta[None]).shape == (1,)


def test_overflow_is_no_error() -> None:
    objective = ho.Objective(ho.MLP([1, 1, 1], "square"), [[1.0]], [0.0])
    theta = np.array([1e200, 0.0, 1.0, 0.0])
    assert objective.outputs(theta) == np.inf
    for value in computed(objective, theta).values():
        assert not np.isfinite(value).all()


def test_data_are_copied_and_read_only() -> None:
    x, y, weight = rng().standard_normal((5, 2)), rng(1).standard_normal((5, 1)), np.ones(5)
    objective = ho.Objective(ho.MLP([2, 3, 1]), x, y, sample_weight=weight)
    theta = np.ones(13)
    before, extended = objective.hessian(theta), objective.hessian(theta.astype(np.longdouble))
    objective = ho.Objective(ho.MLP([2, 3, 1]), x, y, sample_weight=weight)  # has made no copy in longdouble yet
    x[:], y[:], weight[0] = 0.0, 0.0, 5.0
    np.testing.assert_array_equal(objective.hessian(theta), before)
    np.testing.assert_array_equal(objective.hessian(theta.astype(np.longdouble)), extended)
    for array in (objective.x, objective.y, objective.sample_weight):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_theta_is_left_alone() -> None:
    problem = random_problem(rng(), (2, 3, 1))
    theta = problem.theta.copy()
    theta.flags.writeable = False
    computed(problem.objective(), theta)
    np.testing.assert_array_equal(theta, problem.theta)


def test_pickles() -> None:
    problem = random_problem(rng(), (2, 3, 2), loss="cross_entropy", weighted=True, l2=0.5)
    objective = problem.objective(threads=2)
    again = pickle.loads(pickle.dumps(objective))
    assert repr(again) == repr(objective)
    assert (again.net, again.threads, again.num_samples) == (objective.net, 2, 5)
    for name, value in computed(objective, problem.theta).items():
        np.testing.assert_array_equal(computed(again, problem.theta)[name], value, strict=True)


def test_repr() -> None:
    net = ho.MLP([2, 3, 1])
    x, y = np.ones((4, 2)), np.ones(4)
    assert repr(ho.Objective(net, x, y)) == "Objective(MLP([2, 3, 1], 'tanh'), 4 samples, loss='squared_error')"
    assert (
        repr(ho.Objective(net, x, y, loss="logistic", sample_weight=y, l2=0.5))
        == "Objective(MLP([2, 3, 1], 'tanh'), 4 samples, loss='logistic', weighted, l2=0.5)"
    )
