"""Levenberg–Marquardt and Newton take second-order steps in a trust region.

Each step minimises the model L + gᵀs + ½ sᵀA s over ‖s‖ ≤ Δ, A being the Gauss–Newton matrix or the Hessian. The
minimiser solves (A + μ I) s = −g with μ ≥ max(0, −λ_min(A)), and ‖s‖ = Δ unless μ is at its least. The gain, actual
over predicted decrease, steers Δ. θ, g, A and s are those of scaled parameters D θ (scale.py), so that a parameter of
1e16 and one of 1 are in one region.

Levenberg–Marquardt steps follow the curve of the residual to second order, s + a/2: a solves (A + μ I) a = −Fᵀρ″ where
ρ″ is the second derivative of the weighted residual along s. In the narrow curved valleys of overparametrised networks
this takes several times fewer steps.

J. J. Moré, "The Levenberg–Marquardt algorithm: implementation and theory", Numerical Analysis (Dundee), 1978;
J. J. Moré and D. C. Sorensen, "Computing a trust region step", SIAM J. Sci. Stat. Comput. 4 (1983).
M. K. Transtrum and J. P. Sethna, "Improvements to the Levenberg–Marquardt algorithm for nonlinear least-squares
minimization", arXiv:1201.5885 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from .. import _checks, _core
from .._checks import Array
from .._norms import norm
from .._waiting import interruptible
from ..gauss_newton import root_weights
from ..objective import Objective
from ..population import PopulationObjective
from ..restricted import part_of, whole
from .outcome import Stop
from .run import Run
from .scale import Scale, column_sensitivity, row_sensitivity

EPS = float(np.finfo(np.float64).eps)
MOST_JACOBIAN_ENTRIES = 2**24
# Directions in which A is below rounding carry noise instead of slope; this much damping, over ‖A‖, keeps them still.
NOISE = 100 * EPS
# Differences of losses below this fraction of the loss, or of its terms, are taken from gradients instead.
ROUNDING = 1000 * EPS
# The second derivative along a step comes from a difference over this fraction of it; 2 ‖a‖ may be at most this much of
# ‖s‖, else the step is taken straight. Both as in Transtrum and Sethna.
DIFFERENCE = 0.1
LARGEST_BEND = 0.75
# Many times a quarter of the radius: nothing is left of it.
MOST_REFUSALS = 64
# A gradient below this fraction of ‖A‖ ‖θ‖ is that of a critical point; an eigenvalue below minus this fraction of the
# largest is negative beyond doubt.
CRITICAL, NEGATIVE = 1e-6, 1e-7
# Steps may be this much longer or shorter than the radius.
SLACK = 0.1


class Model(Protocol):
    """A model approximates the objective near a point by a quadratic."""

    least: float  # the least damping μ

    def solve(self, damping: float) -> tuple[Array, float]:
        """Returns the s with (A + μ I) s = −g, and sᵀ (A + μ I)⁻¹ s."""

    def lengthen(self, step: Array, radius: float) -> Array:
        """Returns the minimiser s of length Δ, given the solution at the least damping, which is shorter."""

    def bend(self, step: Array) -> Array:
        """Returns the step to take for the s that was solved for last."""


class LeastSquares:
    """A = FᵀF + l2·I by an orthogonal reduction of F, which keeps the digits that forming A would lose.

    With g = Fᵀρ + l2·θ, s is the least-squares solution of the rows [F, ρ], [√l2 I, √l2 θ] and [√μ I, 0].
    """

    def __init__(self, run: Run, scale: Scale, rows: Array, residual: Array) -> None:
        self.run, self.residual, l2 = run, residual, run.obj.l2
        target = residual
        if l2:
            root = math.sqrt(l2)
            rows = np.vstack([rows, root * np.eye(len(run.theta))])
            target = np.concatenate([target, root * run.theta])
        self.sizes = scale.update(column_sensitivity(rows))
        rows = np.ascontiguousarray(rows / self.sizes)
        if not _core.all_finite(rows) or not _core.all_finite(target):
            raise ArithmeticError("the Jacobian is not finite")
        self.factor = rows[: len(residual)]
        self.system: _core.DampedLeastSquares = interruptible(len(run.theta), _core.DampedLeastSquares, rows, target)
        self.least = NOISE**2 * float(column_sensitivity(rows).max()) ** 2

    def solve(self, damping: float) -> tuple[Array, float]:
        return self.system.solve(damping)

    def lengthen(self, step: Array, radius: float) -> Array:
        return step

    def bend(self, step: Array) -> Array:
        ahead = self.run.theta + DIFFERENCE * step / self.sizes
        # Where the residual overflows, the bend is not finite, and not taken.
        with np.errstate(over="ignore", invalid="ignore"):
            bend = -self.system.correct(self.pulled(ahead, step)) / 2
            return step + bend if 4 * norm(bend) <= LARGEST_BEND * norm(step) else step

    def pulled(self, ahead: Array, step: Array) -> Array:
        """Returns Fᵀρ″ along the step, from ρ at a fraction of it."""
        raise NotImplementedError


class OnSamples(LeastSquares):
    """F is the weighted Jacobian, and ρ the weighted residual."""

    def __init__(self, run: Run, scale: Scale) -> None:
        data = whole(run.obj, run.theta)[0]
        assert isinstance(data, Objective)
        self.data, self.roots = data, np.repeat(root_weights(data), data.net.widths[-1])
        super().__init__(run, scale, run.obj.gauss_newton_factor(run.theta), self.residual_at(run.theta, run))

    def residual_at(self, theta: Array, run: Run) -> Array:
        return np.asarray(self.roots * self.data.residual(whole(run.obj, theta)[1]))

    def pulled(self, ahead: Array, step: Array) -> Array:
        slope = (self.residual_at(ahead, self.run) - self.residual) / DIFFERENCE
        return np.asarray((2 / DIFFERENCE * (slope - self.factor @ step)) @ self.factor)


class OfPopulation(LeastSquares):
    """F is made of eigenvectors of the Gauss–Newton matrix, √λ vᵀ, and ρ of the gradient along them, vᵀg/√λ.

    What the gradient has beside them, where the matrix is zero to rounding, is rounding too.
    """

    def __init__(self, run: Run, scale: Scale) -> None:
        rows = run.obj.gauss_newton_factor(run.theta)
        squares = np.einsum("rp,rp->r", rows, rows)
        felt = squares > 0
        felt[-1] = True  # so that there is a row
        rows, squares = rows[felt], np.where(squares > 0, squares, 1.0)[felt]
        super().__init__(run, scale, rows, rows @ (run.gradient - run.obj.l2 * run.theta) / squares)

    def pulled(self, ahead: Array, step: Array) -> Array:
        population, theta = whole(self.run.obj, self.run.theta)
        assert isinstance(population, PopulationObjective)
        moved = part_of(self.run.obj, population.pull(theta, whole(self.run.obj, ahead)[1])) / self.sizes
        with np.errstate(over="ignore", invalid="ignore"):
            second = 2 / DIFFERENCE * (moved / DIFFERENCE - (self.factor @ step) @ self.factor)
        # The difference is known to rounding of the gradient's terms.
        noise = NOISE / DIFFERENCE**2 * float(column_sensitivity(self.factor).max()) * math.sqrt(2 * self.run.size())
        return second if norm(second) > noise else np.zeros_like(second)


class Quadratic:
    """A by its reduction to tridiagonal form; it may be indefinite."""

    def __init__(self, matrix: Array, gradient: Array, scale: Scale) -> None:
        if not _core.all_finite(matrix):
            raise ArithmeticError("the Hessian is not finite")
        self.sizes = scale.update(row_sensitivity(matrix))
        scaled = np.ascontiguousarray(matrix / self.sizes / self.sizes[:, None])
        slopes = np.ascontiguousarray(gradient / self.sizes)
        if not _core.all_finite(scaled) or not _core.all_finite(slopes):
            raise ArithmeticError("the Hessian is not finite")
        self.system: _core.ShiftedSystem = interruptible(len(slopes), _core.ShiftedSystem, scaled, slopes)
        self.lowest, self.largest = self.system.lowest, self.system.largest
        self.noise = NOISE * self.largest
        self.least = max(0.0, -self.lowest) + self.noise

    def solve(self, damping: float) -> tuple[Array, float]:
        return self.system.solve(damping)

    def lengthen(self, step: Array, radius: float) -> Array:
        if self.lowest >= -self.noise:
            return step
        lowest = self.system.lowest_vector()
        along, length = float(lowest @ step), norm(step)
        # Of the two points at that distance on this line, the nearer one.
        distance = math.sqrt(max(along * along + (radius - length) * (radius + length), 0.0)) - abs(along)
        return np.asarray(step + math.copysign(distance, along) * lowest)

    def bend(self, step: Array) -> Array:
        return step


def lm(run: Run, *, radius: float | None = None) -> Stop:
    """Minimises by Levenberg–Marquardt."""
    obj = run.obj
    if obj.loss_name != "squared_error":
        raise ValueError(
            f"method 'lm' minimises squared errors only; this objective has the loss {obj.loss_name!r}: use 'newton'"
        )
    scale = Scale()
    data = whole(obj, run.theta)[0]
    if not isinstance(data, Objective):
        return descend(run, lambda: OfPopulation(run, scale), radius)
    if data.num_samples * data.net.widths[-1] * len(run.theta) <= MOST_JACOBIAN_ENTRIES:
        return descend(run, lambda: OnSamples(run, scale), radius)
    return descend(run, lambda: Quadratic(obj.gauss_newton(run.theta), run.gradient, scale), radius)


def newton(run: Run, *, radius: float | None = None) -> Stop:
    """Newton in a trust region, which goes on where the gradient vanishes at a saddle."""
    scale = Scale()
    return descend(run, lambda: Quadratic(run.obj.hessian(run.theta), run.gradient, scale), radius, leave=True)


def descend(
    run: Run, model_here: Callable[[], LeastSquares | Quadratic], radius: float | None, *, leave: bool = False
) -> Stop:
    """Steps from point to point, each by the model at the point reached; `leave` saddles too."""
    delta = None if radius is None else _checks.positive(radius, "radius")
    stop = run.reach(run.theta, *run.evaluate(run.theta), 0)
    damping = 0.0
    while stop is None or (leave and stop is Stop.GRADIENT and run.steps < run.max_steps):
        run.hessians += 1
        try:
            model = model_here()
        except ArithmeticError as error:
            run.remark = f"The step cannot be computed: {error}."
            return Stop.STALLED
        if stop is not None and not may_leave(run, model):
            return stop
        sizes, place = model.sizes, norm(model.sizes * run.theta)
        if delta is None:
            delta = 100 * max(1.0, float(place))
        for _ in range(MOST_REFUSALS):
            step, damping = minimiser(model, delta, damping)
            predicted = float((damping * step) @ step - (run.gradient / sizes) @ step) / 2
            bent = model.bend(step)
            theta = run.theta + bent / sizes
            if not predicted > 0 or np.abs(sizes * (theta - run.theta)).max() <= EPS * np.abs(sizes * theta).max():
                return stop or Stop.STALLED
            loss, gradient = run.evaluate(theta)
            gain = decrease(run, loss, gradient, bent / sizes) / predicted
            length = float(norm(step))
            if gain > 0.75:
                delta = max(delta, 2 * length)
            elif not gain > 0.25:
                delta = length / 4
            if gain > 1e-4:
                break
        else:
            return stop or Stop.STALLED
        stop = run.reach(theta, loss, gradient, run.steps + 1)
    return stop


def may_leave(run: Run, model: LeastSquares | Quadratic) -> bool:
    """Whether some curvature is clearly negative, and the gradient is nothing beside the curvature, or tol beside it.

    Where both are small, as near a degenerate saddle, a gradient below tol says nothing.
    """
    if not isinstance(model, Quadratic) or model.lowest >= -NEGATIVE * model.largest:
        return False
    place = max(1.0, float(norm(model.sizes * run.theta)))
    slope = float(norm(run.gradient / model.sizes))
    return bool(slope <= CRITICAL * model.largest * place or run.tol < -model.lowest * place)


def minimiser(model: Model, radius: float, damping: float) -> tuple[Array, float]:
    """Returns the minimiser s of the model over ‖s‖ ≤ radius, within SLACK, and its μ, sought from `damping`.

    Newton's method on 1/‖s(μ)‖ = 1/Δ, which increases to the root once it is left of it; bisection of log μ where
    rounding breaks that.
    """
    lower, upper = 0.0, math.inf
    damping = max(damping, model.least)
    while True:
        step, curvature = model.solve(damping)
        length = float(norm(step))
        if damping == model.least and length < radius:
            return model.lengthen(step, radius), damping
        if not (abs(length - radius) > SLACK * radius and upper > (1 + SLACK) * lower and curvature > 0):
            return step, damping
        if length > radius:
            lower = damping
        else:
            upper = damping
        damping = max(damping + length / curvature * length * ((length - radius) / radius), model.least)
        if not lower < damping < upper:
            damping = math.sqrt(lower * upper)


def decrease(run: Run, loss: float, gradient: Array, step: Array) -> float:
    """Returns L(θ) − L(θ + s); by the trapezoidal rule on the gradient where the difference is lost to rounding.

    A point where loss or gradient overflow is no decrease.
    """
    if not (math.isfinite(loss) and _core.all_finite(gradient)):
        return -math.inf
    difference, known = run.loss - loss, ROUNDING * run.size()
    if abs(difference) > known:
        return difference
    if loss - run.lowest > known:  # steps that each seem to raise it by rounding alone have raised it
        return -math.inf
    return float(-(run.gradient + gradient) @ step) / 2
