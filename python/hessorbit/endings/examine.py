"""`examine` says what a point of the loss is, from the quadratic model there and from curves that lead away from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .._bases import complement
from .._checks import Array, is_extended
from .._kinks import Kink, where
from .._norms import norm
from .._own_points import own_points
from .._waiting import interruptible, side
from .._words import number_of, those, uncapitalised
from ..any_objective import AnyObjective
from ..symmetry.null_modes import beyond_symmetry
from .beside import surely_not_critical
from .curves import candidates
from .distance import distance_to_critical_point
from .even_units import EvenUnits, in_even_units
from .fitted import at_lower_bound, without_outputs
from .infinity import falling_floor, growing, ray, settled, tangents_that_seem_to_fall, ways_to_infinity
from .kinks import DIRECTIONS, LENGTHS, clipped, falling, kinks_at, kinks_reached, loss_kinks_at
from .local_model import LocalModel, local_model, model_beside
from .losses import extended, loss_and_noise, loss_at
from .point import CriticalPoint, WayToInfinity

MOST_EXTENDED, REFINEMENTS = 40, 4  # parameters up to which longdouble decides what double does not, by Newton steps
NEXT_TO = 1e-2  # relative to θ, how far these may lead
VISIBLE = 5e-8  # an error of a limit, relative to it, that changes its digits in a message
FEW_STEPS, MUCH, FITTED = 5, 1e-3, 1e-10  # a gain is one relative to the loss, and to that without outputs


def examine(obj: AnyObjective, theta: Array) -> CriticalPoint:
    """Returns what θ (P,), checked, is."""
    with np.errstate(all="ignore"), own_points():
        even = in_even_units(obj, theta)
        place = Place(obj, theta, even, kinks_at(obj, theta), loss_kinks_at(obj, theta))
        point = of_place(place)
        if even.same or point.at_lower_bound or point.kind not in ("degenerate", "not critical"):
            return point
        # A neuron that is next to silent is so as it is given: in even units its other weights are as small.
        given = of_place(replace(place, even=EvenUnits(obj, theta, np.ones(even.sizes.size))))
        return given if given.kind in ("minimum", "saddle") else point


def of_place(place: Place) -> CriticalPoint:
    """What θ is, as the quadratic model in the units of the place tells."""
    # In even units a neuron that is next to silent has a tangent that leads far away.
    model = local_model(clipped(place.even.obj, place.even.theta), place.even.theta, orbit=place.even.same)
    if place.loss_kinks and (model is None or (model.critical and model.negative.any())):
        return of_sides(place, model)
    point = without_model(place) if model is None else of_model(place, model)
    return beyond_kinks(place, point, model)


def of_sides(place: Place, model: LocalModel | None) -> CriticalPoint:
    """What is said where residuals are at a kink of the loss, and the curvature without them is not positive."""
    first = np.zeros((len(place.theta), 0)) if model is None else model.vectors[:, model.negative]
    point = without_model(place) if model is None else described("degenerate", "", place, model)
    if point.at_lower_bound or point.kind == "not critical":
        return point
    direction, decrease = place.falling(None, first)
    open_signs = point.unexplained if model is None else np.asarray(model.vectors[:, model.values <= model.floors])
    kink = where(place.loss_kinks[0], place.obj.net.num_layers)
    text = f"{kink}: its curvature is there on one side and not on the other"
    if direction is None:
        sign = "zero" if model is None else f"{model.values[0]:.3g}"
        text += (
            f". Without that of such samples the smallest eigenvalue is {sign}, and none of the short steps that were "
            f"tried lowers the loss: it is undetermined whether it is a minimum or a saddle."
        )
        return replace(point, kind="degenerate", message=text, num_negative=0, unexplained=open_signs)
    text += (
        f", and a step along which it is too small lowers the loss by {decrease:.2g}: go on from theta + direction, "
        f"which classify gives."
    )
    return replace(point, kind="saddle", message=text, direction=direction, decrease=decrease)


def beyond_kinks(place: Place, point: CriticalPoint, model: LocalModel | None) -> CriticalPoint:
    """The same point, unless the loss falls on another side of its kinks than that of the derivatives.

    Or of those that the Newton step comes to, as weight decay may pull a preactivation towards its kink.
    """
    if point.kind not in ("minimum", "degenerate") or point.at_lower_bound:
        return point
    kinks, ahead = place.kinks, False
    if not kinks and model is not None:
        kinks, ahead = kinks_reached(place.even.obj, model.theta, model.ahead), True
    if not kinks:
        return point
    direction, decrease = place.falling(model, np.zeros((len(place.theta), 0)), ahead=ahead)
    if direction is None:
        return point
    at_kink = where(kinks[0], place.obj.net.num_layers)
    message = (
        f"{'Next to theta: ' + uncapitalised(at_kink) if ahead else at_kink}, and on another side of it than that on "
        f"which the derivatives were taken the loss falls: a step lowers it by {decrease:.2g}. Go on from theta + "
        f"direction, which classify gives."
    )
    return replace(point, kind="not critical", message=message, direction=direction, decrease=decrease, distance=np.nan)


@dataclass(frozen=True)
class Place:
    """θ as it was given, the same in even units, and the kinks of activations and of the loss that it lies at."""

    obj: AnyObjective
    theta: Array
    even: EvenUnits
    kinks: tuple[Kink, ...]
    loss_kinks: tuple[Kink, ...] = ()

    @cached_property
    def loss(self) -> float:
        return float(self.obj.loss(self.theta))

    @cached_property
    def gradient_norm(self) -> float:
        """max|∇L|."""
        return float(np.abs(self.obj.gradient(self.theta)).max())

    def falling(self, model: LocalModel | None, first: Array, *, ahead: bool = False) -> tuple[Array | None, float]:
        """A direction from θ to where the loss is lower than at the critical point of the model; and by how much.

        It is looked for at θ where the gradient is none, unless `ahead`.
        """
        obj, theta = self.even.obj, self.even.theta
        seen, at = np.zeros((len(theta), 0)), theta
        if model is not None:
            known = model.resolved
            seen = model.vectors[:, known]
            if ahead or not model.still:
                at = model.ahead
        # Next to θ there may be another side of the kink, with a gradient of its own.
        slope = 2 * min(float(norm(obj.gradient(theta))), float(norm(obj.gradient(at))))
        onwards = falling(obj, at, first, complement(seen), slope)
        if onwards is None:
            return None, 0.0
        decrease = float(loss_at(obj, theta) - loss_at(obj, (at + onwards).astype(theta.dtype)))
        if not decrease > 0:
            return None, 0.0
        return self.even.directions(at + onwards - theta), self.even.loss(decrease)


def of_model(place: Place, model: LocalModel) -> CriticalPoint:
    obj, theta = place.even.obj, model.theta
    if model.critical and model.negative.any():
        direction, decrease = descent(obj, model)
        if direction is not None:
            decrease = place.even.loss(decrease)
            direction = place.even.directions(direction)
            return described("saddle", saddle_message(model, decrease), place, model, direction, decrease)
    if model.critical and model.resolved.all() and not model.negative.any():
        other = beyond_symmetry(obj, theta, model.modes)
        kind, lowest = "degenerate" if other > 0 else "minimum", other > 0 and at_lower_bound(obj, theta)
        return described(kind, minimum_message(place, model, other, lowest), place, model, lowest=lowest)
    finer = in_extended(obj, model) if model.still else None
    if finer is not None:
        return of_model(place, finer)
    if model.still and not model.negative.any() and at_lower_bound(obj, theta):
        return described("degenerate", degenerate_message(model, lowest=True), place, model, lowest=True)
    found = leading_ways(obj, model)
    ways = [] if lower_nearby(obj, theta, found) else [place.even.way(way) for way in found]
    if ways:
        return described("to infinity", ways_message(place, ways), place, model, ways=tuple(ways))
    if model.critical and not (model.drifting.any() and descends(obj, theta)):
        return described("degenerate", degenerate_message(model, lowest=False), place, model)
    return described("not critical", not_critical_message(place, model), place, model)


def in_extended(obj: AnyObjective, model: LocalModel) -> LocalModel | None:
    """Returns the model in extended precision after a few Newton steps, if that is cheap and shows a minimum."""
    theta = model.theta
    if is_extended(theta) or not extended(obj) or len(theta) > MOST_EXTENDED:
        return None
    finer, at = None, theta.astype(np.longdouble)
    for _ in range(REFINEMENTS):
        finer = local_model(obj, at)
        if finer is None or not (finer.critical and finer.resolved.all()) or finer.negative.any():
            return None
        if norm(finer.step) <= np.finfo(np.float64).eps * norm(at):
            break
        at = at + finer.step
    return finer if norm(at - theta) <= NEXT_TO * max(1.0, float(norm(theta))) else None


def leading_ways(obj: AnyObjective, model: LocalModel) -> list[WayToInfinity]:
    """Ways to infinity, where θ is critical but for them."""
    theta = model.theta
    outputs = growing(obj, theta)
    if outputs:
        return outputs
    others: list[WayToInfinity] = []
    curves = list(candidates(obj, theta))
    likely = tangents_that_seem_to_fall(obj, curves)
    if likely and (model.critical or not surely_not_critical(model, unit_columns(likely))):
        others = ways_to_infinity(obj, curves, critical=model.critical)
    if others and (model.critical or rests_but_for(model, others)):
        return others
    return falling_floor(obj, theta) or (ray(obj, theta, model.step) if model.still and not model.critical else [])


def lower_nearby(obj: AnyObjective, theta: Array, ways: list[WayToInfinity]) -> bool:
    """Tells whether a few Gauss–Newton steps lead below what curves end at: then θ is not on its way to their ends."""
    ends = [way.limit for way in ways if way.kind != "ray"]
    if not ends:
        return False
    lowest = min(ends) - MUCH * abs(min(ends))
    return bool(loss_at(obj, settled(obj, theta, np.zeros(0, int), steps=FEW_STEPS, enough=lowest)) < lowest)


def rests_but_for(model: LocalModel, ways: list[WayToInfinity]) -> bool:
    """Whether θ is critical across these ways, and the loss falls along no other direction to second order."""
    beside = model_beside(model, unit_columns([way.tangent for way in ways]))
    return beside.critical and not beside.negative.any()


def unit_columns(tangents: list[Array]) -> Array:
    return np.column_stack([tangent / norm(tangent) for tangent in tangents])


def descends(obj: AnyObjective, theta: Array) -> bool:
    """Tells whether a few Gauss–Newton steps lower the loss by more than what is left of it where it is fitted."""
    loss, none = loss_at(obj, theta), np.zeros(0, int)
    gain = loss - loss_at(obj, settled(obj, theta, none, steps=FEW_STEPS))
    return bool(gain > max(MUCH * loss, FITTED * without_outputs(obj, theta)))


def descent(obj: AnyObjective, model: LocalModel) -> tuple[Array | None, float]:
    """Returns the step along the lowest eigenvector that lowers the loss most, and by how much; None if none does."""
    theta = model.theta
    unit = model.vectors[:, 0] / norm(model.vectors[:, 0])
    start, noise = loss_and_noise(obj, theta)
    best, decrease = None, 0.0
    for length in LENGTHS * max(1.0, float(norm(theta))):
        for sign in (-1.0, 1.0):
            loss, error = loss_and_noise(obj, (theta + sign * length * unit).astype(theta.dtype))
            if start - loss > max(decrease, noise + error):
                best, decrease = sign * length * unit, float(start - loss)
    return best, decrease


def described(
    kind: str,
    message: str,
    place: Place,
    model: LocalModel,
    direction: Array | None = None,
    decrease: float = 0.0,
    ways: tuple[WayToInfinity, ...] = (),
    lowest: bool = False,
) -> CriticalPoint:
    distance = distance_to_critical_point(place.even, model) if kind in ("minimum", "saddle") else np.nan
    if kind in ("minimum", "degenerate", "saddle"):
        message += nearness(distance) + remark(place)
    open_signs = np.asarray(model.vectors[:, ~model.resolved])
    return CriticalPoint(
        kind=kind,
        message=message,
        loss=place.loss,
        gradient_norm=place.gradient_norm,
        num_negative=int(model.negative.sum()),
        num_positive=int((model.values > model.floors).sum()),
        smallest=float(model.values[0]) if len(model.values) else np.nan,
        floor=float(model.rounding),
        direction=direction,
        decrease=decrease,
        causes=model.modes.causes,
        unexplained=open_signs if place.even.same else orthonormal(place.even.directions(open_signs)),
        ways=ways,
        kinks=place.kinks + place.loss_kinks,
        at_lower_bound=lowest,
        distance=distance,
    )


def nearness(distance: float) -> str:
    """What messages say of the distance to the critical point."""
    if not distance >= 0:
        return ""
    if distance == 0:
        return " It is theta itself."
    return f" By the Newton step, the critical point is within {distance:.2g} of theta."


def orthonormal(columns: Array) -> Array:
    """Orthonormal columns that span what independent ones (P, k) do; large rows come first, as QR likes them.

    Computed in float64, as LAPACK has no other: directions whose sign is open are known to fewer digits.
    """
    order = np.argsort(-np.abs(columns).max(axis=1, initial=0.0), kind="stable")
    result = np.empty_like(columns)
    result[order] = interruptible(side(columns), np.linalg.qr, columns[order].astype(np.float64))[0]
    return result


def remark(place: Place) -> str:
    """What messages add at a kink."""
    layers = place.obj.net.num_layers
    if place.kinks:
        return (
            f" {where(place.kinks[0], layers)}: this holds for the piece of the loss on which the derivatives were "
            f"taken."
        )
    if place.loss_kinks:
        return f" {where(place.loss_kinks[0], layers)}: this holds without its curvature, and so on every side."
    return ""


def without_model(place: Place) -> CriticalPoint:
    """What is said where there is no quadratic model: the Hessian is zero, or something is not finite."""
    loss, size, count = place.loss, place.gradient_norm, len(place.theta)
    flat = size == 0 and np.isfinite(loss)
    if flat:
        message = "The gradient and the Hessian are zero: every direction is flat to second order." + remark(place)
    elif np.isfinite(loss) and np.isfinite(size):
        message = f"The Hessian is zero or not finite there, and max|∇L| is {size:.2e}."
    else:
        message = (
            f"The {'gradient' if np.isfinite(loss) else 'loss'} overflows there, and nothing more can be told: start "
            f"from smaller parameters, which reach {np.abs(place.theta).max():.3g} now."
        )
    directions = np.eye(count) if flat else np.zeros((count, 0))
    return CriticalPoint(
        "degenerate" if flat else "not critical", message, loss, size, 0, 0, np.nan, np.nan, None, 0.0, (),
        directions, (), place.kinks + place.loss_kinks, flat and at_lower_bound(place.obj, place.theta)
    )  # fmt: skip


LOWEST = "The loss is at its lower bound: a global minimum, though not a strict one."


def minimum_message(place: Place, model: LocalModel, other: int, lowest: bool) -> str:
    if not len(model.values):
        return "All directions are flat by symmetry."
    text = f"The smallest eigenvalue of the Hessian is {model.values[0]:.3g}, beyond its error of {model.floors[0]:.1e}"
    text += place.even.remark
    if not other:
        return text + across(model) + "."
    ending = LOWEST if lowest else "A minimum, as far as the loss is constant along them."
    return f"{text}, across {number_of(len(model.modes.causes), 'flat direction')}: {named(model)}. {ending}"


def across(model: LocalModel) -> str:
    count = len(model.modes.causes)
    return f", across {number_of(count, 'direction')} of symmetry" if count else ""


def named(model: LocalModel) -> str:
    counts = Counter(model.modes.causes)
    parts = [f"{cause} ({count})" for cause, count in list(counts.items())[:4]]
    return "; ".join(parts) + ("; …" if len(counts) > 4 else "")


def saddle_message(model: LocalModel, decrease: float) -> str:
    count = int(model.negative.sum())
    lowest = f", the lowest of {count} negative ones" if count > 1 else ""
    return (
        f"The Hessian has the eigenvalue {model.values[0]:.3g}{lowest}; a step along its eigenvector lowers the loss "
        f"by {decrease:.2g}: go on with method='newton', which leaves saddles, or from theta + direction, which "
        f"classify gives."
    )


def degenerate_message(model: LocalModel, *, lowest: bool) -> str:
    if model.resolved.all() and lowest:  # the gradient vanishes only next to θ
        return LOWEST
    if model.negative.any():
        return (
            f"The Hessian has the eigenvalue {model.values[0]:.3g}, but no step along its eigenvector lowers the loss "
            f"by more than rounding: it may be a saddle, which a longdouble θ would show."
        )
    count, floor = int((~model.resolved).sum()), model.floors[~model.resolved].max()
    text = (
        f"{number_of(count, 'eigenvalue')} of the Hessian {'is' if count == 1 else 'are'} zero to within {floor:.1e}, "
        f"without a symmetry behind it, and none is negative"
    )
    flat = len(model.modes.causes)
    causes = f"; {number_of(flat, 'more is', 'more are')} flat by symmetry: {named(model)}" if flat else ""
    ending = LOWEST if lowest else "Higher derivatives decide whether it is a minimum; weight decay would."
    return f"{text}{causes}. {ending}"


def ways_message(place: Place, ways: list[WayToInfinity]) -> str:
    parts = []
    for way in ways[:3]:
        where = f"{those('neuron', way.neurons)} of layer {way.layer}"
        if way.kind == "channel":
            article = "an" if way.unit[0] in "aeiou" else "a"
            verb = "becomes" if len(way.neurons) == 1 else "become"
            parts.append(f"In a channel {where}, whose outgoing weights diverge, {verb} {article} {way.unit}")
        elif way.kind == "step":
            parts.append(f"The incoming weights of {where} grow, and it becomes a {way.unit}")
        elif way.kind == "outputs":
            parts.append("The outputs grow without bound, as the classes are separated")
        else:
            parts.append("The loss keeps falling along the Newton step until theta has doubled")
    lowest = min(ways, key=lambda way: way.limit)
    limit, error = lowest.limit, lowest.limit_error
    known = f" up to {error:.1g}, the error of quadrature," if error > VISIBLE * abs(limit) else ""
    loss, end = f"{place.loss:.8g}", f"{limit:.8g}"
    falls = f"falls to {end}{known}" if float(end) < float(loss) else "falls by less than these digits show"
    return (
        f"{'. '.join(parts)}. The loss, {loss}, {falls} at infinity, where there is no minimum: stop here, add weight "
        f"decay, or train a network with such a unit."
    )


def not_critical_message(place: Place, model: LocalModel) -> str:
    size = place.gradient_norm
    slope = f"max|∇L| is {size:.2e}" if np.isfinite(size) else "The gradient overflows in the units that were given"
    text = f"{slope}, and the curvature changes along the Newton step: it shows no critical point next to theta"
    if model.decrease > 0:
        text += f"; the step promises to lower the loss by {place.even.loss(model.decrease):.1e}"
    if not place.kinks:
        return text + ": minimise further, as with method='newton'."
    held = "" if lowered(place.even.obj, model) else f"; none of {DIRECTIONS} short steps lowers the loss"
    return (
        f"{text}. {where(place.kinks[0], place.obj.net.num_layers)}{held}: it may "
        f"be a nonsmooth minimum, which derivatives do not show."
    )


def lowered(obj: AnyObjective, model: LocalModel) -> bool:
    """Tells whether one of some short steps, in random directions and down the gradient, lowers the loss."""
    theta = model.theta
    start, noise = loss_and_noise(obj, theta)
    directions = np.random.default_rng(0).standard_normal((DIRECTIONS - 1, len(theta)))
    length = 1e-6 * max(1.0, float(norm(theta)))
    for direction in (-model.gradient, *directions):
        ahead = (theta + length * direction / norm(direction)).astype(theta.dtype)
        loss, error = loss_and_noise(obj, ahead)
        if start - loss > noise + error:
            return True
    return False
