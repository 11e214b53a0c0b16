"""The population loss as one would write it in NumPy or jax: Gauss–Hermite rules on the plane of each pair of neurons.

Their nodes, 40 × 40 for each pair, are enough for smooth activations and short weights; at relu's kink they leave
errors of 1e-2 in the gradient, which the rows tell. One output; the teacher's neurons stand beside the student's with
negated outgoing weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from timing import Call

import hessorbit as ho

NODES = 40


@dataclass(frozen=True)
class Population:
    activation: str
    inputs: int = 10
    students: int = 20
    teachers: int = 5

    def __str__(self) -> str:
        return f"{self.inputs} inputs, {self.students} + {self.teachers} {self.activation}"

    @cached_property
    def nets(self) -> tuple[ho.MLP, ho.MLP]:
        return tuple(ho.MLP([self.inputs, m, 1], self.activation) for m in (self.students, self.teachers))

    @cached_property
    def thetas(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return tuple(net.init(rng) for net in self.nets)

    def objective(self) -> ho.PopulationObjective:
        return ho.PopulationObjective(*self.nets, self.thetas[1])


def ours(method: str, case: Population) -> Call:
    return partial(getattr(case.objective(), method), case.thetas[0])


def rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


def functions(activation: str, xp: Any, erf: Any) -> tuple[Any, Any]:
    """σ and σ' in NumPy or jax."""
    root = np.sqrt(2)

    def normal(z: Any) -> Any:
        return (1 + erf(z / root)) / 2

    def density(z: Any) -> Any:
        return xp.exp(-z * z / 2) / np.sqrt(2 * np.pi)

    return {
        "erf": (lambda z: erf(z / root), lambda z: 2 * density(z)),
        "relu": (lambda z: xp.maximum(z, 0), lambda z: xp.where(z > 0, 1.0, 0.0)),
        "gelu": (lambda z: z * normal(z), lambda z: normal(z) + z * density(z)),
        "tanh": (xp.tanh, lambda z: 1 - xp.tanh(z) ** 2),
    }[activation]


def numpy_value_and_gradient(case: Population) -> Call:
    from scipy.special import erf

    value, slope = functions(case.activation, np, erf)
    t, weight = rule(NODES)
    (net, teacher), (theta, fixed) = case.nets, case.thetas
    (w_teacher, b_teacher), (v_teacher, c_teacher) = teacher.unflatten(fixed)

    def call() -> tuple[float, np.ndarray]:
        (w, b), (v, c) = net.unflatten(theta)
        m = len(w)
        weights, biases = np.concatenate([w, w_teacher]), np.concatenate([b, b_teacher])
        outgoing, constant = np.concatenate([v[0], -v_teacher[0]]), c[0] - c_teacher[0]
        length = np.linalg.norm(weights, axis=1)
        e1 = weights / length[:, None]
        along = e1 @ weights.T
        rest = weights[None] - along[:, :, None] * e1[:, None]
        across = np.linalg.norm(rest, axis=2)
        np.fill_diagonal(across, 0)
        e2 = rest / np.where(across > 0, across, 1)[:, :, None]
        z = length[:, None] * t + biases[:, None]
        other = along[:, :, None, None] * t[:, None] + across[:, :, None, None] * t + biases[:, None, None]
        inner = value(other)
        mean, mean2 = inner @ weight, inner @ (weight * t)
        left, left_slope = value(z) * weight, slope(z) * weight
        second = np.einsum("ik,ijk->ij", left, mean)
        first = left.sum(axis=1)
        error = second @ outgoing + constant * first
        loss = (outgoing @ error + constant * (outgoing @ first + constant)) / 2
        zeroth = np.einsum("ik,ijk->ij", left_slope, mean) @ outgoing + constant * left_slope.sum(axis=1)
        along1 = np.einsum("ik,ijk->ij", left_slope * t, mean) @ outgoing + constant * (left_slope @ t)
        across1 = np.einsum("ik,ijk,ijd,j->id", left_slope, mean2, e2, outgoing, optimize=True)
        moved = outgoing[:, None] * (along1[:, None] * e1 + across1)
        gradient = net.flatten(
            [(moved[:m], (outgoing * zeroth)[:m]), (error[None, :m], np.array([outgoing @ first + constant]))]
        )
        return float(loss), gradient

    return call


def jax_derivative(transform: str, case: Population) -> Call:
    """A jitted `value_and_grad` or `hessian`; a call returns when the result is there."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    value, _ = functions(case.activation, jnp, jax.scipy.special.erf)
    t, weight = (jnp.asarray(x) for x in rule(NODES))
    teacher, (theta, fixed) = case.nets[1], case.thetas
    (w_teacher, b_teacher), (v_teacher, c_teacher) = teacher.unflatten(fixed)
    d, m = case.inputs, case.students

    def loss(at: Any) -> Any:
        w, b, v, c = jnp.split(at, np.cumsum([m * d, m, m]))
        weights, biases = jnp.concatenate([w.reshape(m, d), w_teacher]), jnp.concatenate([b, b_teacher])
        outgoing, constant = jnp.concatenate([v, -v_teacher[0]]), c[0] - c_teacher[0]
        gram = weights @ weights.T
        length = jnp.sqrt(jnp.diag(gram))
        along = gram / length[:, None]
        square, same = length**2 - along**2, jnp.eye(len(length), dtype=bool)
        across = jnp.where(same, 0.0, jnp.sqrt(jnp.where(same, 1.0, square)))
        z = length[:, None] * t + biases[:, None]
        other = along[:, :, None, None] * t[:, None] + across[:, :, None, None] * t + biases[:, None, None]
        left = value(z) * weight
        second = jnp.einsum("ik,ijk->ij", left, value(other) @ weight)
        return (outgoing @ second @ outgoing + 2 * constant * outgoing @ left.sum(axis=1) + constant**2) / 2

    derivative, start = jax.jit(getattr(jax, transform)(loss)), jnp.asarray(theta)
    return lambda: jax.block_until_ready(derivative(start))


def relative_error(found: Any, exact: Any) -> float:
    return float(np.abs(np.asarray(found) - exact).max() / np.abs(exact).max())
