"""Principal blocks of Hessians, and objectives of some parameters, the others held."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest

import hessorbit as ho

NETS = {
    "one output": ho.MLP([3, 8, 1]),
    "wide inputs": ho.MLP([12, 3, 1], "gelu"),
    "two outputs": ho.MLP([3, 5, 2], [["tanh", "relu", "erf", "softplus", "cos"]], parametrization="ntk"),
    "deep": ho.MLP([2, 4, 3, 5, 2], "sigmoid", bias=[True, False, True, False]),
    "linear": ho.MLP([3, 4]),
    "bent outputs": ho.MLP([2, 3, 3], output_activation="tanh"),
}
MATRICES = ("hessian", "gauss_newton")


def problem(net: ho.MLP, loss: str, samples: int = 37, **options: Any) -> tuple[ho.Objective, np.ndarray]:
    rng = np.random.default_rng(1)
    x, outputs = rng.standard_normal((samples, net.widths[0])), net.widths[-1]
    y = {
        "squared_error": rng.standard_normal((samples, outputs)),
        "cross_entropy": rng.integers(0, outputs, samples),
        "logistic": rng.uniform(0, 1, (samples, outputs)),
        "poisson": rng.uniform(0, 3, (samples, outputs)),
    }[loss]
    return ho.Objective(net, x, y, loss=loss, l2=0.01, **options), net.init(rng, "normal(0.7)")


def selections(net: ho.MLP) -> list[np.ndarray]:
    """Blocks by layer and neuron, one parameter, all backwards, and some of every layer in disorder."""
    rng, count = np.random.default_rng(2), net.num_parameters
    found = [np.array([count // 2]), np.arange(count)[::-1], rng.permutation(count)[: max(2, count // 3)]]
    for layer in range(1, net.num_layers + 1):
        parts = ["weights", "incoming", *(["bias"] if net.biases[layer - 1] else [])]
        parts += ["outgoing"] if layer < net.num_layers else []
        neurons = [None, [net.widths[layer] - 1], list(range(0, net.widths[layer], 2))]
        found += [net.block(layer=layer, part=part, neurons=some) for part in parts for some in neurons]
    return found


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "logistic", "poisson"])
@pytest.mark.parametrize("name", NETS)
def test_blocks_are_parts_of_the_matrix(name: str, loss: str) -> None:
    if loss == "cross_entropy" and NETS[name].widths[-1] == 1:
        loss = "squared_error"
    obj, theta = problem(NETS[name], loss)
    for matrix in MATRICES:
        whole = getattr(obj, matrix)(theta)
        for chosen in selections(obj.net):
            block = getattr(obj, matrix)(theta, parameters=chosen)
            assert (block == block.T).all()
            # Both add the same 37 products, in other orders.
            assert np.abs(block - whole[np.ix_(chosen, chosen)]).max() <= 1e-14 * np.abs(whole).max()


def test_blocks_of_large_matrices() -> None:
    """More than 256 parameters are formed in another way, in one block or in both; many samples too."""
    obj, theta = problem(ho.MLP([6, 50, 2], "erf"), "squared_error", samples=3000)
    whole = obj.hessian(theta)
    mask = np.zeros(len(theta), bool)
    mask[obj.net.block(layer=1, part="incoming", neurons=range(45))] = True
    for chosen in (mask, obj.net.block(layer=1, part="outgoing"), np.arange(0, len(theta), 5)):
        block = obj.hessian(theta, parameters=chosen)
        rows = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        # 3000 products of size 1, in other orders.
        assert np.abs(block - whole[np.ix_(rows, rows)]).max() <= 1e-13 * np.abs(whole).max()
        other = ho.Objective(obj.net, obj.x, obj.y, l2=0.01, threads=1).hessian(theta, parameters=chosen)
        assert np.array_equal(block, other)
    batch = np.array([theta, 0.5 * theta, -theta])
    alone = [obj.hessian(one, parameters=[3, 1]) for one in batch]
    assert np.array_equal(obj.hessian(batch, parameters=[3, 1]), alone)
    assert obj.hessian(batch[:0], parameters=[3, 1]).shape == (0, 2, 2)


def test_blocks_in_extended_precision_and_beyond_its_range() -> None:
    obj, theta = problem(NETS["one output"], "squared_error")
    extended = obj.hessian(theta.astype(np.longdouble), parameters=[4, 0])
    assert extended.dtype == np.longdouble
    assert np.abs(extended - obj.hessian(theta, parameters=[4, 0])).max() <= 1e-14
    # The products overflow on the way, not in the end.
    far = ho.Objective(ho.MLP([1, 1, 1], "identity", bias=False), [[1e-160]], [0.0])
    at = np.array([1.0, 1e160])
    assert np.array_equal(far.hessian(at, parameters=[0]), far.hessian(at)[:1, :1])
    assert far.hessian(at, parameters=[0]) == pytest.approx(1.0)


BAD = [
    ([], ValueError, "must name at least one parameter; got none"),
    ([0, 3, 3], ValueError, "must not name a parameter twice; got 3 more than once"),
    ([0, 41], ValueError, "must hold positions of parameters from 0 to 40; got 41"),
    ([-1], ValueError, "must hold positions of parameters from 0 to 40; got -1"),
    ([0.0], TypeError, "must be a sequence of integers"),
    (3, TypeError, "must be a sequence of integers"),
    ([[0, 1]], TypeError, "must be a sequence of integers"),
    ("weights", TypeError, "must hold real numbers"),
    ([True, False], ValueError, "must have shape (41,) if it is a mask"),
    (np.zeros(41, bool), ValueError, "must name at least one parameter"),
]


@pytest.mark.parametrize(("chosen", "kind", "message"), BAD, ids=[str(case[0])[:20] for case in BAD])
def test_bad_positions(chosen: Any, kind: type[Exception], message: str) -> None:
    obj, theta = problem(NETS["one output"], "squared_error")
    pop = ho.PopulationObjective(obj.net, obj.net, theta)
    for objective in (obj, pop):
        with pytest.raises(kind, match="parameters " + re.escape(message)):
            objective.hessian(theta, parameters=chosen)
        with pytest.raises(kind, match="free " + re.escape(message)):
            objective.restricted(theta, chosen)


def both() -> list[tuple[Any, np.ndarray]]:
    rng = np.random.default_rng(3)
    net, teacher = ho.MLP([3, 4, 2], [["tanh", "relu", "erf", "cos"]]), ho.MLP([3, 2, 2], "gelu")
    pop = ho.PopulationObjective(net, teacher, teacher.init(rng, "normal(1)"), l2=0.1, mean=[0.1, 0.2, 0.3])
    x = rng.standard_normal((30, 3))
    return [(ho.Objective(net, x, rng.standard_normal((30, 2)), l2=0.1), net.init(rng)), (pop, net.init(rng))]


@pytest.mark.parametrize("index", [0, 1], ids=["samples", "population"])
def test_restricted_objective_is_the_whole_at_the_full_point(index: int) -> None:
    obj, theta = both()[index]
    net, rng = obj.net, np.random.default_rng(4)
    for free in (net.block(layer=1, part="weights"), [5, 0, 2, 20, 13, 16, 24], net.block(layer=2, part="bias")):
        sub, part = obj.restricted(theta, free), theta[free] + 0.1
        at = theta.copy()
        at[free] += 0.1
        assert np.array_equal(sub.full(part), at)
        assert sub.num_parameters == len(free)
        assert sub.loss(part) == obj.loss(at)
        value, gradient = sub.value_and_gradient(part)
        assert value == obj.loss(at)
        assert np.array_equal(gradient, obj.gradient(at)[free])
        assert np.array_equal(sub.gradient(part), gradient)
        v, rows = rng.standard_normal((len(free), 3)), np.ix_(free, free)
        hessian = obj.hessian(at)[rows]
        size = 1e-14 * np.abs(obj.hessian(at)).max()
        assert np.abs(sub.hessian(part) - hessian).max() <= size
        assert np.abs(sub.gauss_newton(part) - obj.gauss_newton(at)[rows]).max() <= size
        factor = sub.gauss_newton_factor(part)
        assert np.abs(factor.T @ factor + 0.1 * np.eye(len(free)) - obj.gauss_newton(at)[rows]).max() <= 10 * size
        # A product adds up to 26 terms of the matrix.
        assert np.abs(sub.hvp(part, v) - hessian @ v).max() <= 100 * size
        assert np.abs(sub.hvp(part, v[:, 0]) - hessian @ v[:, 0]).max() <= 100 * size
        assert np.abs(sub.hessian_operator(part) @ v - hessian @ v).max() <= 100 * size
        assert np.abs(sub.hessian_diagonal(part) - np.diag(hessian)).max() <= size
        assert sub.hessian_trace(part) == pytest.approx(np.trace(hessian), rel=1e-13)
        batch = np.stack([part, 2 * part])
        assert np.array_equal(sub.hessian(batch)[0], sub.hessian(part))
        assert np.array_equal(sub.gradient(batch)[1], sub.gradient(2 * part))
        assert sub.hvp(batch, v).shape == (2, len(free), 3)
        assert sub.hvp(batch, np.stack([v, v])).shape == (2, len(free), 3)
        copy = pickle.loads(pickle.dumps(sub))
        assert np.array_equal(copy.hessian(part), sub.hessian(part))
        if len(free) > 2:
            less = sub.restricted(part, [2, 1])
            assert np.array_equal(less.free, np.asarray(free)[[2, 1]])
            assert np.array_equal(less.full(part[[2, 1]]), at)
            assert np.array_equal(sub.hessian(part, parameters=[2, 1]), less.hessian(part[[2, 1]]))


def test_restricted_objective_in_extended_precision() -> None:
    obj, theta = both()[0]
    sub = obj.restricted(theta, [3, 7])
    part = theta[[3, 7]].astype(np.longdouble)
    assert sub.hessian(part).dtype == np.longdouble
    assert np.abs(sub.hessian(part) - sub.hessian(theta[[3, 7]])).max() <= 1e-14


def test_shapes_of_restricted_arguments() -> None:
    obj, theta = both()[0]
    sub = obj.restricted(theta, [3, 7])
    with pytest.raises(ValueError, match=re.escape("theta must have shape (2,) or (B, 2), with 2 of 26 parameters")):
        sub.loss(theta)
    with pytest.raises(ValueError, match=re.escape("v must have shape (2,) or (2, m); got (26,)")):
        sub.hvp(theta[[3, 7]], theta)
    with pytest.raises(ValueError, match=re.escape("theta must have shape (26,)")):
        obj.restricted(theta[:2], [3, 7])
    with pytest.raises(ValueError, match=re.escape("theta must have shape (2,)")):
        ho.minimize(sub, theta)


METHODS = {
    "gd": {"learning_rate": 0.3},
    "momentum": {"learning_rate": 0.1},
    "adam": {"learning_rate": 0.05},
    "lm": {},
    "newton": {},
    "lbfgs": {},
    "flow": {},
}


@pytest.mark.parametrize("method", METHODS)
def test_minimise_over_some_weights_of_a_linear_model(method: str) -> None:
    """Ridge regression on two of four columns, the others' share subtracted."""
    rng = np.random.default_rng(5)
    x, y, l2 = rng.standard_normal((60, 4)), rng.standard_normal(60), 0.05
    obj = ho.Objective(ho.MLP([4, 1], bias=False), x, y, l2=l2)
    theta, free = rng.standard_normal(4), [2, 0]
    held = x[:, [1, 3]] @ theta[[1, 3]]
    expected = np.linalg.solve(x[:, free].T @ x[:, free] / 60 + l2 * np.eye(2), x[:, free].T @ (y - held) / 60)
    result = ho.minimize(obj.restricted(theta, free), theta[free], method=method, tol=1e-9, **METHODS[method])
    assert result.outcome == "minimum"
    # The curvature is about 1.
    assert np.abs(result.x - expected).max() <= 1e-8


@pytest.mark.parametrize("method", METHODS)
def test_minimise_a_population_over_some_weights(method: str) -> None:
    """An erf student starts near its teacher; outgoing weights are held at 1, so that nothing is flat."""
    net = ho.MLP([2, 2, 1], "erf", bias=False)
    block = net.block(layer=1, part="weights")
    teacher = net.flatten([([[1.0, 0.2], [-0.3, 0.8]], None), ([[1.0, 1.0]], None)])
    sub = ho.PopulationObjective(net, net, teacher).restricted(teacher, block)
    options = {**METHODS[method], **({"learning_rate": 1.0} if method == "gd" else {})}
    result = ho.minimize(sub, teacher[block] + [0.1, -0.05, 0.05, 0.1], method=method, tol=1e-8, **options)
    assert result.outcome == "minimum"
    # The least curvature is above 0.01.
    assert np.abs(result.x - teacher[block]).max() <= 1e-6


def test_spectrum_of_a_block() -> None:
    obj, theta = problem(NETS["one output"], "squared_error")
    free = obj.net.block(layer=1, part="weights")
    sub = obj.restricted(theta, free)
    for matrix in MATRICES:
        spectrum = ho.spectrum(sub, theta[free], matrix=matrix, vectors=True)
        expected = np.linalg.eigvalsh(getattr(obj, matrix)(theta)[np.ix_(free, free)])
        assert np.abs(spectrum.eigenvalues - expected).max() <= spectrum.floor + 1e-14 * expected[-1]
        assert 0 < spectrum.floor < 1e-10
        assert spectrum.condition_number().of == len(free)
        assert len(spectrum.zero_modes) == 0
    pop = ho.PopulationObjective(obj.net, obj.net, 0.5 * theta).restricted(theta, free)
    spectrum = ho.spectrum(pop, theta[free])
    assert np.abs(spectrum.eigenvalues - np.linalg.eigvalsh(pop.hessian(theta[free]))).max() <= spectrum.floor
    with pytest.raises(ValueError, match="digits is for an Objective on samples; got a RestrictedObjective"):
        ho.spectrum(sub, theta[free], digits=10)


def test_few_samples_and_many_free_parameters() -> None:
    """The Gram matrix of the free columns gives the spectrum."""
    obj, theta = problem(ho.MLP([3, 20, 1]), "squared_error", samples=5)
    free = obj.net.block(layer=1, part="incoming")
    spectrum = ho.spectrum(obj.restricted(theta, free), theta[free], matrix="gauss_newton")
    expected = np.linalg.eigvalsh(obj.gauss_newton(theta)[np.ix_(free, free)])
    assert np.abs(spectrum.eigenvalues - expected).max() <= 1e-14 * expected[-1]


def test_zero_modes_leave_the_held_parameters_alone() -> None:
    rng = np.random.default_rng(6)
    net = ho.MLP([2, 3, 1], "relu")
    theta = net.init(rng, "normal(1)")
    theta[net.block(layer=1, part="outgoing", neurons=[1])] = 0
    first, third = (net.block(layer=1, part="incoming", neurons=[neuron]) for neuron in (0, 2))
    theta[third] = 2 * theta[first]
    pop = ho.PopulationObjective(net, net, net.init(rng, "normal(1)"))
    # Rescalings need both sides; a dead neuron has 3 incoming parameters; related ones exchange outgoing weights.
    incoming, outgoing = net.block(layer=1, part="incoming"), net.block(layer=1, part="outgoing")
    for free, flat, more in ((incoming, 3, 3), (outgoing, 1, 0), (net.block(layer=2, part="bias"), 0, 0)):
        sub = pop.restricted(theta, free)
        modes = ho.zero_modes(sub, theta[free])
        kinds = list(modes.kinds)
        assert (kinds.count("flat"), kinds.count("first-order")) == (flat, more)
        matrix = sub.gauss_newton(theta[free])
        assert np.linalg.norm(matrix @ modes.basis) <= 1e-13 * np.linalg.norm(matrix)
        null = (np.linalg.eigvalsh(matrix) < 1e-13 * np.linalg.norm(matrix)).sum()
        assert null == len(modes)
        quotient = ho.spectrum(sub, theta[free], matrix="gauss_newton").condition_number()
        assert quotient.directions == len(free) - len(modes)
        assert np.isfinite(quotient)


def test_best_conditioned_wants_all_parameters() -> None:
    obj, theta = problem(NETS["one output"], "squared_error")
    sub = ho.Objective(obj.net, obj.x, obj.y).restricted(theta, [0, 1])
    with pytest.raises(TypeError, match="obj must have all parameters free"):
        ho.best_conditioned(sub, theta[:2], widths=[9])


def test_restricted_objectives_are_restricted_by_their_method() -> None:
    obj, theta = both()[0]
    sub = obj.restricted(theta, [3, 7])
    with pytest.raises(TypeError, match="objective must be an Objective or a PopulationObjective; got a Restricted"):
        ho.RestrictedObjective(sub, theta[[3, 7]], [0])  # type: ignore[arg-type]


def test_neurons_without_free_parameters_are_held() -> None:
    """The gradient and the block in the parameters of two of five neurons are those of the whole."""
    rng = np.random.default_rng(7)
    net = ho.MLP([3, 5, 2], [["tanh", "relu", "erf", "cos", "relu"]], bias=[True, False])
    teacher = ho.MLP([3, 2, 2], "erf")
    pop = ho.PopulationObjective(net, teacher, teacher.init(rng))
    theta = net.init(rng, size=3)
    bias, outgoing = net.block(layer=1, part="bias", neurons=[1]), net.block(layer=1, part="outgoing", neurons=[4])
    free = np.concatenate([outgoing, bias])
    sub = pop.restricted(theta[0], free)
    for at in theta:
        full = sub.full(at[free])
        assert np.abs(sub.gradient(at[free]) - pop.gradient(full)[free]).max() <= 1e-14
        assert np.abs(sub.hessian(at[free]) - pop.hessian(full)[np.ix_(free, free)]).max() <= 1e-14
    assert sub.gradient(np.zeros((0, len(free)))).shape == (0, len(free))


def test_levenberg_marquardt_over_some_weights_of_a_population_converges_at_once() -> None:
    """At zero residual its steps are Newton's: the gradient is squared by each."""
    net = ho.MLP([2, 2, 1], "erf", bias=False)
    teacher = net.flatten([(np.eye(2), None), ([[1.0, 1.0]], None)])
    sub = ho.PopulationObjective(net, net, teacher).restricted(teacher, net.block(layer=1, part="weights"))
    result = ho.minimize(sub, [0.9, 0.2, -0.1, 0.6], tol=1e-12)
    assert result.outcome == "minimum"
    assert result.nit <= 8
    assert np.abs(result.x - np.eye(2).ravel()).max() <= 1e-10
    factor = sub.gauss_newton_factor(result.x)
    products = factor @ factor.T
    assert np.abs(products - np.diag(np.diag(products))).max() <= 1e-15
