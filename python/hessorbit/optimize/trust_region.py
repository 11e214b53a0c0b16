"""Levenberg–Marquardt and Newton take second-order steps in a trust region.

Each step minimises the model L + gᵀs + ½ sᵀA s over ‖s‖ ≤ Δ, A being the Gauss–Newton matrix or the Hessian. The
minimiser solves (A + μ I) s = −g with μ ≥ max(0, −λ_min(A)), and ‖s‖ = Δ unless μ is at its least. The gain, actual
over predicted decrease, steers Δ.

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
import scipy.linalg
from scipy.linalg import lapack

from .. import _checks
from .._checks import Array
from ..decomposition import symmetric_eigen
from ..gauss_newton import root_weights
from .run import Run, Stop

EPS = float(np.finfo(np.float64).eps)
MOST_JACOBIAN_ENTRIES = 2**24
# Directions in which A is below rounding carry noise instead of slope; this much damping, over ‖A‖, keeps them still.
NOISE = 100 * EPS
# Differences of losses below this fraction of the loss are taken from gradients instead.
ROUNDING = 1000 * EPS
# The second derivative along a step comes from a difference over this fraction of it; 2 ‖a‖ may be at most this much of
# ‖s‖, else the step is taken straight. Both as in Transtrum and Sethna.
DIFFERENCE = 0.1
LARGEST_BEND = 0.75
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
    """The model with A = FᵀF + l2·I uses a QR decomposition of F, which keeps the digits that forming A would lose.

    With g = Fᵀρ + l2·θ, s is the least-squares solution of the rows [F, ρ], [√l2 I, √l2 θ] and [√μ I, 0].
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        count = len(run.theta)
        self.roots = np.repeat(root_weights(run.obj), run.obj.net.widths[-1])
        self.residual = self.roots * run.obj.residual(run.theta)
        self.factor = run.obj.gauss_newton_factor(run.theta)
        rows = np.column_stack([self.factor, self.residual])
        if run.obj.l2:
            rows = np.vstack([rows, math.sqrt(run.obj.l2) * np.column_stack([np.eye(count), run.theta])])
        triangle = scipy.linalg.qr(rows, mode="r", check_finite=False)[0][: count + 1]
        self.triangle = np.zeros((count + 1, count + 1), order="F")
        self.triangle[: len(triangle)] = triangle
        self.identity = np.eye(count, count + 1, order="F")
        self.least = NOISE**2 * float((rows[:, :count] ** 2).sum(axis=0).max())

    def solve(self, damping: float) -> tuple[Array, float]:
        count = len(self.identity)
        # dtpqrt decomposes one triangle on top of another.
        whole = lapack.dtpqrt(count, min(32, count + 1), self.triangle, math.sqrt(damping) * self.identity)[0]
        self.root = whole[:count, :count]
        step = -scipy.linalg.solve_triangular(self.root, whole[:count, count], check_finite=False)
        half = scipy.linalg.solve_triangular(self.root, step, trans="T", check_finite=False)
        return step, float(half @ half)

    def lengthen(self, step: Array, radius: float) -> Array:
        return step

    def bend(self, step: Array) -> Array:
        ahead = self.run.theta + DIFFERENCE * step
        # Where the residual overflows, the bend is not finite and is not taken.
        with np.errstate(over="ignore", invalid="ignore"):
            slope = (self.roots * self.run.obj.residual(ahead) - self.residual) / DIFFERENCE
            second = 2 / DIFFERENCE * (slope - self.factor @ step)
            half = scipy.linalg.solve_triangular(self.root, self.factor.T @ second, trans="T", check_finite=False)
            bend = -scipy.linalg.solve_triangular(self.root, half, check_finite=False) / 2
            return step + bend if 4 * np.linalg.norm(bend) <= LARGEST_BEND * np.linalg.norm(step) else step


class Eigen:
    """The model with any symmetric A uses its eigenvalues and eigenvectors; A may be indefinite."""

    def __init__(self, matrix: Array, gradient: Array) -> None:
        self.values, self.vectors = symmetric_eigen(matrix, vectors=True)
        self.slopes = self.vectors.T @ gradient
        self.noise = NOISE * float(np.abs(self.values).max())
        self.least = max(0.0, -float(self.values[0])) + self.noise

    def solve(self, damping: float) -> tuple[Array, float]:
        shifted = self.values + damping
        coordinates = -self.slopes / shifted
        return self.vectors @ coordinates, float(coordinates @ (coordinates / shifted))

    def lengthen(self, step: Array, radius: float) -> Array:
        if self.values[0] >= -self.noise:
            return step
        lowest = self.vectors[:, 0]
        along = float(lowest @ step)
        # The line has two points at that distance; the nearer one is taken.
        distance = math.sqrt(along**2 + radius**2 - float(step @ step)) - abs(along)
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
    if obj.num_samples * obj.net.widths[-1] * len(run.theta) <= MOST_JACOBIAN_ENTRIES:
        return descend(run, lambda: LeastSquares(run), radius)
    return descend(run, lambda: Eigen(obj.core.gauss_newton(run.theta), run.gradient), radius)


def newton(run: Run, *, radius: float | None = None) -> Stop:
    """Minimises by Newton's method in a trust region."""
    return descend(run, lambda: Eigen(run.obj.core.hessian(run.theta), run.gradient), radius)


def descend(run: Run, model_here: Callable[[], Model], radius: float | None) -> Stop:
    """Steps from point to point, each by the model at the point reached, and returns why it stopped."""
    delta = 100 * max(1.0, float(np.linalg.norm(run.theta))) if radius is None else _checks.positive(radius, "radius")
    stop = run.reach(run.theta, *run.evaluate(run.theta), 0)
    damping = 0.0
    while stop is None:
        run.hessians += 1
        model = model_here()
        while True:
            step, damping = minimiser(model, delta, damping)
            predicted = float(damping * (step @ step) - run.gradient @ step) / 2
            bent = model.bend(step)
            theta = run.theta + bent
            if not predicted > 0 or np.abs(theta - run.theta).max() <= EPS * np.abs(theta).max():
                return Stop.STALLED
            loss, gradient = run.evaluate(theta)
            gain = decrease(run, loss, gradient, bent) / predicted
            length = float(np.linalg.norm(step))
            if gain > 0.75:
                delta = max(delta, 2 * length)
            elif not gain > 0.25:
                delta = length / 4
            if gain > 1e-4:
                break
        stop = run.reach(theta, loss, gradient, run.steps + 1)
    return stop


def minimiser(model: Model, radius: float, damping: float) -> tuple[Array, float]:
    """Returns the minimiser s of the model over ‖s‖ ≤ radius, within SLACK, and its μ, sought from `damping`.

    Newton's method on 1/‖s(μ)‖ = 1/Δ, which increases to the root once it is left of it; bisection of log μ where
    rounding breaks that.
    """
    lower, upper = 0.0, math.inf
    damping = max(damping, model.least)
    while True:
        step, curvature = model.solve(damping)
        length = float(np.linalg.norm(step))
        if damping == model.least and length < radius:
            return model.lengthen(step, radius), damping
        if not (abs(length - radius) > SLACK * radius and upper > (1 + SLACK) * lower and curvature > 0):
            return step, damping
        if length > radius:
            lower = damping
        else:
            upper = damping
        damping = max(damping + length**2 / curvature * (length - radius) / radius, model.least)
        if not lower < damping < upper:
            damping = math.sqrt(lower * upper)


def decrease(run: Run, loss: float, gradient: Array, step: Array) -> float:
    """Returns L(θ) − L(θ + s); by the trapezoidal rule on the gradient where the difference is lost to rounding."""
    difference = run.loss - loss
    if abs(difference) > ROUNDING * abs(run.loss):
        return difference
    return float(-(run.gradient + gradient) @ step) / 2
