"""Activations in ball arithmetic: σ, σ' and σ'' from the series of σ(z + t), enclosures over all of a ball z.

A piecewise activation has one formula on each side of its kink. A ball across the kink has no finite answer, and is
a `KinkError`; a z that is exactly 0 has the derivatives that the compiled core gives it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from .. import activations
from .arithmetic import exact, flint


class KinkError(ArithmeticError):
    """A ball lies across the kink of an activation or of the loss; `sample` is the row of the data, if known."""

    def __init__(self, what: str, sample: int | None = None) -> None:
        super().__init__(what)
        self.what, self.sample = what, sample


split = cache(activations.split)


def derivatives(name: str, z: Any) -> tuple[Any, Any, Any]:
    """σ, σ' and σ'' from the series of σ(z + t); at a kink as in the core."""
    fl = flint()
    kind, parameter = split(name)
    t = fl.arb_series([z, 1], prec=3)
    try:
        series = FORMULAS[kind](t, z, exact(parameter))
    except (ValueError, ZeroDivisionError):  # of a ball so wide that a denominator may be 0
        return (fl.arb("nan"),) * 3
    value, slope, bend = (list(series) + [fl.arb(0)] * 3)[:3]
    if z == 0 and kind in AT_KINK:
        return value, AT_KINK[kind](exact(parameter)), fl.arb(0)
    return value, slope, 2 * bend


def sigmoid(t: Any, z: Any) -> Any:
    if z < 0:
        power = t.exp()
        return power / (power + 1)
    return 1 / ((-t).exp() + 1)


def tanh(t: Any, z: Any) -> Any:
    power = (-2 * t).exp() if z > 0 else (2 * t).exp()
    value = (1 - power) / (1 + power)
    return value if z > 0 else -value


def error_function(t: Any) -> Any:
    return (t * (1 / flint().arb(2).sqrt())).erf()


def normal_cdf(t: Any, z: Any) -> Any:
    if z < 0:
        return (t * (-1 / flint().arb(2).sqrt())).erfc() * flint().arb(0.5)
    return (error_function(t) + 1) * flint().arb(0.5)


def softplus(t: Any, z: Any) -> Any:
    return (t.exp() + 1).log() if z < 0 else t + ((-t).exp() + 1).log()


def pieces(t: Any, z: Any, left: Any) -> Any:
    """t where z > 0, else left."""
    if z > 0:
        return t
    if z < 0 or z == 0:
        return left
    raise KinkError("a preactivation lies at the kink of its activation")


SELU_SCALE, SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"


def selu(t: Any, z: Any) -> Any:
    scale, alpha = flint().arb(SELU_SCALE), flint().arb(SELU_ALPHA)
    return scale * pieces(t, z, alpha * (t.exp() - 1))


FORMULAS: dict[str, Any] = {
    "identity": lambda t, z, p: t,
    "relu": lambda t, z, p: pieces(t, z, 0 * t),
    "leaky_relu": lambda t, z, p: pieces(t, z, p * t),
    "tanh": lambda t, z, p: tanh(t, z),
    "sigmoid": lambda t, z, p: sigmoid(t, z),
    "erf": lambda t, z, p: error_function(t),
    "normal_cdf": lambda t, z, p: normal_cdf(t, z),
    "gelu": lambda t, z, p: t * normal_cdf(t, z),
    "silu": lambda t, z, p: t * sigmoid(t, z),
    "softplus": lambda t, z, p: softplus(t, z),
    "softsign": lambda t, z, p: pieces(t / (1 + t), z, t / (1 - t)),
    "elu": lambda t, z, p: pieces(t, z, t.exp() - 1),
    "selu": lambda t, z, p: selu(t, z),
    "sin": lambda t, z, p: t.sin(),
    "cos": lambda t, z, p: t.cos(),
    "exp": lambda t, z, p: t.exp(),
    "square": lambda t, z, p: t * t,
    "cube": lambda t, z, p: t * t * t,
    "g": lambda t, z, p: sigmoid(4 * t, z) + softplus(t, z),
}
AT_KINK: dict[str, Any] = {
    "relu": lambda p: flint().arb(0),
    "leaky_relu": lambda p: p,
    "elu": lambda p: flint().arb(1),
    "selu": lambda p: flint().arb(SELU_SCALE) * flint().arb(SELU_ALPHA),
    "softsign": lambda p: flint().arb(1),
}
