"""Global minima found blindly: zeros of the difference of two networks at many inputs, by Levenberg and Marquardt.

Nothing is known here of roles: a point is a global minimum if the student's outputs are the teacher's, at the inputs of
the search and at fresh ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import jax
import numpy as np

import hessorbit as ho

from .autodiff import function_of

INPUTS, FRESH_INPUTS = 80, 3000
STEPS = 80

# Outputs of two networks are the same function if they differ by less than this, and beyond it in their weights
# nothing is flat to rounding.
ZERO = 1e-12
LARGEST = 8.0


@cache
def slope_of(activation: str) -> Callable[[np.ndarray], np.ndarray]:
    return jax.jit(jax.vmap(jax.grad(function_of(activation))))


@cache
def value_of(activation: str) -> Callable[[np.ndarray], np.ndarray]:
    return jax.jit(function_of(activation))


@dataclass
class Difference:
    """Student less teacher at inputs x (N, d), for a student of one hidden layer and the standard parametrization."""

    net: ho.MLP
    x: np.ndarray
    target: np.ndarray  # (N, K)

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The difference (N·K) and its Jacobian (N·K, P), in the order of θ: W, b, V, c."""
        (w, b), (v, c) = self.net.unflatten(theta)
        name = self.net.activations[0][0]
        z = self.x @ w.T + (0 if b is None else b)
        value = np.asarray(value_of(name)(z))
        slope = np.asarray(slope_of(name)(z.ravel())).reshape(z.shape)
        outputs = len(v)
        difference = value @ v.T + (0 if c is None else c) - self.target
        inner = np.einsum("nm,km->nkm", slope, v)  # df_k/dz_m
        parts = [np.einsum("nkm,nd->nkmd", inner, self.x).reshape(len(self.x), outputs, -1)]
        if b is not None:
            parts.append(inner)
        unit = np.eye(outputs)
        parts.append(np.einsum("nm,kl->nklm", value, unit).reshape(len(self.x), outputs, -1))
        if c is not None:
            parts.append(np.broadcast_to(unit, (len(self.x), outputs, outputs)))
        jacobian = np.concatenate(parts, axis=2)
        return difference.ravel(), jacobian.reshape(difference.size, -1)

    def zero(self, theta: np.ndarray) -> np.ndarray | None:
        """A zero from `theta` on, or None where none is found nearby."""
        f, j = self(theta)
        damping = 1e-2
        for _ in range(STEPS):
            if np.abs(f).max() <= ZERO / 100:
                break
            u, s, vt = np.linalg.svd(j, full_matrices=False)
            step = -vt.T @ (s / (s**2 + damping * s[0] ** 2) * (u.T @ f))
            trial = theta + step
            f_trial, j_trial = self(trial)
            if f_trial @ f_trial < f @ f:
                theta, f, j = trial, f_trial, j_trial
                damping = max(damping * 0.1, 1e-22)
            else:
                damping *= 10
                if damping > 1e6:
                    break
        return theta if np.abs(f).max() <= ZERO and np.abs(theta).max() <= LARGEST else None

    def nearer(self, theta: np.ndarray, start: np.ndarray) -> np.ndarray:
        """A zero from which no step along the zeros comes nearer to `start`, found from the zero `theta` on."""
        length = 1.0
        for _ in range(STEPS):
            _, j = self(theta)
            _, s, vt = np.linalg.svd(j, full_matrices=False)
            normal = vt[s > 1e-7 * s[0]]
            step = start - theta
            step = step - normal.T @ (normal @ step)
            if np.linalg.norm(step) <= 1e-10:
                break
            trial = self.zero(theta + length * step)
            if trial is not None and np.linalg.norm(trial - start) < np.linalg.norm(theta - start):
                theta, length = trial, min(1.0, 2 * length)
            else:
                length /= 4
                if length < 1e-3:
                    break
        return theta


def difference(
    net: ho.MLP, teacher: ho.MLP, theta_teacher: np.ndarray, rng: np.random.Generator, inputs: int, scale: float
) -> Difference:
    x = scale * rng.standard_normal((inputs, net.widths[0]))
    return Difference(net, x, teacher(theta_teacher, x))


def global_minima(
    net: ho.MLP, teacher: ho.MLP, theta_teacher: np.ndarray, rng: np.random.Generator, tries: int
) -> Iterator[np.ndarray]:
    """Zeros from random starts, checked at fresh inputs of several sizes."""
    here = difference(net, teacher, theta_teacher, rng, INPUTS, 1.5)
    fresh = fresh_inputs(net, teacher, theta_teacher, rng)
    for attempt in range(tries):
        theta = here.zero((0.5, 1.0, 2.0)[attempt % 3] * rng.standard_normal(net.num_parameters))
        if theta is not None and is_zero(theta, fresh):
            yield theta


def fresh_inputs(net: ho.MLP, teacher: ho.MLP, theta_teacher: np.ndarray, rng: np.random.Generator) -> list[Difference]:
    """Differences at many inputs of several sizes, as a kink may lie between two inputs, or beyond all of them."""
    return [difference(net, teacher, theta_teacher, rng, FRESH_INPUTS, scale) for scale in (0.1, 1.0, 10.0)]


def is_zero(theta: np.ndarray, fresh: list[Difference]) -> bool:
    # Where the zeros are degenerate, what is left of the difference hides a distance of its root.
    return all(np.abs(other(theta)[0]).max() <= 1e3 * ZERO for other in fresh)
