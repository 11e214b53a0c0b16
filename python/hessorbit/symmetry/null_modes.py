"""Which of the zero modes that symmetry, loss and data predict the Hessian at θ really annihilates.

Tangents of the orbit are null at every critical point, the other flat modes where the Hessian has no negative
eigenvalue, first-order ones where the residual is zero (predicted_zero_modes.py). Each set is tried in turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._bases import complement, span
from .._checks import FLOAT64, Array
from .._norms import norm
from ..any_objective import AnyObjective
from ..decomposition import Dense
from ..matrix_errors import QuadratureErrors, RoundingErrors
from ..objective import Objective
from ..restricted import whole, within
from .data_modes import loss_directions
from .group import symmetries
from .predicted_zero_modes import ORBIT, ORBIT_WITH_PENALTY, predicted
from .tangents import norm_preserving

NULL = 1e-6  # relative to ‖H‖
TOLERANT = 2.0  # more than rounding makes of a bound


@dataclass(frozen=True)
class NullModes:
    """Orthonormal columns that H annihilates, with the cause of each."""

    basis: Array  # (P, k)
    causes: tuple[str, ...]

    @cached_property
    def complement(self) -> Array:
        """Orthonormal columns across them, (P, P − k)."""
        return complement(self.basis)


def null_modes(obj: AnyObjective, theta: Array, hessian: Dense, errors: RoundingErrors | QuadratureErrors) -> NullModes:
    """Returns the predicted zero modes that H annihilates, up to 1e-6 ‖H‖, as at the end of a minimisation."""
    modes = predicted(obj, theta, flat_only=not errors.zero_residual)
    allowed = NULL * float(norm(hessian.matrix))
    images = norm(hessian.apply(modes.basis.astype(hessian.matrix.dtype)), axis=0)
    null = np.flatnonzero(images <= allowed)
    basis, causes = modes.basis[:, null], tuple(modes.labels[i] for i in null)
    if len(null) < len(modes):  # columns of one cause stand for each other
        tangents = null_tangents(obj, theta, hessian, allowed)
        if tangents.shape[1]:
            joined = span(np.hstack([tangents, basis]), 1e-8)
            basis, causes = joined, ("symmetry",) * joined.shape[1]
    return NullModes(basis, causes)


def beyond_symmetry(obj: AnyObjective, theta: Array, modes: NullModes) -> int:
    """How many of the null modes are more than the directions in which architecture and loss are always the same."""
    data = whole(obj, theta)[0]
    of_loss = loss_directions(data) if isinstance(data, Objective) else ()
    symmetric = {ORBIT, ORBIT_WITH_PENALTY, *(directions.cause for directions in of_loss)}
    return len(modes.causes) - symmetric_dimension(obj, theta) if set(modes.causes) - symmetric else 0


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


def null_tangents(obj: AnyObjective, theta: Array, hessian: Dense, allowed: float) -> Array:
    """Orthonormal tangents of the orbit at θ, (P, k); none unless the Hessian annihilates all, up to a norm allowed.

    Along them the loss, with its penalty, stays the same.
    """
    tangents, none = within(obj, all_tangents(*whole(obj, theta))), np.zeros((len(theta), 0))
    # Of k orthonormal ones that it annihilates any combination has an image of at most √k times as much.
    mixed = tangents @ np.random.default_rng(0).standard_normal(tangents.shape[1])
    most = TOLERANT * np.sqrt(min(tangents.shape)) * allowed * norm(mixed)
    if not (tangents.shape[1] and norm(hessian.apply(mixed.astype(hessian.matrix.dtype))) <= most):
        return none
    tangents = span(tangents)
    images = norm(hessian.apply(tangents.astype(hessian.matrix.dtype)), axis=0)
    return tangents if (images <= allowed).all() else none


def all_tangents(obj: AnyObjective, theta: Array) -> Array:
    """Tangents of the orbit of all parameters, each of length 1."""
    group, at = symmetries(obj.net), theta.astype(FLOAT64)
    tangents = norm_preserving(obj.net, group.factors, at) if obj.l2 else group.tangents(at)
    sizes = norm(tangents, axis=0)
    return np.asarray(tangents[:, sizes > 0] / sizes[sizes > 0])
