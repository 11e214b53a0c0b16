"""Compares gradient descent with what the spectrum at a minimum predicts for it.

Near a minimum θ* with H = Σ_i λ_i v_i v_iᵀ, steps θ ← θ − η ∇L shrink the coefficient c_i = v_iᵀ(θ − θ*) by 1 − ηλ_i:

    L_t − L(θ*) ≈ ½ Σ_i λ_i c_i² (1 − ηλ_i)^{2t}

The rate is η = 1/λ_max, half of where descent diverges, so that it is conditioning that decides how fast L falls. Two
descents are compared with this:

- The tail of a student: from where its training ended, until the loss is a tenth of what it was there.
- Representatives of one function: the teacher, moved a little, and the same network with its neurons split equally, and
  in the best-conditioned way (`BestConditioned`). All three begin at the same function, with the same loss; only their
  spectra differ. They go on until the loss is a millionth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from .._checks import Array
from ..any_objective import AnyObjective
from ..conditioning.growth import equal_numbers
from ..optimize import minimize
from ..symmetry import Widening
from .claims import Claim
from .once import once
from .task import TeacherTask

REPRESENTATIVES = ("narrow", "equal", "best")
TAIL = 0.1  # of the loss where a tail began
DEPTH = 1e-6  # of the loss where the representatives begin
HALVINGS = 64  # of an interval of step numbers, at most
SCALINGS = 50  # of a perturbation until it has its loss

PREDICTED = Claim(
    "rates",
    "Convergence follows conditioning",
    "tail_steps",
    at_minima=True,
    follows="tail_steps_predicted",
    unit="per halving of the steps predicted",
)


@dataclass(frozen=True)
class Prediction:
    """The loss of gradient descent at rate 1/λ_max from θ to a minimum, as the Hessian there predicts it."""

    eigenvalues: Array
    coefficients: Array

    @classmethod
    def of(cls, hessian: Array, displacement: Array) -> Prediction:
        """Returns the prediction from the Hessian at a minimum (P, P) and θ − θ* (P,)."""
        eigenvalues, vectors = np.linalg.eigh(hessian)
        return cls(eigenvalues, vectors.T @ displacement)

    @property
    def rate(self) -> float:
        return float(1 / self.eigenvalues.max())

    def losses(self, steps: Array) -> Array:
        """Returns L after each number of steps."""
        shrinking = np.abs(1 - self.rate * self.eigenvalues) ** (2 * np.asarray(steps, float)[:, None])
        return np.asarray(shrinking @ (self.eigenvalues * self.coefficients**2) / 2)

    def decades(self, steps: int) -> float:
        """Returns by how many powers of ten L falls."""
        before, after = self.losses(np.array([0, steps]))
        return float(np.log10(before / after))

    def steps_to(self, share: float) -> float:
        """Returns after how many steps L is at most a share of what it was; infinite if that is more than 2⁶⁴."""
        low, high = 0.0, 1.0
        goal = share * self.losses(np.zeros(1))[0]
        for _ in range(HALVINGS):
            if self.losses(np.array([high]))[0] <= goal:
                break
            low, high = high, 2 * high
        else:
            return np.inf
        while high - low > max(1.0, 1e-12 * high):
            middle = np.floor((low + high) / 2)
            if self.losses(np.array([middle]))[0] <= goal:
                high = middle
            else:
                low = middle
        return high


@dataclass(frozen=True)
class Measured:
    """A run of gradient descent, and what the spectrum predicts for it.

    Attributes
    ----------
    prediction : Prediction
    steps, losses : ndarray
        The curve, from step 0; losses are those above the least one.
    success : bool
        Whether the loss fell as far as it was to.
    """

    prediction: Prediction
    steps: Array
    losses: Array
    success: bool

    @property
    def count(self) -> int:
        """How many steps were taken."""
        return int(self.steps[-1])

    @property
    def predicted_count(self) -> float:
        """After how many steps the loss falls by the same share, as predicted."""
        return self.prediction.steps_to(float(self.losses[-1] / self.losses[0]))

    @property
    def model(self) -> float:
        """The loss predicted at step 0, over that measured."""
        return float(self.predicted[0] / self.losses[0])

    @cached_property
    def predicted(self) -> Array:
        """The loss predicted at the same steps."""
        return self.prediction.losses(self.steps)

    @property
    def steps_per_decade(self) -> float:
        """How many steps a power of ten takes, by the whole of the run; raises ArithmeticError if the loss rose."""
        if not (self.losses > 0).all():
            raise ArithmeticError("gradient descent went below the loss of the minimum, and to another one")
        fallen = np.log10(self.losses[0] / self.losses[-1])
        if not fallen > 0:
            raise ArithmeticError(f"gradient descent at rate 1/λ_max raised the loss by {-fallen:.3g} decades")
        return float(self.steps[-1] / fallen)

    @property
    def steps_per_decade_predicted(self) -> float:
        """The same of the curve predicted, over as many steps."""
        return float(self.steps[-1] / self.prediction.decades(self.steps[-1]))


def descend(
    objective: AnyObjective, theta: Array, prediction: Prediction, share: float, max_steps: int, *, least: float = 0.0
) -> Measured:
    """Descends from θ at the rate of a prediction until the loss above the least one is a share of what it is there."""
    goal = least + share * (float(objective.loss(theta)) - least)
    run = minimize(
        objective, theta, method="gd", learning_rate=prediction.rate, tol=0.0, loss_tol=goal, max_steps=max_steps
    )
    if not np.isfinite(run.fun):
        raise ArithmeticError(f"gradient descent at rate 1/λ_max diverged at step {run.nit}")
    return Measured(prediction, run.trajectory.steps, run.trajectory.losses - least, run.fun <= goal)


def perturbed(task: TeacherTask, rng: np.random.Generator, loss: float) -> Array:
    """Returns the teacher's θ, moved in a random direction so far that its loss has a value."""
    objective = task.objective(task.teacher)
    direction = rng.standard_normal(len(task.theta))
    direction /= np.linalg.norm(direction)
    size = np.sqrt(2 * loss / (direction @ objective.hvp(task.theta, direction)))
    # The loss is nearly quadratic in the size, so that this converges at once.
    for _ in range(SCALINGS):
        found = float(objective.loss(task.theta + size * direction))
        if abs(found - loss) <= 1e-9 * loss:
            break
        size *= np.sqrt(loss / found)
    return np.asarray(task.theta + size * direction)


def representatives(
    task: TeacherTask, width: int, best: Callable[[], Widening], start: Callable[[], Array], max_steps: int
) -> dict[str, Callable[[], Measured]]:
    """Returns functions that descend, once, from a start near the teacher, and from it split to a width in two ways.

    One that diverges raises ArithmeticError, and leaves the others as they are.
    """
    teacher = task.teacher
    widenings: dict[str, Callable[[], Widening]] = {
        "narrow": lambda: Widening(teacher),
        "equal": lambda: Widening(teacher, [equal_numbers(teacher.widths[1], width)]),
        "best": best,
    }
    return {name: once(partial(run_from, task, widening, start, max_steps)) for name, widening in widenings.items()}


def run_from(
    task: TeacherTask, widened: Callable[[], Widening], start: Callable[[], Array], max_steps: int
) -> Measured:
    """Descends from the wide network at a start near the teacher to the wide network at the teacher."""
    widening = widened()
    objective = task.objective(widening.net)
    minimum, theta = widening(task.theta), widening(start())
    return descend(objective, theta, Prediction.of(objective.hessian(minimum), theta - minimum), DEPTH, max_steps)


def representative_claims(teacher_width: int) -> tuple[Claim, ...]:
    """Returns the claims about representatives, of students wider than the teacher."""

    def fewer(better: str, worse: str) -> Claim:
        return Claim(
            f"{better}_{worse}",
            f"The {better} representative needs fewer steps than the {worse} one",
            f"steps_from_{better}",
            censored=True,
            reached=f"reached_from_{better}",
            against=f"steps_from_{worse}",
            against_reached=f"reached_from_{worse}",
            above=teacher_width,
            unit="of the steps",
        )

    return fewer("best", "equal"), fewer("best", "narrow"), fewer("equal", "narrow")
