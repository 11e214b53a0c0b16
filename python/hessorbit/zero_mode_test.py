"""Predicted zero modes z held against a matrix H: how far H z is from 0, and whether they count as null vectors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from . import _checks
from ._checks import FLOAT64, Array
from ._words import number_of

ORTHONORMALITY = 1e-10
# Zero modes are null if H annihilates them up to this fraction of ‖H‖.
NULL = 1e-6


class Modes(Protocol):
    """Predicted zero modes, such as `hessorbit.zero_modes` gives."""

    @property
    def basis(self) -> Array:
        """Orthonormal columns, (P, k)."""


@dataclass(frozen=True, eq=False, repr=False)
class ZeroModeTest:
    """A test holds predicted zero modes, and how well the matrix annihilates them.

    Attributes
    ----------
    modes : object or None
        The prediction as it came; None if zero modes were not predicted.
    basis : ndarray, shape (P, k)
        Orthonormal columns that span them.
    residuals : ndarray, shape (k,)
        ‖H z_i‖₂ / ‖H‖₂ of each column.
    together : float
        ‖H Z‖₂ / ‖H‖₂ of all of them.
    scale : float
        ‖H‖₂.
    measured : int
        Number of eigenvalues below the floor, for comparison with k.

    Examples
    --------
    >>> import hessorbit as ho
    >>> net, theta, x = ho.MLP([1, 2, 1], bias=False), [1.0, 1.0, 2.0, 3.0], [[0.5], [1.0], [-2.0]]
    >>> modes = ho.spectrum(ho.Objective(net, x, net(theta, x)), theta).zero_modes
    >>> len(modes), modes.measured, modes.modes.kinds
    (2, 2, ('flat', 'first-order'))
    """

    modes: Any
    basis: Array
    residuals: Array
    together: float
    scale: float
    measured: int

    def are_null(self, floor: float) -> bool:
        """Tells whether H annihilates them up to the floor, or up to 1e-6 ‖H‖₂, as at the end of a minimisation.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 2, 1], "relu")
        >>> x = np.random.default_rng(0).standard_normal((20, 2))
        >>> theta = net.init(np.random.default_rng(1))
        >>> spectrum = ho.spectrum(ho.Objective(net, x, net(theta, x)), theta)
        >>> spectrum.zero_modes.are_null(spectrum.floor)
        True
        """
        return self.together * self.scale <= max(floor, NULL * self.scale)

    def __len__(self) -> int:
        return int(self.basis.shape[1])

    def __repr__(self) -> str:
        if self.modes is None:
            return f"zero modes: not predicted; {number_of(self.measured, 'eigenvalue')} below the floor"
        kinds = Counter(getattr(self.modes, "kinds", ()))
        text = f"zero modes: {len(self)} predicted"
        if kinds:
            text += f" ({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))})"
        if not getattr(self.modes, "resolved", True):
            text += ", their number not resolved"
        if len(self):
            text += f", ‖H z‖ ≤ {self.residuals.max():.1e} ‖H‖"
        return f"{text}; {number_of(self.measured, 'eigenvalue')} below the floor"


def orthonormal(modes: ArrayLike | Modes, count: int) -> Array:
    """The basis of given zero modes, checked."""
    columns = _checks.as_floats(getattr(modes, "basis", modes), "zero_modes")
    if columns.ndim != 2 or columns.shape[0] != count or columns.shape[1] > count:
        raise _checks.shape_error("zero_modes", f"({count}, k), orthonormal columns", columns.shape)
    columns = columns.astype(FLOAT64, copy=False)
    deviation = np.abs(columns.T @ columns - np.eye(columns.shape[1])).max(initial=0)
    if deviation > ORTHONORMALITY:
        raise ValueError(
            f"zero_modes must have orthonormal columns; their products differ from the identity by {deviation:.1e}: "
            f"use scipy.linalg.orth"
        )
    return columns
