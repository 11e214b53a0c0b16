"""The compiled modules refuse what does not fit, called directly: no Python code can crash them."""

from __future__ import annotations

import ast
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit import _core

pytestmark = pytest.mark.core

NONE = np.zeros((0, 0), np.longdouble)


def network(biases: tuple[bool, bool] = (False, False)) -> _core.Network:
    return _core.Network([2, 2, 1], [[("cube", 0.0, 2)], [("identity", 0.0, 1)]], list(biases), "standard")


def element(**changes: Any) -> _core.GroupElement:
    ones, zeros = np.ones(2, np.longdouble), np.zeros(2, np.longdouble)
    parts = {
        "source": [0, 1], "incoming": ones, "outgoing": ones, "constant": zeros, "shift": zeros, "mixed": [],
        "matrix": NONE, "inverse": NONE,
    } | changes  # fmt: skip
    return _core.GroupElement(network(), [tuple(parts.values())])


@pytest.mark.parametrize(
    "changes",
    [
        {"source": [0, 2]},
        {"source": [0, -1]},
        {"source": [1, 1]},
        {"source": [0]},
        {"mixed": [5], "matrix": np.eye(1, dtype=np.longdouble), "inverse": np.eye(1, dtype=np.longdouble)},
        {"mixed": [0]},
        {"outgoing": np.zeros(2, np.longdouble)},
        {"incoming": np.array([1, np.nan], np.longdouble)},
        # Where the layer above has no bias, there is nowhere to put a constant, nor a shift.
        {"constant": np.array([np.nan, 0], np.longdouble)},
        {"constant": np.array([0, 1], np.longdouble)},
        {"shift": np.array([0, 1], np.longdouble)},
    ],
    ids=str,
)
def test_group_element_outside_of_its_layer(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="layers: "):
        element(**changes)


@pytest.mark.parametrize(
    ("layer", "flipped", "linear", "pairs"),
    [
        (1, [0], [], []),
        (-1, [0], [], []),
        (0, [2], [], []),
        (0, [0], [0], []),
        (0, [], [], [(0, 0)]),
        (0, [], [-1], []),
    ],
)
def test_even_linear_outside_of_its_layer(layer: int, flipped: Any, linear: Any, pairs: Any) -> None:
    with pytest.raises(ValueError, match=r"layer|neurons"):
        _core.flip_even_linear(network(), layer, flipped, linear, pairs, np.zeros(6, np.longdouble))


@pytest.mark.parametrize("threads", [-1, 1025, 100_000, 2**31 - 1])
def test_threads_have_one_maximum(threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        _core.outputs(network(), np.zeros(6), np.zeros((3, 2)), threads)
    with pytest.raises(ValueError, match="threads"):
        _core.Objective(network(), np.zeros((3, 2)), np.zeros((3, 1)), np.ones(3), "squared_error", 0.0, 0.0, threads)


@pytest.mark.parametrize("widths", [[2**62, 2, 1], [0, 2, 1], [-1, 2, 1], [2**40, 2, 1]])
def test_networks_that_cannot_be_counted(widths: list[int]) -> None:
    with pytest.raises(ValueError, match="widths"):
        _core.Network(widths, [[("tanh", 0.0, 2)], [("tanh", 0.0, 1)]], [True, True], "standard")


@pytest.mark.parametrize("count", [0, -1, 1, 3, 2**62, -(2**63)])
def test_activations_that_do_not_fill_a_layer(count: int) -> None:
    with pytest.raises(ValueError, match="activations"):
        _core.Network([2, 2, 1], [[("tanh", 0.0, count)], [("tanh", 0.0, 1)]], [True, True], "standard")
    with pytest.raises(ValueError, match="activations"):
        _core.Network([2, 2, 1], [[("tanh", 0.0, 1)] * 3, [("tanh", 0.0, 1)]], [True, True], "standard")


KINDS = sorted((kind for kind in vars(_core).values() if type(kind).__name__ == "pybind11_type"), key=str)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_without_init_are_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="incompatible constructor arguments"):
        kind.__new__(kind)
    with pytest.raises(TypeError):
        kind.__new__(int)


def test_descent_outlives_its_objective_and_is_called_by_threads() -> None:
    def make(advance: int) -> _core.Descent:
        obj = _core.Objective(network(), np.eye(2), np.ones((2, 1)), np.ones(2), "squared_error", 0.0, 0.0, 1)
        descent = _core.Descent(obj, np.full(6, 0.3), "gd", 1e-2, 0.0, 0.0, 0.0)
        del obj
        descent.advance(advance, 0.0, -np.inf)
        return descent

    shared, alone = make(0), make(200)
    threads = [Thread(target=shared.advance, args=(50, 0.0, -np.inf)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.steps == 200
    np.testing.assert_array_equal(shared.theta, alone.theta)


def geometry(copies: str, mirror: float = -1.0, teacher: float = 1.0) -> _core.MinimaGeometry:
    return _core.MinimaGeometry(
        teacher * np.eye(2), teacher * np.ones((2, 1)), copies, mirror, 1.0, False, True, "none", "never", "tanh", 0.0
    )


@pytest.mark.parametrize(
    ("teacher", "group"),
    [([2, 0, 0], [-1] * 3), ([-3, 0, 0], [-1] * 3), ([-(2**32), 0, 0], [-1] * 3), ([-1] * 3, [3, 0, 0]),
     ([-1] * 3, [-2, 0, 0]), ([-1] * 3, [2**31 - 1 - 2**32, 0, 0])],
)  # fmt: skip
@pytest.mark.parametrize("copies", sorted(_core.copy_pieces))
def test_pieces_that_the_teacher_does_not_have(copies: str, teacher: list[int], group: list[int]) -> None:
    students = np.ones((1, 3, 2)), np.ones((1, 3, 1)), np.zeros((1, 1))
    roles = np.array([teacher], np.int64), np.array([group], np.int64)
    with pytest.raises(ValueError, match="role of a neuron"):
        _core.piece_violations(geometry(copies), *students, *roles, np.ones((1, 3)))


@pytest.mark.parametrize("copies", sorted(_core.copy_pieces))
def test_numbers_of_groups_may_have_gaps(copies: str) -> None:
    students = np.ones((1, 3, 2)), np.zeros((1, 3, 1)), np.zeros((1, 1))
    alone, gap = (
        _core.piece_violations(
            geometry(copies), *students, np.full((1, 3), -1), np.array([[-1, last, last]]), np.ones((1, 3))
        )
        for last in (0, 2)
    )
    np.testing.assert_array_equal(alone, gap)


@pytest.mark.parametrize("copies", sorted(_core.copy_pieces))
@pytest.mark.parametrize("mirror", [-1.0, 1e308, -1e308, 1e-320, 0.0])
@pytest.mark.parametrize("teacher", [1.0, 1e308, 1e-320, 0.0])
@pytest.mark.parametrize("student", [1.0, 1e308, 1e-320, 0.0])
def test_searches_where_costs_overflow_end(copies: str, mirror: float, teacher: float, student: float) -> None:
    students = student * np.ones((1, 3, 2)), student * np.ones((1, 3, 1)), np.zeros((1, 1))
    found = _core.nearest_minima(geometry(copies, mirror, teacher), *students, 1e-9, 10, 0.1, 1)
    copied = set(found["teacher"][0])
    assert {0, 1} <= copied


def test_elements_beyond_float64_are_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    net = ho.MLP([2, 3, 1], activation="relu", bias=False)
    refused = 0
    for _ in range(20):
        try:
            ho.symmetries(net).random(rng, scale=1000)(net.init(rng))
        except ValueError as error:
            refused += "float64" in str(error)
    assert refused > 0  # a factor exp(1000 N) leaves float64 where |N| > 0.71


def test_dtypes_are_told_by_their_scalar() -> None:
    """Where long double is double, NumPy calls the dtypes float64 and longdouble equal: none may be compared."""
    names = {"FLOAT64", "LONGDOUBLE", "longdouble", "float64"}
    for path in Path(ho.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [node.left, *node.comparators]
                dtype = any(isinstance(side, ast.Attribute) and side.attr == "dtype" for side in sides)
                named = {part.id if isinstance(part, ast.Name) else part.attr for side in sides
                         for part in ast.walk(side) if isinstance(part, ast.Name | ast.Attribute)}  # fmt: skip
                assert not (dtype and names & named), f"{path}:{node.lineno}"
