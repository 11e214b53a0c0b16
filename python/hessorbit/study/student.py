"""Makes the task of a seed, a teacher and its data, and trains the student of a width on it.

Random numbers come from streams that are spawned by key. With s the root seed and k the seed they are

    SeedSequence(s, spawn_key=(k, 0))           teacher
    SeedSequence(s, spawn_key=(k, 1))           data
    SeedSequence(s, spawn_key=(k, 2, width))    initial parameters of a student

so that all widths of a seed share teacher and data, and no student depends on which others there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from .._checks import Array
from ..network import MLP
from ..objective import Objective
from ..optimize import minimize
from ..spectra import spectrum
from .settings import Settings

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from ..conditioning import BestConditioned
    from ..minima import NearestMinimum
    from ..spectra import Spectrum

# A student computes on one thread: the study is parallel over students.
THREADS = 1


@dataclass(frozen=True)
class Task:
    """What the students of a seed learn: a teacher's outputs y (N, K) at inputs x (N, d)."""

    teacher: MLP
    theta: Array
    x: Array
    y: Array

    @cached_property
    def baseline(self) -> float:
        """The loss of predicting the mean of the targets; the unit of `loss_tolerance`."""
        return float(((self.y - self.y.mean(axis=0)) ** 2).sum(axis=1).mean() / 2)


@dataclass(frozen=True)
class Student:
    """A trained student, with all that a measurement may ask for."""

    settings: Settings
    task: Task
    objective: Objective
    start: Array
    training: OptimizeResult
    seconds: float
    theta: Array

    @cached_property
    def diagonal(self) -> Array:
        """Diagonal of the Hessian, (P,)."""
        return self.objective.hessian_diagonal(self.theta)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of the Hessian, with eigenvectors."""
        return spectrum(self.objective, self.theta, vectors=True)

    @cached_property
    def best(self) -> BestConditioned | None:
        """The best-conditioned widening of the teacher to this width; None if the student is narrower."""
        from ..conditioning import best_conditioned

        width = self.objective.net.widths[1]
        if width < self.settings.teacher_width:
            return None
        teacher = Objective(self.task.teacher, self.task.x, self.task.y, threads=THREADS)
        return best_conditioned(teacher, self.task.theta, widths=[width])

    @cached_property
    def nearest(self) -> NearestMinimum | None:
        """The global minimum nearest to where training started; None if the student is narrower than the teacher."""
        from ..minima import nearest_minimum

        if self.objective.net.widths[1] < self.settings.teacher_width:
            return None
        net, teacher = self.objective.net, self.task.teacher
        return nearest_minimum(
            net, self.start, teacher, self.task.theta, gap_tolerance=1e-6, max_nodes=100, threads=THREADS
        )

    @cached_property
    def incoming(self) -> Array:
        """Positions in θ of the hidden neurons' weights and biases; the rest belongs to the output."""
        weights, biases = self.objective.net.unflatten(np.arange(len(self.theta)))[0]
        return weights.ravel() if biases is None else np.concatenate([weights.ravel(), biases])


def stream(settings: Settings, *key: int) -> np.random.Generator:
    """Returns the random numbers of a key."""
    return np.random.default_rng(np.random.SeedSequence(settings.root_seed, spawn_key=key))


def make_task(settings: Settings, seed: int) -> Task:
    """Returns the teacher and the data of a seed.

    Incoming weights and biases of the teacher are standard normal, outgoing weights ± teacher_scale with random signs,
    output biases zero; inputs are standard normal.
    """
    teacher = settings.network(settings.teacher_width)
    theta = stream(settings, seed, 0).standard_normal(teacher.num_parameters)
    outgoing, bias = teacher.unflatten(theta)[1]
    outgoing[...] = settings.teacher_scale * np.copysign(1.0, outgoing)
    if bias is not None:
        bias[...] = 0.0
    x = stream(settings, seed, 1).standard_normal((settings.samples, settings.inputs))
    return Task(teacher, theta, x, teacher(theta, x))


def train(settings: Settings, width: int, seed: int) -> Student:
    """Trains the student of a width and seed until its loss is below the tolerance, and polishes it if asked for."""
    task = make_task(settings, seed)
    net = settings.network(width)
    objective = Objective(net, task.x, task.y, threads=THREADS)
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
    theta = training.x
    if settings.polish != "none":
        theta = minimize(objective, theta, method=settings.polish).x
    return Student(settings, task, objective, start, training, seconds, theta)
