"""Proofs of critical points: against 50 digits and a second interval arithmetic, and points that must not be proven."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.balls.arithmetic import balls, floats, precision
from hessorbit.balls.samples import SampleLoss
from hessorbit.critical.invariances import invariances
from oracles import intervals, jets, taylor
from oracles.planted import LINKS
from oracles.problem import ACTIVATIONS, LOSSES, Problem, random_problem

INTERVALS = {"tanh": intervals.tanh, "relu": intervals.relu, "sin": intervals.sine}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def planted(widths: Any, activation: Any, seed: int, loss: str = "squared_error", **options: Any) -> Problem:
    """A problem whose θ fits the targets to rounding."""
    problem = random_problem(rng(seed), widths, activation, loss=loss, integer_labels=False, samples=24, **options)
    return problem.replace(y=LINKS[loss](problem.network()(problem.theta, problem.x)))


def eigenvalues50(problem: Problem, theta: np.ndarray) -> list[Any]:
    matrix = jets.evaluate(problem.replace(theta=theta), digits50=True).total("hessian")
    return sorted(taylor.context.eigsy(taylor.context.matrix(matrix.tolist()), eigvals_only=True))


def agree(proof: ho.Certificate, problem: Problem) -> None:
    """The bounds hold for what 50 digits say at the float64 point, up to what its rounding changes."""
    assert proof.proven, proof.message
    assert proof.eigenvalues is not None
    assert proof.inertia is not None
    assert proof.condition_number is not None
    values = np.array([float(value) for value in eigenvalues50(problem, proof.theta)])
    # Rounding θ moves H by at most a few eps times its third derivatives, which are of the order of ‖H‖ here.
    slack = 1e-13 * np.abs(values).max()
    assert (proof.eigenvalues[:, 0] - slack <= values).all()
    assert (values <= proof.eigenvalues[:, 1] + slack).all()
    negative, zero, positive = proof.inertia
    assert (negative + zero + positive, (values < -slack).sum(), (values > slack).sum()) == (
        problem.num_parameters, negative, positive
    )  # fmt: skip
    low, high = proof.condition_number
    assert 1 <= low <= high <= low * (1 + 1e-9)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)"])
def test_every_activation(activation: str) -> None:
    problem = planted((2, 2, 1), activation, 5)
    proof = ho.certify(problem.objective(), problem.theta)
    agree(proof, problem)
    assert proof.kind == "minimum"
    assert proof.radius is not None
    assert proof.radius > 0
    assert proof.loss is not None
    assert 0 <= proof.loss[1] <= 1e-30


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_every_loss_of_a_deep_network(loss: str, l2: float) -> None:
    problem = planted((2, 2, 2, 2), ("tanh", "gelu"), 3, loss, weighted=True, parametrization="ntk", l2=l2)
    obj = problem.objective()
    theta = ho.minimize(obj, problem.theta, method="newton", tol=1e-12, max_steps=200).x if l2 else problem.theta
    proof = ho.certify(obj, theta)
    agree(proof, problem)
    # The cross-entropy does not see the same vector added to all rows of the last weights and biases.
    blind = 3 if loss == "cross_entropy" and not l2 else 0
    assert proof.inertia == (0, blind, problem.num_parameters - blind)


@pytest.mark.parametrize(
    ("activation", "loss"), [("tanh", "squared_error"), ("sin", "logistic"), ("relu", "squared_error")]
)
def test_against_a_second_interval_arithmetic(activation: str, loss: str) -> None:
    """Krawczyk's test in intervals with end points proves the same point, and its bounds and the certificate's meet."""
    l2 = 0.001  # makes the critical point of relu isolated
    problem = planted((1, 2, 1), activation, 1, loss, l2=l2)
    obj = problem.objective()
    proof = ho.certify(obj, ho.minimize(obj, problem.theta, method="newton", tol=1e-13).x)
    assert proof.proven, proof.message
    assert proof.loss is not None
    assert proof.radius is not None
    iv, count = intervals.iv, problem.num_parameters
    of = {"squared_error": intervals.squared_error, "logistic": intervals.logistic}[loss]

    def over(radius: float) -> intervals.Jet:
        reach = iv.mpf([-radius, radius])
        box = [iv.mpf(float(value)) + reach for value in proof.theta]
        return intervals.loss_over(box, problem.x, problem.y.ravel(), 2, INTERVALS[activation], of, l2)

    # A box within the ball of the certificate, as long as its rounding does not matter.
    radius = min(proof.radius / count**0.5, 1e-7)
    inverse = np.linalg.inv(obj.hessian(proof.theta))
    at, box = over(0.0), over(radius)
    moved = iv_matrix(inverse) @ at.first
    spread = iv_matrix(np.eye(count)) - iv_matrix(inverse) @ box.second
    reach = [iv.mpf([-radius, radius])] * count
    image = -moved + spread @ np.array(reach)
    assert all(-radius < value.a and value.b < radius for value in image)
    small = over(float(max(max(abs(value.a), abs(value.b)) for value in moved)) * 2)
    assert small.value.a <= proof.loss[1]
    assert proof.loss[0] <= small.value.b
    signs = np.linalg.eigvalsh(obj.hessian(proof.theta))
    assert proof.inertia == (int((signs < 0).sum()), 0, int((signs > 0).sum()))


def iv_matrix(array: np.ndarray) -> np.ndarray:
    return np.array([[intervals.iv.mpf(float(value)) for value in row] for row in array], object)


def test_saddles_are_proven_as_such() -> None:
    """At θ = 0 the penalised loss of an odd network without output bias is critical; it is a saddle if l2 is small."""
    net = ho.MLP([2, 2, 1], bias=[True, False])
    x = rng(2).standard_normal((12, 2))
    obj = ho.Objective(net, x, x[:, 0] - 2 * x[:, 1], l2=0.01)
    proof = ho.certify(obj, np.full(net.num_parameters, 1e-9))
    values = np.linalg.eigvalsh(obj.hessian(np.zeros(net.num_parameters)))
    assert (proof.kind, proof.proven) == ("saddle", True)
    assert proof.inertia == (int((values < 0).sum()), 0, int((values > 0).sum()))
    assert proof.inertia[0] == 2
    assert np.abs(proof.theta).max() < 1e-30


@pytest.mark.parametrize(
    ("net", "data"),
    [
        (ho.MLP([2, 3, 1], "relu"), None),
        (ho.MLP([2, 2, 2, 2], "identity"), None),
        (ho.MLP([2, 2, 1], "exp", parametrization="ntk"), None),
        (ho.MLP([3, 2, 1], parametrization="ntk"), "low rank"),
        (ho.MLP([2, 2, 1], "relu"), "on and off"),
    ],
    ids=["rescaling", "linear", "exponential", "low rank", "on and off"],
)
def test_orbits(net: ho.MLP, data: str | None) -> None:
    """The number of zero eigenvalues is the dimension of the orbit, and the bounds are those at another point of it."""
    x = rng(3).integers(-128, 128, (60, net.widths[0])) / 64
    theta = net.init(rng(4), "normal(0.8)")
    if data == "low rank":
        x[:, 2] = 2 * x[:, 0] + 1
    if data == "on and off":
        theta[net.block(layer=1, part="bias")] = [30.0, -30.0]
    y = net(theta, x) if set(net.activations[0]) != {"identity"} else rng(5).standard_normal((60, net.widths[-1]))
    obj = ho.Objective(net, x, y)
    if set(net.activations[0]) == {"identity"}:
        theta = ho.minimize(obj, theta, method="newton", tol=1e-13).x
    proof = ho.certify(obj, theta)
    assert proof.proven, proof.message
    assert proof.inertia is not None
    values = np.abs(np.linalg.eigvalsh(obj.hessian(proof.theta)))
    assert proof.inertia[1] == (values < 1e-12 * values.max()).sum()
    moved = ho.symmetries(net).random(rng(6), scale=0.2)(proof.theta)
    again = ho.certify(obj, moved)
    assert again.proven, again.message
    assert again.inertia == proof.inertia
    assert again.loss is not None
    assert proof.loss is not None
    assert again.loss[0] <= proof.loss[1]
    assert proof.loss[0] <= again.loss[1]


def test_points_that_are_not_critical() -> None:
    problem = planted((2, 3, 1), "tanh", 1)
    proof = ho.certify(problem.objective(), problem.theta + 0.3)
    assert not proof.proven
    assert (proof.kind, proof.loss, proof.eigenvalues, proof.radius) == ("not proven", None, None, None)
    assert "not near an isolated critical point" in proof.message or "beyond" in proof.message


def test_neurons_to_spare_are_not_isolated() -> None:
    problem = planted((2, 2, 1), "tanh", 2)
    wide = ho.Widening(problem.network(), copies=[[2, 1]])
    obj = ho.Objective(wide.net, problem.x, problem.y)
    proof = ho.certify(obj, wide(problem.theta))
    assert not proof.proven
    assert "related, outgoing weights moved between them" in proof.message


def test_a_loss_that_depends_on_nothing() -> None:
    obj = ho.Objective(ho.MLP([1, 1, 1], "relu", bias=False), [[1.0], [2.0]], [0.5, 0.7])
    proof = ho.certify(obj, [-1.0, 1.0])
    assert not proof.proven
    assert "does not depend on any parameter" in proof.message


def test_a_critical_point_without_curvature_is_not_isolated() -> None:
    net = ho.MLP([1, 2, 1])
    proof = ho.certify(ho.Objective(net, [[1.0], [2.0]], [0.0, 0.0]), np.zeros(net.num_parameters))
    assert not proof.proven
    # Of seven parameters only the output bias changes the outputs to first order.
    assert "the gradient is zero, and so is the curvature in 6 of the 7 directions" in proof.message
    assert "nan" not in proof.message


def test_a_nearly_flat_direction_is_not_proven() -> None:
    """A merging pair with opposite outgoing weights, as on the way to infinity: its smallest curvature is rounding."""
    net = ho.MLP([1, 2, 1])
    x = np.linspace(-2, 2, 30)[:, None]
    theta = np.array([1.0, 1.0 + 1e-7, 0.3, 0.3 + 1e-7, 1e7, -1e7, 0.1])
    obj = ho.Objective(net, x, np.sin(2 * x[:, 0]))
    proof = ho.certify(obj, theta)
    assert not proof.proven
    assert proof.kind == "not proven"


def test_a_sample_at_a_kink_is_named() -> None:
    problem = planted((2, 2, 1), "relu", 6)
    weights, biases = problem.network().unflatten(problem.theta)[0]
    x = problem.x.copy()
    x[7] -= weights[1] * (weights[1] @ x[7] + biases[1]) / (weights[1] @ weights[1])
    net = problem.network()
    proof = ho.certify(ho.Objective(net, x, net(problem.theta, x)), problem.theta)
    assert not proof.proven
    assert "sample 7" in proof.message
    assert "neuron 1 of layer 1" in proof.message
    weight = np.ones(len(x))
    weight[7] = 0
    assert ho.certify(ho.Objective(net, x, net(problem.theta, x), sample_weight=weight), problem.theta).proven


def test_a_residual_at_the_kink_of_huber_is_named() -> None:
    x = np.array([[1.0], [2.0], [3.0], [5.0]])
    obj = ho.Objective(ho.MLP([1, 1], bias=False), x, [1.0, 2.0, 4.0, 5.0 - 5.0 / 4.0 * 1.0], loss="huber", delta=1.0)
    theta = ho.minimize(obj, [1.0], method="newton", tol=1e-13).x
    residual = theta * x[:, 0] - obj.y[:, 0]
    obj = ho.Objective(obj.net, x, obj.y, loss="huber", delta=float(np.abs(residual).max()))
    proof = ho.certify(obj, ho.minimize(obj, theta, method="newton", tol=1e-13).x)
    assert proof.proven or "kink of the loss" in proof.message


@pytest.mark.parametrize("start", [0.0, 1e-9, -1e-9])
@pytest.mark.parametrize("sample", [0, 2])
def test_a_critical_point_on_the_kink_of_huber_is_not_proven(start: float, sample: int) -> None:
    """At w = 0 the clipped residuals −1, ½ and ½ cancel, the first of them at |f − y| = δ exactly."""
    y = np.roll([1.0, -0.5, -0.5], sample)
    obj = ho.Objective(ho.MLP([1, 1], bias=False), np.ones((3, 1)), y, loss="huber", delta=1.0)
    proof = ho.certify(obj, [start])
    assert not proof.proven
    assert proof.kind == "not proven"
    assert f"sample {sample}: a residual lies at the kink of the loss" in proof.message
    wider = ho.Objective(obj.net, obj.x, obj.y, loss="huber", delta=1.0 + 1e-6)
    assert ho.certify(wider, [start]).proven


def test_radius_and_digits() -> None:
    problem = planted((2, 2, 1), "tanh", 5)
    obj = problem.objective()
    proof = ho.certify(obj, problem.theta)
    assert proof.radius is not None
    within = ho.certify(obj, problem.theta, radius=proof.radius / 2, digits=50)
    assert (within.proven, within.radius, within.digits) == (True, proof.radius / 2, 50)
    beyond = ho.certify(obj, problem.theta, radius=10.0)
    assert not beyond.proven
    assert "does not contract" in beyond.message
    far = ho.certify(obj, problem.theta + 1e-4, radius=1e-6)
    assert not far.proven
    assert "beyond radius" in far.message
    near = ho.certify(obj, problem.theta + 1e-4)
    assert near.proven
    assert near.distance == pytest.approx(1e-4 * 3, rel=1e-6)
    assert dataclasses.is_dataclass(near)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"obj": "net"}, TypeError, "obj must be"),
        ({"theta": np.zeros(8)}, ValueError, "theta must have shape"),
        ({"theta": np.full(9, np.nan)}, ValueError, "theta must be finite"),
        ({"theta": np.zeros((2, 9))}, ValueError, "theta must have shape"),
        ({"theta": np.zeros(9, np.longdouble)}, TypeError, "theta must be float64"),
        ({"radius": 0.0}, ValueError, "radius must be positive"),
        ({"radius": "wide"}, TypeError, "radius"),
        ({"digits": 8}, ValueError, "digits must be at least 16"),
        ({"digits": 32.0}, TypeError, "digits must be an integer"),
    ],
)
def test_bad_input(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    problem = planted((2, 2, 1), "tanh", 5)
    arguments = {"obj": problem.objective(), "theta": problem.theta} | changes
    if np.dtype(np.longdouble).itemsize > 8 or "float64" not in message:
        with pytest.raises(error, match=message):
            ho.certify(arguments.pop("obj"), arguments.pop("theta"), **arguments)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = planted((2, 2, 1), "tanh", 5)
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(ImportError, match=r"hessorbit\[certify\]"):
        ho.certify(problem.objective(), problem.theta)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)"])
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_nothing_changes_along_an_invariance(activation: str, l2: float) -> None:
    """∇Lᵀ t(θ) = 0 at points that are not critical, with the gradient of the core."""
    for seed, (widths, options) in enumerate(
        [
            ((2, 3, 1), {}),
            ((2, 2, 3, 1), {"parametrization": "ntk"}),
            ((3, 2, 2, 3), {"loss": "cross_entropy", "biases": (True, False, True)}),
        ]
    ):
        problem = random_problem(rng(seed), widths, [activation] * (len(widths) - 2), samples=4, l2=l2, **options)
        problem.x[:, -1] = 2 * problem.x[:, 0]
        with precision(100):
            moves = floats(invariances(SampleLoss(problem.objective()), balls(problem.theta)))
        gradient = problem.objective().gradient(problem.theta)
        # Each entry of the gradient has a few roundings per sample and layer.
        scale = np.abs(moves).T @ np.abs(gradient) + np.abs(gradient).max()
        assert (np.abs(moves.T @ gradient) <= 1e-13 * scale).all()
        if not l2:
            assert moves.shape[1] > 0
