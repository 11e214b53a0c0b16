"""Trains the student of a width and seed on the task of the seed, and brings it to a minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .._checks import Array
from ..any_objective import AnyObjective
from ..spectra import spectrum
from .ending import Ending, bring_to_minimum, nearest_to
from .growth import Outcome, grown
from .once import once
from .rates import TAIL, Measured, Prediction, descend, perturbed, representatives
from .settings import Settings
from .task import Task, TeacherTask, make_task, stream
from .training import Trainer, Training

if TYPE_CHECKING:
    from ..conditioning import BestConditioned
    from ..minima import NearestMinimum
    from ..spectra import Spectrum
    from ..symmetry import Widening


# Nodes of the search for the best-conditioned widening where outgoing weights are vectors, of about a second each.
NODES_OF_VECTORS = 10


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
    """A student is a trained network of a study, with all that a measurement may ask for.

    Its points are `start`, `trained` (where training ended) and `minimum` (what it was brought to from there). A
    `Point` has `theta`, the `diagonal` of the Hessian there, and its `spectrum`. All is computed when it is asked for.

    Attributes
    ----------
    settings : Settings
    seed : int
    task : object
        What it learns. Of a teacher it has `teacher`, a network, and its `theta`.
    objective : Objective or PopulationObjective
        The loss; its `net` is the student's network.
    start : Point
    training : object
        How training went: `steps`, `reached`, `loss`, `seconds` and more.
    ending : object
        Where a second-order method went on to: its `kind`, and whether that `is_minimum`.
    trained : Point

    Examples
    --------
    A measurement of one's own is a function of it:

    >>> import hessorbit as ho
    >>> def weight_norm(student):
    ...     '''Norm of the parameters where training ended.'''
    ...     return (student.trained.theta ** 2).sum() ** 0.5
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> result = study.run(executor="threads", measurements={"weight_norm": weight_norm})
    >>> bool((result.table["weight_norm"] > 0).all()), result.meanings["weight_norm"]
    (True, 'Norm of the parameters where training ended')
    """

    settings: Settings
    seed: int
    task: Task
    objective: AnyObjective
    start: Point
    training: Training
    ending: Ending

    @cached_property
    def trained(self) -> Point:
        return Point(self.objective, self.training.theta)

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

    @property
    def teacher_task(self) -> TeacherTask:
        """The task, if students at global minima are their teacher; raises ValueError if not."""
        if self.task.foreign:
            raise ValueError(self.task.foreign)
        assert isinstance(self.task, TeacherTask)
        return self.task

    @cached_property
    def best(self) -> BestConditioned | None:
        """The best-conditioned widening of the teacher to this width; None if the student is narrower."""
        task = self.teacher_task
        width = self.objective.net.widths[1]
        return None if width < task.teacher.widths[1] else self.best_widening(widths=[width])

    @cached_property
    def best_of_copies(self) -> BestConditioned:
        """The best-conditioned widening of the teacher with the copies that the minimum has."""
        return self.best_widening(copies=[self.copies])

    def best_widening(self, **which: object) -> BestConditioned:
        from ..conditioning import best_conditioned

        task = self.teacher_task
        nodes = None if self.settings.outputs == 1 else NODES_OF_VECTORS
        return best_conditioned(task.objective(task.teacher), task.theta, max_nodes=nodes, **which)  # type: ignore[arg-type]

    @cached_property
    def nearest(self) -> NearestMinimum | None:
        """The global minimum nearest to where training started; None if the student is narrower than the teacher."""
        return nearest_to(self.teacher_task, self.objective.net, self.start.theta)

    @cached_property
    def tail(self) -> Callable[[], Measured] | None:
        """Gradient descent, once, from where training ended; None if the settings have none."""
        return once(self._tail) if self.settings.rate_steps else None

    def _tail(self) -> Measured:
        found = self.minimum.spectrum
        assert found.vectors is not None
        displacement = self.trained.theta - self.minimum.theta
        prediction = Prediction(found.eigenvalues, found.vectors.T @ displacement)
        least = float(self.objective.loss(self.minimum.theta))
        return descend(self.objective, self.trained.theta, prediction, TAIL, self.settings.rate_steps, least=least)

    @cached_property
    def representatives(self) -> dict[str, Callable[[], Measured]] | None:
        """Gradient descent from representatives of one function; None unless the settings ask, for wider students."""
        settings, width = self.settings, self.objective.net.widths[1]
        if not settings.representatives or width <= settings.teacher_width:
            return None
        task = self.teacher_task

        def best() -> Widening:
            assert self.best is not None
            assert self.best.widening is not None
            return self.best.widening

        def start() -> Array:
            return perturbed(task, stream(settings, self.seed, 7), settings.loss_tolerance * task.unit)

        return representatives(task, width, best, once(start), settings.max_steps)

    @cached_property
    def grown(self) -> dict[str, Callable[[], Outcome]] | None:
        """Trainings of a narrow network that grows to this width; None unless the settings ask, for wider students."""
        narrow, width = self.settings.grow_from, self.objective.net.widths[1]
        return grown(self.settings, self.task, width, self.seed) if 0 < narrow < width else None

    @cached_property
    def incoming(self) -> Array:
        """Positions in θ of the hidden neurons' weights and biases; the rest belongs to the output."""
        net = self.objective.net
        return np.concatenate([net.block(layer=layer, part="incoming") for layer in range(1, len(net.widths) - 1)])

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
    training = Trainer(settings, task, objective, start, (seed, width)).train()
    ending = bring_to_minimum(settings, task, objective, training.theta)
    return Student(settings, seed, task, objective, Point(objective, start), training, ending)
