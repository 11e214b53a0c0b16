"""What a model writes out with functions of keras.ops, such as x * ops.sigmoid(x), as formulas (formulas.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import formulas
from .formulas import Formula, Unknown

# By the classes that stand for calls of keras.ops in a model; their options, where there are any, are attributes.
OPERATIONS: dict[str, Callable[..., Formula]] = {
    "Absolute": formulas.absolute,
    "Add": lambda x, y: x + y,
    "Divide": lambda x, y: x / y,
    "Erf": formulas.erf,
    "Exp": formulas.exp,
    "Expm1": lambda x: formulas.exp(x) - 1.0,
    "Greater": formulas.above,
    "GreaterEqual": formulas.above,
    "Less": lambda x, y: formulas.above(y, x),
    "LessEqual": lambda x, y: formulas.above(y, x),
    "Log": formulas.log,
    "Log1p": lambda x: formulas.log(1.0 + x),
    "LogSigmoid": lambda x: formulas.log(formulas.sigmoid(x)),
    "Logaddexp": lambda x, y: formulas.log(formulas.exp(x) + formulas.exp(y)),
    "Maximum": formulas.maximum,
    "Minimum": formulas.minimum,
    "Multiply": lambda x, y: x * y,
    "Negative": lambda x: -x,
    "Power": formulas.power,
    "Reciprocal": lambda x: 1.0 / x,
    "Subtract": lambda x, y: x - y,
    "TrueDivide": lambda x, y: x / y,
    "Where": formulas.choice,
}


def call_of(tensor: Any) -> tuple[Any, Any]:
    """Returns the operation that gave a tensor of a model, and the call with its arguments."""
    operation, call, _ = tensor._keras_history
    return operation, operation._inbound_nodes[call]


class Writing:
    """What a tensor and those before it are of one tensor, with functions of keras.ops and activations alone.

    `activation` names the activation of an operation, and is None for others.
    """

    def __init__(self, activation: Callable[[Any], str | None]) -> None:
        self.activation = activation
        self.base: Any = None
        self.known: dict[int, Formula] = {}

    def formula(self, tensor: Any) -> Any:
        """Returns the formula of a tensor, or a number. The first that has none is z, and the only one."""
        if not hasattr(tensor, "_keras_history"):
            if isinstance(tensor, int | float | np.number):
                return float(tensor)
            raise Unknown
        if id(tensor) not in self.known:
            self.known[id(tensor)] = self.made(tensor)
        return self.known[id(tensor)]

    def made(self, tensor: Any) -> Formula:
        operation, call = call_of(tensor)
        arguments, options = call.arguments.args, call.arguments.kwargs
        function = OPERATIONS.get(type(operation).__name__)
        name = self.activation(operation)
        if name is not None and len(arguments) == 1:
            return formulas.formula_of(name, self.formula(arguments[0]))
        if function is not None and not options and type(operation).__module__.startswith("keras."):
            return function(*map(self.formula, arguments))
        if self.base is not None and self.base is not tensor:
            raise Unknown
        self.base = tensor
        return Formula.variable()


def written_out(tensor: Any, activation: Callable[[Any], str | None]) -> tuple[Any, str] | None:
    """Returns the tensor that an activation is of and its name, where it is written out up to a tensor."""
    writing = Writing(activation)
    try:
        found = writing.formula(tensor)
        name = formulas.named(found)
    except (Unknown, TypeError, RecursionError):
        return None
    return None if name is None or writing.base is None or writing.base is tensor else (writing.base, name)
