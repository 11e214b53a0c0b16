"""Whether a point is surely no critical one across a few directions, without the eigenvalues across them.

Let A = diag(λ) be the Hessian in its eigenvectors V, and U what is orthogonal to q directions, B (r, q) in these. The
matrix that borders A with B tells what A is on U (Haynsworth's inertia formula; Horn and Johnson, Matrix Analysis, 2nd
ed., 4.5.P21): A_U has as many eigenvalues below σ as

    λ has   +   −Bᵀ (A − σ)⁻¹ B has below 0   −   q

and A_U s = −g_U is solved by s = −A⁻¹ (g + B ν), Bᵀ s = 0. For a critical point, with E = H(θ + s) − H(θ),

    |uᵀ E u| ≤ (½ + noise) uᵀ |A_U| u ≤ (½ + noise) ‖u‖ ‖A_U u‖       for every u in U

where no eigenvalue of A_U is lost to rounding (local_model.py); the noise is twice the floor over the least of them. So
one u tells that θ is none: that of inverse iteration, on which A_U is small.
"""

from __future__ import annotations

import numpy as np

from .._bases import span
from .._checks import FLOAT64, Array
from .._norms import norm
from .local_model import CRITICAL, LocalModel

AWAY = 16.0  # times the floor: how far from zero eigenvalues must be, for which the noise is at most 2 / 16
MOST = 0.75  # above ½ + 2 / 16, by more than rounding
ITERATIONS = 8


def surely_not_critical(model: LocalModel, directions: Array) -> bool:
    """Tells whether `model_beside(model, directions)` is surely not critical; False in doubt.

    Directions are (P, q). Costs a few products of the Hessian with a vector.
    """
    here, values = model.here, model.values.astype(FLOAT64)
    still = norm(here.gradient) <= 2 * CRITICAL * model.size * max(1.0, float(norm(here.theta)))
    if not len(values) or still or not np.isfinite(directions).all():
        return False
    vectors = model.vectors.astype(FLOAT64)
    floor, border = AWAY * here.floor(values, restricted=True), span(vectors.T @ directions)
    if border.shape[1] == len(values) or np.abs(values).min() <= floor:
        return False
    if below(values, border, floor) != below(values, border, -floor):
        return False
    step = solved(values, border, -model.slopes.astype(FLOAT64))
    ahead = here.theta.astype(FLOAT64) + vectors @ step
    if not np.isfinite(ahead).all():
        return True
    for _ in range(ITERATIONS):
        step = step / norm(step)
        inverse = solved(values, border, step)
        along = vectors @ inverse
        moved = along @ (here.obj.hvp(ahead, along) - here.obj.hvp(here.theta.astype(FLOAT64), along))
        if not abs(moved) <= MOST * norm(inverse) * norm(step):  # A_U inverse = step
            return True
        step = inverse
    return False


def below(values: Array, border: Array, shift: float) -> int:
    """How many eigenvalues of diag(λ) on what is orthogonal to the border, orthonormal (r, q), are below a number."""
    coupled = -(border.T / (values - shift)) @ border
    return int((values < shift).sum() + (np.linalg.eigvalsh(coupled) < 0).sum() - border.shape[1])


def solved(values: Array, border: Array, right: Array) -> Array:
    """Returns s, orthogonal to the border, with diag(λ) s = right up to a combination of its columns."""
    plain, columns = right / values, border / values[:, None]
    return np.asarray(plain - columns @ np.linalg.solve(border.T @ columns, border.T @ plain))
