"""Which of the zero modes that symmetry, loss and data predict the Hessian at θ really annihilates.

Tangents of the orbit are null at every critical point, the other flat modes where the Hessian has no negative
eigenvalue, first-order ones where the residual is zero (predicted_zero_modes.py). Each set is tried in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._bases import complement, span
from .._checks import FLOAT64, Array
from .._norms import norm
from ..any_objective import AnyObjective
from ..decomposition import Dense
from ..error_bounds import QuadratureErrors, RoundingErrors
from ..objective import Objective
from ..restricted import whole, within
from .data_modes import loss_directions
from .group import symmetries
from .predicted_zero_modes import predicted
from .tangents import norm_preserving

NULL = 1e-6  # relative to ‖H‖


@dataclass(frozen=True)
class NullModes:
    """Orthonormal columns that H annihilates, with the cause of each, and orthonormal columns across them."""

    basis: Array  # (P, k)
    causes: tuple[str, ...]
    complement: Array  # (P, P − k)


def null_modes(obj: AnyObjective, theta: Array, hessian: Dense, errors: RoundingErrors | QuadratureErrors) -> NullModes:
    """Returns the predicted zero modes that H annihilates, up to 1e-6 ‖H‖, as at the end of a minimisation."""
    modes = predicted(obj, theta)
    allowed = NULL * float(norm(hessian.matrix))
    chosen = [i for i, kind in enumerate(modes.kinds) if kind == "flat" or errors.zero_residual]
    images = norm(hessian.apply(modes.basis[:, chosen].astype(hessian.matrix.dtype)), axis=0)
    null = [i for i, image in zip(chosen, images, strict=True) if image <= allowed]
    basis, causes = modes.basis[:, null], tuple(modes.labels[i] for i in null)
    if len(null) < len(chosen):  # columns of one cause stand for each other
        tangents = orbit_tangents(obj, theta)
        if tangents.shape[1] and (norm(hessian.apply(tangents.astype(hessian.matrix.dtype)), axis=0) <= allowed).all():
            joined = span(np.hstack([tangents, basis]), 1e-8)
            basis, causes = joined, ("symmetry",) * joined.shape[1]
    return NullModes(basis, causes, complement(basis))


def symmetric_dimension(obj: AnyObjective, theta: Array) -> int:
    """The dimension of the directions in which architecture and loss are the same at every θ, as far as θ moves."""
    data, at = whole(obj, theta)
    parts = [all_tangents(data, at)]
    if isinstance(data, Objective) and not data.l2:
        for directions in loss_directions(data):
            rows, columns, values = directions.entries()
            matrix = np.zeros((len(at), len(directions)))
            matrix[rows, columns] = values
            parts.append(matrix)
    joined = np.hstack(parts)
    return int(within(obj, span(joined)).shape[1])


def orbit_tangents(obj: AnyObjective, theta: Array) -> Array:
    """Orthonormal tangents of the orbit at θ, along which the loss, with its penalty, stays the same."""
    tangents = within(obj, all_tangents(*whole(obj, theta)))
    return span(tangents)


def all_tangents(obj: AnyObjective, theta: Array) -> Array:
    """Tangents of the orbit of all parameters, each of length 1."""
    group, at = symmetries(obj.net), theta.astype(FLOAT64)
    tangents = norm_preserving(obj.net, group.factors, at) if obj.l2 else group.tangents(at)
    sizes = norm(tangents, axis=0)
    return np.asarray(tangents[:, sizes > 0] / sizes[sizes > 0])
