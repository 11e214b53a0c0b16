"""Loss, gradient, Jacobian, Gauss-Newton matrix and Hessian by brute force: second-order jets in all P parameters.

Every neuron carries its value, its gradient (P,) and its Hessian (P, P) with respect to theta, from the input to the
output (forward mode; products and compositions of truncated Taylor polynomials).  There is no backward pass and there
are no blocks, so nothing is shared with the recursions of the library.  Runs in longdouble, or on mpmath numbers with
50 digits; activations and losses are evaluated with 50 digits in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import taylor
from .problem import Layer, Problem
from .taylor import context, mpf


@dataclass(frozen=True)
class Jet:
    value: np.ndarray  # (N, d)
    first: np.ndarray  # (N, d, P)
    second: np.ndarray  # (N, d, P, P)


@dataclass(frozen=True)
class Reference:
    """Per-sample derivatives of one problem; totals over the first n samples, weights renormalised."""

    problem: Problem
    outputs: np.ndarray  # (N, K)
    residual: np.ndarray  # (N, K)
    jacobians: np.ndarray  # (N, K, P)
    losses: np.ndarray  # (N,)
    gradients: np.ndarray  # (N, P)
    gauss_newtons: np.ndarray  # (N, P, P)
    hessians: np.ndarray  # (N, P, P)

    @cached_property
    def theta(self) -> np.ndarray:
        return number_array(self.problem.theta, self.hessians.dtype)

    @cached_property
    def weights(self) -> np.ndarray:
        count = len(self.problem.x)
        weight = self.problem.sample_weight
        return number_array(np.ones(count) if weight is None else weight, self.hessians.dtype)

    @cached_property
    def running(self) -> dict[str, np.ndarray]:
        """Running weighted sums over the samples."""
        terms = {"loss": self.losses, "gradient": self.gradients, "gauss_newton": self.gauss_newtons,
                 "hessian": self.hessians, "weight": np.ones_like(self.losses)}  # fmt: skip
        return {
            name: np.cumsum(term * self.weights.reshape(-1, *[1] * (term.ndim - 1)), axis=0)
            for name, term in terms.items()
        }

    def total(self, name: str, count: int | None = None) -> np.ndarray:
        """The 'loss', 'gradient', 'gauss_newton', 'hessian', 'diagonal' or 'trace' over the first `count` samples."""
        if name == "diagonal":
            return np.diagonal(self.total("hessian", count))
        if name == "trace":
            return np.diagonal(self.total("hessian", count)).sum()
        index = -1 if count is None else count - 1
        mean = self.running[name][index] / self.running["weight"][index]
        l2 = number_array(self.problem.l2, self.hessians.dtype)[()]
        if name == "loss":
            return mean + l2 * (self.theta @ self.theta) / 2
        if name == "gradient":
            return mean + l2 * self.theta
        return mean + l2 * np.eye(self.problem.num_parameters, dtype=int)

    def jacobian(self, count: int | None = None) -> np.ndarray:
        return self.jacobians[:count].reshape(-1, self.problem.num_parameters)


def number_array(values: Any, dtype: Any) -> np.ndarray:
    return taylor.array_to_mp(values) if dtype == object else np.asarray(values, np.longdouble)


def affine(layer: Layer, theta: np.ndarray, inputs: Jet) -> Jet:
    """z = s W a + b, where W and b are themselves variables."""
    # The multiplier is the float that defines the network, the same at every precision.
    s = number_array(layer.multiplier, theta.dtype)[()]
    weights = s * theta[layer.weights]
    value = np.tensordot(inputs.value, weights, (1, 1))
    first = np.moveaxis(np.tensordot(inputs.first, weights, (1, 1)), -1, 1)
    second = np.moveaxis(np.tensordot(inputs.second, weights, (1, 1)), -1, 1)
    for (i, j), p in np.ndenumerate(layer.weights):
        first[:, i, p] += s * inputs.value[:, j]
        second[:, i, p, :] += s * inputs.first[:, j]
        second[:, i, :, p] += s * inputs.first[:, j]
    if layer.bias is not None:
        value = value + theta[layer.bias]
        for i, p in enumerate(layer.bias):
            first[:, i, p] += 1
    return Jet(value, first, second)


def activate(names: tuple[str, ...], z: Jet) -> Jet:
    """sigma(z), neuron by neuron, by the chain rule to second order."""
    sigma = np.empty((3, *z.value.shape), z.value.dtype)
    for n, i in np.ndindex(z.value.shape):
        argument = z.value[n, i] if z.value.dtype == object else taylor.to_mp(z.value[n, i])
        triple = taylor.derivatives(names[i], argument)
        sigma[:, n, i] = triple if z.value.dtype == object else [taylor.to_longdouble(v) for v in triple]
    value, slope, bend = sigma
    first = slope[:, :, None] * z.first
    outer = z.first[:, :, :, None] * z.first[:, :, None, :]
    return Jet(value, first, slope[:, :, None, None] * z.second + bend[:, :, None, None] * outer)


def loss_terms(loss: str, f: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """l, dl/df (K,) and d2l/df2 (K, K) of one sample, on mpmath numbers."""
    if loss == "squared_error":
        r = f - y
        return (r * r).sum() / 2, r, np.eye(len(f), dtype=int) * mpf(1)
    if loss == "logistic":
        series = [taylor.softplus(taylor.Series(v, mpf(1), mpf(0))) for v in f]
        value = sum(s.c0 - t * v for s, t, v in zip(series, y, f, strict=True))
        first = np.array([s.c1 - t for s, t in zip(series, y, strict=True)], object)
        return value, first, np.diag(np.array([2 * s.c2 for s in series], object))
    exponentials = np.array([context.exp(v) for v in f], object)
    q = exponentials / exponentials.sum()
    mass = y.sum()
    value = mass * context.log(exponentials.sum()) - (y * f).sum()
    return value, mass * q - y, mass * (np.diag(q) - np.outer(q, q))


def evaluate(problem: Problem, *, digits50: bool = False) -> Reference:
    """All derivatives of every sample; longdouble arrays, or object arrays of 50-digit numbers."""
    dtype: Any = object if digits50 else np.longdouble
    count, parameters = len(problem.x), problem.num_parameters
    theta = number_array(problem.theta, dtype)
    zero = number_array(np.zeros((count, problem.widths[0], parameters, parameters)), dtype) if not digits50 else None
    if digits50:
        zero = np.full((count, problem.widths[0], parameters, parameters), mpf(0), object)
    jet = Jet(number_array(problem.x, dtype), zero[..., 0].copy(), zero)
    for layer in problem.layers():
        jet = activate(layer.activations, affine(layer, theta, jet))

    exact_outputs = jet.value if digits50 else taylor.array_to_mp(jet.value)
    targets = taylor.array_to_mp(problem.targets)
    terms = [loss_terms(problem.loss, f, y) for f, y in zip(exact_outputs, targets, strict=True)]
    losses = np.array([t[0] for t in terms], object)
    residual = np.array([t[1] for t in terms], object)
    curvature = np.array([t[2] for t in terms], object)
    if not digits50:
        losses, residual, curvature = map(taylor.array_to_longdouble, (losses, residual, curvature))

    gradients = (residual[:, :, None] * jet.first).sum(axis=1)
    gauss_newtons = np.empty((count, parameters, parameters), dtype)
    hessians = np.empty_like(gauss_newtons)
    for n in range(count):
        gauss_newtons[n] = jet.first[n].T @ curvature[n] @ jet.first[n]
        hessians[n] = gauss_newtons[n] + np.tensordot(residual[n], jet.second[n], (0, 0))
    return Reference(problem, jet.value, residual, jet.first, losses, gradients, gauss_newtons, hessians)
