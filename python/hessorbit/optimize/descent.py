"""First-order steps for objectives that the compiled loop does not know, by the same rules.

gd        θ ← θ − η g
momentum  v ← μ v + g,  θ ← θ − η v
adam      v ← v + (1 − β₁)(g − v),  s ← β₂ s + (1 − β₂) g²,  θ ← θ − η/(1 − β₁ᵗ) v / (√s / √(1 − β₂ᵗ) + ε)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .._checks import Array


@dataclass
class Descent:
    """A run of first-order steps; `momentum` is β₁ of adam. It has the methods of the compiled loop."""

    evaluate: Callable[[Array], tuple[float, Array]]
    theta: Array
    method: str
    learning_rate: float
    momentum: float
    beta2: float
    epsilon: float

    steps: int = 0
    velocity: Array = field(init=False)
    second_moment: Array = field(init=False)
    loss: float = field(init=False)
    gradient: Array = field(init=False)

    def __post_init__(self) -> None:
        self.velocity, self.second_moment = np.zeros_like(self.theta), np.zeros_like(self.theta)
        self.loss, self.gradient = self.evaluate(self.theta)

    @property
    def gradient_norm(self) -> float:
        return float(np.abs(self.gradient).max())

    def advance(self, max_steps: int, gradient_tolerance: float, loss_tolerance: float) -> int:
        """Takes up to max_steps steps, unless a tolerance is reached or a number is not finite; returns how many."""
        taken = 0
        while (
            taken < max_steps
            and math.isfinite(self.loss)
            and math.isfinite(norm := self.gradient_norm)
            and norm > gradient_tolerance
            and self.loss > loss_tolerance
        ):
            with np.errstate(over="ignore", invalid="ignore"):
                ahead = self.theta - self.step()
            loss, gradient = self.evaluate(ahead)
            self.theta, self.loss, self.gradient = ahead, loss, gradient
            self.steps += 1
            taken += 1
        return taken

    def step(self) -> Array:
        """What θ decreases by."""
        if self.method == "gd":
            return self.learning_rate * self.gradient
        if self.method == "momentum":
            self.velocity = self.momentum * self.velocity + self.gradient
            return self.learning_rate * self.velocity
        self.velocity = self.velocity + (1 - self.momentum) * (self.gradient - self.velocity)
        self.second_moment = self.beta2 * self.second_moment + (1 - self.beta2) * self.gradient**2
        t = self.steps + 1
        size = self.learning_rate / (1 - self.momentum**t)
        return size * self.velocity / (np.sqrt(self.second_moment) / math.sqrt(1 - self.beta2**t) + self.epsilon)
