"""A `CriticalPoint` says what a point of the loss is; pure data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .. import _html
from .._checks import Array


@dataclass(frozen=True, eq=False)
class WayToInfinity:
    """A way to infinity is a curve that begins at θ, on which parameters diverge and the loss keeps falling.

    Attributes
    ----------
    kind : {"channel", "step", "outputs", "ray"}
        ``"channel"``: neurons that merge, with each other or with a constant, while their outgoing weights diverge and
        cancel. ``"step"``: a neuron whose incoming weights grow at a fixed direction. ``"outputs"``: the last layer
        grows, as on separated classes. ``"ray"``: the Newton step goes on and on.
    layer : int
        Of its neurons, counted from 1; 0 for a ray.
    neurons : tuple of int
    unit : str
        What the neurons become, such as ``"gated linear unit"``.
    limit : float
        The loss at the end, by extrapolation.
    tangent : ndarray, shape (P,)
        The direction in which it begins.
    parameters : dict of str to ndarray
        Of a gated linear unit v σ(w̃ · x̃) + (u · x̃) σ'(w̃ · x̃), x̃ = (x, 1): ``"incoming"``, w̃ (p,); ``"value"``, v, and
        ``"slope"``, u, for each neuron of the next layer, (d',) and (d', p). Else empty.
    limit_error : float
        What quadrature makes of the losses that `limit` is extrapolated from, at most; 0 for losses on samples.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [1.0, 1.0], loss="logistic")
    >>> (way,) = ho.classify(obj, [15.0]).ways
    >>> way.kind, way.unit, way.limit < 1e-100
    ('outputs', 'outputs without bound', True)
    """

    kind: str
    layer: int
    neurons: tuple[int, ...]
    unit: str
    limit: float
    tangent: Array = field(repr=False)
    parameters: dict[str, Array] = field(default_factory=dict, repr=False)
    limit_error: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class CriticalPoint:
    """A critical point is what `classify` found out about θ.

    Attributes
    ----------
    kind : {"minimum", "saddle", "degenerate", "not critical", "to infinity"}
        - ``"minimum"``: every eigenvalue of the Hessian is positive beyond its error, but for the directions in which
          the architecture or the loss is symmetric, and Newton's method converges to a point next to θ.
        - ``"saddle"``: the same, but some eigenvalues are negative, and along `direction` the loss falls.
        - ``"degenerate"``: none is negative, but there are other flat directions, which `causes` names, or which no
          symmetry explains. With `at_lower_bound` it is a minimum all the same; else that is left to higher
          derivatives. Also where one is negative, but by so little that the loss falls by no more than rounding, or
          only without the curvature of residuals at the kink of the loss.
        - ``"not critical"``: that the gradient vanishes next to θ is not shown, or only on one side of a kink.
        - ``"to infinity"``: parameters diverge, along `ways`, and the loss keeps falling.
    message : str
        What it is and what to do about it, in sentences.
    loss, gradient_norm : float
        L and max|∇L|.
    num_negative, num_positive : int
        Eigenvalues with a sign beyond their errors.
    smallest : float
        The smallest eigenvalue across the directions of `causes`; nan if there is none. Where inputs, outputs or
        weights are very large or small, it is that in units in which they are of about size one, as `message` says.
    floor : float
        To what the eigenvalues are known, in these units.
    direction : ndarray, shape (P,), or None
        At a saddle, and where the loss falls on another side of a kink: the loss at ``theta + direction`` is less by
        `decrease`, as was verified.
    decrease : float
        0 where there is no direction.
    causes : tuple of str
        Symmetries, by `zero_modes`, of the flat directions at θ, one for each dimension.
    unexplained : ndarray, shape (P, k)
        Orthonormal directions whose eigenvalues have no sign, without a symmetry.
    ways : tuple of WayToInfinity
    kinks : tuple of (int, int, int)
        Layer, neuron and sample of preactivations at a kink of their activation, to rounding; the sample is −1 for
        neurons without weights on infinitely many inputs. And, as of a layer beyond the last, outputs and samples whose
        residuals are at the kink of the loss, ``|f − y| = delta``: eigenvalues are those without the curvature of
        these, which are lower bounds on any side.
    at_lower_bound : bool
        At a degenerate point: whether the loss is the least that any outputs have, as where all samples are fitted, to
        rounding. Then θ is a global minimum.
    distance : float
        At a minimum or a saddle, a critical point lies within this Euclidean distance of θ: a bound by the Newton step
        and by what the Hessian changes by along it; `certify` proves one. nan
        where eigenvalues without a sign leave it open.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [2.0, 4.0])
    >>> point = ho.classify(obj, [2.0])
    >>> point.kind, point.smallest, point.num_negative
    ('minimum', 2.5, 0)
    """

    kind: str
    message: str
    loss: float
    gradient_norm: float
    num_negative: int
    num_positive: int
    smallest: float
    floor: float
    direction: Array | None
    decrease: float
    causes: tuple[str, ...]
    unexplained: Array
    ways: tuple[WayToInfinity, ...]
    kinks: tuple[tuple[int, int, int], ...]
    at_lower_bound: bool = False
    distance: float = np.nan

    @property
    def channels(self) -> tuple[WayToInfinity, ...]:
        """Those of the ways to infinity that are channels."""
        return tuple(way for way in self.ways if way.kind == "channel")

    @property
    def limit(self) -> float:
        """The least loss at the end of the ways to infinity; the loss itself where there are none."""
        return min((way.limit for way in self.ways), default=self.loss)

    @property
    def _signs(self) -> str:
        return f"{self.num_negative} negative, {self.num_positive} positive, known to {self.floor:.1e}"

    def __repr__(self) -> str:
        return f"{self.kind}: {self.message}"

    def _repr_html_(self) -> str:
        return _html.facts(
            f"A point that is {self.kind}" if self.kind.startswith(("not", "to")) else f"A {self.kind} point",
            {
                "what it is": self.message,
                "distance to the critical point": f"at most {self.distance:.2g}" if self.distance >= 0 else None,
                "loss": self.loss,
                "max |gradient|": self.gradient_norm,
                "eigenvalues": self._signs if np.isfinite(self.floor) else None,
                "flat directions": ", ".join(dict.fromkeys(self.causes)) or None,
                "ways to infinity": ", ".join(f"{way.kind}: {way.unit}" for way in self.ways) or None,
            },
        )
