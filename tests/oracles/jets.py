"""Loss, gradient, Jacobian, Gauss-Newton matrix and Hessian by brute force: second-order jets in all P parameters.

Every neuron carries its value, its gradient (P,) and its Hessian (P, P) with respect to theta, from the input to the
output (forward mode; products and compositions of truncated Taylor polynomials).  There is no backward pass and there
are no blocks, so nothing is shared with the recursions of the library.  Runs in longdouble, or on mpmath numbers with
50 digits; activations and losses are evaluated with 50 digits in both.
"""

from __future__ import annotations

from collections.abc import Callable
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
    largest_preactivation: float

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
        return {name: self.accumulate(term) for name, term in terms.items()}

    @cached_property
    def running_magnitudes(self) -> dict[str, np.ndarray]:
        """Running weighted sums of the magnitudes of what is added up."""
        slopes = np.abs(self.residual[:, :, None] * self.jacobians).sum(axis=1)
        curvature = np.abs(self.gauss_newtons) + np.abs(self.hessians - self.gauss_newtons)
        terms = {"loss": np.abs(self.losses), "gradient": slopes, "gauss_newton": np.abs(self.gauss_newtons),
                 "hessian": curvature}  # fmt: skip
        return {name: self.accumulate(term) for name, term in terms.items()}

    def accumulate(self, term: np.ndarray) -> np.ndarray:
        return np.cumsum(term * self.weights.reshape(-1, *[1] * (term.ndim - 1)), axis=0)

    def total(self, name: str, count: int | None = None) -> np.ndarray:
        """One of the quantities over the first `count` samples.

        'loss', 'gradient', 'gauss_newton', 'hessian', 'diagonal', 'trace', or, sample by sample, 'outputs',
        'residual' (N K,), 'jacobian' (N K, P).
        """
        if name == "outputs":
            return self.outputs[:count]
        if name == "residual":
            return self.residual[:count].ravel()
        if name == "jacobian":
            return self.jacobians[:count].reshape(-1, self.problem.num_parameters)
        if name == "diagonal":
            return np.diagonal(self.total("hessian", count))
        if name == "trace":
            return np.diagonal(self.total("hessian", count)).sum()
        l2 = number_array(self.problem.l2, self.hessians.dtype)[()]
        penalty = {
            "loss": l2 * (self.theta @ self.theta) / 2,
            "gradient": l2 * self.theta,
            "gauss_newton": l2 * np.eye(self.problem.num_parameters, dtype=int),
            "hessian": l2 * np.eye(self.problem.num_parameters, dtype=int),
        }
        return self.mean(self.running, name, count) + penalty[name]

    def magnitude(self, name: str, count: int | None = None) -> Any:
        """The largest sum of magnitudes of the terms of an entry: what rounding errors are relative to."""
        terms = self.mean(self.running_magnitudes, name, count)
        return np.max(np.abs(self.total(name, count))) + np.max(terms)

    def mean(self, running: dict[str, np.ndarray], name: str, count: int | None) -> np.ndarray:
        index = -1 if count is None else count - 1
        return running[name][index] / self.running["weight"][index]


def number_array(values: Any, dtype: Any) -> np.ndarray:
    return taylor.array_to_mp(values) if np.dtype(dtype).hasobject else np.asarray(values, np.longdouble)


def affine(layer: Layer, theta: np.ndarray, inputs: Jet) -> Jet:
    """z = s W a + b, where W and b are themselves variables."""
    s = number_array(layer.fan_in, theta.dtype)[()] ** layer.power
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
        argument = z.value[n, i] if z.value.dtype.hasobject else taylor.to_mp(z.value[n, i])
        triple = taylor.derivatives(names[i], argument)
        sigma[:, n, i] = triple if z.value.dtype.hasobject else [taylor.to_longdouble(v) for v in triple]
    value, slope, bend = sigma
    first = slope[:, :, None] * z.first
    outer = z.first[:, :, :, None] * z.first[:, :, None, :]
    return Jet(value, first, slope[:, :, None, None] * z.second + bend[:, :, None, None] * outer)


def huber(f: Any, y: Any, delta: Any) -> Any:
    d = taylor.magnitude(f - y)
    return d * d / 2 if d.c0 <= delta else delta * (d - delta / 2)


# One output's part of the losses that are sums over outputs, by their plain formulas.
OUTPUT_LOSSES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "squared_error": lambda f, y, delta: (f - y) * (f - y) / 2,
    "logistic": lambda f, y, delta: taylor.softplus(f) - y * f,
    "huber": huber,
    "poisson": lambda f, y, delta: taylor.exp(f) - y * f,
}


def loss_terms(problem: Problem, f: np.ndarray, y: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """l, dl/df (K,) and d2l/df2 (K, K) of one sample, on mpmath numbers."""
    if problem.loss in OUTPUT_LOSSES:
        formula, delta = OUTPUT_LOSSES[problem.loss], mpf(problem.delta or 1)
        series = [formula(taylor.Series(v, mpf(1), mpf(0)), t, delta) for v, t in zip(f, y, strict=True)]
        first = np.array([s.c1 for s in series], object)
        return sum(s.c0 for s in series), first, np.diag(np.array([2 * s.c2 for s in series], object))
    assert problem.loss == "cross_entropy"
    shifted = f - max(f)
    exponentials = np.array([context.exp(v) for v in shifted], object)
    q = exponentials / exponentials.sum()
    mass = y.sum()
    value = mass * context.log(exponentials.sum()) - (y * shifted).sum()
    return value, mass * q - y, mass * (np.diag(q) - np.outer(q, q))


def evaluate(problem: Problem, *, digits50: bool = False) -> Reference:
    """All derivatives of every sample; longdouble arrays, or object arrays of 50-digit numbers."""
    dtype: Any = object if digits50 else np.longdouble
    count, parameters = len(problem.x), problem.num_parameters
    theta = number_array(problem.theta, dtype)
    zero = np.full((count, problem.widths[0], parameters, parameters), number_array(0, dtype)[()], dtype)
    jet = Jet(number_array(problem.x, dtype), zero[..., 0].copy(), zero)
    largest = 0.0
    for layer in problem.layers():
        jet = affine(layer, theta, jet)
        largest = max(largest, float(np.abs(jet.value).max()))
        jet = activate(layer.activations, jet)

    exact_outputs = jet.value if digits50 else taylor.array_to_mp(jet.value)
    targets = taylor.array_to_mp(problem.targets)
    terms = [loss_terms(problem, f, y) for f, y in zip(exact_outputs, targets, strict=True)]
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
    return Reference(problem, jet.value, residual, jet.first, losses, gradients, gauss_newtons, hessians, largest)
