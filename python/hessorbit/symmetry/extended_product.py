"""Products of large matrices in extended precision, from float64 products of parts that have few bits.

With A = A₁ + … + A_k + A' by rows and B = B₁ + … + B_k + B' by columns, parts of b bits each on a grid that the largest
entry of the row or column sets, no product A_i B_j rounds if 2b + log₂ n ≤ 53, so BLAS finds it exactly. Those with
i + j ≤ k + 1 are summed in longdouble. For the others, so small as they are, float64 has digits enough:

    A₁ (B − B₁ − … − B_k) + A₂ (B − B₁ − … − B_{k−1}) + … + A_k (B − B₁) + A' B,

with an error of some n² 2^{−53−kb} in units of the largest entries, and mostly of n^{1/2} 2^{−53−kb}. k is 1 where that
is little beside the terms of every sum, else 2. Rows of A B with an entry whose terms are too small even for that are
found by NumPy's own product, which takes some hundred times as long for large matrices.

K. Ozaki, T. Ogita, S. Oishi and S. M. Rump, "Error-free transformations of matrix multiplication by using fast routines
of matrix multiplication and its applications", Numerical Algorithms 59 (2012).
"""

from __future__ import annotations

import math

import numpy as np

from .._checks import FLOAT64, LONGDOUBLE, Array

SMALL = 200
MOST_PARTS = 2
LONG_BITS = 64
FLOAT32 = np.dtype(np.float32)


def product(a: Array, b: Array) -> Array:
    """A B (m, p) of A (m, n) and B (n, p) in longdouble."""
    inner = a.shape[1]
    if inner <= SMALL:
        return np.asarray(a @ b)
    bits = (53 - math.ceil(math.log2(inner))) // 2
    # Where a column of A is large, the row of B that it meets is often small.
    between = power_above(a, 0)
    left, right = a * (1 / between), b * between.T
    rows, columns = power_above(left, 1), power_above(right, 0)
    left *= 1 / rows
    right *= 1 / columns
    left_halves, right_halves = halves(left), halves(right)
    sizes = size_of(left_halves[0]) @ size_of(right_halves[0])
    for count in range(1, MOST_PARTS + 1):
        lost = sizes < inner * 2.0 ** (LONG_BITS - 53 - count * bits)
        if lost.any():
            lost &= (left != 0).astype(FLOAT32) @ (right != 0).astype(FLOAT32) > 0
        if not lost.any():
            break
    total = sum_of_parts(parts(*left_halves, bits, count), parts(*right_halves, bits, count))
    total *= rows
    total *= columns
    again = np.flatnonzero(lost.any(axis=1))
    total[again] = a[again] @ b
    return total


Parts = tuple[list[Array], list[Array]]


def sum_of_parts(a: Parts, b: Parts) -> Array:
    """A B in longdouble; the smallest products first."""
    (left, left_rests), (right, right_rests) = a, b
    count = len(left)
    rest = left_rests[count] @ right_rests[0]
    for i, part in enumerate(left):
        rest += part @ right_rests[count - i]
    total = rest.astype(LONGDOUBLE)
    for order in reversed(range(count)):
        for i in range(order + 1):
            total += left[i] @ right[order - i]
    return total


def halves(matrix: Array) -> tuple[Array, Array]:
    """A longdouble matrix as the sum of two in float64."""
    high = matrix.astype(FLOAT64)
    return high, (matrix - high).astype(FLOAT64)


def parts(high: Array, low: Array, bits: int, count: int) -> Parts:
    """The first parts of high + low, of entries below 1; and what none, one and more of them leave, rounded."""
    found, rests = [], [high]
    for order in range(1, count + 1):
        part = np.rint(high * 2.0 ** (order * bits))
        part *= 2.0 ** (-order * bits)
        high = high - part
        found.append(part)
        rests.append(high + low)
    return found, rests


def size_of(matrix: Array) -> Array:
    return np.abs(matrix.astype(FLOAT32))


def power_above(matrix: Array, axis: int) -> Array:
    """For each column or row, a power of two above the magnitudes of its entries."""
    largest = np.maximum(matrix.max(axis=axis, keepdims=True), -matrix.min(axis=axis, keepdims=True))
    return np.asarray(np.ldexp(LONGDOUBLE.type(1), np.frexp(largest)[1]))
