"""Every entry of the compiled modules, with each argument in turn replaced by what it does not expect: none crashes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hessorbit import _core

pytestmark = pytest.mark.core

REFUSALS = (TypeError, ValueError, IndexError, OverflowError, MemoryError)
PROPERTIES = (
    "num_parameters", "multipliers", "theta", "gradient", "loss", "gradient_norm", "steps", "lowest", "largest",
)  # fmt: skip


def arrays(like: Any) -> Iterator[Any]:
    """Yields arrays of other shapes, layouts, dtypes and numbers than `like`."""
    for dtype in (np.float32, np.int64, np.int32, complex, bool, object, "S4", ">f8", np.longdouble, np.float64):
        yield like.astype(dtype)
    yield from (like[None], like.ravel(), like[..., None], like[:0], like[..., :0])
    yield from (np.concatenate([like, like]), np.concatenate([like, like], axis=-1), like[:-1], like[..., :-1])
    yield from (like.T, np.asfortranarray(like), np.repeat(like, 2, axis=-1)[..., ::2], like[::-1], like[..., ::-1])
    first = like.ravel()[0] if like.size else like.dtype.type(0)
    yield from (np.asarray(first), *(np.broadcast_to(first, (n, *like.shape[1:])) for n in (len(like), 10**10)))
    yield np.frombuffer(b"\0" + like.tobytes(), np.uint8)[1:].view(like.dtype).reshape(like.shape)  # at an odd address
    yield np.ma.masked_array(like, np.ones(like.shape, bool))
    if like.dtype.kind == "f":
        for number in (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 1e150):
            yield np.full_like(like, number)
            if like.size:
                one = like.copy()
                one.flat[-1] = number
                yield one
    else:
        for number in (-1, -4, -(2**31) - 1, 2**31, 2**32, 2**63 - 1, -(2**63)):
            yield np.full_like(like, number)


def lists(like: Any) -> Iterator[Any]:
    itself: list[Any] = []
    itself.append(itself)
    yield from ([], like[:-1], [*like, *like], [None] * len(like), tuple(like), itself, like * 1000)
    for place, entry in enumerate(like):
        for wrong in wrongs(entry):
            yield type(like)([*like[:place], wrong, *like[place + 1 :]])


def wrongs(like: Any) -> Iterator[Any]:
    """Yields what may not be expected in place of `like`."""
    yield from (None, object(), "", "x", "\0", "\udcff", "x" * 10**6, b"x", {}, 1j, np.zeros(3), type)
    if isinstance(like, np.ndarray):
        yield from arrays(like)
        yield like.tolist()
    elif isinstance(like, list | tuple):
        yield from lists(like)
    elif isinstance(like, bool | int | float):
        yield from (-1, 0, 1, 2, 1000, 1024, 1025, 100_000, 2**31 - 1, 2**31, 2**32 + 1, 2**62, 2**63, -(2**63), 2**70)
        yield from (0.0, -0.0, 0.5, 1.5, 1e308, 1e-320, np.nan, np.inf, -np.inf, True, np.float64(2), np.array(3))
    elif isinstance(like, str):
        yield from ("none", like.upper(), like + "\0")


def attempt(call: Callable[..., Any], arguments: list[Any]) -> Any:
    try:
        return call(*arguments)
    except REFUSALS:
        return None


def calls_of(call: Callable[..., Any], arguments: list[Any]) -> Iterator[list[Any]]:
    """Yields the arguments, then with each replaced, then too few and too many."""
    yield arguments
    for place, like in enumerate(arguments):
        for wrong in wrongs(like):
            yield [*arguments[:place], wrong, *arguments[place + 1 :]]
    yield arguments[:-1]
    yield [*arguments, 1]


def objective(kind: Any, scalar: Any, threads: int = 2) -> list[Any]:
    rng = np.random.default_rng(0)
    x, y, weight = (rng.standard_normal(shape).astype(scalar) for shape in ((5, 2), (5, 2), (5,)))
    return [network(), x, y, weight, "squared_error", 0.0, 0.0, threads]


def network() -> Any:
    return _core.Network(*NETWORK)


NETWORK: list[Any] = [
    [2, 3, 2],
    [[("tanh", 0.0, 1), ("relu", 0.0, 1), ("leaky_relu", 0.1, 1)], [("identity", 0.0, 2)]],
    [True, True],
    "standard",
]
P = 3 * 3 + 2 * 4


def entries() -> Iterator[tuple[str, Callable[..., Any], list[Any], dict[str, list[Any]]]]:
    """Yields each entry's name, itself, arguments that fit, and for a class those of its methods."""
    rng = np.random.default_rng(1)
    ones, zeros, none = np.ones(3, np.longdouble), np.zeros(3, np.longdouble), np.zeros((0, 0), np.longdouble)
    layer = ([1, 0, 2], ones, ones, zeros, zeros, [], none, none)
    mixing = ([0, 1, 2], ones, ones, zeros, zeros, [1], *[np.eye(1, dtype=np.longdouble)] * 2)
    yield "config", _core.config, [], {}
    yield "activation_table", _core.activation_table, [], {}
    yield "loss_table", _core.loss_table, [], {}
    yield "activation_properties", _core.activation_properties, ["leaky_relu", 0.1], {}
    yield "Network", _core.Network, NETWORK, {}
    for kind, scalar, module in (
        (_core.Objective, np.float64, _core._hot),
        (_core.ObjectiveLongDouble, np.longdouble, _core._common),
    ):
        theta = rng.standard_normal(P).astype(scalar)
        batch, directions = np.stack([theta, theta]), rng.standard_normal((3, P)).astype(scalar)
        methods = (
            "loss", "gradient", "outputs", "residual", "jacobian", "hessian", "gauss_newton", "gauss_newton_factor",
            "hessian_diagonal", "value_and_gradient",
        )  # fmt: skip
        for at in (theta, batch):
            given: dict[str, list[Any]] = {name: [at] for name in methods}
            given |= {"hvp": [at, directions], "hessian_block": [at, [3, 1], False], "neuron_blocks": [at, True]}
            given |= {name: [at, [3, 1]] for name in ("sample_gradients", "sample_hessians", "empirical_fisher")}
            yield kind.__name__, kind, objective(kind, scalar), given
        yield "all_finite", _core.all_finite, [theta], {}
        yield "outputs", module.outputs, [network(), theta, np.ones((4, 2), scalar), 2], {}
        yield "activation_derivatives", module.activation_derivatives, ["tanh", 0.0, theta], {}
        yield "loss_derivatives", _core.loss_derivatives, ["logistic", 1.0, theta, np.ones_like(theta)], {}
        extended = theta.astype(np.longdouble)
        yield "flip_even_linear", _core.flip_even_linear, [network(), 0, [1], [], [(0, 2)], extended], {}
        square = {"transport_hessian": [np.eye(P, dtype=scalar)]}
        vector = {"act": [theta], "transport_gradient": [batch]}
        for each in (layer, mixing):
            yield "GroupElement", _core.GroupElement, [network(), [each]], vector | square
    compiled = _core.Objective(*objective(_core.Objective, np.float64))
    theta = rng.standard_normal(P)
    descent = [compiled, theta, "adam", 1e-3, 0.9, 0.99, 1e-8]
    yield "Descent", _core.Descent, descent, {"advance": [3, 1e300, -np.inf]}
    rows, residual = rng.standard_normal((4, 3)), rng.standard_normal(4)
    yield "DampedLeastSquares", _core.DampedLeastSquares, [rows, residual], {"solve": [0.1], "correct": [np.ones(3)]}
    system = {"solve": [0.1], "lowest_vector": []}
    yield "ShiftedSystem", _core.ShiftedSystem, [np.diag([1.0, 2.0, -1.0]), np.ones(3)], system
    yield "symmetric_eigenvalues", _core.symmetric_eigenvalues, [np.diag([1.0, 2.0, -1.0]), 2], {}
    yield "tridiagonal_eigenvalues", _core.tridiagonal_eigenvalues, [np.array([1.0, 2.0, -1.0]), np.ones(2), 2], {}
    yield "factorise", _core.factorise, [np.diag([1.0, 2.0, -1.0]), [0.5, 1.5], 2], {}
    yield "times_columns", _core.times_columns, [np.diag([1.0, 2.0, -1.0]), np.ones((3, 2)), 2], {}
    yield "Ldlt", _core.Ldlt, [np.diag([1.0, 2.0, -1.0]), 0.5, 2], {"solve": [np.ones((3, 2))]}
    basis = {"advance": [np.eye(16), 1], "projection": [], "vectors": [np.zeros((0, 1))]}
    yield "KrylovBasis", _core.KrylovBasis, [np.ones((16, 8)), 2, 2], basis
    names = [("tanh", 0.0), ("relu", 0.0), ("erf", 0.0)]
    population = [rng.standard_normal((3, 2)), np.ones(3), rng.standard_normal((4, 2)), 2, False, 1.0]
    yield "Population", _core.Population, [names, 2, 1e-6, 2], {"derivatives": population}
    for copies in sorted(_core.copy_pieces):
        geometry = [np.eye(2), np.ones((2, 1)), copies, -1.0, 1.0, False, True, "fixed", "half_line", "tanh", 0.0]
        yield "MinimaGeometry", _core.MinimaGeometry, geometry, {}
        made = _core.MinimaGeometry(*geometry)
        students = [rng.standard_normal((1, 3, 2)), rng.standard_normal((1, 3, 1)), np.zeros((1, 1))]
        yield "nearest_minima", _core.nearest_minima, [made, *students, 1e-6, 20, 0.01, 2], {}
        piece = [np.array([[0, 1, -1]]), np.array([[-1, -1, 0]]), np.ones((1, 3))]
        yield "piece_violations", _core.piece_violations, [made, *students, *piece], {}


def make_all() -> None:
    """Makes every call, naming each before it is made; arguments that fit must be accepted."""
    names = set()
    for name, entry, arguments, methods in entries():
        names.add(name)
        entry(*arguments)
        for number, wrong in enumerate(calls_of(entry, arguments)):
            print(f"{name} {number}", flush=True)
            made = attempt(entry, wrong)
            if made is None or not isinstance(entry, type):
                continue
            for method, given in methods.items():
                attempt(getattr(made, method), given)
            for attribute in PROPERTIES:
                getattr(made, attribute, None)
        for method, given in methods.items():
            made = entry(*arguments)
            getattr(made, method)(*given)
            for number, wrong in enumerate(calls_of(getattr(made, method), given)):
                print(f"{name}.{method} {number}", flush=True)
                attempt(getattr(made, method), wrong)
    compiled = vars(_core._hot) | vars(_core._common)
    missing = {name for name, each in compiled.items() if callable(each) and name[0] != "_"} - names - {"NeuronRole"}
    assert not missing, missing
    print("done")


def test_no_argument_crashes_the_interpreter() -> None:
    run = subprocess.run([sys.executable, str(Path(__file__))], capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, (run.stdout[-200:], run.stderr[-2000:])
    assert run.stdout.endswith("done\n")


if __name__ == "__main__":
    make_all()
