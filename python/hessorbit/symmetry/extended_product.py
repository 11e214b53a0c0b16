"""Products of large matrices in extended precision, from float64 products of parts that have few bits.

With A = A₁ + A₂ + … by rows and B = B₁ + B₂ + … by columns, parts of b bits each on a grid that the largest entry of
the row or column sets, no product A_i B_j rounds if 2b + log₂ n ≤ 53, so BLAS finds it exactly; those that matter are
summed in longdouble. Rows of A B with an entry whose terms are all too small for that grid are found by NumPy's own
product, which takes some hundred times as long for large matrices.

K. Ozaki, T. Ogita, S. Oishi and S. M. Rump, "Error-free transformations of matrix multiplication by using fast routines
of matrix multiplication and its applications", Numerical Algorithms 59 (2012).
"""

from __future__ import annotations

import math

import numpy as np

from .._checks import FLOAT64, LONGDOUBLE, Array

SMALL = 200
PARTS = 4


def product(a: Array, b: Array) -> Array:
    """A B (m, p) of A (m, n) and B (n, p) in longdouble."""
    inner = a.shape[1]
    if inner <= SMALL:
        return np.asarray(a @ b)
    bits = (53 - math.ceil(math.log2(inner))) // 2
    # Where a column of A is large, the row of B that it meets is often small.
    between = power_above(a, 0)
    a, b = a / between, b * between.T
    rows, columns = power_above(a, 1), power_above(b, 0)
    left, right = parts(a / rows, bits), parts(b / columns, bits)
    total = np.zeros((len(a), b.shape[1]), LONGDOUBLE)
    for order in reversed(range(PARTS)):
        for i in range(order + 1):
            if left[i].any() and right[order - i].any():
                total += left[i] @ right[order - i]
    sizes = np.abs(a / rows).astype(FLOAT64) @ np.abs(b / columns).astype(FLOAT64)
    lost = sizes < inner * 2.0 ** (64 - PARTS * bits)
    if lost.any():
        lost &= (a != 0).astype(FLOAT64) @ (b != 0).astype(FLOAT64) > 0
    total *= rows * columns
    again = np.flatnonzero(lost.any(axis=1))
    total[again] = a[again] @ b
    return total


def parts(matrix: Array, bits: int) -> list[Array]:
    """Float64 matrices of so many bits each that sum to this one, of entries below 1, but for 2^(−PARTS·bits)."""
    result = []
    for order in range(1, PARTS + 1):
        part = np.ldexp(np.rint(np.ldexp(matrix, order * bits)), -order * bits)
        matrix = matrix - part
        result.append(part.astype(FLOAT64))
    return result


def power_above(matrix: Array, axis: int) -> Array:
    """For each column or row, a power of two above the magnitudes of its entries."""
    largest = np.abs(matrix).max(axis=axis, keepdims=True)
    return np.asarray(np.ldexp(LONGDOUBLE.type(1), np.frexp(largest)[1]))
