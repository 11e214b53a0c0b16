"""An objective at θ makes a criterion of D^{1/2} H D^{1/2} a function of log D: λ_max/λ_min, λ_max or the trace."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from .._checks import Array
from ..decomposition import rounding
from ..gauss_newton import factor, residual_curvature_bound
from ..objective import Objective
from ..symmetry.predicted_zero_modes import zero_modes
from .smoothed_spectrum import Extremes, SpectralFunction, Trace

NEGLIGIBLE = 1e-6  # what a Hessian may have beside its factor, relative to the smallest eigenvalue that matters


def spectral_function(obj: Objective, theta: Array, criterion: str, *, exact: bool) -> SpectralFunction:
    """Returns the criterion as a function of log D; `exact` if H transforms exactly even away from zero residual."""
    rows = factor(obj, theta)
    squares = np.einsum("np,np->p", rows, rows)
    root = reduced(rows, obj.net.num_layers)
    missing = residual_curvature_bound(obj, theta)
    singular = scipy.linalg.svdvals(root) if len(root) else np.zeros(1)
    smallest = {"condition_number": singular[-1], "max": singular[0], "trace": singular[0]}[criterion] ** 2
    if missing > NEGLIGIBLE * smallest:
        if not exact:
            raise ValueError(
                f"theta must have zero residual for widenings to act on the Hessian through D alone; its Hessian "
                f"differs from the Gauss–Newton matrix by up to {missing:.1e}, more than {NEGLIGIBLE * smallest:.1e}: "
                f"minimise the loss further, or search over=symmetries(net)"
            )
        hessian = obj.hessian(theta)
        squares = np.diag(hessian)
        if criterion != "trace":
            root = hessian_root(hessian, zero_modes(obj.net, theta).of_kind("flat").basis, obj.net.num_layers)
    if criterion == "trace":
        if squares.min() < 0:
            raise ValueError(f"theta must have a Hessian with diagonal entries ≥ 0; one is {squares.min():.3e}")
        if not squares.any():
            raise ValueError("theta must have a Hessian other than zero")
        return Trace(squares)
    if not len(root):
        raise ValueError("theta must have a Hessian other than zero")
    return Extremes(root, criterion == "condition_number")


def reduced(rows: Array, layers: int) -> Array:
    """Returns G (r, P) of full rank r with GᵀG = rowsᵀ rows, but for singular values within rounding of zero."""
    tall = len(rows) > rows.shape[1]
    triangle = scipy.linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]] if tall else rows
    _, singular, vectors = scipy.linalg.svd(triangle, full_matrices=False)
    kept = singular > rounding(min(rows.shape), singular, layers)
    root = singular[kept, None] * vectors[kept]
    root[:, ~rows.any(axis=0)] = 0
    return np.asarray(root)


def hessian_root(hessian: Array, zero: Array, layers: int) -> Array:
    """Returns G (r, P) with GᵀG = H outside the span of zero modes (P, k) that H annihilates, else everywhere."""
    if zero.shape[1]:
        complement = scipy.linalg.qr(zero)[0][:, zero.shape[1] :]
        values, vectors = scipy.linalg.eigh(complement.T @ hessian @ complement, driver="evd")
        vectors = complement @ vectors
        if np.linalg.norm(hessian @ zero, 2) > NEGLIGIBLE * np.abs(values).min(initial=np.inf):
            return hessian_root(hessian, zero[:, :0], layers)
    else:
        values, vectors = scipy.linalg.eigh(hessian, driver="evd")
    floor = rounding(len(hessian), values, layers)
    if values.min(initial=0.0) < -floor:
        raise ValueError(f"theta must have a positive semidefinite Hessian; its smallest eigenvalue is {values[0]:.3e}")
    kept = values > floor
    return np.asarray(np.sqrt(values[kept, None]) * vectors[:, kept].T)
