"""What `certify` has proven, as pure data."""

from __future__ import annotations

from dataclasses import dataclass

from .. import _html
from .._checks import Array


@dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """A certificate says what is proven of a critical point, or why nothing is; made by `certify`.

    Attributes
    ----------
    kind : str
        ``"minimum"``, ``"saddle"`` or ``"maximum"``: strict, transverse to symmetry; ``"not proven"`` without proof.
    proven : bool
    theta : ndarray, shape (P,)
        The sharpened point, rounded to float64; without proof, the point as it came.
    distance : float
        Euclidean distance from the point as it came to `theta`.
    radius : float or None
        Exactly one critical point lies within this Euclidean distance of `theta`, on the slice transverse to symmetry.
    loss : tuple of float, or None
        Bounds (lo, hi) on the loss of that critical point; so are all that follow.
    eigenvalues : ndarray, shape (P, 2), or None
        Bounds on the eigenvalues of its Hessian, ascending. Those of continuous symmetries are exactly 0.
    condition_number : tuple of float, or None
        Bounds on the quotient of the largest and the smallest absolute value of the eigenvalues that are not 0.
    inertia : tuple of int, or None
        Number of negative, zero and positive eigenvalues; exact.
    digits : int
        Decimal digits in which the proof computed.
    message : str
        What is proven in a sentence, or why it is not.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1]), [[0.0], [1.0], [2.0]], [1.0, 2.0, 4.0])
    >>> ho.certify(obj, [1.5, 0.8333333])
    Certificate: proven: exactly one critical point within 0.000272, a strict minimum
      loss              0.0277777777778
      eigenvalues       from 0.279240779944 to 2.38742588672, inertia (0, 0, 2)
      condition number  8.54970354689
    """

    kind: str
    proven: bool
    theta: Array
    distance: float
    radius: float | None
    loss: tuple[float, float] | None
    eigenvalues: Array | None
    condition_number: tuple[float, float] | None
    inertia: tuple[int, int, int] | None
    digits: int
    message: str

    def __repr__(self) -> str:
        if not self.proven or self.loss is None or self.eigenvalues is None or self.condition_number is None:
            return f"Certificate: {self.message}"
        values = self.eigenvalues
        return "\n".join(
            [
                f"Certificate: {self.message}",
                f"  loss              {shown(self.loss)}",
                f"  eigenvalues       from {shown(values[0])} to {shown(values[-1])}, inertia {self.inertia}",
                f"  condition number  {shown(self.condition_number)}",
            ]
        )

    def _repr_html_(self) -> str:
        known = self.proven and self.loss is not None and self.condition_number is not None
        return _html.facts(
            f"Certificate: {self.message}",
            {
                "loss": shown(self.loss) if known and self.loss else None,
                "condition number": shown(self.condition_number) if known and self.condition_number else None,
                "inertia": self.inertia,
                "radius": self.radius,
                "digits": self.digits,
            },
        )


def shown(bounds: tuple[float, float] | Array) -> str:
    """The digits that both bounds have, at most 12, or both bounds."""
    low, high = map(float, bounds)
    for digits in range(12, 2, -1):
        if (text := f"{low:.{digits}g}") == f"{high:.{digits}g}":
            return text
    return f"[{low:.3g}, {high:.3g}]"
