"""A `Run` knows where a minimisation is, what it has recorded, and whether to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _core, _html
from .._checks import Array
from .._own_points import own_points
from .._words import number_of
from ..any_objective import AnyObjective
from ..population import PopulationObjective
from ..restricted import whole
from .outcome import SUCCESSES, Stop, outcome_of


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """A trajectory holds the points that a minimisation recorded on its way, R in all.

    Attributes
    ----------
    steps : ndarray of int, shape (R,)
        Number of steps taken.
    losses : ndarray, shape (R,)
    gradient_norms : ndarray, shape (R,)
        max|∇L|.
    times : ndarray, shape (R,), or None
        Times of a gradient flow.
    thetas : ndarray, shape (R, P), or None
        Points, if they were kept.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [2.0, 4.0])
    >>> path = ho.minimize(obj, [0.0], method="gd", learning_rate=0.1, max_steps=2, keep_thetas=True).trajectory
    >>> path
    Trajectory(3 points, 2 steps, loss 5 to 1.58)
    >>> path.thetas.ravel()
    array([0.   , 0.5  , 0.875])
    """

    steps: Array
    losses: Array
    gradient_norms: Array
    times: Array | None
    thetas: Array | None

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        if not len(self):
            return "Trajectory(no points)"
        losses = f"loss {self.losses[0]:.3g} to {self.losses[-1]:.3g}"
        return f"Trajectory({number_of(len(self), 'point')}, {number_of(self.steps[-1], 'step')}, {losses})"

    def _repr_html_(self) -> str:
        shown = sorted({0, *range(0, len(self), max(1, len(self) // 8)), len(self) - 1}) if len(self) else []
        rows = [(int(self.steps[k]), float(self.losses[k]), float(self.gradient_norms[k])) for k in shown]
        return _html.table(repr(self), ("step", "loss", "max |gradient|"), rows)


@dataclass
class Run:
    """Methods share a run: they `evaluate` at trial points and `reach` points, which tells them when to stop."""

    obj: AnyObjective
    method: str
    theta: Array
    tol: float
    loss_tol: float
    max_steps: int
    callback: Callable[[Any], object] | None
    keep_thetas: bool

    loss: float = np.nan
    lowest: float = np.inf  # of the losses of all points reached
    gradient: Array = field(default_factory=lambda: np.array([np.nan]))
    time: float | None = None
    steps: int = 0
    evaluations: int = 0
    hessians: int = 0
    records: list[tuple[int, float, float]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    thetas: list[Array] = field(default_factory=list)
    sized: tuple[Array, float] | None = None  # a point, and `size` there
    remark: str = ""  # what a solver had to say
    callback_error: BaseException | None = None
    numpy_errors: Any = field(default_factory=np.geterr)  # of the caller, for the callback

    @contextmanager
    def failures_of(self, solver: str) -> Iterator[None]:
        """Turns an error of a solver in numbers that it cannot handle into a remark; the callback's own pass."""
        try:
            yield
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            if error is self.callback_error:
                raise
            self.remark = f"{solver} gave up: {error}."

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """Returns loss and gradient, not finite where θ is not."""
        self.evaluations += 1
        if not _core.all_finite(theta):
            return np.inf, np.full_like(theta, np.nan)
        loss, gradient = self.obj.value_and_gradient(theta)
        return float(loss), gradient

    def reach(
        self, theta: Array, loss: float, gradient: Array, steps: int, time: float | None = None, *, record: bool = True
    ) -> Stop | None:
        """Moves the run to θ after so many steps, and returns why to stop there, if it is to."""
        self.theta, self.loss, self.gradient, self.steps, self.time = theta, loss, gradient, steps, time
        self.lowest = min(self.lowest, loss)
        called_off = record and self.record()
        norm = self.gradient_norm
        if not (np.isfinite(loss) and np.isfinite(norm)):
            return Stop.DIVERGED
        if norm <= self.tol:
            return Stop.GRADIENT
        if loss <= self.loss_tol:
            return Stop.LOSS
        if called_off:
            return Stop.CALLBACK
        return Stop.STEPS if steps >= self.max_steps else None

    def record(self) -> bool:
        """Adds this point to the trajectory and shows it to the callback; returns True if that asks to stop."""
        self.records.append((self.steps, self.loss, self.gradient_norm))
        if self.time is not None:
            self.times.append(self.time)
        if self.keep_thetas:
            self.thetas.append(self.theta)
        if self.callback is not None:
            from scipy.optimize import OptimizeResult

            try:
                with own_points(False), np.errstate(**self.numpy_errors):
                    self.callback(OptimizeResult(**self.point()))
            except StopIteration:
                return True
            except BaseException as error:
                self.callback_error = error
                raise
        return False

    @property
    def gradient_norm(self) -> float:
        return float(np.abs(self.gradient).max())

    def size(self) -> float:
        """Returns the size of the terms that the loss is the sum of, to whose rounding it is known."""
        obj, theta = whole(self.obj, self.theta)
        if not isinstance(obj, PopulationObjective):
            return abs(self.loss)
        if self.sized is None or self.sized[0] is not self.theta:
            self.sized = self.theta, obj.size(theta)
        return self.sized[1]

    def point(self) -> dict[str, Any]:
        time = {} if self.time is None else {"t": self.time}
        return {
            "x": self.theta.copy(),
            "fun": self.loss,
            "jac": self.gradient.copy(),
            "gradient_norm": self.gradient_norm,
            "nit": self.steps,
            **time,
        }

    def result(self, stop: Stop) -> dict[str, Any]:
        outcome = outcome_of(stop, self.obj, self.theta, self.steps, self.method)
        sentences = [self.message(stop), self.remark, outcome.sentence]
        return {
            **self.point(),
            "success": stop in SUCCESSES and outcome.name != "saddle" and not outcome.falls,
            "status": stop,
            "outcome": outcome.name,
            "message": " ".join(sentence for sentence in sentences if sentence),
            "method": self.method,
            "nfev": self.evaluations,
            "njev": self.evaluations,
            "nhev": self.hessians,
            "trajectory": self.trajectory(),
        }

    def trajectory(self) -> Trajectory:
        steps, losses, norms = zip(*self.records, strict=True) if self.records else ((), (), ())
        return Trajectory(
            steps=np.array(steps, int),
            losses=np.array(losses, float),
            gradient_norms=np.array(norms, float),
            times=None if self.time is None else np.array(self.times),
            thetas=np.array(self.thetas).reshape(-1, len(self.theta)) if self.keep_thetas else None,
        )

    def message(self, stop: Stop) -> str:
        gradient = f"max|∇L| is {self.gradient_norm:.2e}"
        return {
            Stop.GRADIENT: f"{gradient}, at most tol = {self.tol:g}.",
            Stop.LOSS: f"The loss is {self.loss:.2e}, at most loss_tol = {self.loss_tol:g}.",
            Stop.TIME: f"The time {self.time} is reached; {gradient}.",
            Stop.STEPS: f"All steps are taken, max_steps = {self.max_steps}; {gradient}, above tol = {self.tol:g}.",
            Stop.STALLED: f"No further progress is possible in working precision; {gradient}.",
            Stop.DIVERGED: "The loss or its gradient is not finite; start elsewhere or take smaller steps.",
            Stop.CALLBACK: f"The callback raised StopIteration; {gradient}.",
            Stop.INTERRUPTED: f"Interrupted after {number_of(self.steps, 'step')}; {gradient}.",
        }[stop]
