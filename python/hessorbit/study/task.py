"""Makes the task of a seed: what its students learn, from a teacher or from data of one's own.

Random numbers come from streams that are spawned by key. With s the root seed and k the seed they are

    SeedSequence(s, spawn_key=(k, 0))           teacher
    SeedSequence(s, spawn_key=(k, 1))           data; of one's own, which rows are trained on
    SeedSequence(s, spawn_key=(k, 2, width))    initial parameters of a student
    SeedSequence(s, spawn_key=(k, 3))           starts of the command reach
    SeedSequence(s, spawn_key=(k, 4))           held-out data
    SeedSequence(s, spawn_key=(k, 5))           noise of labels
    SeedSequence(s, spawn_key=(k, 6, width))    mini-batches of a student
    SeedSequence(s, spawn_key=(k, 7))           direction in which representatives leave the teacher
    SeedSequence(s, spawn_key=(k, 8, width, i)) growth to a width by the i-th way to split neurons
    SeedSequence(s, spawn_key=(k, 9))           starts that fix a radius (teachers.py)

so that all widths of a seed share teacher and data, and no student depends on which others there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import activations
from .._checks import Array
from ..any_objective import AnyObjective
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective
from ..targets import one_hot
from .checks import HELD_OUT_SHARE, INFINITE
from .data import verified_data
from .settings import Settings

# A student computes on one thread: the study is parallel over students.
THREADS = 1
HELD_OUT = 10_000  # samples


def unit_of(baseline: float, floor: float) -> float:
    """Returns what losses above the floor are relative to."""
    return baseline - floor if floor < baseline else baseline


@dataclass(frozen=True)
class Task(ABC):
    """What the students of a seed learn.

    Losses are made relative: (L − floor)/(baseline − floor), with the floor that the teacher's own loss is, and the
    baseline of predicting the mean. Of labels the teacher's own may be larger; then they are (L − floor)/baseline.

    Attributes
    ----------
    l2 : float
    foreign : str
        Why global minima are not where the student is its teacher; empty if they are.
    """

    l2: float
    foreign: str

    @abstractmethod
    def objective(self, net: MLP, *, l2: float | None = None) -> AnyObjective:
        """Returns the loss of a student."""

    @abstractmethod
    def batches(self, net: MLP, size: int, rng: np.random.Generator) -> Iterator[AnyObjective]:
        """Yields the loss on one mini-batch after the other, for ever."""

    @property
    @abstractmethod
    def baseline(self) -> float:
        """The loss of predicting the mean of the targets."""

    @property
    @abstractmethod
    def floor(self) -> float:
        """The teacher's own loss; 0 for data of one's own."""

    @abstractmethod
    def held_out(self, net: MLP, theta: Array) -> float:
        """Returns the relative loss on inputs that the student was not trained on."""

    @property
    def unit(self) -> float:
        """What relative losses are relative to; raises ArithmeticError if it is 0 or overflows."""
        unit = unit_of(self.baseline, self.floor)
        if not 0 < unit < np.inf:
            raise ArithmeticError(
                f"the loss of predicting the mean of the targets must be positive and finite, as losses are relative "
                f"to it; it is {self.baseline:.6g}: take targets that vary, within the range of float64"
            )
        return unit

    def relative(self, loss: float) -> float:
        """Returns a loss above the teacher's, relative to that of predicting the mean."""
        return (loss - self.floor) / self.unit


@dataclass(frozen=True)
class TeacherTask(Task):
    """What students learn from a teacher."""

    teacher: MLP
    theta: Array

    @property
    def of_differences(self) -> bool:
        """Whether the loss is the cross-entropy, which sees differences of outputs alone."""
        return False


@dataclass(frozen=True)
class PopulationTask(TeacherTask):
    """What students learn from a teacher at all inputs, which are standard normal."""

    floor = 0.0

    def objective(self, net: MLP, *, l2: float | None = None) -> AnyObjective:
        """Returns the loss of a student."""
        return PopulationObjective(
            net, self.teacher, self.theta, l2=self.l2 if l2 is None else l2, threads=THREADS
        )  # fmt: skip

    def batches(self, net: MLP, size: int, rng: np.random.Generator) -> Iterator[AnyObjective]:
        """Yields the loss on fresh samples each time."""
        while True:
            x = rng.standard_normal((size, net.widths[0]))
            yield Objective(net, x, self.teacher(self.theta, x, threads=THREADS), l2=self.l2, threads=THREADS)

    @cached_property
    def baseline(self) -> float:
        """The loss of predicting the mean of the targets."""
        inputs, _, outputs = self.teacher.widths
        constant = MLP([inputs, 1, outputs], activations.linear())
        loss, gradient = self.objective(constant, l2=0.0).value_and_gradient(np.zeros(constant.num_parameters))
        # The loss of a constant c is L(0) − cᵀE y + ½‖c‖²; the gradient with respect to c at 0 is −E y.
        mean = gradient[-outputs:]
        return float(loss - mean @ mean / 2)

    def held_out(self, net: MLP, theta: Array) -> float:
        """Returns the relative loss at all inputs."""
        return self.relative(float(self.objective(net, l2=0.0).loss(theta)))


@dataclass(frozen=True)
class Samples:
    """Inputs x (N, d) and their targets y: rows (N, K), or labels (N,)."""

    x: Array
    y: Array
    loss: str

    def objective(self, net: MLP, l2: float) -> Objective:
        """Returns the loss of a network on them."""
        return Objective(net, self.x, self.y, loss=self.loss, l2=l2, threads=THREADS)

    def part(self, rows: Array) -> Samples:
        return Samples(self.x[rows], self.y[rows], self.loss)

    def baseline(self, outputs: int) -> float:
        """Returns the loss of predicting the mean of the targets."""
        if self.loss == "squared_error":
            with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is refused with the unit
                return float(((self.y - self.y.mean(axis=0)) ** 2).sum(axis=1).mean() / 2)
        mean = (one_hot(self.y, outputs) if self.y.ndim == 1 else self.y).mean(axis=0)
        return float(-(mean[mean > 0] * np.log(mean[mean > 0])).sum())


class OnSamples(Task):
    """What students learn from samples, with others held out."""

    seen: Samples
    unseen: Samples

    def objective(self, net: MLP, *, l2: float | None = None) -> AnyObjective:
        """Returns the loss of a student."""
        return self.seen.objective(net, self.l2 if l2 is None else l2)

    def batches(self, net: MLP, size: int, rng: np.random.Generator) -> Iterator[AnyObjective]:
        """Yields the loss on the parts of all samples, shuffled in each epoch; the last part may be smaller."""
        count = len(self.seen.x)
        while True:
            order = rng.permutation(count)
            for first in range(0, count, size):
                yield self.seen.part(order[first : first + size]).objective(net, self.l2)

    @cached_property
    def baseline(self) -> float:
        """The loss of predicting the mean of the targets."""
        outputs = (
            self.seen.y.shape[1] if self.seen.y.ndim == 2 else 1 + int(max(self.seen.y.max(), self.unseen.y.max()))
        )
        return self.seen.baseline(outputs)


@dataclass(frozen=True)
class SampleTask(OnSamples, TeacherTask):
    """What students learn from a teacher at samples."""

    seen: Samples
    unseen: Samples

    @property
    def of_differences(self) -> bool:
        """Whether the loss is the cross-entropy, which sees differences of outputs alone."""
        return self.seen.loss == "cross_entropy"

    @cached_property
    def floor(self) -> float:
        """The teacher's own loss."""
        return float(self.seen.objective(self.teacher, 0.0).loss(self.theta))

    def held_out(self, net: MLP, theta: Array) -> float:
        """Returns the relative loss at inputs that the student was not trained on, where there is no noise."""
        mine, least = self.unseen.objective(net, 0.0), self.unseen.objective(self.teacher, 0.0)
        return float(mine.loss(theta) - least.loss(self.theta)) / self.unit


@dataclass(frozen=True)
class DataTask(OnSamples):
    """What students learn from data of one's own."""

    seen: Samples
    unseen: Samples
    floor = 0.0

    def held_out(self, net: MLP, theta: Array) -> float:
        """Returns the relative loss on rows that the student was not trained on."""
        return float(self.unseen.objective(net, 0.0).loss(theta)) / self.unit


def stream(settings: Settings, *key: int) -> np.random.Generator:
    """Returns the random numbers of a key."""
    return np.random.default_rng(np.random.SeedSequence(settings.root_seed, spawn_key=key))


def make_task(settings: Settings, seed: int) -> Task:
    """Returns the task of a seed."""
    return data_task(settings, seed) if settings.data_digest else teacher_task(settings, seed)


def teacher_task(settings: Settings, seed: int) -> TeacherTask:
    """Returns the teacher of a seed, and the data.

    Incoming weights and biases of the teacher are standard normal, outgoing weights ± teacher_scale with random signs,
    output biases zero; inputs are standard normal.
    """
    teacher = settings.teacher_network()
    theta = stream(settings, seed, 0).standard_normal(teacher.num_parameters)
    outgoing, bias = teacher.unflatten(theta)[1]
    outgoing[...] = settings.teacher_scale * np.copysign(1.0, outgoing)
    if bias is not None:
        bias[...] = 0.0
    if settings.samples == INFINITE:
        return PopulationTask(settings.l2, settings.foreign, teacher, theta)
    assert isinstance(settings.samples, int)
    x = stream(settings, seed, 1).standard_normal((settings.samples, settings.inputs))
    unseen = stream(settings, seed, 4).standard_normal((HELD_OUT, settings.inputs))
    y, wanted = (targets(settings, teacher(theta, each, threads=THREADS)) for each in (x, unseen))
    y = noisy(settings, y, stream(settings, seed, 5))
    loss = settings.loss
    return SampleTask(
        settings.l2, settings.foreign, teacher, theta, Samples(x, y, loss), Samples(unseen, wanted, loss)
    )  # fmt: skip


def targets(settings: Settings, outputs: Array) -> Array:
    """Returns what students learn from a teacher's outputs (N, K): these, probabilities, or labels."""
    if settings.loss == "squared_error":
        return outputs
    if settings.has_labels:
        return np.asarray(outputs.argmax(axis=1))
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def noisy(settings: Settings, y: Array, rng: np.random.Generator) -> Array:
    """Returns targets with normal noise of a share of their deviation, or labels of which a share is drawn anew."""
    if not settings.label_noise:
        return y
    if settings.loss == "squared_error":
        return np.asarray(y + settings.label_noise * y.std(axis=0) * rng.standard_normal(y.shape))
    drawn = rng.random(len(y)) < settings.label_noise
    return np.asarray(np.where(drawn, rng.integers(settings.outputs, size=len(y)), y))


def data_task(settings: Settings, seed: int) -> DataTask:
    """Returns one's own data: rows drawn for training, and a fifth of all rows that are held out.

    Inputs, and targets that are numbers, are moved and scaled to mean 0 and variance 1 on the rows trained on.
    """
    data = verified_data(settings.data, settings.target, settings.loss, settings.data_digest)
    order = stream(settings, seed, 1).permutation(len(data.x))
    assert isinstance(settings.samples, int)
    count = len(order) - len(order) // HELD_OUT_SHARE
    train, test = order[: min(settings.samples, count)], order[count:]
    x = standardised(data.x, train)
    y = data.y if data.classes else standardised(data.y, train)
    every = Samples(x, y, settings.loss)
    return DataTask(settings.l2, settings.foreign, every.part(train), every.part(test))


def standardised(columns: Array, rows: Array) -> Array:
    """Returns columns of mean 0 and variance 1 on some rows; constant ones become 0."""
    mean, deviation = columns[rows].mean(axis=0), columns[rows].std(axis=0)
    return np.asarray((columns - mean) / np.where(deviation > 0, deviation, 1.0))
