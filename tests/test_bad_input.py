"""Bad input: an error of the right kind whose message names the argument, what was expected, and what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import hessorbit as ho

NET = ho.MLP([2, 3, 1])  # 13 parameters
X, Y = np.ones((4, 2)), np.ones(4)
OBJECTIVE = ho.Objective(NET, X, Y)
CLASSES = ho.MLP([2, 3])  # 9 parameters
THETA = np.ones(13)
NAN = np.array([*THETA[:-1], np.nan])
INF = np.array([*THETA[:-1], np.inf])


def mlp(*arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: ho.MLP(*arguments, **options)


class Guarded:
    """Like a tensor of torch that requires a gradient."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("it has a gradient:\n detach it")


def objective(net: Any = NET, x: Any = X, y: Any = Y, **options: Any) -> Callable[[], Any]:
    return lambda: ho.Objective(net, x, y, **options)


def classes(y: Any) -> Callable[[], Any]:
    return lambda: ho.Objective(CLASSES, X, y, loss="cross_entropy")


# Name of the case: call, exception, fragments that the message must have.
CASES: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    # Networks
    "widths: a number": (mlp(3), TypeError, ["widths", "sequence", "3"]),
    "widths: a string": (mlp("23"), TypeError, ["widths", "'23'"]),
    "widths: one": (mlp([3]), ValueError, ["widths", "two", "[3]"]),
    "widths: none": (mlp([]), ValueError, ["widths", "two", "[]"]),
    "widths: zero": (mlp([2, 0, 1]), ValueError, ["widths[1]", "at least 1", "got 0"]),
    "widths: negative": (mlp([2, -3, 1]), ValueError, ["widths[1]", "-3"]),
    "widths: fraction": (mlp([2, 3.0, 1]), TypeError, ["widths[1]", "integer", "3.0"]),
    "widths: boolean": (mlp([2, True]), TypeError, ["widths[1]", "integer", "True"]),
    "widths: huge": (mlp([10**9, 10**9]), ValueError, ["widths", "parameters"]),
    "activation: unknown": (mlp([2, 3, 1], "tanhh"), ValueError, ["activation", "tanh", "'tanhh'"]),
    "activation: capital": (mlp([2, 3, 1], "Tanh"), ValueError, ["activation", "'Tanh'; did you mean 'tanh'?"]),
    "activation: capitals": (mlp([2, 3, 1], "ReLU"), ValueError, ["activation", "did you mean 'relu'?"]),
    "activation: torch's": (mlp([2, 3, 1], "LeakyReLU(0.1)"), ValueError, ["activation", "did you mean 'leaky_relu'?"]),
    "activation: other name": (mlp([2, 3, 1], "swish"), ValueError, ["activation", "did you mean 'silu'?"]),
    "activation: linear": (mlp([2, 1], output_activation="linear"), ValueError, ["did you mean 'identity'?"]),
    "loss: other name": (objective(loss="mse"), ValueError, ["loss", "'mse'; did you mean 'squared_error'?"]),
    "loss: capital": (objective(loss="Logistic"), ValueError, ["loss", "did you mean 'logistic'?"]),
    "activation: no name": (mlp([2, 3, 1], 3), TypeError, ["activation", "3"]),
    "activation: empty": (mlp([2, 3, 1], ""), ValueError, ["activation", "''"]),
    "activation: too many layers": (mlp([2, 3, 1], ["tanh"] * 2), ValueError, ["activation", "(1)", "got 2"]),
    "activation: too few neurons": (mlp([2, 3, 1], [["tanh"] * 2]), ValueError, ["activation[0]", "3 neurons", "2"]),
    "activation: unknown neuron": (mlp([2, 1, 1], [["no"]]), ValueError, ["activation[0][0]", "'no'"]),
    "activation: neuron no name": (mlp([2, 1, 1], [[None]]), TypeError, ["activation[0][0]", "None"]),
    "activation: layer no name": (mlp([2, 1, 1], [None]), TypeError, ["activation[0]", "None"]),
    "activation: superfluous parameter": (mlp([2, 1, 1], "tanh(2)"), ValueError, ["activation", "no parameter"]),
    "activation: parameter no number": (mlp([2, 1, 1], "leaky_relu(a)"), ValueError, ["activation", "finite number"]),
    "activation: parameter infinite": (mlp([2, 1, 1], "leaky_relu(inf)"), ValueError, ["activation", "finite number"]),
    "activation: unclosed": (mlp([2, 1, 1], "leaky_relu(1"), ValueError, ["activation", "'leaky_relu(1'"]),
    "bias: a number": (mlp([2, 1, 1], bias=1), TypeError, ["bias", "True, False", "1"]),
    "bias: numbers": (mlp([2, 1, 1], bias=[1, 0]), TypeError, ["bias", "[1, 0]"]),
    "bias: too few": (mlp([2, 1, 1], bias=[True]), ValueError, ["bias", "2 layers", "got 1"]),
    "parametrization": (mlp([2, 1], parametrization="mup"), ValueError, ["parametrization", "ntk", "'mup'"]),
    "parametrization: none": (mlp([2, 1], parametrization=None), TypeError, ["parametrization", "None"]),
    "output_activation": (mlp([2, 1], output_activation="x"), ValueError, ["output_activation", "'x'"]),
    "output_activation: number": (mlp([2, 1], output_activation=["tanh"] * 2), ValueError, ["output_activation", "2"]),
    # Evaluation of networks
    "call: theta short": (lambda: NET(THETA[:-1], X), ValueError, ["theta", "(13,)", "(12,)"]),
    "call: theta NaN": (lambda: NET(NAN, X), ValueError, ["theta[12]", "finite", "nan"]),
    "call: x one sample": (lambda: NET(THETA, X[0]), ValueError, ["x must have shape (N, 2)", "(2,)"]),
    "call: x wide": (lambda: NET(THETA, np.ones((4, 3))), ValueError, ["x must have shape (N, 2)", "(4, 3)"]),
    "call: x empty": (lambda: NET(THETA, X[:0]), ValueError, ["x must hold at least one sample"]),
    "call: x infinite": (lambda: NET(THETA, X * np.inf), ValueError, ["x[0, 0]", "finite", "inf"]),
    "call: threads none": (lambda: NET(THETA, X, threads=0), ValueError, ["threads", "at least 1", "got 0"]),
    "call: threads many": (lambda: NET(THETA, X, threads=10**5), ValueError, ["threads", "at most 1024", "100000"]),
    # Blocks of θ
    "block: layer 0": (lambda: NET.block(layer=0, part="bias"), ValueError, ["layer", "at least 1", "got 0"]),
    "block: layer negative": (lambda: NET.block(layer=-1, part="bias"), ValueError, ["layer", "at least 1", "-1"]),
    "block: layer 3": (lambda: NET.block(layer=3, part="bias"), ValueError, ["layer", "at most 2", "got 3"]),
    "block: part": (lambda: NET.block(layer=1, part="biases"), ValueError, ["part", "incoming", "'biases'"]),
    "block: no biases": (lambda: ho.MLP([1, 1], bias=False).block(layer=1, part="bias"), ValueError, ["has none"]),
    "block: outputs": (lambda: NET.block(layer=2, part="outgoing"), ValueError, ["hidden layer", "output layer"]),
    "block: neuron": (lambda: NET.block(layer=1, part="bias", neurons=[3]), ValueError, ["neurons", "0 to 2", "got 3"]),
    "block: neuron negative": (lambda: NET.block(layer=1, part="bias", neurons=[-1]), ValueError, ["neurons", "-1"]),
    "block: neuron twice": (lambda: NET.block(layer=1, part="bias", neurons=[1, 1]), ValueError, ["neurons", "twice"]),
    "block: neurons": (lambda: NET.block(layer=1, part="bias", neurons=1), TypeError, ["neurons", "sequence", "1"]),
    "block: mask": (lambda: NET.block(layer=1, part="bias", neurons=[True] * 3), TypeError, ["neurons", "integers"]),
    # Layers and θ
    "unflatten: short": (lambda: NET.unflatten(THETA[:-1]), ValueError, ["theta", "(13,)", "(12,)"]),
    "unflatten: number": (lambda: NET.unflatten(3.0), ValueError, ["theta", "()"]),
    "unflatten: text": (lambda: NET.unflatten(["a"] * 13), TypeError, ["theta", "real numbers", "<U1"]),
    "flatten: layers": (lambda: NET.flatten([]), ValueError, ["layers", "2 entries", "got 0"]),
    "flatten: no pair": (lambda: NET.flatten([1, 2]), TypeError, ["layers[0]", "pair", "int"]),
    "flatten: shape": (
        lambda: NET.flatten([(np.ones((2, 3)), np.ones(3)), (np.ones((1, 3)), np.ones(1))]),
        ValueError,
        ["W of layers[0]", "(3, 2)", "(2, 3)"],
    ),
    "flatten: no bias": (
        lambda: NET.flatten([(np.ones((3, 2)), None), (np.ones((1, 3)), np.ones(1))]),
        ValueError,
        ["b of layers[0]", "has biases", "None"],
    ),
    "flatten: superfluous bias": (
        lambda: CLASSES.flatten([(np.ones((3, 2)), np.ones(4))]),
        ValueError,
        ["b of layers[0]", "(3,)", "(4,)"],
    ),
    "flatten: batches": (
        lambda: CLASSES.flatten([(np.ones((5, 3, 2)), np.ones((4, 3)))]),
        ValueError,
        ["layers", "leading", "(4,)", "(5,)"],
    ),
    # Initial parameters
    "init: seed": (lambda: NET.init(0), TypeError, ["rng", "numpy.random.Generator", "0"]),
    "init: old generator": (lambda: NET.init(np.random.RandomState(0)), TypeError, ["rng", "RandomState"]),
    "init: scheme": (lambda: NET.init(np.random.default_rng(), "xavier"), ValueError, ["scheme", "torch", "'xavier'"]),
    "init: scheme meant": (lambda: NET.init(np.random.default_rng(), "kaiming"), ValueError, ["mean 'he_normal'"]),
    "init: scheme misspelt": (lambda: NET.init(np.random.default_rng(), "he normal"), ValueError, ["mean 'he_normal'"]),
    "init: scheme's number": (lambda: NET.init(np.random.default_rng(), "normal(a)"), ValueError, ["as 'normal(0.5)'"]),
    "init: scheme type": (lambda: NET.init(np.random.default_rng(), 1.0), TypeError, ["scheme", "1.0"]),
    "init: no sigma": (lambda: NET.init(np.random.default_rng(), "normal"), ValueError, ["scheme", "σ", "'normal'"]),
    "init: sigma": (lambda: NET.init(np.random.default_rng(), "normal(-1)"), ValueError, ["scheme", "σ", "-1"]),
    "init: torch(2)": (lambda: NET.init(np.random.default_rng(), "torch(2)"), ValueError, ["scheme", "torch(2)"]),
    "init: size": (lambda: NET.init(np.random.default_rng(), size=0), ValueError, ["size", "at least 1", "0"]),
    "init: sizes": (lambda: NET.init(np.random.default_rng(), size=(2, 3)), ValueError, ["size", "(2, 3)"]),
    "init: size type": (lambda: NET.init(np.random.default_rng(), size=2.0), TypeError, ["size", "integer", "2.0"]),
    # Data
    "net": (objective("net"), TypeError, ["net", "MLP", "str"]),
    "x: one sample": (objective(x=X[0]), ValueError, ["x must have shape (N, 2)", "(2,)"]),
    "x: features": (objective(x=np.ones((4, 5))), ValueError, ["x must have shape (N, 2)", "(4, 5)"]),
    "x: empty": (objective(x=X[:0], y=Y[:0]), ValueError, ["x must hold at least one sample"]),
    "x: NaN": (objective(x=np.where(np.eye(4, 2, -1), np.nan, X)), ValueError, ["x[1, 0]", "finite", "nan"]),
    "x: complex": (objective(x=X * 1j), TypeError, ["x must hold real numbers", "complex128"]),
    "x: text": (objective(x=[["a", "b"]]), TypeError, ["x must hold real numbers", "<U1"]),
    "x: objects": (objective(x=X.astype(object)), TypeError, ["x must hold real numbers", "object"]),
    "x: objects and what helps": (
        objective(x=X.astype(object)), TypeError, ["from a ndarray: convert it by astype(float)"]),
    "x: sparse": (objective(x=sparse.csr_array(X)), TypeError, ["from a csr_array: its toarray() is dense"]),
    "x: refuses to be an array": (objective(x=Guarded()), ValueError, ["x must be an array", "has a gradient: detach"]),
    "x: dates": (objective(x=X.astype("M8[s]")), TypeError, ["x must hold real numbers", "datetime64"]),
    "x: ragged": (objective(x=[[1.0], [1.0, 2.0]]), ValueError, ["x must be an array of real numbers"]),
    "x: none": (objective(x=None), TypeError, ["x must hold real numbers", "NoneType"]),
    "x: masked rows": (
        objective(x=[np.ma.array([1.0, 2.0], mask=[0, 1]), [3.0, 4.0], [1, 1], [2, 2]]), ValueError,
        ["x must not have masked entries", "it has 1"],
    ),
    "y: masked numbers": (objective(y=[1.0, np.ma.masked, 0.0, np.ma.masked]), ValueError, ["y must not", "it has 2"]),
    "l2: masked": (objective(l2=np.ma.masked), ValueError, ["l2 must not have masked entries"]),
    "l2: NaN": (objective(l2=np.nan), ValueError, ["l2 must be finite; l2 is nan"]),
    "x: masked": (objective(x=np.ma.masked_less(X, 2)), ValueError, ["x must not have masked entries", "8"]),
    "x: large integers": (objective(x=np.full((4, 2), 2**53 + 1)), ValueError, ["x must hold", "2**53"]),
    "x: unsigned": (objective(x=np.full((4, 2), 2**64 - 1, np.uint64)), ValueError, ["x must hold", "2**53"]),
    "y: length": (objective(y=Y[:-1]), ValueError, ["y must have shape (4, 1)", "(3,)"]),
    "y: rows": (objective(y=np.ones((4, 2))), ValueError, ["y must have shape (4, 1)", "(4, 2)"]),
    "y: flat with outputs": (objective(CLASSES), ValueError, ["y must have shape (4, 3)", "(4,)"]),
    "y: labels": (objective(CLASSES, y=[0, 1, 2, 0]), ValueError, ["y must have shape (4, 3)", "'cross_entropy'"]),
    "y: NaN": (objective(y=Y * np.nan), ValueError, ["y[0]", "finite", "nan"]),
    "y: logistic": (objective(y=Y * 2, loss="logistic"), ValueError, ["y must be in [0, 1]", "'logistic'", "2.0"]),
    "y: logistic negative": (objective(y=-Y, loss="logistic"), ValueError, ["y must be in [0, 1]", "y[0, 0] is -1.0"]),
    "labels: too large": (classes([0, 1, 3, 2]), ValueError, ["y must hold labels from 0 to 2", "y[2] is 3"]),
    "labels: one output": (
        objective(y=[0, 1, 1, 0], loss="cross_entropy"), ValueError, ["y must hold labels from 0 to 0", "'logistic'"],
    ),
    "labels: negative": (classes([0, -1, 0, 2]), ValueError, ["y must hold labels from 0 to 2", "y[1] is -1"]),
    "labels: fractions": (
        classes([0.0, 1.0, 1.0, 2.0]), TypeError, ["y must hold integer labels", "float64", "y.astype(int)"],
    ),
    "labels: length": (classes([0, 1]), ValueError, ["y must have shape (4,)", "(2,)"]),
    "labels: shape": (classes(np.zeros((4, 1), int)), ValueError, ["y must have shape (4, 3)", "labels", "(4, 1)"]),
    "rows: sum": (classes(np.full((4, 3), 0.3)), ValueError, ["y must have rows that sum to one", "row 0"]),
    "rows: negative": (classes([[2.0, -1.0, 0.0]] * 4), ValueError, ["y must be in [0, 1]", "y[0, 0] is 2.0"]),
    "loss": (objective(loss="mse"), ValueError, ["loss", "squared_error, cross_entropy, logistic", "'mse'"]),
    "loss: type": (objective(loss=0), TypeError, ["loss", "squared_error", "0"]),
    "weight: negative": (objective(sample_weight=[1, 1, -1, 1]), ValueError, ["sample_weight[2] is -1.0"]),
    "weight: zero": (objective(sample_weight=np.zeros(4)), ValueError, ["sample_weight", "sum to zero"]),
    "weight: length": (objective(sample_weight=np.ones(3)), ValueError, ["sample_weight must have shape (4,)", "(3,)"]),
    "weight: one": (objective(sample_weight=1.0), ValueError, ["sample_weight must have shape (4,)", "()"]),
    "weight: infinite": (objective(sample_weight=Y * np.inf), ValueError, ["sample_weight[0]", "finite", "inf"]),
    "weight: sum overflows": (objective(sample_weight=Y * 1e308), ValueError, ["sample_weight", "sum", "overflow"]),
    "l2: negative": (objective(l2=-0.1), ValueError, ["l2", "at least 0", "-0.1"]),
    "l2: text": (objective(l2="1"), TypeError, ["l2", "real numbers"]),
    "l2: array": (objective(l2=[0.1]), TypeError, ["l2", "one number", "(1,)"]),
    "l2: longdouble": (objective(l2=np.longdouble(1) / 3), ValueError, ["l2", "float64"]),
    "threads: zero": (objective(threads=0), ValueError, ["threads", "at least 1", "0"]),
    "threads: fraction": (objective(threads=1.5), TypeError, ["threads", "integer", "1.5"]),
    "threads: huge": (objective(threads=2**40), ValueError, ["threads", "at most", str(2**40)]),
    # Vectors and operators
    "hvp: length": (lambda: OBJECTIVE.hvp(THETA, Y), ValueError, ["v must have shape (13,) or (13, m)", "(4,)"]),
    "hvp: rows": (lambda: OBJECTIVE.hvp(THETA, np.ones((2, 13))), ValueError, ["v must have shape (13,)", "(2, 13)"]),
    "hvp: axes": (lambda: OBJECTIVE.hvp(THETA, np.ones((1, 13, 1))), ValueError, ["v must have shape", "(1, 13, 1)"]),
    "hvp: batch": (
        lambda: OBJECTIVE.hvp([THETA] * 2, np.ones((3, 13, 1))),
        ValueError,
        ["v must have shape (13,) or (13, m), or (2, 13, m)", "(3, 13, 1)"],
    ),
    "hvp: NaN": (lambda: OBJECTIVE.hvp(THETA, NAN), ValueError, ["v[12]", "finite", "nan"]),
    "hvp: complex": (lambda: OBJECTIVE.hvp(THETA, THETA * 1j), TypeError, ["v must hold real", "complex128"]),
    "operator: batch": (lambda: OBJECTIVE.hessian_operator([THETA]), ValueError, ["theta must", "(13,)", "(1, 13)"]),
    "operator: complex": (lambda: OBJECTIVE.hessian_operator(THETA) @ (THETA * 1j), TypeError, ["v must hold real"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_message(case: str) -> None:
    call, exception, fragments = CASES[case]
    with pytest.raises(exception) as raised:
        call()
    assert type(raised.value) is exception
    for fragment in fragments:
        assert fragment in str(raised.value)


BAD_THETA: dict[str, tuple[Any, type[Exception], list[str]]] = {
    "short": (THETA[:-1], ValueError, ["theta", "(13,) or (B, 13)", "(12,)"]),
    "scalar": (1.0, ValueError, ["theta", "(13,)", "()"]),
    "three axes": (np.ones((1, 1, 13)), ValueError, ["theta", "(13,)", "(1, 1, 13)"]),
    "transposed": (np.ones((13, 2)), ValueError, ["theta", "(13,)", "(13, 2)"]),
    "NaN": (NAN, ValueError, ["theta[12]", "finite", "nan"]),
    "infinite": (-INF, ValueError, ["theta[12]", "finite", "-inf"]),
    "infinite in a batch": ([THETA, INF], ValueError, ["theta[1, 12]", "finite", "inf"]),
    "infinite in longdouble": (INF.astype(np.longdouble), ValueError, ["theta[12]", "finite", "inf"]),
    "complex": (THETA * 1j, TypeError, ["theta", "real numbers", "complex128"]),
    "text": ("theta", TypeError, ["theta", "real numbers", "str"]),
    "none": (None, TypeError, ["theta", "real numbers", "NoneType"]),
    "objects": (THETA.astype(object), TypeError, ["theta", "real numbers", "object"]),
    "large integers": (np.full(13, 2**60), ValueError, ["theta", "2**53"]),
    "masked": (np.ma.masked_greater(THETA, 0), ValueError, ["theta", "masked", "13"]),
}
METHODS = (
    "loss", "gradient", "value_and_gradient", "outputs", "residual", "jacobian", "hessian", "gauss_newton",
    "hessian_diagonal", "hessian_trace", "hessian_operator", "hvp",
)  # fmt: skip


@pytest.mark.parametrize("case", BAD_THETA)
@pytest.mark.parametrize("method", METHODS)
def test_theta(method: str, case: str) -> None:
    theta, exception, fragments = BAD_THETA[case]
    arguments = (theta, THETA) if method == "hvp" else (theta,)
    with pytest.raises(exception) as raised:
        getattr(OBJECTIVE, method)(*arguments)
    assert type(raised.value) is exception
    for fragment in fragments:
        assert fragment in str(raised.value)


def test_empty_batches_are_no_error() -> None:
    empty = np.empty((0, 13))
    assert OBJECTIVE.hessian(empty).shape == (0, 13, 13)
    assert OBJECTIVE.hvp(empty, THETA).shape == (0, 13)
    assert OBJECTIVE.loss(empty).shape == (0,)
