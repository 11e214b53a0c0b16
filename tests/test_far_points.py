"""Points at the ends of the range of float64: a result that says what it is, or an error that says why; no warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import hessorbit as ho

X = np.random.default_rng(2).standard_normal((7, 2))
Y = np.tanh(X[:, 0])
ACTIVATIONS = ["exp", "relu", "square", "identity", "gelu", "sin"]
OTHERS = ["elu", "selu", "softsign", "leaky_relu", "sigmoid", "erf", "normal_cdf", "silu", "softplus", "cos", "tanh"]
SCALES = [1e-300, 1e-30, 1e3, 1e30, 1e150, 1e300]


def network(activation: str) -> tuple[ho.MLP, np.ndarray]:
    net = ho.MLP([2, 2, 1], activation)
    return net, np.random.default_rng(1).standard_normal(net.num_parameters)


def of_sizes(theta: np.ndarray, incoming: float, outgoing: float) -> np.ndarray:
    """θ of a network with two inputs and two neurons, whose weights are so many times as large."""
    sizes = np.ones(len(theta))
    sizes[:4], sizes[6:] = incoming, outgoing
    return sizes * theta


def calls(obj: Any) -> Iterator[tuple[str, Callable[[np.ndarray], object]]]:
    net = obj.net
    group, widening = ho.symmetries(net), ho.Widening(net, copies=[[2, 1]])
    yield "classify", lambda theta: ho.classify(obj, theta)
    yield "spectrum", lambda theta: shown(ho.spectrum(obj, theta))
    yield "vectors", lambda theta: ho.spectrum(obj, theta, vectors=True).participation_ratio
    yield "gauss_newton", lambda theta: repr(ho.spectrum(obj, theta, matrix="gauss_newton"))
    yield "inertia", lambda theta: ho.inertia(obj, theta)
    yield "zero_modes", lambda theta: repr(ho.zero_modes(obj, theta))
    yield "zero_modes of the network", lambda theta: repr(ho.zero_modes(net, theta))
    yield "hvp", lambda theta: obj.hvp(theta, np.ones(len(theta)))
    for method in ("lm", "newton", "flow"):
        yield method, lambda theta, method=method: ho.minimize(obj, theta, method=method, max_steps=5)
    yield "conserved", group.conserved
    yield "canonical", lambda theta: ho.canonical(net, theta)
    yield "equivalent", lambda theta: ho.equivalent(net, theta, net, theta)
    yield "widening", lambda theta: widening(theta)
    yield "widening's inertia", lambda theta: widening.inertia(obj, theta)
    yield "preconditioner", lambda theta: widening.block_preconditioner(theta)
    yield "best_conditioned", lambda theta: ho.best_conditioned(obj, theta, over=group, matrix="gauss_newton")
    yield "grow", lambda theta: ho.grow(obj, theta, widths=[3], max_nodes=1)


def shown(spectrum: ho.Spectrum) -> str:
    return repr(spectrum) + repr(spectrum.condition_number())


def check(call: Callable[[np.ndarray], object], theta: np.ndarray) -> None:
    """Warnings are errors, so that a call that warns fails here."""
    try:
        call(theta)
    except (ValueError, ArithmeticError) as error:
        message = str(error)
        assert "theta" in message or "search" in message, message
        assert "element" not in message, message
        assert ":" in message, message  # and a remedy


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_size_of_parameters(activation: str, scale: float) -> None:
    net, theta = network(activation)
    for _, call in calls(ho.Objective(net, X, Y)):
        check(call, scale * theta)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("incoming", "outgoing"), [(1e3, 1.0), (1.0, 1e200), (1e160, 1e-160), (1e-160, 1e160)])
def test_parts_of_different_sizes(activation: str, incoming: float, outgoing: float) -> None:
    net, theta = network(activation)
    for _, call in calls(ho.Objective(net, X, Y)):
        check(call, of_sizes(theta, incoming, outgoing))


@pytest.mark.parametrize("activation", OTHERS)
def test_other_activations(activation: str) -> None:
    """At the sizes at which most of them once failed."""
    net, theta = network(activation)
    for _, call in calls(ho.Objective(net, X, Y)):
        for at in (1e300 * theta, of_sizes(theta, 1e160, 1e-160)):
            check(call, at)


@pytest.mark.parametrize("activation", ["relu", "square", "leaky_relu"])
def test_what_is_conserved_is_the_difference_of_squares_that_overflow(activation: str) -> None:
    net, theta = network(activation)
    degree = 2 if activation == "square" else 1
    (values,) = ho.symmetries(net).conserved(1e300 * theta).values()
    (plain,) = ho.symmetries(net).conserved(theta).values()
    (weights, biases), (above, _) = net.unflatten(theta)
    assert plain == pytest.approx((weights**2).sum(axis=1) + biases**2 - degree * above[0] ** 2)
    assert (values == np.sign(plain) * np.inf).all()


@pytest.mark.parametrize("activation", ["softsign", "sigmoid"])
def test_a_copy_of_a_neuron_whose_curvature_overflows(activation: str) -> None:
    net, theta = network(activation)
    obj = ho.Objective(net, X, Y)
    large = of_sizes(theta, 1e300, 1e300)
    with pytest.raises(ValueError, match="overflows there: take smaller parameters"):
        ho.Widening(net, copies=[[2, 1]]).inertia(obj, large)


@pytest.mark.parametrize("activation", ["softsign", "sigmoid"])
def test_a_certificate_says_that_a_step_is_not_finite(activation: str) -> None:
    pytest.importorskip("flint")
    net, theta = network(activation)
    proof = ho.certify(ho.Objective(net, X, Y), of_sizes(theta, 1e160, 1e-160))
    assert not proof.proven
    assert "nan" not in proof.message


def test_a_factor_that_overflows_is_not_a_number() -> None:
    """As the gradient there is none either; and classify and minimize say so."""
    net, theta = network("erf")
    obj, large = ho.PopulationObjective(net, net, theta), of_sizes(theta, 1.0, 1e200)
    with pytest.warns(RuntimeWarning, match="errors up to inf, as some overflow"):
        factor = obj.gauss_newton_factor(large)
    assert np.isnan(factor).all()
    assert "overflows there" in ho.classify(obj, large).message
    assert ho.minimize(obj, large).outcome == "diverged"


def test_warnings_are_of_the_network_that_was_given() -> None:
    net, theta = network("tanh")
    obj = ho.PopulationObjective(net, net, theta)
    widening = ho.Widening(net, copies=[[2, 1]])
    with pytest.warns(RuntimeWarning, match="entries of the Hessian") as caught:
        widening.inertia(obj, 300 * theta)
    assert all(repr(net) in str(warning.message).split(", teacher=")[0] for warning in caught)


def test_steep_neurons_of_a_population_end_a_run_where_quadrature_errs() -> None:
    """The gradient, which errs too, promises a decrease at every step, while the loss rises."""
    net, teacher = ho.MLP([2, 3, 1]), ho.MLP([2, 2, 1])
    rng = np.random.default_rng(0)
    obj = ho.PopulationObjective(net, teacher, teacher.init(rng, scheme="normal(1)"))
    with pytest.warns(RuntimeWarning, match="entries of the Hessian"):
        result = ho.minimize(obj, 1000 * net.init(rng, scheme="normal(1)"), max_steps=1000)
    assert result.status is ho.Stop.STALLED
    assert result.trajectory.losses.min() == pytest.approx(result.fun, rel=1e-6)


@pytest.mark.filterwarnings("ignore:entries of the Hessian")  # as quadrature says that some overflow
@pytest.mark.parametrize("bias", [-1e30, -1e4, -800.0, 700.0, 800.0, 1e4])
def test_exponential_neurons_beyond_the_range(bias: float) -> None:
    """At the end of a run a bias may be anywhere: e^bias is 0, or overflows."""
    net = ho.MLP([1, 1, 1], "exp")
    theta = np.array([0.5, bias, 1.0, 0.1])
    samples = ho.Objective(net, X[:, :1], Y)
    population = ho.PopulationObjective(net, net, [0.5, 0.1, 1.0, 0.2])
    for obj in (samples, population):
        point = ho.classify(obj, theta)
        if bias > 0:
            assert point.kind == "not critical"
            assert "overflows there" in point.message
            with pytest.raises(ValueError, match=r"the Hessian overflows there: take smaller parameters, which reach"):
                ho.spectrum(obj, theta)
        else:
            # The neuron is silent, and the output's bias alone has a curvature, 1.
            assert point.num_positive == 1
            assert ho.spectrum(obj, theta).rank == 1
            assert ho.zero_modes(obj, theta).residuals.max() == 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-3])
def test_a_small_exponential_network_is_no_flat_place(scale: float) -> None:
    """Its Hessian has eigenvalues near −½, and its loss falls at once."""
    net, theta = network("exp")
    obj = ho.Objective(net, X, Y)
    point = ho.classify(obj, scale * theta)
    assert ho.spectrum(obj, scale * theta).min < -0.4
    assert point.kind in ("saddle", "not critical")
    if point.direction is not None:
        assert obj.loss(scale * theta + point.direction) < obj.loss(scale * theta)


def test_a_loss_that_is_the_same_all_over_is_drawn() -> None:
    net, theta = network("tanh")
    obj = ho.Objective(net, X, Y)
    for scale in (1e-300, 1e150):
        ho.plot.landscape(obj, scale * theta)
