"""Teachers that are refused, and with what advice; which sets of minima are called complete."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.minima import ReducibleTeacherError


def network(width: int, activation: str = "tanh", bias: Any = True) -> ho.MLP:
    return ho.MLP([2, width, 2], activation, bias=bias)


def planted(fault: str, activation: str, bias: Any = True) -> tuple[ho.MLP, np.ndarray]:
    """A teacher of four neurons with one fault."""
    net = network(4, activation, bias)
    theta = net.init(np.random.default_rng(0), "normal(1)")
    (w, b), (v, _) = net.unflatten(theta)
    if fault == "dead":
        v[:, 2] = 0
    elif fault == "constant":
        w[2] = 0
    else:
        factor = {"duplicate": 1.0, "mirrored": -1.0, "scaled": 2.5}[fault]
        w[3] = factor * w[1]
        if b is not None:
            b[3] = factor * b[1]
    return net, theta


FAULTS = [
    ("dead", "elu", "neuron 2 is dead"),
    ("dead", "relu", "neuron 2 is dead"),
    ("constant", "tanh", "neuron 2 is constant"),
    ("constant", "gelu", "neuron 2 is constant"),
    ("duplicate", "tanh", "neurons 1 and 3 are duplicates"),
    ("duplicate", "elu", "neurons 1 and 3 are duplicates"),
    ("scaled", "relu", "neurons 1 and 3 are duplicates"),
    ("mirrored", "tanh", "neurons 1 and 3 are mirrored"),
    ("mirrored", "sigmoid", "neurons 1 and 3 are mirrored"),
    ("mirrored", "cos", "neurons 1 and 3 are mirrored"),
]


@pytest.mark.parametrize(("fault", "activation", "message"), FAULTS)
@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_reducible_teachers_are_refused_and_reduced(
    fault: str, activation: str, message: str, parametrization: str
) -> None:
    net, theta = planted(fault, activation)
    net = ho.MLP(net.widths, activation, parametrization=parametrization)
    with pytest.raises(ReducibleTeacherError, match=message) as caught:
        ho.nearest_minimum(net, theta, net, theta)
    reduced, parameters = caught.value.teacher, caught.value.theta_teacher
    assert reduced.widths == (2, 3, 2)
    x = np.random.default_rng(1).standard_normal((30, 2))
    np.testing.assert_allclose(reduced(parameters, x), net(theta, x), atol=1e-13)
    # What is suggested is accepted.
    assert ho.nearest_minimum(net, theta, reduced, parameters).distance <= 1e-6


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus"])
def test_mirrored_neurons_that_leave_something_linear(activation: str) -> None:
    net, theta = planted("mirrored", activation)
    with pytest.raises(ReducibleTeacherError, match="no narrower network") as caught:
        ho.nearest_minimum(net, theta, net, theta)
    assert caught.value.teacher is None


@pytest.mark.parametrize("activation", ["elu", "g"])
def test_opposite_neurons_are_no_fault_where_there_is_no_mirror(activation: str) -> None:
    net, theta = planted("mirrored", activation)
    assert ho.nearest_minimum(net, theta, net, theta).distance <= 1e-6


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        (network(2), network(3), "teacher must not be wider than the student, 2 hidden neurons; got 3"),
        (network(3, "relu"), network(2), "teacher must have the student's activations, relu"),
        (network(3, "leaky_relu(0.2)"), network(2, "leaky_relu"), "student's activations"),
        (network(3, bias=False), network(2), "net must have hidden biases"),
        (network(3, bias=[True, False]), network(2), "net must have output biases"),
        (ho.MLP([3, 3, 2]), network(2), "student's number of inputs, 3; got 2"),
        (ho.MLP([2, 3, 1]), network(2), "student's number of outputs, 1; got 2"),
        (ho.MLP([2, 3, 3, 2]), network(2), "net must have one hidden layer"),
        (network(3), ho.MLP([2, 2]), "teacher must have one hidden layer"),
        (ho.MLP([2, 2, 2], [["tanh", "relu"]]), network(2), "net must have one activation"),
        (network(3, "identity"), network(2, "identity"), "hidden layer is linear"),
    ],
)
def test_networks_that_do_not_match(student: ho.MLP, teacher: ho.MLP, message: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        ho.nearest_minimum(student, student.init(rng), teacher, teacher.init(rng))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"theta0": [0.0]}, ValueError, "theta0 must have shape"),
        ({"theta0": np.full(17, np.nan)}, ValueError, "theta0 must be finite"),
        ({"theta_teacher": np.zeros(3)}, ValueError, "theta_teacher must have shape"),
        ({"theta_teacher": np.ones((2, 12))}, ValueError, "theta_teacher must have shape"),
        ({"net": "tanh"}, TypeError, "net must be an MLP"),
        ({"teacher": None}, TypeError, "teacher must be an MLP"),
        ({"gap_tolerance": 0.0}, ValueError, "gap_tolerance must be positive"),
        ({"max_nodes": 0}, ValueError, "max_nodes must be at least 1"),
        ({"threads": 1.5}, TypeError, "threads must be an integer"),
        ({"theta0": np.zeros(17, np.longdouble)}, TypeError, "theta0 is longdouble"),
    ],
)
def test_bad_arguments(change: dict[str, Any], error: type[Exception], message: str) -> None:
    student, teacher = network(3), network(2)
    rng = np.random.default_rng(0)
    arguments = {
        "net": student, "theta0": student.init(rng), "teacher": teacher, "theta_teacher": teacher.init(rng)
    }  # fmt: skip
    with pytest.raises(error, match=message):
        ho.nearest_minimum(**(arguments | change))


@pytest.mark.parametrize(
    ("activation", "bias", "width", "complete"),
    [
        ("tanh", True, 6, True),
        ("tanh", False, 6, True),
        ("tanh", [True, False], 3, True),
        ("tanh", [True, False], 4, True),
        ("sigmoid", True, 6, True),
        ("sigmoid", [False, False], 4, True),
        ("sigmoid", [True, False], 4, True),
        ("leaky_relu(-1)", True, 4, True),
        ("elu", True, 6, True),
        ("exp", False, 6, True),
        ("exp", True, 6, False),
        ("sin", False, 6, True),
        ("sin", True, 6, False),
        ("relu", False, 3, True),
        ("relu", False, 4, False),
        ("gelu", True, 4, False),
        ("square", False, 2, False),
    ],
)
def test_completeness(activation: str, bias: Any, width: int, complete: bool) -> None:
    student, teacher = network(width, activation, bias), network(2, activation, bias)
    rng = np.random.default_rng(0)
    near = ho.nearest_minimum(student, student.init(rng), teacher, teacher.init(rng, "normal(1)"))
    assert near.complete is complete
    assert bool(near.missing) is not complete


def test_reducible_teacher_errors_pass_between_processes() -> None:
    net, theta = planted("duplicate", "tanh")
    with pytest.raises(ReducibleTeacherError) as caught:
        ho.nearest_minimum(net, theta, net, theta)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.teacher == caught.value.teacher
    np.testing.assert_array_equal(again.theta_teacher, caught.value.theta_teacher)
    empty = pickle.loads(pickle.dumps(ReducibleTeacherError("no neuron is left", None, None)))
    assert empty.teacher is None


def test_student_may_have_biases_that_the_teacher_lacks() -> None:
    student, teacher = network(3), network(2, bias=False)
    rng = np.random.default_rng(0)
    theta = teacher.init(rng, "normal(1)")
    near = ho.nearest_minimum(student, student.init(rng), teacher, theta)
    x = rng.standard_normal((20, 2))
    np.testing.assert_allclose(student(near.theta, x), teacher(theta, x), atol=1e-13)
