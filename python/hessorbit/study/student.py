"""Trains the student of a width and seed on the task of the seed, and brings it to a minimum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from .._checks import Array
from ..any_objective import AnyObjective
from ..optimize import minimize
from ..spectra import spectrum
from .ending import Ending, bring_to_minimum, nearest_to
from .settings import Settings
from .task import PopulationTask, make_task, stream

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from ..conditioning import BestConditioned
    from ..minima import NearestMinimum
    from ..spectra import Spectrum


@dataclass(frozen=True)
class Point:
    """A point of a student's way, and the curvature there."""

    objective: AnyObjective
    theta: Array

    @cached_property
    def diagonal(self) -> Array:
        """Diagonal of the Hessian, (P,)."""
        return np.asarray(self.objective.hessian_diagonal(self.theta))

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of the Hessian, with eigenvectors."""
        return spectrum(self.objective, self.theta, vectors=True)


@dataclass(frozen=True)
class Student:
    """A trained student, with all that a measurement may ask for.

    Its points are `start`, `trained` (where training ended) and `minimum` (what it was brought to from there).
    """

    settings: Settings
    task: PopulationTask
    objective: AnyObjective
    start: Point
    training: OptimizeResult
    seconds: float
    ending: Ending

    @cached_property
    def trained(self) -> Point:
        return Point(self.objective, self.training.x)

    @cached_property
    def minimum(self) -> Point:
        """The minimum; raises ValueError if the student was brought to none."""
        if not self.ending.is_minimum:
            raise ValueError(f"not at a minimum ({self.ending.kind})")
        return Point(self.objective, self.ending.theta)

    @cached_property
    def rank(self) -> int:
        """Number of eigenvalues at the minimum that are not predicted to be zero."""
        return len(self.minimum.theta) - len(self.minimum.spectrum.zero_modes)

    @cached_property
    def copies(self) -> list[int]:
        """Numbers of copies of the teacher's neurons at the minimum; raises ValueError if it is not the teacher's."""
        counts = np.bincount(self.assignment[self.assignment >= 0], minlength=self.settings.teacher_width)
        return [int(count) for count in counts]

    @cached_property
    def assignment(self) -> Array:
        """For each neuron at the minimum the teacher's neuron that it copies, or a negative number if it is idle."""
        if self.ending.nearest is None:
            raise ValueError(f"not where the student is its teacher ({self.ending.kind})")
        return self.ending.nearest.assignment

    @cached_property
    def best(self) -> BestConditioned | None:
        """The best-conditioned widening of the teacher to this width; None if the student is narrower."""
        width = self.objective.net.widths[1]
        return None if width < self.settings.teacher_width else self.best_widening(widths=[width])

    @cached_property
    def best_of_copies(self) -> BestConditioned:
        """The best-conditioned widening of the teacher with the copies that the minimum has."""
        return self.best_widening(copies=[self.copies])

    def best_widening(self, **which: object) -> BestConditioned:
        from ..conditioning import best_conditioned

        teacher = self.task.objective(self.task.teacher)
        return best_conditioned(teacher, self.task.theta, **which)  # type: ignore[arg-type]

    @cached_property
    def nearest(self) -> NearestMinimum | None:
        """The global minimum nearest to where training started; None if the student is narrower than the teacher."""
        return nearest_to(self.task, self.objective.net, self.start.theta)

    @cached_property
    def incoming(self) -> Array:
        """Positions in θ of the hidden neurons' weights and biases; the rest belongs to the output."""
        return self.objective.net.block(layer=1, part="incoming")

    def copying(self) -> Array:
        """Positions in θ of the parameters of neurons that copy the teacher's, and of the output biases."""
        net = self.objective.net
        idle = np.flatnonzero(self.assignment < 0)
        if not len(idle):
            return np.arange(net.num_parameters)
        parts = [net.block(layer=1, part=part, neurons=idle.tolist()) for part in ("incoming", "outgoing")]
        return np.delete(np.arange(net.num_parameters), np.concatenate(parts))


def train(settings: Settings, width: int, seed: int) -> Student:
    """Trains the student of a width and seed until its loss is below the tolerance, and brings it to a minimum."""
    task = make_task(settings, seed)
    net = settings.network(width)
    objective = task.objective(net)
    start = net.init(stream(settings, seed, 2, width), settings.init)
    began = perf_counter()
    training = minimize(
        objective,
        start,
        method=settings.optimizer,
        tol=0.0,
        loss_tol=settings.loss_tolerance * task.baseline,
        max_steps=settings.max_steps,
        learning_rate=settings.learning_rate,
    )
    seconds = perf_counter() - began
    if not np.isfinite(training.fun):
        raise ArithmeticError(f"training diverged at step {training.nit}: {training.message}")
    ending = bring_to_minimum(settings, task, objective, training.x)
    return Student(settings, task, objective, Point(objective, start), training, seconds, ending)
