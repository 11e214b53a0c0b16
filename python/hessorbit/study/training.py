"""Trains a student until its loss is below the tolerance: by which learning rate, and on which samples.

    fixed   the learning rate
    share   the learning rate times 2/λ_max, above which gradient descent leaves a quadratic minimum; λ_max is the
            largest eigenvalue of the Hessian where the student starts
    tuned   learning rate · 2^k with the whole number k from which neither k − 1 nor k + 1 needs fewer steps to the
            tolerance (where none reaches it: leaves a lower loss), found from k = 0 uphill

With mini-batches the loss on all samples is looked at after every epoch, or after every 50 steps on fresh samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from .._checks import Array
from ..any_objective import AnyObjective
from ..optimize import minimize
from ..optimize.descent import Descent
from ..spectra import spectrum
from .checks import FULL
from .settings import Settings
from .task import Task, stream

ADAM = (0.9, 0.999, 1e-8)  # β₁, β₂ and ε
CHECK_STEPS = 50  # between looks at the loss, where there are no epochs
MOST_DOUBLINGS = 20  # of a learning rate that is tuned, either way


@dataclass(frozen=True)
class Training:
    """Where training ended, how many steps it took, and on the way losses after some steps.

    Attributes
    ----------
    theta : ndarray, shape (P,)
    loss : float
    gradient_norm : float
        max|∇L|, on all samples.
    steps : int
    reached : bool
        Whether the loss is below the tolerance.
    learning_rate : float
    recorded_steps, losses : ndarray
    seconds : float
    """

    theta: Array
    loss: float
    gradient_norm: float
    steps: int
    reached: bool
    learning_rate: float
    recorded_steps: Array
    losses: Array
    seconds: float

    @property
    def rank(self) -> tuple[bool, float]:
        """Orders trainings: by steps to the tolerance, and those that do not reach it by their loss."""
        return not self.reached, self.steps if self.reached else self.loss if math.isfinite(self.loss) else math.inf


@dataclass(frozen=True)
class Trainer:
    """Trains a student from its start by any learning rate."""

    settings: Settings
    task: Task
    objective: AnyObjective
    start: Array
    key: tuple[int, int]  # seed and width

    def train(self) -> Training:
        """Returns the training by the rule of the settings; raises ArithmeticError if it diverges."""
        rule, rate = self.settings.learning_rate_rule, self.settings.learning_rate
        if rule == "tuned":
            training = self.tuned(rate)
        else:
            training = self.by(rate * (2 / self.largest_eigenvalue() if rule == "share" else 1))
        if not math.isfinite(training.loss):
            raise ArithmeticError(f"training diverged at step {training.steps}; take a smaller learning rate")
        return training

    def largest_eigenvalue(self) -> float:
        """Returns λ_max at the start."""
        largest = spectrum(self.objective, self.start).max
        if not largest > 0:
            raise ArithmeticError(f"λ_max at initialisation is {largest:g}, so there is no share of 2/λ_max")
        return float(largest)

    def tuned(self, rate: float) -> Training:
        """Returns the training by the best rate · 2^k uphill from k = 0."""
        best = self.by(rate)
        for factor in (2.0, 0.5):
            improved = False
            for _ in range(MOST_DOUBLINGS):
                # A rate that has not reached the tolerance after as many steps as the best one is no better.
                limit = best.steps if best.reached else self.settings.max_steps
                tried = self.by(best.learning_rate * factor, limit)
                if tried.rank >= best.rank:
                    break
                best, improved = tried, True
            if improved:
                break
        return best

    def by(self, rate: float, most: int | None = None) -> Training:
        """Returns the training by a learning rate, of at most so many steps."""
        steps = self.settings.max_steps if most is None else most
        began = perf_counter()
        whole = self.settings.batch_size == FULL
        found = self.on_all_samples(rate, steps) if whole else self.on_batches(rate, steps)
        return Training(**found, learning_rate=rate, seconds=perf_counter() - began)

    @property
    def goal(self) -> float:
        """The loss at which training ends."""
        return self.task.floor + self.settings.loss_tolerance * self.task.unit

    def on_all_samples(self, rate: float, most: int) -> dict[str, Any]:
        options: dict[str, Any] = {"momentum": self.settings.momentum} if self.settings.optimizer == "momentum" else {}
        end = minimize(
            self.objective,
            self.start,
            method=self.settings.optimizer,
            tol=0.0,
            loss_tol=self.goal,
            max_steps=most,
            learning_rate=rate,
            **options,
        )
        path = end.trajectory
        return {
            "theta": end.x, "loss": end.fun, "gradient_norm": end.gradient_norm, "steps": end.nit,
            "reached": bool(end.fun <= self.goal), "recorded_steps": path.steps.astype(float), "losses": path.losses,
        }  # fmt: skip

    def on_batches(self, rate: float, most: int) -> dict[str, Any]:
        loop = self.descent(rate)
        loss, gradient = self.objective.value_and_gradient(self.start)
        records = [(0, loss)]
        while loss > self.goal and loop.steps < most and math.isfinite(loss):
            loop.advance(min(self.steps_between_looks, most - loop.steps), -1.0, -np.inf)
            if not math.isfinite(loop.loss):
                loss = math.nan
                break
            loss, gradient = self.objective.value_and_gradient(loop.theta)
            records.append((loop.steps, loss))
        steps, losses = np.array(records, float).T
        return {
            "theta": loop.theta, "loss": float(loss), "gradient_norm": float(np.abs(gradient).max()),
            "steps": loop.steps, "reached": bool(loss <= self.goal), "recorded_steps": steps, "losses": losses,
        }  # fmt: skip

    def descent(self, rate: float) -> Descent:
        """Returns the loop of steps, of which each takes the gradient on the next mini-batch."""
        assert isinstance(self.settings.batch_size, int)
        seed, width = self.key
        rng = stream(self.settings, seed, 6, width)
        batches = self.task.batches(self.objective.net, self.settings.batch_size, rng)
        return Descent(on_next(batches), self.start, self.settings.optimizer, rate, *options_of(self.settings))

    @property
    def steps_between_looks(self) -> int:
        """An epoch, or `CHECK_STEPS` where samples are fresh."""
        assert isinstance(self.settings.batch_size, int)
        if not isinstance(self.settings.samples, int):
            return CHECK_STEPS
        return -(-self.settings.samples // self.settings.batch_size)


def options_of(settings: Settings) -> tuple[float, float, float]:
    """Returns momentum or β₁, β₂ and ε of a loop of steps."""
    return ADAM if settings.optimizer == "adam" else (settings.momentum, 0.0, 0.0)


def on_next(batches: Iterator[AnyObjective]) -> Any:
    """Returns a function that gives loss and gradient on the next mini-batch each time."""

    def evaluate(theta: Array) -> tuple[float, Array]:
        if not np.isfinite(theta).all():
            return math.inf, np.full_like(theta, np.nan)
        loss, gradient = next(batches).value_and_gradient(theta)
        return float(loss), gradient

    return evaluate
