"""Why a minimisation stopped, and what kind of point it stopped at.

A point with a small gradient is a *minimum* if every eigenvalue of the Hessian is above its rounding errors, on the
orthogonal complement of the orbit's tangents, and the Newton step is short; a *saddle* if one is clearly negative; else
*flat*, unless the loss keeps falling along the step until θ has doubled: then it goes *to infinity*.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np
import scipy.linalg

from .. import _core
from .._checks import Array
from ..decomposition import backward_error, symmetric_eigen
from ..error_bounds import error_bounds, norm
from ..objective import AnyObjective, Objective
from ..population import PopulationObjective
from ..restricted import whole, within
from ..symmetry import symmetries


class Stop(enum.IntEnum):
    """A stop says why a minimisation ended: it is the `status` of its result.

    ``GRADIENT``, ``LOSS`` and ``TIME`` are successes, but at a saddle: the gradient, loss or time asked for is reached.
    ``STEPS``: all of max_steps are taken. ``STALLED``: no step improves in working precision. ``DIVERGED``: the loss or
    its gradient is not finite. ``CALLBACK``: the callback raised StopIteration. ``INTERRUPTED``: on KeyboardInterrupt.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [2.0, 4.0])
    >>> result = ho.minimize(obj, [0.0])
    >>> result.status
    <Stop.GRADIENT: 0>
    >>> result.status == ho.Stop.GRADIENT
    True
    """

    GRADIENT = 0
    LOSS = 1
    TIME = 2
    STEPS = 3
    STALLED = 4
    DIVERGED = 5
    CALLBACK = 6
    INTERRUPTED = 7


SUCCESSES = (Stop.GRADIENT, Stop.LOSS, Stop.TIME)
OUTCOMES = {
    Stop.LOSS: "stopped",
    Stop.TIME: "stopped",
    Stop.STEPS: "max_steps",
    Stop.DIVERGED: "diverged",
    Stop.CALLBACK: "stopped",
    Stop.INTERRUPTED: "stopped",
}
# Above this many parameters eigenvalues are not found just to name the outcome.
MOST_PARAMETERS = 1000
# Relative to ‖H‖ ‖θ‖, the gradient of a critical point; relative to ‖H‖, an eigenvalue that is negative beyond doubt;
# relative to ‖θ‖, a Newton step that ends at the minimum next to it.
CRITICAL, NEGATIVE, SHORT = 1e-6, 1e-7, 1e-3
FALLING = 1e-6  # of the loss, at every doubling of the step
DOUBLINGS = 60


class Outcome(NamedTuple):
    """A name, and a sentence for the message."""

    name: str
    sentence: str = ""


def outcome_of(stop: Stop, obj: AnyObjective, theta: Array, gradient: Array) -> Outcome:
    """The outcome of a run that stopped so at θ."""
    if stop in OUTCOMES:
        return Outcome(OUTCOMES[stop])
    if len(theta) > MOST_PARAMETERS:
        undecided = f"Which kind of point it is was not looked into, for more than {MOST_PARAMETERS} parameters."
        return Outcome("flat" if stop is Stop.GRADIENT else "stalled", undecided)
    with np.errstate(all="ignore"):
        kind = critical_kind(obj, theta, gradient)
    if stop is Stop.STALLED and kind.name in ("flat", "stopped"):
        return Outcome("stalled", kind.sentence)
    return kind


def critical_kind(obj: AnyObjective, theta: Array, gradient: Array) -> Outcome:
    hessian = obj.hessian(theta)
    if not (_core.all_finite(hessian) and hessian.any()):
        return Outcome("flat", "The Hessian is zero or not finite there.")
    complement = across_orbit(obj, theta)
    restricted = hessian if complement is None else complement.T @ hessian @ complement
    if not len(restricted):
        return Outcome("flat", "All directions are tangents of the orbit.")
    values, vectors = symmetric_eigen(restricted, vectors=True)
    slopes = vectors.T @ (gradient if complement is None else complement.T @ gradient)
    size, place = float(np.abs(values).max()), max(1.0, float(norm(theta)))
    floor = backward_error(len(theta), values) + hessian_error(obj, theta)
    critical = norm(gradient) <= CRITICAL * size * place
    if values[0] < -max(floor, NEGATIVE * size):
        if critical:
            return Outcome("saddle", f"It is a saddle: the Hessian has the eigenvalue {values[0]:.3g}.")
        return Outcome("stopped", f"It is no critical point: the Hessian has the eigenvalue {values[0]:.3g}.")
    step = vectors @ (-slopes / np.maximum(values, floor))
    step = step if complement is None else complement @ step
    if values[0] > floor and norm(step) <= SHORT * place:
        return Outcome("minimum", f"It is a minimum: the smallest eigenvalue of the Hessian is {values[0]:.3g}.")
    if keeps_falling(obj, theta, step):
        return Outcome("to infinity", "The loss keeps falling along a ray: it may have no minimum there.")
    unresolved = int((values <= floor).sum())
    if not unresolved:
        return Outcome("flat", f"The Newton step from there is still {norm(step):.1e} long.")
    return Outcome("flat", f"{unresolved} eigenvalues of the Hessian are zero to rounding, so it may not be a minimum.")


def hessian_error(obj: AnyObjective, theta: Array) -> float:
    """A bound on the norm of the Hessian's error."""
    objective, at = whole(obj, theta)
    if isinstance(objective, Objective):
        return error_bounds(objective, at).hessian
    assert isinstance(objective, PopulationObjective)
    return len(theta) * objective.error(at)


def across_orbit(obj: AnyObjective, theta: Array) -> Array | None:
    """Orthonormal columns across the tangents of the orbit, along which the loss does not change; None for all."""
    if obj.l2:
        return None
    tangents = symmetries(obj.net).tangents(whole(obj, theta)[1])
    if not tangents.shape[1]:
        return None
    basis = within(obj, scipy.linalg.orth(tangents))
    return scipy.linalg.qr(basis)[0][:, basis.shape[1] :] if basis.shape[1] else None


def keeps_falling(obj: AnyObjective, theta: Array, step: Array) -> bool:
    """Whether the loss falls at every doubling of the step until θ has doubled."""
    loss, far = float(obj.loss(theta)), 2 * norm(theta)
    for _ in range(DOUBLINGS):
        ahead = theta + step
        if not _core.all_finite(ahead):
            return False
        next_loss = float(obj.loss(ahead))
        if not next_loss < (1 - FALLING) * loss:
            return False
        if norm(ahead) >= far:
            return True
        loss, step = next_loss, 2 * step
    return False
