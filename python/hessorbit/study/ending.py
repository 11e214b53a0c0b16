"""Brings a trained student to a minimum, says whether it is one, and where the student is its teacher, to it exactly.

Descent comes near the degenerate set of global minima only slowly. Once a student reproduces its teacher, the nearest
point of that set, at which the loss is 0, stands for the minimum that it was going to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._checks import Array
from ..any_objective import AnyObjective
from ..critical import classify
from ..network import MLP
from ..optimize import minimize
from .checks import INFINITE
from .logit_differences import nearest_by_differences
from .settings import Settings
from .task import THREADS, Task, TeacherTask

if TYPE_CHECKING:
    from ..minima import NearestMinimum

# Losses relative to that of predicting the mean: of a student that reproduces its teacher, well below which a method
# need not go; of one that is its teacher, up to rounding of a sum that cancels; and of samples that are fitted, up to
# rounding of squares.
REPRODUCED, WELL_BELOW, EXACT, FITTED = 1e-10, 1e-12, 1e-14, 1e-20
NODES = 100  # of a search for the nearest global minimum


@dataclass(frozen=True)
class Ending:
    """Where a trained student ends after a second-order method.

    Attributes
    ----------
    theta : ndarray
        The minimum; if it is none, where the method stopped.
    kind : str
        ``"teacher"``: on the set of global minima where the student is the teacher, or has its probabilities if the
        loss is the cross-entropy. Else what `classify` says, with ``"minimum"`` also for samples that are fitted, at a
        loss of 0.
    descended : ndarray
        Where the method stopped.
    nearest : NearestMinimum or None
        The nearest point of that set, for a student that reproduces the teacher.
    """

    theta: Array
    kind: str
    descended: Array
    nearest: NearestMinimum | None = None

    @property
    def is_minimum(self) -> bool:
        return self.kind in ("teacher", "minimum")


def bring_to_minimum(settings: Settings, task: Task, objective: AnyObjective, theta: Array) -> Ending:
    """Returns the minimum that a second-order method goes to from θ."""
    method = settings.method_to_minimum
    if method == "none":
        return Ending(theta, "not sought", theta)
    squares = settings.loss == "squared_error" and not settings.l2
    infinite = settings.samples == INFINITE
    # A sum of squares cannot fall below 0; of other losses the gradient alone says where to stop.
    goal = (WELL_BELOW if infinite else FITTED) * task.unit if squares else None
    end = minimize(objective, theta, method=method, tol=1e-14, loss_tol=goal, max_steps=settings.polish_steps)
    if not np.isfinite(end.fun):
        return Ending(theta, "diverged", theta)
    if not task.foreign and task.held_out(objective.net, end.x) <= REPRODUCED:
        nearest = teacher_nearest_to(task, objective, end.x)
        if nearest is not None:
            return Ending(nearest.theta, "teacher", end.x, nearest)
    if goal is not None and end.fun <= goal and not infinite:
        return Ending(end.x, "minimum", end.x)
    judged = end.outcome in ("minimum", "saddle", "to infinity")
    return Ending(end.x, end.outcome if judged else classify(objective, end.x).kind, end.x)


def teacher_nearest_to(task: Task, objective: AnyObjective, theta: Array) -> NearestMinimum | None:
    """Returns the nearest point where the student is its teacher, if it is known, and its loss is the teacher's."""
    assert isinstance(task, TeacherTask)
    try:
        nearest = nearest_to(task, objective.net, theta)
    except ValueError:  # the global minima of these activations, or of a teacher like this, are not known
        return None
    # The difference of two losses is rounded to their last bits.
    rounding = 8 * np.finfo(float).eps * task.floor
    exact = nearest is not None and objective.loss(nearest.theta) - task.floor <= EXACT * task.unit + rounding
    return nearest if exact else None


def nearest_to(task: TeacherTask, net: MLP, theta: Array) -> NearestMinimum | None:
    """Returns the global minimum nearest to θ where the student is its teacher; None for a narrower student."""
    from ..minima import nearest_minimum

    if net.widths[1] < task.teacher.widths[1]:
        return None
    search = nearest_by_differences if task.of_differences else nearest_minimum
    return search(net, theta, task.teacher, task.theta, gap_tolerance=1e-6, max_nodes=NODES, threads=THREADS)
