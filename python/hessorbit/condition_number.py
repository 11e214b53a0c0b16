"""Condition numbers that know their convention, and how well they are known.

κ is the largest over the smallest magnitude of some eigenvalues. Where the smallest is below the floor of the spectrum,
κ is a lower bound, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ._checks import Array
from ._words import number_of


class ConditionNumber(float):
    """A condition number is a float that says by which convention it was taken, over what, and how well it is known.

    Attributes
    ----------
    convention : str
        ``"quotient"``, ``"raw"``, ``"rank=…"`` or ``"threshold=…"``.
    is_lower_bound : bool
        Whether its denominator lies below the floor of the spectrum.
    lower, upper : float
        Between these is the condition number, for all that the floor tells; upper is inf for a lower bound.
    directions, of : int
        Number of eigenvalues it covers, and P; 0 if unknown.
    modes_residual : float
        ‖H Z‖₂ / ‖H‖₂ for the zero modes Z that the quotient leaves out; 0 for other conventions. The eigenvalues of H
        are those of the quotient and zeros only as far as this is small.
    modes_are_null : bool
        Whether H annihilates these modes: up to the floor, or up to 1e-6 ‖H‖₂, as at the end of a minimisation.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[2.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    >>> kappa = ho.spectrum(obj, [0.0, 0.0]).condition_number("raw")
    >>> kappa, kappa + 0.5
    (4 (raw), 4.5)
    """

    convention: str
    is_lower_bound: bool
    lower: float
    upper: float
    directions: int
    of: int
    modes_residual: float
    modes_are_null: bool

    def __new__(
        cls,
        value: float,
        convention: str,
        is_lower_bound: bool,
        *,
        bounds: tuple[float, float] | None = None,
        directions: tuple[int, int] = (0, 0),
        modes_residual: float = 0.0,
        modes_are_null: bool = True,
    ) -> ConditionNumber:
        number = super().__new__(cls, value)
        number.convention = convention
        number.is_lower_bound = is_lower_bound
        number.lower, number.upper = bounds or (float(value), np.inf if is_lower_bound else float(value))
        number.directions, number.of = directions
        number.modes_residual = modes_residual
        number.modes_are_null = modes_are_null
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        options: dict[str, Any] = {
            "bounds": (self.lower, self.upper),
            "directions": (self.directions, self.of),
            "modes_residual": self.modes_residual,
            "modes_are_null": self.modes_are_null,
        }
        return partial(ConditionNumber, **options), (float(self), self.convention, self.is_lower_bound)

    def __repr__(self) -> str:
        text = f"{'≥ ' if self.is_lower_bound else ''}{float(self):.6g} ({self.convention}"
        if self.convention == "quotient" and self.directions < self.of:
            text += f", {self.directions} of {number_of(self.of, 'direction')}"
            if not self.modes_are_null:
                text += f"; not a critical point: modes not null, ‖H z‖ up to {self.modes_residual:.1e} ‖H‖"
        return text + ")"

    __str__ = __repr__


def ratio(
    magnitudes: Array, floor: float, error_at: Callable[[float], float], convention: str, details: dict[str, Any]
) -> ConditionNumber:
    """The largest over the smallest magnitude; `error_at` bounds the error of an eigenvalue of a magnitude."""
    if not magnitudes.any():
        unresolved = len(magnitudes) > 0 and floor > 0
        return ConditionNumber(1.0 if unresolved else np.nan, convention, unresolved, **details)
    largest, smallest = float(magnitudes.max()), float(magnitudes.min())
    above, below = error_at(largest), error_at(smallest)
    least = max(largest - above, 0.0)
    if smallest <= floor:
        bound = least / (np.sqrt(smallest) + np.sqrt(floor)) ** 2
        return ConditionNumber(max(bound, 1.0), convention, True, **details)
    upper = (largest + above) / (smallest - below) if smallest > below else np.inf
    bounds = max(least / (smallest + below), 1.0), upper
    return ConditionNumber(largest / smallest, convention, False, bounds=bounds, **details)
