"""Networks from ONNX files and to them.

A graph is read node by node. Each value is an elementwise function of the output of the last affine map, and where the
next affine map takes it, that function has to be one of hessorbit's activations: it is told by its formula
(formulas.py), so that the many ways of writing GELU or SiLU with elementary operations all read the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _extras, _files, activations
from .._checks import FLOAT64, Array
from .._words import number_of
from ..network import MLP
from . import formulas, onnx_formulas
from .agreement import check_outputs
from .formulas import Formula
from .layers import Affine, Elementwise, Link, Part, affine, assemble
from .multipliers import standard_layers, uniform_activations

if TYPE_CHECKING:
    import onnx

LINK_NAMES = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}
IDLE = ("Identity", "Dropout", "Flatten", "Reshape", "Cast")
ELEMENTWISE = (
    "Abs", "Add", "Celu", "Clip", "Cos", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu",
    "Log", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sin",
    "Softplus", "Softsign", "Sqrt", "Sub", "Swish", "Tanh", "ThresholdedRelu",
)  # fmt: skip
# Where elementwise functions that are no activations are compared with these, for messages. Far out they are compared
# as long as they are finite: powers and exponentials of which they are made may overflow.
GRID = np.geomspace(1e-6, 40, 100)
FAR = np.geomspace(41, 1e30, 60)
GRID, FAR = (np.concatenate([-points[::-1], points]) for points in (GRID, FAR))


def from_onnx(model: str | os.PathLike[str] | onnx.ModelProto, *, logits: bool = False) -> tuple[MLP, Array]:
    """Returns the network and the parameters of an ONNX model.

    Parameters
    ----------
    model : path-like or onnx.ModelProto
        A chain of affine maps, each a ``Gemm``, or a ``MatMul`` with or without an ``Add``, and of activations, each an
        operation of its own or made of elementary ones.
    logits : bool
        Whether to leave out a softmax, log-softmax, sigmoid or exponential on the outputs, as the losses here take
        logits and logarithms of rates.

    Returns
    -------
    net : MLP
    theta : ndarray, shape (P,)
        Exact in float64.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError, ValueError
        If the file is no ONNX model, contains something else, which the message names, or computes something else than
        its layers do one after the other, on random inputs and up to rounding.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import hessorbit as ho
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "net.onnx")
    ...     ho.interop.to_onnx(ho.MLP([1, 2, 1], "gelu"), [1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 5.0], path)
    ...     net, theta = ho.interop.from_onnx(path)
    >>> net, theta
    (MLP([1, 2, 1], 'gelu'), array([1., 2., 0., 0., 3., 4., 5.]))
    """
    _extras.need("onnx", "from_onnx")
    proto, what = loaded(model)
    reader = Reader(proto, what)
    net, theta, link = assemble(reader.parts(), what, logits=logits)
    check_outputs(net, theta, reader.answer, what, link=link)
    return net, theta


def loaded(model: Any) -> tuple[onnx.ModelProto, str]:
    """Returns the model with its functions inlined, and what it is called in messages."""
    import onnx
    from onnx import inliner

    if isinstance(model, onnx.ModelProto):
        proto, what, name = model, "the model", "model"
    else:
        path = _files.path_of(model, "model")
        _files.opened(path, "model").close()
        proto, what, name = None, f"the model in {path.name}", str(path)
    try:
        proto = onnx.load(os.fspath(path)) if proto is None else proto
        onnx.checker.check_model(proto)
    except Exception as error:  # of protobuf and of the checker, which share no type
        raise ValueError(f"{name} is damaged or no ONNX model: {error}") from error
    return (inliner.inline_local_functions(proto) if proto.functions else proto), what


@dataclass(frozen=True, eq=False)
class Value:
    """An elementwise function of the output of the affine map number `base`; −1 stands for the inputs."""

    base: int
    function: Callable[[Array], Array] | None = None  # None for the output itself
    operations: tuple[str, ...] = ()
    formula: Formula | None = field(default_factory=Formula.variable)  # None where it has no form

    def __call__(self, z: Array) -> Array:
        return z if self.function is None else self.function(z)


class Reader:
    """Reads the graph of a model."""

    def __init__(self, proto: onnx.ModelProto, what: str) -> None:
        from onnx import numpy_helper

        self.graph, self.proto, self.what = proto.graph, proto, what
        self.opsets = {entry.domain: entry.version for entry in proto.opset_import}
        self.constants: dict[str, Array] = {each.name: numpy_helper.to_array(each) for each in self.graph.initializer}
        inputs = [each for each in self.graph.input if each.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            raise ValueError(
                f"{what} must have one input and one output; it has {len(inputs)} and {len(self.graph.output)}"
            )
        self.input = inputs[0]
        self.origins = {name: {name} for name in self.constants}  # of constants, the initializers they come from
        self.users: dict[str, Any] = {}  # of these, the node that takes them for weights or biases
        self.uses = Counter(name for node in self.graph.node for name in node.input)
        self.values: dict[str, Value] = {self.input.name: Value(-1)}
        self.found: list[Part] = []
        self.maps = 0
        self.single = False

    def parts(self) -> list[Part]:
        """Returns what the model does, layer by layer."""
        for node in self.graph.node:
            self.read(node)
        last = self.values.get(self.graph.output[0].name)
        if last is None:
            raise ValueError(f"{self.what} must compute its output from its input")
        self.close(last, "the output")
        return self.found

    def answer(self, x: Array) -> Array:
        """Returns what the model answers to samples, by ONNX's own reference implementation."""
        kind, sizes = self.input.type.tensor_type.elem_type, self.input.type.tensor_type.shape.dim
        rows = x.astype(self.numpy_type(kind))
        shape = [size.dim_value for size in sizes[1:]]
        shaped = rows.reshape(len(rows), *shape) if len(shape) > 1 and all(shape) else rows
        evaluator = self.evaluator(self.proto)
        # Batches of a fixed size are fed one by one.
        batches = [shaped] if not (sizes and sizes[0].dim_value) else np.split(shaped, len(shaped))
        return np.concatenate([evaluator.run(None, {self.input.name: batch})[0] for batch in batches])

    def numpy_type(self, kind: int) -> Any:
        from onnx.helper import tensor_dtype_to_np_dtype

        return tensor_dtype_to_np_dtype(kind)

    def read(self, node: Any) -> None:
        """Takes one node into account."""
        names = [name for name in node.input if name]
        if all(name in self.constants for name in names):
            self.fold(node)
            return
        unknown = [name for name in names if name not in self.constants and name not in self.values]
        if unknown:
            raise self.refusal(node, f"it takes {unknown[0]!r}, which nothing computes")
        carried = [self.values[name] for name in names if name in self.values]
        if len({value.base for value in carried}) > 1 or carried[0].base != self.maps - 1:
            raise self.refusal(node, "it joins values of different layers; a network here is a chain of layers")
        if node.domain not in ("", "ai.onnx"):
            raise self.refusal(node, f"it is of the domain {node.domain!r}")
        if node.op_type in ("Gemm", "MatMul"):
            self.affine(node, carried[0])
        elif node.op_type in LINK_NAMES:
            self.link(node, carried[0])
        elif node.op_type in IDLE:
            self.values[node.output[0]] = self.values[node.input[0]]
        elif node.op_type in ("Add", "Sub") and self.is_shift(node):
            self.shift(node)
        elif node.op_type in ELEMENTWISE:
            self.elementwise(node, carried)
        else:
            known = ", ".join(("Gemm", "MatMul", *LINK_NAMES, *IDLE, *ELEMENTWISE))
            raise self.refusal(node, f"the operations that are read are {known}")

    def refusal(self, node: Any, reason: str) -> ValueError:
        return ValueError(f"{self.what} has the operation {where(node)}, which is no part of a network here: {reason}")

    def fold(self, node: Any) -> None:
        """Computes a node whose inputs are constants."""
        results = self.evaluator(node).run(None, {name: self.constants[name] for name in node.input if name})
        self.constants.update(zip(node.output, map(np.asarray, results), strict=True))
        taken = set().union(*(self.origins[name] for name in node.input if name))
        self.origins.update({name: taken or {name} for name in node.output})

    def evaluator(self, proto: Any) -> Any:
        """Returns what computes a model or a node."""
        from onnx import NodeProto
        from onnx.reference import ReferenceEvaluator

        options = {"opsets": self.opsets} if isinstance(proto, NodeProto) else {}
        return ReferenceEvaluator(proto, new_ops=own_operations(), **options)

    def affine(self, node: Any, value: Value) -> None:
        """Begins a layer: W from the constant of a Gemm or MatMul, b from that of a Gemm."""
        options = attributes(node)
        _, weights, *rest = node.input
        if weights not in self.constants or self.constants[weights].ndim != 2 or options.get("transA"):
            raise self.refusal(node, "samples are rows, and weights a constant matrix that they are multiplied by")
        self.close(value, where(node))
        self.take(weights, node)
        matrix = np.asarray(self.constants[weights], FLOAT64) * options.get("alpha", 1.0)
        matrix = matrix if options.get("transB") else matrix.T
        biases = None
        if rest and rest[0]:
            if rest[0] not in self.constants:
                raise self.refusal(node, "its bias is no constant")
            biases = self.row(rest[0], len(matrix), node) * options.get("beta", 1.0)
        self.found.append(affine(matrix, biases, where(node)))
        self.maps += 1
        self.values[node.output[0]] = Value(self.maps - 1)

    def take(self, name: str, node: Any) -> None:
        """Refuses weights or biases that another layer has too: θ would have them twice."""
        for origin in self.origins[name]:
            other = self.users.setdefault(origin, node)
            if other.output != node.output:
                raise self.refusal(
                    node,
                    f"{where(other)} has the weights or biases {origin!r} too: layers here share none, so give each "
                    f"its own",
                )

    def row(self, name: str, width: int, node: Any) -> Array:
        self.take(name, node)
        constant = np.asarray(self.constants[name], FLOAT64)
        if constant.size not in (1, width) or constant.shape[-1:] not in ((), (1,), (width,)):
            raise self.refusal(
                node, f"its bias of shape {constant.shape} is not one number for each of {number_of(width, 'neuron')}"
            )
        return np.array(np.broadcast_to(constant.reshape(-1), (width,)))

    def is_shift(self, node: Any) -> bool:
        """Whether an Add or Sub is the bias of the MatMul before it."""
        first, second = node.input
        if second in self.values and node.op_type == "Add":
            first, second = second, first
        last = self.found[-1] if self.found else None
        return (
            second in self.constants
            and first in self.values
            and self.values[first].function is None
            and isinstance(last, Affine)
            and last.biases is None
            and self.uses[first] == 1
        )

    def shift(self, node: Any) -> None:
        name = node.input[0] if node.input[0] in self.constants else node.input[1]
        last = self.found[-1]
        assert isinstance(last, Affine)
        row = self.row(name, len(last.weights), node)
        self.found[-1] = affine(last.weights, -row if node.op_type == "Sub" else row, last.where)
        self.values[node.output[0]] = Value(self.maps - 1)

    def link(self, node: Any, value: Value) -> None:
        if attributes(node).get("axis", -1) not in (-1, 1):
            raise self.refusal(node, "it must be over the outputs, with axis −1 or 1")
        self.close(value, where(node))
        self.found.append(Link(LINK_NAMES[node.op_type], where(node)))
        self.values[node.output[0]] = Value(self.maps - 1)

    def elementwise(self, node: Any, carried: list[Value]) -> None:
        """Composes an operation with the functions that its inputs are."""
        scalars = {name: self.constants[name] for name in node.input if name in self.constants}
        wide = [name for name, constant in scalars.items() if constant.size != 1]
        if wide:
            raise self.refusal(node, f"its constant {wide[0]!r} differs between neurons")
        numbers = {name: constant.astype(FLOAT64).reshape(()) for name, constant in scalars.items()}
        inputs = {name: self.values[name] for name in node.input if name in self.values}
        evaluator = self.evaluator(node)

        def function(z: Array) -> Array:
            arguments = {name: value(z) for name, value in inputs.items()}
            return np.asarray(evaluator.run(None, {**numbers, **arguments})[0], FLOAT64)

        operations = tuple(dict.fromkeys([name for value in carried for name in value.operations] + [node.op_type]))
        formula = self.formula(node, {**{name: float(each) for name, each in numbers.items()},
                                      **{name: value.formula for name, value in inputs.items()}})  # fmt: skip
        self.values[node.output[0]] = Value(self.maps - 1, function, operations, formula)

    def formula(self, node: Any, arguments: dict[str, Any]) -> Formula | None:
        """Returns the formula of an operation, of those of its inputs."""
        if any(each is None for each in arguments.values()):
            return None
        return onnx_formulas.applied(node.op_type, attributes(node), [arguments.get(name) for name in node.input])

    def close(self, value: Value, before: str) -> None:
        """Ends a layer: names the function that its outputs went through."""
        if value.function is not None:
            where = f"{', '.join(value.operations)} before {before}"
            if value.base < 0:
                raise ValueError(
                    f"{self.what} has the operations {where}, its first layer of weights: a network begins there, so "
                    f"do with the data what they do"
                )
            self.found.append(Elementwise(self.named(value, before), where))

    def named(self, value: Value, before: str) -> str:
        """Returns the activation with the same formula."""
        single = self.input.type.tensor_type.elem_type != double()
        name = None if value.formula is None else formulas.named(value.formula, single=single)
        if name is not None:
            return name
        with np.errstate(all="ignore"):
            apart = {each: difference(value, each) for each in activations.defaults()}
        nearest = min(apart, key=lambda each: apart[each])
        raise ValueError(
            f"{self.what}: before {before}, the operations {', '.join(value.operations)} together are none of "
            f"hessorbit's activations; the nearest is {nearest!r}, which differs by up to {apart[nearest]:.1g}"
        )


@cache
def own_operations() -> list[Any]:
    """Returns operations for ONNX's reference implementation, whose Erf is in float32 alone, and which lacks Gelu."""
    from onnx.reference.op_run import OpRun
    from scipy.special import erf

    class Erf(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array) -> tuple[Array]:
            return (np.asarray(erf(x), x.dtype),)

    class Gelu(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array, approximate: str = "none") -> tuple[Array]:
            bent = erf(x / 2**0.5) if approximate == "none" else np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))
            return (np.asarray(0.5 * x * (1 + bent), x.dtype),)

    return [Erf, Gelu]


def double() -> int:
    import onnx

    return int(onnx.TensorProto.DOUBLE)


def difference(value: Value, activation: str) -> float:
    """Returns how far an elementwise function is from an activation, relative to what is above 1."""

    def apart(points: Array) -> Array:
        wanted = activations.derivatives(activation, points)[0]
        return np.asarray(np.abs(value(points) - wanted) / (1 + np.abs(wanted)))

    near, far = apart(GRID), apart(FAR)
    return float(max(np.nan_to_num(near, nan=np.inf).max(), far[np.isfinite(far)].max(initial=0.0)))


def where(node: Any) -> str:
    return f"{node.op_type} {node.name!r}" if node.name else f"{node.op_type} that gives {node.output[0]!r}"


def attributes(node: Any) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {each.name: get_attribute_value(each) for each in node.attribute}


def to_onnx(net: MLP, theta: ArrayLike, path: str | os.PathLike[str], *, dtype: str = "float64") -> None:
    """Writes a network as an ONNX file, whose input ``"x"`` is (N, inputs) and whose output ``"f"`` is (N, K).

    Parameters
    ----------
    net : MLP
        With one activation per layer.
    theta : array_like, shape (P,)
    path : path-like
        A file that is there is replaced, at once and as a whole.
    dtype : {"float64", "float32"}
        In which the model keeps its weights and computes. float32 rounds them.

    Raises
    ------
    TypeError, ValueError
        If net is not an MLP, theta is not one finite parameter vector in float64, or neurons of a layer differ in
        their activation.
    OSError
        If the file cannot be written.

    Notes
    -----
    Every activation can be written; those that ONNX has not become elementary operations. The multipliers of a
    parametrization are in the weights. What is written is read back and compared, on random inputs.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import hessorbit as ho
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ho.interop.to_onnx(ho.MLP([1, 1], bias=False), [2.0], Path(folder, "net.onnx"))
    ...     ho.interop.from_onnx(Path(folder, "net.onnx"))
    (MLP([1, 1], bias=False), array([2.]))
    """
    _checks.instance(net, MLP, "net")
    place = _files.path_of(path)
    kind = _checks.one_of(dtype, ("float64", "float32"), "dtype")
    _extras.need("onnx", "to_onnx")
    from .onnx_graph import graph_of

    model = graph_of(standard_layers(net, theta), uniform_activations(net, "ONNX"), np.dtype(kind))
    if kind == "float64":
        reader = Reader(model, "the model made")
        check_outputs(net, np.asarray(theta, FLOAT64), reader.answer, "the model made")
    with _files.replacing(place) as file:
        file.write(model.SerializeToString())
