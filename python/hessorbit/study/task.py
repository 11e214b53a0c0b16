"""Makes the task of a seed: a teacher, and its outputs at samples of normal inputs or at infinitely many.

Random numbers come from streams that are spawned by key. With s the root seed and k the seed they are

    SeedSequence(s, spawn_key=(k, 0))           teacher
    SeedSequence(s, spawn_key=(k, 1))           data
    SeedSequence(s, spawn_key=(k, 2, width))    initial parameters of a student
    SeedSequence(s, spawn_key=(k, 4))           held-out data

so that all widths of a seed share teacher and data, and no student depends on which others there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import activations
from .._checks import Array
from ..any_objective import AnyObjective
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective
from .settings import INFINITE, Settings

# A student computes on one thread: the study is parallel over students.
THREADS = 1
HELD_OUT = 10_000  # samples


@dataclass(frozen=True)
class PopulationTask:
    """What the students of a seed learn: a teacher's outputs at all inputs, which are standard normal."""

    teacher: MLP
    theta: Array

    def objective(self, net: MLP) -> AnyObjective:
        """Returns the loss of a student."""
        return PopulationObjective(net, self.teacher, self.theta, threads=THREADS)

    @cached_property
    def baseline(self) -> float:
        """The loss of predicting the mean of the targets; the unit of `loss_tolerance`."""
        inputs, _, outputs = self.teacher.widths
        constant = MLP([inputs, 1, outputs], activations.linear())
        loss, gradient = self.objective(constant).value_and_gradient(np.zeros(constant.num_parameters))
        # The loss of a constant c is L(0) − cᵀE y + ½‖c‖²; the gradient with respect to c at 0 is −E y.
        mean = gradient[-outputs:]
        return float(loss - mean @ mean / 2)

    def error(self, net: MLP, theta: Array) -> float:
        """Returns the loss at inputs that the student was not trained on: here at all inputs."""
        return float(self.objective(net).loss(theta))


@dataclass(frozen=True)
class SampleTask(PopulationTask):
    """What the students of a seed learn: a teacher's outputs y (N, K) at inputs x (N, d)."""

    x: Array
    held_out: Array

    def objective(self, net: MLP) -> AnyObjective:
        """Returns the loss of a student."""
        return Objective(net, self.x, self.y, threads=THREADS)

    @cached_property
    def y(self) -> Array:
        """The targets."""
        return self.teacher(self.theta, self.x, threads=THREADS)

    @cached_property
    def baseline(self) -> float:
        """The loss of predicting the mean of the targets; the unit of `loss_tolerance`."""
        return float(((self.y - self.y.mean(axis=0)) ** 2).sum(axis=1).mean() / 2)

    def error(self, net: MLP, theta: Array) -> float:
        """Returns the loss at inputs that the student was not trained on."""
        x = self.held_out
        difference = net(theta, x, threads=THREADS) - self.teacher(self.theta, x, threads=THREADS)
        return float((difference**2).sum(axis=1).mean() / 2)


def stream(settings: Settings, *key: int) -> np.random.Generator:
    """Returns the random numbers of a key."""
    return np.random.default_rng(np.random.SeedSequence(settings.root_seed, spawn_key=key))


def make_task(settings: Settings, seed: int) -> PopulationTask:
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
    if settings.samples == INFINITE:
        return PopulationTask(teacher, theta)
    assert isinstance(settings.samples, int)
    x = stream(settings, seed, 1).standard_normal((settings.samples, settings.inputs))
    held_out = stream(settings, seed, 4).standard_normal((HELD_OUT, settings.inputs))
    return SampleTask(teacher, theta, x, held_out)
