"""Scalar functions and their first two derivatives at 50 digits, by truncated Taylor arithmetic on mpmath numbers.

A `Series` is c0 + c1 t + c2 t^2 and every function below is written once, as its plain formula; its derivatives at z
follow from evaluating it at z + t: f(z) = c0, f'(z) = c1, f''(z) = 2 c2.  No derivative formula of any activation
appears here.  At kinks the first derivative is that of the branch torch takes, and the second is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

DIGITS = 50
context = mpmath.mp.clone()
context.dps = DIGITS
mpf = context.mpf


@dataclass(frozen=True)
class Series:
    c0: Any
    c1: Any
    c2: Any

    def __add__(self, other: Any) -> Series:
        other = lift(other)
        return Series(self.c0 + other.c0, self.c1 + other.c1, self.c2 + other.c2)

    __radd__ = __add__

    def __neg__(self) -> Series:
        return Series(-self.c0, -self.c1, -self.c2)

    def __sub__(self, other: Any) -> Series:
        return self + (-lift(other))

    def __rsub__(self, other: Any) -> Series:
        return lift(other) - self

    def __mul__(self, other: Any) -> Series:
        other = lift(other)
        return Series(
            self.c0 * other.c0,
            self.c0 * other.c1 + self.c1 * other.c0,
            self.c0 * other.c2 + self.c1 * other.c1 + self.c2 * other.c0,
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Series:
        other = lift(other)
        q0 = self.c0 / other.c0
        q1 = (self.c1 - q0 * other.c1) / other.c0
        return Series(q0, q1, (self.c2 - q0 * other.c2 - q1 * other.c1) / other.c0)

    def __rtruediv__(self, other: Any) -> Series:
        return lift(other) / self


def lift(value: Any) -> Series:
    return value if isinstance(value, Series) else Series(mpf(value), mpf(0), mpf(0))


def compose(values: tuple[Any, Any, Any], inner: Series) -> Series:
    """h(inner), from (h, h', h'') at inner's value."""
    h, first, second = values
    return Series(h, first * inner.c1, first * inner.c2 + second * inner.c1**2 / 2)


def exp(z: Series) -> Series:
    value = context.exp(z.c0)
    return compose((value, value, value), z)


def log(z: Series) -> Series:
    return compose((context.log(z.c0), 1 / z.c0, -1 / z.c0**2), z)


def sin(z: Series) -> Series:
    s, c = context.sin(z.c0), context.cos(z.c0)
    return compose((s, c, -s), z)


def cos(z: Series) -> Series:
    s, c = context.sin(z.c0), context.cos(z.c0)
    return compose((c, -s, -c), z)


def error_function(z: Series) -> Series:
    density = 2 / context.sqrt(context.pi) * context.exp(-(z.c0**2))
    return compose((context.erf(z.c0), density, -2 * z.c0 * density), z)


def magnitude(z: Series) -> Series:
    return z if z.c0 > 0 else -z


def sigmoid(z: Series) -> Series:
    return 1 / (1 + exp(-z))


def softplus(z: Series) -> Series:
    # For z < -60 the logarithm of 1 + e^z would lose digits: factor e^z out through the series of log(1 + e).
    if z.c0 < -20:
        e = exp(z)
        return compose((context.log1p(e.c0), 1 / (1 + e.c0), -1 / (1 + e.c0) ** 2), e)
    return log(1 + exp(z))


def normal_cdf(z: Series) -> Series:
    if z.c0 < 0:  # erfc keeps the digits of the lower tail
        u = z * (1 / context.sqrt(mpf(2)))
        density = -2 / context.sqrt(context.pi) * context.exp(-(u.c0**2))
        return compose((context.erfc(-u.c0) / 2, -density / 2, density * u.c0), u)
    return (1 + error_function(z * (1 / context.sqrt(mpf(2))))) / 2


def tanh(z: Series) -> Series:
    e = exp(-2 * magnitude(z))
    value = (1 - e) / (1 + e)
    return value if z.c0 > 0 else -value


def leaky_relu(slope: float) -> Callable[[Series], Series]:
    return lambda z: z if z.c0 > 0 else mpf(slope) * z


def elu(z: Series) -> Series:
    return z if z.c0 > 0 else exp(z) - 1


SELU_SCALE = mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mpf("1.6732632423543772848170429916717")

FUNCTIONS: dict[str, Callable[[Series], Series]] = {
    "identity": lambda z: z,
    "relu": lambda z: z if z.c0 > 0 else 0 * z,
    "leaky_relu": leaky_relu(0.01),
    "tanh": tanh,
    "sigmoid": sigmoid,
    "erf": lambda z: error_function(z * (1 / context.sqrt(mpf(2)))),
    "normal_cdf": normal_cdf,
    "gelu": lambda z: z * normal_cdf(z),
    "silu": lambda z: z * sigmoid(z),
    "softplus": softplus,
    "softsign": lambda z: z / (1 + magnitude(z)),
    "elu": elu,
    "selu": lambda z: SELU_SCALE * (z if z.c0 > 0 else SELU_ALPHA * (exp(z) - 1)),
    "sin": sin,
    "cos": cos,
    "exp": exp,
    "square": lambda z: z * z,
    "cube": lambda z: z * z * z,
    "g": lambda z: sigmoid(4 * z) + softplus(z),
}
KINKED = {"relu", "leaky_relu", "elu", "selu", "softsign"}


def function_of(name: str) -> Callable[[Series], Series]:
    if name.startswith("leaky_relu("):
        return leaky_relu(float(name[len("leaky_relu(") : -1]))
    return FUNCTIONS[name]


def derivatives(name: str, z: Any) -> tuple[Any, Any, Any]:
    """sigma(z), sigma'(z), sigma''(z) for an mpmath number z."""
    series = function_of(name)(Series(z, mpf(1), mpf(0)))
    at_kink = z == 0 and name.partition("(")[0] in KINKED
    return series.c0, series.c1, mpf(0) if at_kink else 2 * series.c2


def to_mp(value: Any) -> Any:
    """A float or longdouble as an mpmath number, exactly."""
    high = float(value)
    return mpf(high) + mpf(float(value - np.longdouble(high)))


def to_longdouble(value: Any) -> np.longdouble:
    """An mpmath number rounded to longdouble (to within one unit in the last place)."""
    high = float(value)
    return np.longdouble(high) + np.longdouble(float(value - mpf(high)))


def array_to_mp(array: Any) -> np.ndarray:
    array = np.asarray(array, np.longdouble)
    result = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        result[index] = to_mp(array[index])
    return result


def array_to_longdouble(array: np.ndarray) -> np.ndarray:
    result = np.empty(array.shape, np.longdouble)
    for index in np.ndindex(array.shape):
        result[index] = to_longdouble(array[index])
    return result
