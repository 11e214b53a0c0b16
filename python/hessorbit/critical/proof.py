"""`certify` proves in ball arithmetic that a critical point is there, what it is, and bounds on its spectrum.

Newton's steps sharpen θ, in float64 and then in many digits. On the slice transverse to the directions that change
nothing (slices.py), Krawczyk's test proves one critical point in a box and its inertia (krawczyk.py); the Hessian over
the small box that contains it gives the bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FLOAT64, Array
from .._norms import norm as float_norm
from .._words import number_of
from ..any_objective import AnyObjective, check_objective
from ..balls.activations import KinkError
from ..balls.arithmetic import (
    BITS_PER_DIGIT,
    balls,
    enclosure,
    flint,
    floats,
    middles,
    precision,
    product,
)
from ..balls.eigenvalues import SPARE_BITS, enclosed
from ..balls.enclosures import EnclosedLoss, enclosed_loss
from ..symmetry.predicted_zero_modes import predicted
from .certificate import Certificate
from .invariances import invariances
from .krawczyk import Contraction, contraction
from .slices import Slice, float_slice, slice_of, split

MOST_DIGITS = 1000
FEWEST_DIGITS = 16
ATTEMPTS = 3  # each with twice the digits of the one before
FIRST_STEP = 0.1  # longest first Newton step, and
SHARPENING = 0.01  # longest way from θ, relative to 1 + ‖θ‖
FLOAT_STEPS, STEPS, RADII = 50, 40, 12
FIRST_RADIUS = 1e-4
CONTRACTION = 0.5  # of Krawczyk's test, aimed at
MARGIN = 2.0**-20  # more than the columns of a slice fail to be orthonormal by
RESOLUTION = 4 * float(np.finfo(FLOAT64).eps)  # of θ in float64, relative


class NotProvenError(Exception):
    """Why there is no proof, in words, and whether more digits might help."""

    def __init__(self, reason: str, *, more_digits: bool = False) -> None:
        super().__init__(reason)
        self.more_digits = more_digits


def certify(obj: AnyObjective, theta: ArrayLike, *, radius: float | None = None, digits: int = 32) -> Certificate:
    """Returns a proof that exactly one critical point lies near θ, with its kind and bounds on its spectrum.

    All arithmetic that the proof rests on is that of balls: with an error bound for every number. Without a proof the
    result says why; it claims nothing then.

    Parameters
    ----------
    obj : Objective or PopulationObjective
        Also a restriction of one to some parameters, by `Objective.restricted`. On infinitely many inputs the hidden
        neurons of student and teacher must be all of one kind: relu, leaky_relu and identity; erf and normal_cdf; gelu;
        square and cube; exp; or sin and cos, whose expectations are known in closed form.
    theta : array_like, shape (P,)
        A critical point to about the precision of float64, as a minimisation ends with.
    radius : float, optional
        Euclidean distance from θ within which exactly one critical point is to be proven. By default the distance is
        chosen: as long as the proof succeeds easily.
    digits : int
        Decimal digits to compute with and to sharpen θ to, from 16 to 1000; where the proof needs more, two and four
        times as many are tried.

    Returns
    -------
    Certificate

    Raises
    ------
    TypeError, ValueError
        If obj is no objective that has ball arithmetic, or theta, radius or digits have the wrong type, shape or range.
    ImportError
        If python-flint is missing: ``pip install 'hessorbit[certify]'``.

    Notes
    -----
    The Hessian over a box [1]_ around θ contracts Newton's map into it, which proves one critical point there
    (Krawczyk [2]_), and is diagonally dominant in the basis of its eigenvectors, which proves the inertia. Weyl's
    theorem bounds the eigenvalues.

    Continuous symmetries turn critical points into orbits, along which the Hessian is 0. The proof is then about the
    slice orthogonal to the orbit, which the orbit is proven to cross: its critical point is one of the loss, as the
    gradient has no part along an orbit anywhere. The cross-entropy's shifts, inputs of low rank, and rectifiers that
    are on or off for every sample count as symmetries. Other flat directions, such as those of neurons to spare at zero
    residual, do not: their critical points are not isolated, and nothing is proven.

    The preactivations of piecewise activations are proven to keep their signs over the box; a sample at a kink is
    named. A proof is about data and parameters exactly as they are stored, and multipliers of a parametrization without
    rounding.

    Takes a few Hessians in balls and products of matrices: seconds for P = 85 and N = 500, and a minute or two for
    P = 300 and N = 1000, on one thread.

    References
    ----------
    .. [1] Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Computers 66
       (2017).
    .. [2] Rump, "Verification methods: rigorous results using floating-point arithmetic", Acta Numerica 19 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> x = np.linspace(-2.0, 2.0, 9)[:, None]
    >>> obj = ho.Objective(ho.MLP([1, 1, 1]), x, np.sign(x[:, 0] - 0.3) + 0.1 * x[:, 0])
    >>> run = ho.minimize(obj, [1.0, 0.0, 1.0, 0.0], method="lm", tol=1e-13)
    >>> proof = ho.certify(obj, run.x)
    >>> proof.kind, proof.proven, proof.inertia
    ('minimum', True, (0, 0, 4))
    >>> ho.certify(obj, [1.0, 0.0, 1.0, 0.0]).kind
    'not proven'
    """
    check_objective(obj)
    flint()
    loss = enclosed_loss(obj)
    at = _checks.parameter_vector(theta, loss.num_parameters)
    if _checks.is_extended(at):
        raise TypeError("theta must be float64, as a certificate's is; got longdouble: round it, the proof sharpens it")
    wanted = None if radius is None else _checks.positive(radius, "radius")
    most = _checks.integer(digits, "digits", minimum=FEWEST_DIGITS, maximum=MOST_DIGITS)
    try:
        start = newton(loss, at)
    except NotProvenError as reason:
        return refused(at, most, str(reason))
    for attempt in range(ATTEMPTS):
        tried = most * 2**attempt
        try:
            with precision(int(tried * BITS_PER_DIGIT) + SPARE_BITS):
                return Proof(loss, at, tried, wanted).of(start)
        except NotProvenError as reason:
            why = str(reason)
            if not reason.more_digits:
                break
    return refused(at, tried, why)


def refused(theta: Array, digits: int, why: str) -> Certificate:
    return Certificate("not proven", False, theta, 0.0, None, None, None, None, None, digits, f"not proven: {why}")


def newton(loss: EnclosedLoss, theta: Array) -> Array:
    """Newton's steps in float64, across the directions that change nothing, for as long as they become shorter."""
    at, before = theta, math.inf
    scale = 1 + float(float_norm(theta))
    for count in range(FLOAT_STEPS):
        gradient, hessian = (f(at.astype(loss.dtype)).astype(FLOAT64) for f in (loss.obj.gradient, loss.obj.hessian))
        if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
            raise NotProvenError("the gradient or the Hessian overflows")
        parts = split(directions(loss, balls(at)))
        columns, curvatures = float_slice(hessian, parts)
        with np.errstate(all="ignore"):
            step = columns @ ((columns.T @ gradient) / curvatures)
        length = float(float_norm(step))
        if not count and not length <= FIRST_STEP * scale:
            why = not_critical(theta, length, gradient, curvatures)
            raise NotProvenError(why + unexplained(loss, theta, parts.along))
        if not length < before / 2:
            break
        at, before = at - step, length
    return at


def directions(loss: EnclosedLoss, theta: Array) -> Array:
    """The directions that change nothing at θ (P,), in float64; without those of the data where a kink is met."""
    with precision(SPARE_BITS):
        try:
            return floats(invariances(loss, theta))
        except KinkError as error:
            raise NotProvenError(at_kink(error)) from error


def not_critical(theta: Array, length: float, gradient: Array, curvatures: Array) -> str:
    sizes = np.abs(curvatures)
    if not gradient.any():
        return (
            "theta is critical, and not isolated: the gradient is zero, and so is the curvature in "
            f"{int((sizes == 0).sum())} of the {number_of(len(sizes), 'direction')} transverse to symmetry"
        )
    step = f"has length {length:.2g}" if math.isfinite(length) else "is not finite"
    return (
        "theta is not near an isolated critical point: "
        f"Newton's first step {step}, where ‖theta‖ is "
        f"{float_norm(theta):.3g}, with a gradient of norm {float_norm(gradient):.2g} and curvatures down to "
        f"{sizes.min():.2g} beside {sizes.max():.2g}; minimise further, as by minimize(obj, theta, method='newton')"
    )


def unexplained(loss: EnclosedLoss, theta: Array, along: Array) -> str:
    """Names the predicted flat directions that are not among those along which nothing changes, (P, k)."""
    modes = predicted(loss.obj, theta)
    beside = np.linalg.norm(modes.basis - along @ (along.T @ modes.basis), axis=0) > 0.5
    causes = list(dict.fromkeys(label for label, other in zip(modes.labels, beside, strict=True) if other))
    return f"; flat directions that no symmetry explains: {'; '.join(causes[:3])}" if causes else ""


def at_kink(error: KinkError) -> str:
    return f"sample {error.sample}: {error.what}"


@dataclass(frozen=True)
class Proof:
    """An attempt with so many digits, at the precision of the context; θ as it came, and the radius that is wanted."""

    loss: EnclosedLoss
    theta: Array
    digits: int
    radius: float | None

    def of(self, start: Array) -> Certificate:
        """The certificate for a point near θ, or NotProvenError."""
        try:
            return self.certificate(start)
        except KinkError as error:
            raise NotProvenError(at_kink(error)) from error

    def certificate(self, start: Array) -> Certificate:
        """The same, or KinkError where the point itself is at a kink."""
        centre, where = self.sharpened(balls(start))
        shown = floats(centre)
        rounding = norm(centre - balls(shown))
        distance = float(float_norm(shown - self.theta))
        self.check_distance(distance)
        tested, box = self.tested(centre, where, rounding)
        own = box - rounding  # the radius around the float64 point
        margin = 1 - MARGIN
        radius = self.radius or enclosure(own * margin)[0]
        apart = rounding + tested.reach * math.sqrt(len(centre)) * (1 + MARGIN)
        if not (where.orthonormal(MARGIN / 2) and apart < radius):
            raise NotProvenError("the critical point is not proven to lie within the box's ball", more_digits=True)
        small = where.box(centre, tested.reach)
        if not where.transverse(invariances(self.loss, small)):
            raise NotProvenError("the slice is not proven to be transverse to the symmetries", more_digits=True)
        negative = sum(bool(d < 0) for d in where.curvatures)
        inertia = negative, len(centre) - len(where.curvatures), len(where.curvatures) - negative
        values = self.eigenvalues(small, inertia[1], where)
        kind = "saddle" if inertia[0] and inertia[2] else "maximum" if inertia[0] else "minimum"
        return Certificate(
            kind=kind,
            proven=True,
            theta=shown,
            distance=distance,
            radius=radius,
            loss=enclosure(self.loss.loss(small)),
            eigenvalues=values,
            condition_number=condition_number(values),
            inertia=inertia,
            digits=self.digits,
            message=sentence(kind, inertia, radius),
        )

    def sharpened(self, centre: Array) -> tuple[Array, Slice]:
        """A point that is critical to the digits wanted, and the slice there; by Newton's steps with one Hessian."""
        goal = flint().arb(10) ** -self.digits * (1 + norm(centre))
        self.check_sides(centre, goal)
        hessian = self.loss.hessian(centre)
        if not all(entry.is_finite() for entry in hessian.ravel()):
            raise NotProvenError(
                "the Hessian at theta has no finite bounds: it overflows, or rectifiers on infinitely many inputs are "
                "parallel, whose expectations are not smooth there"
            )
        where = slice_of(hessian, split(floats(invariances(self.loss, centre))))
        if not len(where.curvatures):
            raise NotProvenError("the loss does not depend on any parameter near theta")
        length = None
        for _ in range(STEPS):
            along = product(where.columns.T, self.loss.gradient(centre)[:, None])[:, 0] / where.curvatures
            step = middles(product(where.columns, along[:, None])[:, 0])
            length = norm(step)
            if not length.is_finite():
                break
            centre = middles(centre - step)
            if length <= goal:
                self.check_sides(centre, goal)
                return centre, where
        self.check_kinks(centre, where, length)
        close = length is not None and bool(length < flint().arb(10) ** -FEWEST_DIGITS)
        why = "Newton's steps do not converge, "
        if length is None or length.is_finite():
            why += f"the last of length {short(length)}"
        else:
            why += "as a curvature transverse to symmetry may be 0"
        raise NotProvenError(self.singular(where, why), more_digits=close)

    def check_sides(self, centre: Array, reach: Any) -> None:
        """Raises KinkError where the centre is at a kink exactly: one to which the slice need not be transverse."""
        self.loss.gradient(np.array([entry + flint().arb(0, reach) for entry in centre]))

    def check_kinks(self, centre: Array, where: Slice, length: Any) -> None:
        """Names a kink that steps of this length, which do not become shorter, go to and fro across."""
        near = RESOLUTION * (1 + norm(centre))
        reach = length if length is not None and length.is_finite() and length > near else near
        try:
            self.loss.gradient(where.box(centre, reach))
        except KinkError as error:
            raise NotProvenError(
                f"{at_kink(error)} within {short(reach)} of theta, where Newton's steps end"
            ) from error

    def check_distance(self, distance: float) -> None:
        allowed = self.radius if self.radius is not None else SHARPENING * (1 + float(float_norm(self.theta)))
        if distance > allowed:
            what = "radius" if self.radius is not None else "what counts as sharpening"
            raise NotProvenError(
                f"the critical point that Newton's steps lead to lies {distance:.2g} from theta, beyond {what}, "
                f"{allowed:.2g}: start there, or minimise further, as by minimize(obj, theta, method='newton')"
            )

    def tested(self, centre: Array, where: Slice, rounding: Any) -> tuple[Contraction, Any]:
        """Krawczyk's test that succeeds, and the radius of its box, an exact ball."""
        arb = flint().arb
        gradient = self.loss.gradient(centre)
        scale = 1 + norm(centre)
        least = (RESOLUTION * scale + rounding).upper()
        radius = (arb(FIRST_RADIUS) * scale).mid()
        if self.radius is not None:
            radius = ((arb(self.radius) + rounding) * (1 + MARGIN)).upper().mid()
        why = ""
        for _ in range(RADII):
            shrink = 0.01
            try:
                found = contraction(where, gradient, self.loss.hessian(where.box(centre, radius)), radius)
                if found.proven and (self.radius is not None or found.factor < 0.9):
                    return found, radius
                factor = float(found.factor)
                what = (
                    f"over a box of radius {short(radius)} Newton's map does not contract, its factor is {factor:.2g}"
                )
                why = self.singular(where, what)
                if math.isfinite(factor) and factor > 0:
                    shrink = min(0.1, CONTRACTION / factor)
            except KinkError as error:
                why = f"{at_kink(error)} within {short(radius)} of theta"
            if self.radius is not None:
                break
            radius = (radius * max(shrink, 1e-6)).mid()
            if not radius > least:
                why += "; within smaller boxes parameters in float64 tell no points apart"
                break
        raise NotProvenError(why)

    def singular(self, where: Slice, what: str) -> str:
        """Why a test fails: what happened, and which flat directions are not symmetries."""
        sizes = np.abs(floats(where.curvatures))
        text = f"{what}; curvatures transverse to symmetry go down to {sizes.min():.2g} beside {sizes.max():.2g}"
        return text + unexplained(self.loss, self.theta, where.parts.along)

    def eigenvalues(self, box: Array, zeros: int, where: Slice) -> Array:
        """Bounds (P, 2) on the eigenvalues over a box; so many of them are known to be 0."""
        near = np.column_stack([where.columns, balls(where.parts.along)])
        values, error, _ = enclosed(self.loss.hessian(box), near)
        bounds = np.array([enclosure(v.mid() + flint().arb(0, 1) * (error + v.rad())) for v in values])
        open_sign = np.flatnonzero((bounds[:, 0] <= 0) & (bounds[:, 1] >= 0))
        if len(open_sign) != zeros:
            why = f"{number_of(len(open_sign), 'eigenvalue is', 'eigenvalues are')} not told from 0"
            why += f", where symmetry has {zeros}"
            raise NotProvenError(why, more_digits=True)
        bounds[open_sign] = 0.0
        return bounds


def norm(vector: Array) -> Any:
    """At least the Euclidean norm."""
    return sum((entry.abs_upper() ** 2 for entry in vector), flint().arb(0)).sqrt().upper()


def short(value: Any) -> str:
    return "inf" if value is None else f"{float(value.mid()):.2g}"


def condition_number(values: Array) -> tuple[float, float]:
    """Bounds on the quotient of the largest and the smallest |λ| that is not 0."""
    moving = values[values.any(axis=1)]
    if not len(moving):
        return (math.nan, math.nan)
    low, high = np.abs(moving).min(axis=1), np.abs(moving).max(axis=1)
    return math.nextafter(low.max() / high.min(), 0.0), math.nextafter(high.max() / low.min(), math.inf)


def sentence(kind: str, inertia: tuple[int, int, int], radius: float) -> str:
    negative, zero, _ = inertia
    what = {"minimum": "a strict minimum", "maximum": "a strict maximum"}.get(
        kind, f"a saddle with {number_of(negative, 'negative eigenvalue')}"
    )
    across = f", on the slice transverse to the {number_of(zero, 'direction')} of symmetry" if zero else ""
    return f"proven: exactly one critical point within {radius:.3g}{across}, {what}"
