"""Measures a trained student; each entry of the list of measurements becomes a column of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import Array
from ..condition_number import ConditionNumber
from ..spectra import spectrum
from .growth import SPLITS
from .once import UNMEASURED
from .rates import REPRESENTATIVES
from .student import Point, Student


@dataclass(frozen=True)
class Measurement:
    """A column of the table, what it means, and the function that computes it; nan where it has no meaning.

    A count is an integer in the table.
    """

    column: str
    meaning: str
    measure: Callable[[Student], Any]
    count: bool = False


@dataclass(frozen=True)
class Change:
    """A change of what columns mean: since which revision, what changed, and in studies of which loss."""

    revision: int
    what: str
    loss: str


CHANGES = (
    Change(
        2,
        "nearest_distance, nearest_bound and at_teacher of the cross-entropy are about all points with the teacher's "
        "probabilities, where they were about those with its outputs, which are fewer",
        "cross_entropy",
    ),
)
REVISION = max(change.revision for change in CHANGES)  # of what columns mean; cells are stored with it


def condition(student: Student, point: Point) -> ConditionNumber:
    """Returns |λ|₁/|λ|ᵣ at a point, r being the number of eigenvalues at the minimum that are not predicted zeros."""
    return point.spectrum.condition_number(rank=student.rank)


def condition_of_copies(student: Student) -> float:
    """Returns κ of the minimum without its idle neurons, a widening of the teacher.

    Idle neurons, whose outputs cancel, have eigenvalues of their own; without them as many are left as the teacher has.
    """
    task = student.teacher_task
    teacher = spectrum(task.objective(task.teacher), task.theta)
    rank = len(task.theta) - len(teacher.zero_modes)
    hessian = student.objective.hessian(student.minimum.theta, parameters=student.copying())
    eigenvalues = np.linalg.eigvalsh(hessian)[::-1]
    return float(eigenvalues[0] / eigenvalues[rank - 1])


def outgoing_part(student: Student, point: Point) -> float:
    """Returns the part of the trace from the output's weights and biases."""
    return float(np.delete(point.diagonal, student.incoming).sum())


def participation(student: Student) -> float:
    """Returns the mean over the leading eigenvectors of (Σv²)²/Σv⁴, from 1 (one parameter) to P (all alike)."""
    return float(student.minimum.spectrum.participation_ratio[-student.settings.leading :].mean())


def distance(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a - b))


def of_tail(student: Student, attribute: str) -> float:
    """Returns what is known of the student's tail; nan if it has none."""
    return np.nan if student.tail is None else float(getattr(student.tail(), attribute))


def rates_from(name: str) -> tuple[Measurement, ...]:
    """Returns what is measured of descent from a representative."""

    def of(student: Student, attribute: str) -> float:
        return np.nan if student.representatives is None else float(getattr(student.representatives[name](), attribute))

    return (
        Measurement(
            f"steps_from_{name}",
            f"steps of gradient descent from the {name} representative to a millionth of the loss",
            lambda s: of(s, "count"),
            count=True,
        ),
        Measurement(
            f"predicted_from_{name}", "the same, as the spectrum predicts it", lambda s: of(s, "predicted_count")
        ),
        Measurement(
            f"reached_from_{name}",
            "1 if it came there, 0 if max_steps came first",
            lambda s: of(s, "success"),
            count=True,
        ),
    )


def growth_by(name: str, column: str, meaning: str) -> tuple[Measurement, ...]:
    """Returns what is measured of training with growth, or of the narrow network alone."""

    def of(student: Student, attribute: str) -> float:
        return np.nan if student.grown is None else float(getattr(student.grown[name](), attribute))

    return (
        Measurement(f"steps_{column}", meaning, lambda s: of(s, "steps"), count=True),
        Measurement(
            f"reached_{column}",
            "1 if it reached the loss tolerance, 0 if max_steps came first",
            lambda s: of(s, "reached"),
            count=True,
        ),
    )


def measure(student: Student) -> tuple[dict[str, float], dict[str, str]]:
    """Returns the value of every column, and by column what went wrong where one could not be measured and is nan."""
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for entry in MEASUREMENTS:
        try:
            value = float(entry.measure(student))
            values[entry.column] = int(value) if entry.count and value == value else value
        except UNMEASURED as error:
            values[entry.column] = np.nan
            reasons[entry.column] = f"{type(error).__name__}: {error}"
    return values, reasons


MEASUREMENTS = (
    Measurement("parameters", "number of parameters P", lambda s: len(s.start.theta), count=True),
    Measurement(
        "reached",
        "1 if training reached the loss tolerance, 0 if max_steps came first",
        lambda s: s.training.reached,
        count=True,
    ),
    Measurement("steps", "training steps taken", lambda s: s.training.steps, count=True),
    Measurement("learning_rate", "learning rate of training", lambda s: s.training.learning_rate),
    Measurement("seconds", "time of training in seconds, on one thread", lambda s: s.training.seconds),
    Measurement("baseline", "loss of predicting the mean of the targets", lambda s: s.task.baseline),
    Measurement("floor", "the teacher's own loss, 0 for the squared error without noise", lambda s: s.task.floor),
    Measurement(
        "relative_loss",
        "loss at the end of training above the teacher's, over that of predicting the mean",
        lambda s: s.task.relative(s.training.loss),
    ),
    Measurement(
        "held_out_loss",
        "the same on inputs that training did not see",
        lambda s: s.task.held_out(s.objective.net, s.trained.theta),
    ),
    Measurement("gradient_norm", "max|∇L| at the end of training", lambda s: s.training.gradient_norm),
    Measurement("travelled", "distance that training went", lambda s: distance(s.start.theta, s.trained.theta)),
    Measurement("at_minimum", "1 if a minimum was reached from there", lambda s: s.ending.is_minimum, count=True),
    Measurement(
        "at_teacher",
        "1 if it is one of the global minima where the student is its teacher",
        lambda s: s.ending.kind == "teacher",
        count=True,
    ),
    Measurement(
        "descended_loss",
        "the same where the second-order method stopped",
        lambda s: s.task.relative(s.objective.loss(s.ending.descended)),
    ),
    Measurement(
        "to_minimum",
        "distance from the end of training to the minimum",
        lambda s: distance(s.trained.theta, s.minimum.theta),
    ),
    Measurement(
        "to_teacher",
        "of this, distance from where the second-order method stopped",
        lambda s: distance(s.ending.descended, s.minimum.theta),
    ),
    Measurement("trace", "trace of the Hessian at the minimum", lambda s: s.minimum.diagonal.sum()),
    Measurement(
        "trace_incoming",
        "its part from the hidden neurons' weights and biases",
        lambda s: s.minimum.diagonal[s.incoming].sum(),
    ),
    Measurement(
        "trace_outgoing", "its part from the output's weights and biases", lambda s: outgoing_part(s, s.minimum)
    ),
    Measurement("lambda_max", "largest eigenvalue at the minimum", lambda s: s.minimum.spectrum.max),
    Measurement("rank", "eigenvalues at the minimum that are not predicted to be zero", lambda s: s.rank, count=True),
    Measurement("condition", "κ at the minimum: |λ|₁/|λ|ᵣ with r this rank", lambda s: condition(s, s.minimum)),
    Measurement(
        "condition_upper",
        "what κ may be, as small eigenvalues are known to rounding only",
        lambda s: condition(s, s.minimum).upper,
    ),
    Measurement(
        "idle_neurons",
        "neurons at the minimum that copy none of the teacher's",
        lambda s: np.count_nonzero(s.assignment < 0),
        count=True,
    ),
    Measurement("condition_copies", "κ of the minimum without its idle neurons", condition_of_copies),
    Measurement(
        "condition_threshold",
        "condition number of the eigenvalues above threshold·|λ|₁",
        lambda s: s.minimum.spectrum.condition_number(threshold=s.settings.threshold),
    ),
    Measurement("num_negative", "resolved negative eigenvalues", lambda s: s.minimum.spectrum.num_negative, count=True),
    Measurement(
        "zero_modes_predicted",
        "zero modes that symmetry predicts",
        lambda s: len(s.minimum.spectrum.zero_modes),
        count=True,
    ),
    Measurement(
        "zero_modes_measured",
        "eigenvalues that cannot be told from zero",
        lambda s: s.minimum.spectrum.zero_modes.measured,
        count=True,
    ),
    Measurement("participation_ratio", "mean participation ratio of the leading eigenvectors", participation),
    Measurement("trace_at_tolerance", "trace where training ended", lambda s: s.trained.diagonal.sum()),
    Measurement("lambda_max_at_tolerance", "largest eigenvalue where training ended", lambda s: s.trained.spectrum.max),
    Measurement("condition_at_tolerance", "κ of the same rank where training ended", lambda s: condition(s, s.trained)),
    Measurement(
        "num_negative_at_tolerance",
        "resolved negative eigenvalues where training ended",
        lambda s: s.trained.spectrum.num_negative,
        count=True,
    ),
    Measurement("trace_at_start", "trace at initialisation", lambda s: s.start.diagonal.sum()),
    Measurement("lambda_max_at_start", "largest eigenvalue at initialisation", lambda s: s.start.spectrum.max),
    Measurement("condition_at_start", "κ of the same rank at initialisation", lambda s: condition(s, s.start)),
    Measurement(
        "best_condition",
        "least κ among all widenings of the teacher to this width",
        lambda s: s.best.value if s.best else np.nan,
    ),
    Measurement(
        "best_condition_bound",
        "certified lower bound on it",
        lambda s: s.best.lower_bound if s.best else np.nan,
    ),
    Measurement(
        "best_condition_of_copies",
        "least κ among those with the copies that the minimum has",
        lambda s: s.best_of_copies.value,
    ),
    Measurement(
        "nearest_distance",
        "distance from the initial parameters to the nearest global minimum that was found",
        lambda s: s.nearest.distance if s.nearest else np.nan,
    ),
    Measurement(
        "nearest_bound",
        "certified lower bound on it, among the kinds of minima searched",
        lambda s: s.nearest.lower_bound_covered if s.nearest else np.nan,
    ),
    Measurement(
        "tail_steps",
        "steps per decade of the loss, of gradient descent at rate 1/λ_max from where training ended",
        lambda s: of_tail(s, "steps_per_decade"),
    ),
    Measurement(
        "tail_steps_predicted",
        "the same, as the spectrum at the minimum predicts it",
        lambda s: of_tail(s, "steps_per_decade_predicted"),
    ),
    Measurement(
        "tail_model",
        "loss of the quadratic model where training ended, over the loss: 1 where the model holds",
        lambda s: of_tail(s, "model"),
    ),
    *(entry for name in REPRESENTATIVES for entry in rates_from(name)),
    *growth_by("narrow", "narrow", "steps of the narrow network alone to the loss tolerance"),
    *(
        entry
        for split in SPLITS
        for entry in growth_by(
            split, f"grown_{split}", f"steps with growth by the {split} split, at all widths together"
        )
    ),
)

COLUMNS = tuple(entry.column for entry in MEASUREMENTS)
COUNTS = tuple(entry.column for entry in MEASUREMENTS if entry.count)
