"""Balls in NumPy arrays of objects, for what is done entry by entry, and in matrices of flint, for products."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import _extras
from .._checks import Array, is_extended

BITS_PER_DIGIT = math.log2(10)


def flint() -> Any:
    """python-flint, or an error that names the extra."""
    _extras.need("flint", "a proof in ball arithmetic, by certify or digits=,")
    import flint as module

    return module


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Balls within have midpoints of so many bits."""
    ctx = flint().ctx
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def exact(value: Any) -> Any:
    """A float64 or longdouble number as a ball of radius zero."""
    high = float(value)
    return flint().arb(high) + flint().arb(float(value - type(value)(high)))


def balls(array: Any) -> Array:
    """An array of numbers as one of balls of radius zero."""
    numbers = np.asarray(array)
    convert = exact if is_extended(numbers) else flint().arb
    result = np.empty(numbers.size, object)
    result[:] = [convert(value) for value in (numbers.ravel() if is_extended(numbers) else numbers.ravel().tolist())]
    return result.reshape(numbers.shape)


def zeros(*shape: int) -> Array:
    return np.full(shape, flint().arb(0), object)


def to_matrix(array: Array) -> Any:
    """An array (n, m) of balls as a matrix of flint."""
    return flint().arb_mat(*array.shape, array.ravel().tolist())


def from_matrix(matrix: Any) -> Array:
    array = np.empty(matrix.nrows() * matrix.ncols(), object)
    array[:] = matrix.entries()
    return array.reshape(matrix.nrows(), matrix.ncols())


def product(*factors: Array) -> Array:
    """The product of matrices, arrays (n, m) of balls, from the left to the right."""
    result = to_matrix(factors[0])
    for factor in factors[1:]:
        result = result * to_matrix(factor)
    return from_matrix(result)


middles = np.frompyfunc(lambda ball: ball.mid(), 1, 1)
largest = np.frompyfunc(lambda ball: ball.abs_upper(), 1, 1)  # at least |x| for all x in the ball
smallest = np.frompyfunc(lambda ball: ball.abs_lower(), 1, 1)


def ball(middle: Any, radius: Any) -> Any:
    """The ball around an exact middle; its radius may be rounded upwards."""
    return flint().arb(middle, radius)


def floats(array: Array) -> Array:
    """The midpoints of balls, rounded to float64."""
    return np.array([float(entry.mid()) for entry in array.ravel()], float).reshape(array.shape)


def rounded_up(bound: Any) -> float:
    """A float64 that is at least this number ≥ 0, also where float64 would round it to zero."""
    return math.nextafter(float(bound.upper()), math.inf) if bound > 0 else 0.0


def enclosure(value: Any) -> tuple[float, float]:
    """Float64 numbers below and above all of a ball; both are exact for an exact float64."""
    low, high = value.lower(), value.upper()
    below, above = float(low), float(high)
    below = below if flint().arb(below) <= low else math.nextafter(below, -math.inf)
    above = above if flint().arb(above) >= high else math.nextafter(above, math.inf)
    return below, above
