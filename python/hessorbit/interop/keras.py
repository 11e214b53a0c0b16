"""Networks from Keras 3, from models that are chains of dense layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks, _extras, activations
from .._checks import Array
from ..network import MLP
from .agreement import check_outputs, defined_by
from .keras_formulas import call_of, written_out
from .layers import Elementwise, Link, Part, affine, assemble

if TYPE_CHECKING:
    import keras

# Functions of keras.activations, and hessorbit's names of them.
OTHER_NAMES = {
    "linear": "identity",
    "relu": "relu",
    "leaky_relu": "leaky_relu(0.2)",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "gelu": "gelu",
    "silu": "silu",
    "softplus": "softplus",
    "softsign": "softsign",
    "elu": "elu",
    "selu": "selu",
    "exponential": "exp",
}
LINK_NAMES = {"softmax": "softmax", "log_softmax": "log_softmax"}
# Functions of keras.ops, by the classes that stand for their calls in a model.
OTHER_NAMES_OF_CALLS = {
    "Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Silu": "silu", "Softplus": "softplus",
    "Softsign": "softsign", "Selu": "selu", "Exp": "exp", "Sin": "sin", "Cos": "cos", "Square": "square",
    "Gelu": "gelu", "Elu": "elu", "Celu": "elu", "LeakyRelu": "leaky_relu",
}  # fmt: skip
# Those with an option: what it is called, and what it has to be.
OPTIONS_OF_CALLS: dict[str, tuple[str, Any]] = {
    "Gelu": ("approximate", False), "Elu": ("alpha", 1), "Celu": ("alpha", 1), "LeakyRelu": ("negative_slope", None),
}  # fmt: skip
# Layers that compute nothing else than an activation, and where their options are.
OTHER_NAMES_OF_LAYERS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu"}
OPTIONS = {"ReLU": "negative_slope", "LeakyReLU": "negative_slope", "ELU": "alpha"}
IDLE = ("InputLayer", "Identity", "Flatten", "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout",
        "SpatialDropout1D", "ActivityRegularization")  # fmt: skip


def from_keras(model: keras.Model, *, logits: bool = False) -> tuple[MLP, Array]:
    """Returns the network and the parameters of a Keras model.

    Parameters
    ----------
    model : keras.Model
        ``Sequential`` or functional, built: a chain of ``Dense``, ``Activation``, ``ReLU``, ``LeakyReLU``, ``ELU``,
        ``Softmax``, ``Flatten``, ``Identity`` and ``Dropout``, nested or not, and of activations of ``keras.ops``,
        which may be written out, such as ``x * keras.ops.sigmoid(x)``.
    logits : bool
        Whether to leave out a softmax, log-softmax, sigmoid or exponential on the outputs, as the losses here take
        logits and logarithms of rates.

    Returns
    -------
    net : MLP
    theta : ndarray, shape (P,)
        Exact in float64. Keras keeps weights as (in, out); here they are (out, in).

    Raises
    ------
    TypeError, ValueError
        If the model contains something else, which the message names, or computes something else than its layers do one
        after the other, on random inputs and up to rounding. Classes with a `call` of their own are refused.

    Examples
    --------
    >>> import keras
    >>> import hessorbit as ho
    >>> layers = [keras.Input((2,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)]
    >>> net, theta = ho.interop.from_keras(keras.Sequential(layers))
    >>> net, theta.shape
    (MLP([2, 3, 1], 'tanh'), (13,))
    """
    _extras.need("keras", "from_keras")
    import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model; got {_checks.with_article(type(model))}")
    if not model.built:
        raise ValueError(f"model must be built; {model.name!r} has no weights yet: begin it with keras.Input")
    net, theta, link = assemble(parts_of(model, ""), f"the model {model.name!r}", logits=logits)

    def answer(x: Array) -> Array:
        shaped = x.reshape(len(x), *(input_shape(model) or (x.shape[1],)))
        return np.asarray(keras.ops.convert_to_numpy(model(shaped, training=False))).astype(coarsest(model))

    check_outputs(net, theta, answer, f"the model {model.name!r}", link=link)
    return net, theta


def coarsest(model: Any) -> np.dtype[Any]:
    """Returns the least precise of the types in which layers compute: under a mixed policy not that of outputs."""
    import ml_dtypes  # of Keras: with it NumPy knows bfloat16

    order = {np.dtype(each): each for each in (ml_dtypes.bfloat16, np.float16, np.float32, np.float64)}
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else [model]
    used = {np.dtype(each.compute_dtype) for each in layers if each.weights}
    return next((each for each in order if each in used), np.dtype(np.float64))


def input_shape(model: Any) -> tuple[int, ...] | None:
    """Returns the shape of a sample, which a Flatten layer may make a row of; None if the model does not say."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or any(not isinstance(size, int) for size in shape[1:]):
        return None
    return shape[1:]


def parts_of(layer: Any, path: str) -> list[Part]:
    """Returns what a layer does, one part after the other; `path` leads to the model that holds it."""
    import keras

    if isinstance(layer, Elementwise):
        return [layer]
    kind, where = type(layer).__name__, f"{type(layer).__name__} {layer.name!r}{path}"
    tells = isinstance(getattr(layer, "layers", None), list) and hasattr(layer, "inputs")
    if isinstance(layer, keras.Model) and not tells:
        raise ValueError(f"{where} must be a Sequential or functional model, which tells the order of its layers")
    if any(defined_by(type(layer), method) != "keras" for method in ("call", "__call__")):
        raise ValueError(f"{where} has a call of its own, which may compute anything: use a class of Keras itself")
    if isinstance(layer, keras.Model):
        inside = f" of {layer.name!r}"
        chain = layer.layers if isinstance(layer, keras.Sequential) else operations_of(layer, where)
        return [part for each in chain for part in parts_of(each, inside)]
    if isinstance(layer, keras.layers.Dense):
        biases = layer.bias if layer.use_bias else None
        own = [layer.kernel, *([] if biases is None else [biases])]
        if len(own) != len(layer.weights) or any(all(each is not one for one in layer.weights) for each in own):
            raise ValueError(
                f"{where} computes its kernel or bias from other weights, as with LoRA or quantisation: make a model "
                f"whose layers have kernels and biases alone, and set them to what these are"
            )
        weights = [None if each is None else keras.ops.convert_to_numpy(each) for each in (layer.kernel, biases)]
        return [affine(np.asarray(weights[0]).T, weights[1], where), function_part(layer.activation, where)]
    if isinstance(layer, keras.layers.Activation):
        return [function_part(layer.activation, where)]
    if isinstance(layer, keras.layers.Softmax):
        return [Link(LINK_NAMES["softmax"], where)]
    if kind in OPTIONS_OF_CALLS and not isinstance(layer, keras.layers.Layer):
        return [Elementwise(call_activation(layer, kind, where), where)]
    if kind in OTHER_NAMES_OF_CALLS and not isinstance(layer, keras.layers.Layer):
        return [Elementwise(OTHER_NAMES_OF_CALLS[kind], where)]
    if kind in OPTIONS:
        return [Elementwise(layer_activation(layer, kind, where), where)]
    if kind in IDLE:
        return []
    known = ", ".join(("Dense", "Activation", "Softmax", *OPTIONS, *IDLE))
    raise ValueError(f"{where} is no layer that hessorbit has; it has {known}")


def operations_of(model: Any, where: str) -> list[Any]:
    """Returns the layers and functions of keras.ops that a functional model calls one after the other.

    Functions that write an activation out together are an `Elementwise`.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"{where} must have one input and one output; it has {len(model.inputs)} and {len(model.outputs)}"
        )

    def named(operation: Any) -> str:
        return f"{type(operation).__name__} {operation.name!r} of {where}"

    found: list[Any] = []
    result = model.outputs[0]
    while result is not model.inputs[0]:
        operation, call = call_of(result)
        before = call.input_tensors
        written = None if plain(operation, before) else written_out(result, activation_alone)
        if written is not None:
            result, name = written
            found.append(Elementwise(name, named(operation)))
            continue
        if len(before) != 1:
            raise ValueError(
                f"{named(operation)} takes {len(before)} tensors; a network here is a chain of layers, each of which "
                f"takes what the one before it gives alone"
            )
        found.append(operation)
        result = before[0]
    for index, each in enumerate(found):
        if getattr(each, "weights", []) and any(each is other for other in found[:index]):
            raise ValueError(f"{named(each)} is called twice: layers here share no parameters")
    return found[::-1]


def plain(operation: Any, tensors: list[Any]) -> bool:
    """Whether an operation is a layer or an activation, of one tensor."""
    import keras

    kind = type(operation).__name__
    return len(tensors) == 1 and (isinstance(operation, keras.layers.Layer) or kind in OTHER_NAMES_OF_CALLS)


def activation_alone(operation: Any) -> str | None:
    """Returns the activation that a function of keras.ops, or a layer of nothing else, is; None for all others."""
    import keras

    kind = type(operation).__name__
    simple = kind in OTHER_NAMES_OF_CALLS or isinstance(operation, keras.layers.Activation) or kind in OPTIONS
    parts = parts_of(operation, "") if simple else []
    return parts[0].activation if len(parts) == 1 and isinstance(parts[0], Elementwise) else None


def function_part(function: Any, where: str) -> Part:
    """Returns the activation that a function of keras.activations is."""
    import keras

    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(function, keras.layers.Layer):  # a layer may stand for an activation
        (part,) = parts_of(function, f" in {where}")
        return part
    if getattr(keras.activations, name, None) is not function or name not in {**OTHER_NAMES, **LINK_NAMES}:
        raise ValueError(
            f"{where} has the activation {name!r}, which hessorbit has not; it has {', '.join(OTHER_NAMES)} of "
            f"keras.activations with their default options"
        )
    return Link(LINK_NAMES[name], where) if name in LINK_NAMES else Elementwise(OTHER_NAMES[name], where)


def call_activation(operation: Any, kind: str, where: str) -> str:
    """Returns the activation of a function of keras.ops with an option."""
    option, wanted = OPTIONS_OF_CALLS[kind]
    value = getattr(operation, option)
    if wanted is None:
        return activations.canonical(f"{OTHER_NAMES_OF_CALLS[kind]}({float(value)!r})", where)
    if value != wanted:
        raise ValueError(f"{where} has {option}={value!r}; expected {wanted!r}")
    return OTHER_NAMES_OF_CALLS[kind]


def layer_activation(layer: Any, kind: str, where: str) -> str:
    value = float(getattr(layer, OPTIONS[kind]))
    cut, threshold = getattr(layer, "max_value", None), getattr(layer, "threshold", 0)
    if cut is not None or threshold:
        raise ValueError(f"{where} has max_value={cut!r} and threshold={threshold!r}; expected None and 0")
    slanted = OTHER_NAMES_OF_LAYERS["LeakyReLU"]
    if OPTIONS[kind] == OPTIONS["LeakyReLU"]:
        return activations.canonical(f"{slanted}({value!r})", where) if value else OTHER_NAMES_OF_LAYERS["ReLU"]
    if value != 1:
        raise ValueError(f"{where} has {OPTIONS[kind]}={value!r}: hessorbit's ELU has α = 1")
    return OTHER_NAMES_OF_LAYERS[kind]
