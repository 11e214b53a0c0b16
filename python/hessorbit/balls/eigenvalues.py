"""Eigenvalues of a symmetric matrix of balls to any number of digits, proven.

An orthonormal V makes VᵀHV nearly diagonal. By Ostrowski's and Weyl's theorems an eigenvalue is then within
‖VᵀV − I‖ ‖H‖ and the norm of what is off the diagonal, both evaluated in balls, of a diagonal entry.

V begins with float64's eigenvectors. Where the entries beside the diagonal are small against the gap between two
eigenvalues, V (I + E) with E_ij = A_ij/(A_jj − A_ii), A = VᵀHV, squares them; eigenvalues too close for that form
clusters, within which A, less its mean and scaled, is diagonalised in float64.

T. Ogita and K. Aishima, "Iterative refinement for symmetric eigenvalue decomposition", Japan J. Indust. Appl. Math. 35
(2018), with their treatment of clusters in 36 (2019).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from .._checks import Array
from ..objective import Objective
from .activations import KinkError
from .arithmetic import BITS_PER_DIGIT, balls, flint, floats, largest, middles, precision, product, rounded_up
from .samples import SampleLoss

MOST_PARAMETERS = 100
MOST_DIGITS = 10_000
# Of these, rounding may take some in the Hessian and in V; more are added until the proof succeeds.
SPARE_BITS, SPARE_DECIMALS = 64, 4
ATTEMPTS = 6
ROUNDS = 40
SMALL = 0.1  # of a gap


def eigenvalues(obj: Objective, theta: Array, digits: int, *, gauss_newton: bool) -> tuple[Array, float]:
    """Eigenvalues (P,) as Decimals, ascending, and a proven bound on their errors, below 10^−digits ‖H‖.

    For data and θ exactly as they are stored.
    """
    bits = int(digits * BITS_PER_DIGIT) + SPARE_BITS
    loss = SampleLoss(obj)
    for _ in range(ATTEMPTS):
        with precision(bits):
            try:
                values, error, size = enclosed(loss.hessian(balls(theta), gauss_newton=gauss_newton))
            except KinkError:
                bits *= 2
                continue
            # Beyond what is proven, decimals are cut off.
            cut = size * flint().arb(10) ** -(digits + SPARE_DECIMALS - 1)
            if error + cut <= size * flint().arb(10) ** -digits:
                shown = [as_decimal(v.mid().str(digits + SPARE_DECIMALS, radius=False)) for v in values]
                return np.array(shown, object), rounded_up(error + cut)
            bits *= 2
    raise ArithmeticError(
        f"digits = {digits} cannot be proven at this theta: a preactivation lies at a kink, or overflows"
    )


def as_decimal(text: str) -> Decimal:
    """A number as a Decimal; 0 below 10^(−10^18), where Decimals end, which is less than any error that is reported."""
    try:
        return Decimal(text)
    except InvalidOperation:
        if "e-" in text:
            return Decimal(0)
        raise ArithmeticError("an eigenvalue is beyond the range of Decimal") from None


def enclosed(matrix: Array, start: Array | None = None) -> tuple[list[Any], Any, Any]:
    """Eigenvalues of a matrix (P, P) of balls, ascending, a bound on their errors, and on ‖H‖; from columns near V."""
    arb = flint().arb
    v = eigenvectors(matrix, start)
    nearly = product(v.T, matrix, v)
    skew = product(v.T, v) - balls(np.eye(len(v)))
    values = list(np.diagonal(nearly))
    aside = norm(nearly - np.diag(np.diagonal(nearly)))
    size = max((abs(value).upper() for value in values), default=arb(0))
    radius = max((value.rad() for value in values), default=arb(0))
    bound = arb((aside + radius + 2 * norm(skew) * (size + aside)).upper())
    return sorted(values, key=lambda value: value.mid()), bound, size


def norm(matrix: Array) -> Any:
    """At least the root of the sum of squares."""
    return sum((entry**2 for entry in largest(matrix).ravel()), flint().arb(0)).sqrt().upper()


def eigenvectors(matrix: Array, start: Array | None = None) -> Array:
    """Nearly orthonormal columns (P, P) that nearly diagonalise the midpoints of a matrix, with radius zero.

    From float64's, or from others that are near them, exact balls.
    """
    arb = flint().arb
    matrix = middles(matrix)
    size = largest(matrix).max(initial=arb(0))
    if not (size > 0 and size.is_finite()):
        return balls(np.eye(len(matrix)))
    matrix = middles((matrix + matrix.T) / (2 * size))
    vectors = balls(np.linalg.eigh(floats(matrix))[1]) if start is None else start
    small = arb(2) ** (SPARE_BITS // 4 - flint().ctx.prec)
    best = None
    for _ in range(ROUNDS):
        vectors = orthonormal(vectors)
        nearly = middles(product(vectors.T, matrix, vectors))
        beside = abs(nearly - np.diag(np.diagonal(nearly)))
        most = beside.max(initial=arb(0))
        if best is None or most < best:
            best, found = most, vectors
        elif most >= best * 2:
            break
        if most <= small:
            break
        vectors = improved(vectors, nearly, beside, small)
    return found


def orthonormal(columns: Array) -> Array:
    """Columns that are nearly orthonormal, made so by Newton's and Schulz's iteration, which squares the gap."""
    identity = balls(np.eye(columns.shape[1]))
    half = flint().arb(1) / 2
    enough = flint().arb(2) ** (SPARE_BITS // 4 - flint().ctx.prec)
    for _ in range(ROUNDS):
        gap = middles(product(columns.T, columns) - identity)
        columns = middles(columns - half * product(columns, gap))
        most = largest(gap).max(initial=flint().arb(0))
        if not most**2 > enough:
            break
    return columns


def improved(vectors: Array, nearly: Array, beside: Array, small: Any) -> Array:
    """V, closer to the eigenvectors, from A = VᵀHV and the sizes of its entries beside the diagonal."""
    values = np.diagonal(nearly)
    gaps = abs(values[None, :] - values[:, None])
    close = ((beside > SMALL * gaps) & (beside > small)).astype(bool)
    count, cluster = connected_components(csr_array(close), directed=False)
    apart = (cluster[:, None] != cluster[None, :]) & (beside > small).astype(bool)
    step = np.full(nearly.shape, flint().arb(0), object)
    step[apart] = (nearly / (values[None, :] - values[:, None] + balls(~apart * 1.0)))[apart]
    vectors = middles(vectors + product(vectors, middles(step)))
    for index in np.flatnonzero(np.bincount(cluster, minlength=count) > 1):
        members = np.flatnonzero(cluster == index)
        block = nearly[np.ix_(members, members)]
        mean = sum(np.diagonal(block), flint().arb(0)) / len(members)
        block = block - np.diag(np.full(len(members), mean))
        size = largest(block).max()
        turn = np.linalg.eigh(floats(middles(block / size)))[1]
        vectors[:, members] = middles(product(vectors[:, members], balls(turn)))
    return vectors
