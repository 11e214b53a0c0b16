"""The scale of each parameter: D of the trust region ‖D s‖ ≤ Δ.

D_p is how much the model feels parameter p: the norm of its column of F (Moré), or for a symmetric matrix A the numbers
with |A_pq| ≤ D_p D_q that touch in every row (Ruiz). It is rounded to powers of 4096 of the largest one at the start,
so that D = 1 for parameters of one kind, whose differences say little, and that scaling rounds nothing; and it never
shrinks.

J. J. Moré, "The Levenberg–Marquardt algorithm: implementation and theory", Numerical Analysis (Dundee), 1978;
D. Ruiz, "A scaling algorithm to equilibrate both rows and columns norms in matrices", RAL-TR-2001-034 (2001).
"""

from __future__ import annotations

import numpy as np

from .._checks import Array
from .._norms import norm

STEP = 12  # binary digits
SWEEPS = 20  # halve what is left of log c; entries of float64 are within 2^±1074


class Scale:
    """D of one run, from sensitivities of shape (P,) as they come in."""

    def __init__(self) -> None:
        self.reference = 0.0
        self.sizes: Array | None = None

    def update(self, sensitivity: Array) -> Array:
        """D, (P,), from the sensitivities at the point reached; 1 for a parameter that was never felt."""
        felt = np.isfinite(sensitivity) & (sensitivity > 0)
        if not self.reference:
            self.reference = float(sensitivity[felt].max(initial=0.0))
            self.sizes = np.zeros(len(sensitivity))
        if self.sizes is not None and self.reference:
            digits = np.log2(sensitivity[felt]) - np.log2(self.reference)
            rounded = np.ldexp(1.0, (np.trunc(digits / STEP) * STEP).clip(-960, 960).astype(int))
            self.sizes[felt] = np.maximum(self.sizes[felt], rounded)
        return np.ones(len(sensitivity)) if self.sizes is None else np.where(self.sizes > 0, self.sizes, 1.0)


def column_sensitivity(rows: Array) -> Array:
    """Norms of the columns of F (R, P), (P,)."""
    return np.asarray(norm(rows, axis=0))


def row_sensitivity(matrix: Array) -> Array:
    """The c with |A_pq| ≤ c_p c_q, nearly, that touch in every row; (P,), zero for a row of zeros."""
    magnitudes = np.abs(matrix)
    sizes = np.ones(len(matrix))
    felt = magnitudes.any(axis=1)
    for _ in range(SWEEPS):
        change = np.sqrt(np.where(felt, (magnitudes / sizes).max(axis=1) / sizes, 1.0))
        sizes *= change
        if ((change > 0.5) & (change < 2)).all():
            break
    return np.where(felt, sizes, 0.0)
