"""Why a minimisation stopped, and what kind of point it stopped at, by the reasoning of endings/."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np

from .._checks import Array
from .._words import uncapitalised
from ..any_objective import AnyObjective
from ..endings import examine


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
    Stop.GRADIENT: "stopped",
    Stop.LOSS: "stopped",
    Stop.TIME: "stopped",
    Stop.STEPS: "max_steps",
    Stop.STALLED: "stalled",
    Stop.DIVERGED: "diverged",
    Stop.CALLBACK: "stopped",
    Stop.INTERRUPTED: "stopped",
}
# Above this many parameters, and after fewer steps, what a point is is not looked into just to name the outcome; nor
# after all steps of a descent, ten thousand of which take less time than the look.
MOST_PARAMETERS, FEWEST_STEPS = 1000, 100
DESCENTS = ("gd", "momentum", "adam")
NAMES = {"minimum": "a minimum", "saddle": "a saddle", "degenerate": "flat", "to infinity": "on its way to infinity"}


class Outcome(NamedTuple):
    """A name, a sentence for the message, and whether a step is known that lowers the loss."""

    name: str
    sentence: str = ""
    falls: bool = False


def outcome_of(stop: Stop, obj: AnyObjective, theta: Array, steps: int, method: str) -> Outcome:
    """The outcome of a run of the method that stopped so at θ."""
    costly = steps >= FEWEST_STEPS and method not in DESCENTS
    looked = stop in (Stop.GRADIENT, Stop.STALLED) or (stop is Stop.STEPS and costly)
    name = OUTCOMES[stop]
    if not looked:
        return Outcome(name)
    if len(theta) > MOST_PARAMETERS:
        return Outcome(name, f"Which kind of point it is, hessorbit.classify tells (P > {MOST_PARAMETERS}).")
    try:
        point = examine(obj, theta)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:  # in numbers near overflow
        return Outcome(name, f"Which kind of point it is cannot be computed: {error}.")
    if point.kind == "not critical" or (stop is Stop.STEPS and point.kind != "to infinity"):
        return Outcome(name, "" if stop is Stop.STEPS else point.message, point.direction is not None)
    if point.at_lower_bound:
        return Outcome("minimum", f"It is a minimum: {uncapitalised(point.message)}")
    if stop is Stop.STALLED and point.kind == "degenerate":
        return Outcome(name, f"It is flat there: {uncapitalised(point.message)}")
    outcome = "flat" if point.kind == "degenerate" else point.kind
    return Outcome(outcome, f"It is {NAMES[point.kind]}: {uncapitalised(point.message)}")
