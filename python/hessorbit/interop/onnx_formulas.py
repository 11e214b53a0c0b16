"""Operations of ONNX as formulas (formulas.py)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import formulas
from .formulas import Formula, Unknown

# By the operation: what it makes of its inputs, formulas or numbers, and None for one that is left out.
OPERATIONS: dict[str, Callable[..., Formula]] = {
    "Abs": formulas.absolute,
    "Add": lambda x, y: x + y,
    "Cos": formulas.cos,
    "Div": lambda x, y: x / y,
    "Erf": formulas.erf,
    "Exp": formulas.exp,
    "Log": formulas.log,
    "Max": lambda *x: functools.reduce(formulas.maximum, x),
    "Min": lambda *x: functools.reduce(formulas.minimum, x),
    "Mul": lambda x, y: x * y,
    "Neg": lambda x: -x,
    "PRelu": lambda x, c: formulas.choice(formulas.above(x, 0.0), x, c * x),
    "Pow": formulas.power,
    "Reciprocal": lambda x: 1.0 / x,
    "Relu": lambda x: formulas.maximum(x, 0.0),
    "Sigmoid": formulas.sigmoid,
    "Sin": formulas.sin,
    "Softplus": formulas.softplus,
    "Softsign": lambda x: x / (1.0 + formulas.absolute(x)),
    "Sub": lambda x, y: x - y,
    "Tanh": formulas.tanh,
}


def bent(x: Formula, slope: float, below: Callable[[Formula], Formula]) -> Formula:
    return formulas.choice(formulas.above(x, 0.0), slope * x, below(x))


def elu(x: Formula, alpha: float) -> Formula:
    return bent(x, 1.0, lambda y: alpha * (formulas.exp(y) - 1.0))


def celu(x: Formula, alpha: float) -> Formula:
    return bent(x, 1.0, lambda y: alpha * (formulas.exp(y / alpha) - 1.0))


def gelu(x: Formula, approximate: bytes) -> Formula:
    if approximate != b"none":
        raise Unknown
    return 0.5 * x * (1.0 + formulas.erf(formulas.ROOT_HALF * x))


def clip(x: Formula, low: float | None = None, high: float | None = None, **options: float | None) -> Formula:
    """Bounds were options before opset 11."""
    return formulas.clip(
        x, *(options[name] if given is None else given for name, given in (("min", low), ("max", high)))
    )


# The same for operations with options, and the values of these that a node leaves out.
OPERATIONS_WITH_OPTIONS: dict[str, tuple[Callable[..., Formula], dict[str, Any]]] = {
    "Celu": (celu, {"alpha": 1.0}),
    "Clip": (clip, {"min": None, "max": None}),
    "Elu": (elu, {"alpha": 1.0}),
    "Gelu": (gelu, {"approximate": b"none"}),
    "LeakyRelu": (lambda x, alpha: bent(x, 1.0, lambda y: alpha * y), {"alpha": 0.01}),
    "Selu": (
        lambda x, alpha, gamma: gamma * elu(x, alpha),
        {"alpha": 1.6732632423543773, "gamma": 1.0507009873554805},
    ),
    "Swish": (lambda x, alpha: x * formulas.sigmoid(alpha * x), {"alpha": 1.0}),
}


def applied(operation: str, options: dict[str, Any], inputs: Sequence[Formula | float | None]) -> Formula | None:
    """Returns the formula of an operation of inputs, one of them at least a formula; None where it has no form."""
    try:
        if operation in OPERATIONS and not options:
            return OPERATIONS[operation](*inputs)
        if operation in OPERATIONS_WITH_OPTIONS:
            function, defaults = OPERATIONS_WITH_OPTIONS[operation]
            return function(*inputs, **{**defaults, **options})
    except Unknown:
        pass
    return None
