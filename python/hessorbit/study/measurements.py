"""Measures a trained student; each entry of the list of measurements becomes a column of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .student import Student


@dataclass(frozen=True)
class Measurement:
    """A column of the table, what it means, and the function that computes it; nan where it has no meaning.

    A count is an integer in the table.
    """

    column: str
    meaning: str
    measure: Callable[[Student], Any]
    count: bool = False


def condition_of_rank(student: Student) -> float:
    """Returns κ over as many eigenvalues as the teacher has parameters; nan for a student with fewer."""
    rank = student.task.teacher.num_parameters
    return student.spectrum.condition_number(rank=rank) if rank <= len(student.theta) else np.nan


def participation(student: Student) -> float:
    """Returns the mean over the leading eigenvectors of (Σv²)²/Σv⁴, from 1 (one parameter) to P (all alike)."""
    return float(student.spectrum.participation_ratio[-student.settings.leading :].mean())


def measure(student: Student) -> tuple[dict[str, float], dict[str, str]]:
    """Returns the value of every column, and by column what went wrong where one could not be measured and is nan."""
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for entry in MEASUREMENTS:
        try:
            value = float(entry.measure(student))
            values[entry.column] = int(value) if entry.count else value
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            values[entry.column] = np.nan
            reasons[entry.column] = f"{type(error).__name__}: {error}"
    return values, reasons


MEASUREMENTS = (
    Measurement("parameters", "number of parameters P", lambda s: len(s.theta), count=True),
    Measurement(
        "reached",
        "1 if training reached the loss tolerance, 0 if max_steps came first",
        lambda s: s.training.success,
        count=True,
    ),
    Measurement("steps", "training steps taken", lambda s: s.training.nit, count=True),
    Measurement("seconds", "time of training in seconds, on one thread", lambda s: s.seconds),
    Measurement("loss", "final loss, where the Hessian is taken", lambda s: s.objective.loss(s.theta)),
    Measurement("baseline", "loss of predicting the mean of the targets", lambda s: s.task.baseline),
    Measurement(
        "relative_loss",
        "final loss over the loss of predicting the mean",
        lambda s: s.objective.loss(s.theta) / s.task.baseline,
    ),
    Measurement("gradient_norm", "max|∇L| there", lambda s: np.abs(s.objective.gradient(s.theta)).max()),
    Measurement("trace", "trace of the Hessian", lambda s: s.diagonal.sum()),
    Measurement(
        "trace_incoming",
        "its part from the hidden neurons' weights and biases",
        lambda s: s.diagonal[s.incoming].sum(),
    ),
    Measurement(
        "trace_outgoing",
        "its part from the output's weights and biases",
        lambda s: np.delete(s.diagonal, s.incoming).sum(),
    ),
    Measurement("lambda_max", "largest eigenvalue", lambda s: s.spectrum.max),
    Measurement(
        "condition_rank",
        "|λ|₁/|λ|ᵣ with r the teacher's number of parameters",
        condition_of_rank,
    ),
    Measurement(
        "condition_quotient",
        "condition number off the predicted zero modes",
        lambda s: s.spectrum.condition_number("quotient"),
    ),
    Measurement(
        "condition_threshold",
        "condition number of the eigenvalues above threshold·|λ|₁",
        lambda s: s.spectrum.condition_number(threshold=s.settings.threshold),
    ),
    Measurement("condition_raw", "condition number of all eigenvalues", lambda s: s.spectrum.condition_number("raw")),
    Measurement("num_negative", "resolved negative eigenvalues", lambda s: s.spectrum.num_negative, count=True),
    Measurement(
        "zero_modes_predicted", "zero modes that symmetry predicts", lambda s: len(s.spectrum.zero_modes), count=True
    ),
    Measurement(
        "zero_modes_measured",
        "eigenvalues that cannot be told from zero",
        lambda s: s.spectrum.zero_modes.measured,
        count=True,
    ),
    Measurement("participation_ratio", "mean participation ratio of the leading eigenvectors", participation),
    Measurement(
        "best_condition",
        "least condition number among all widenings of the teacher to this width",
        lambda s: s.best.value if s.best else np.nan,
    ),
    Measurement(
        "best_condition_bound",
        "certified lower bound on it",
        lambda s: s.best.lower_bound if s.best else np.nan,
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
        "travelled",
        "distance from the initial to the final parameters",
        lambda s: np.linalg.norm(s.theta - s.start),
    ),
)

COLUMNS = tuple(entry.column for entry in MEASUREMENTS)
COUNTS = tuple(entry.column for entry in MEASUREMENTS if entry.count)
