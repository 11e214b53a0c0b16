"""The core's table says which activations there are; their names may carry a parameter, as in 'leaky_relu(0.2)'."""

from __future__ import annotations

import math
import re
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _core
from ._checks import FLOAT64, Array

# Functions that a name nearby must not be suggested for, by their letters.
OTHER_FUNCTIONS = {
    **dict.fromkeys(
        ["gelutanh", "gelunew", "gelufast", "gelupytorchtanh", "geluapprox", "geluapproximate", "quickgelu"],
        "GELU is the exact z Φ(z) here; approximations of it are other functions, with other Hessians",
    ),
    **dict.fromkeys(
        ["softmax", "logsoftmax"], "it acts on all outputs together: leave it out, as the losses take logits"
    ),
    **dict.fromkeys(
        ["celu", "relu6", "prelu", "rrelu", "hardtanh", "hardsigmoid", "hardswish", "hardsilu", "hardshrink",
         "logsigmoid", "mish", "softmin", "softshrink", "tanhshrink", "squareplus", "thresholdedrelu", "sqrelu", "glu"],
        "it is another function, which is not there",
    ),
}  # fmt: skip
# What stands for the parameter that other libraries have.
OTHER_NAMES_FIXED = {"elu": ", α being 1", "softplus": ", β being 1", "gelu": ", as it is the exact z Φ(z)"}


@cache
def defaults() -> dict[str, float | None]:
    """Returns every activation with the default of its parameter, None where it takes none."""
    return {entry["name"]: entry["parameter"] for entry in _core.activation_table()}


def linear() -> str:
    """Returns the name of the activation that is linear."""
    return next(str(entry["name"]) for entry in _core.activation_table() if entry["linear"])


def canonical(name: str, argument: str) -> str:
    """Returns the one spelling of an activation: its parameter is written only if it is not the default.

    >>> canonical("leaky_relu(0.20)", "activation"), canonical("leaky_relu(0.01)", "activation")
    ('leaky_relu(0.2)', 'leaky_relu')
    """
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be the name of an activation; got {name!r}")
    kind, parameter = parse(name, argument)
    if kind not in defaults():
        reason = OTHER_FUNCTIONS.get(_checks.letters(kind))
        hint = f": {reason}" if reason else _checks.did_you_mean(kind, defaults())
        raise ValueError(f"{argument} must be one of {', '.join(defaults())}; got {name!r}{hint}")
    default = defaults()[kind]
    if parameter is None or parameter == default:
        return kind
    if default is None:
        raise ValueError(f"{argument}: {kind} takes no parameter{OTHER_NAMES_FIXED.get(kind, '')}; got {name!r}")
    return f"{kind}({parameter!r})"


def split(name: str) -> tuple[str, float]:
    """Returns an activation as the core wants it: its kind and its parameter, 0.0 where it takes none.

    >>> split("leaky_relu"), split("tanh")
    (('leaky_relu', 0.01), ('tanh', 0.0))
    """
    kind, parameter = parse(name, "activation")
    return kind, (defaults()[kind] or 0.0) if parameter is None else parameter


def parse(name: str, argument: str) -> tuple[str, float | None]:
    """Splits 'kind' or 'kind(number)' into the kind and the number."""
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", name)
    if match is None:
        hint = _checks.did_you_mean(name, defaults())
        raise ValueError(f"{argument} must be a name or name(number); got {name!r}{hint}")
    kind, text = match.groups()
    if text is None:
        return kind, None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        reason = _checks.did_you_mean(kind, defaults())
        if kind in defaults():
            default = defaults()[kind]
            without = f"{kind} takes no parameter{OTHER_NAMES_FIXED.get(kind, '')}"
            reason = f": {without if default is None else f'write {kind}({default!r})'}"
        raise ValueError(f"{argument} must carry a finite number in its parentheses, or none; got {name!r}{reason}")
    return kind, number


def derivatives(name: str, z: ArrayLike) -> tuple[Array, Array, Array]:
    """Returns σ(z), σ'(z) and σ''(z) of an activation by name, each in the shape of z.

    >>> derivatives("square", [3.0])
    (array([9.]), array([6.]), array([2.]))
    """
    at = np.asarray(z, FLOAT64)
    value, slope, curvature = (d.reshape(at.shape) for d in _core.activation_derivatives(*split(name), at.ravel()))
    return value, slope, curvature


@cache
def slope_bound(name: str) -> float | None:
    """Returns a bound on |σ'|; None where there is none, and then |σ'| is largest farthest from 0.

    >>> slope_bound("leaky_relu(2)"), slope_bound("square")
    (2.0, None)
    """
    bound = _core.activation_properties(*split(name))["slope_bound"]
    return None if bound is None else float(bound)


@cache
def kinked(name: str) -> bool:
    """Whether the first or the second derivative of an activation jumps at 0.

    >>> kinked("relu"), kinked("elu"), kinked("tanh")
    (True, True, False)
    """
    _, _, curvatures = derivatives(name, [-1e-9, 1e-9])
    return bent(name) or bool(abs(curvatures[1] - curvatures[0]) > 1e-6)


@cache
def bent(name: str) -> bool:
    """Whether the first derivative of an activation jumps at 0.

    >>> bent("relu"), bent("elu")
    (True, False)
    """
    _, slopes, _ = derivatives(name, [-1e-9, 1e-9])
    return bool(abs(slopes[1] - slopes[0]) > 1e-6)
