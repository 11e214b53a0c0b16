"""The same derivatives from jax's automatic differentiation, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

from .problem import Problem

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

SQRT2 = np.sqrt(2.0)


def leaky_relu(slope: float) -> Callable[[Any], Any]:
    return lambda z: jnp.where(z > 0, z, slope * z)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "relu": jax.nn.relu,
    "leaky_relu": leaky_relu(0.01),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "erf": lambda z: erf(z / SQRT2),
    "normal_cdf": lambda z: (1 + erf(z / SQRT2)) / 2,
    "gelu": lambda z: z * (1 + erf(z / SQRT2)) / 2,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "exp": jnp.exp,
    "square": lambda z: z * z,
    "cube": lambda z: z * z * z,
    "g": lambda z: jax.nn.sigmoid(4 * z) + jax.nn.softplus(z),
}


def function_of(name: str) -> Callable[[Any], Any]:
    if name.startswith("leaky_relu("):
        return leaky_relu(float(name[len("leaky_relu(") : -1]))
    return FUNCTIONS[name]


def activate(names: tuple[str, ...], z: Any) -> Any:
    if len(set(names)) == 1:
        return function_of(names[0])(z)
    return jnp.stack([function_of(name)(z[i]) for i, name in enumerate(names)])


class AutodiffReference:
    """Derivatives of the whole objective of one problem, as functions of theta."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.layers = problem.layers()

    def output(self, theta: Any, x: Any) -> Any:
        """f(x) of one sample, (K,)."""
        a = x
        for layer in self.layers:
            z = layer.multiplier * theta[layer.weights] @ a
            a = activate(layer.activations, z if layer.bias is None else z + theta[layer.bias])
        return a

    def sample_loss(self, f: Any, y: Any) -> Any:
        if self.problem.loss == "squared_error":
            return ((f - y) ** 2).sum() / 2
        if self.problem.loss == "logistic":
            return (jax.nn.softplus(f) - y * f).sum()
        if self.problem.loss == "huber":
            delta, d = self.problem.delta or 1.0, jnp.abs(f - y)
            return jnp.where(d <= delta, d * d / 2, delta * (d - delta / 2)).sum()
        if self.problem.loss == "poisson":
            return (jnp.exp(f) - y * f).sum()
        assert self.problem.loss == "cross_entropy"
        return -(y * jax.nn.log_softmax(f)).sum()

    def curvatures(self, outputs: Any) -> np.ndarray:
        """The second derivatives of every sample's loss with respect to its outputs, (N, K, K)."""
        return np.asarray(jax.vmap(jax.hessian(self.sample_loss))(outputs, self.problem.targets))

    def loss(self, theta: Any) -> Any:
        outputs = jax.vmap(self.output, (None, 0))(theta, self.problem.x)
        losses = jax.vmap(self.sample_loss)(outputs, self.problem.targets)
        weights = self.problem.normalised_weights.astype(float)
        return weights @ losses + self.problem.l2 / 2 * theta @ theta

    def everything(self, theta: Any, v: Any) -> tuple[Any, ...]:
        """The loss, its gradient, its Hessian, the product with v, outputs, residual (N, K) and Jacobian (N, K, P)."""
        gradient = jax.grad(self.loss)
        outputs = jax.vmap(self.output, (None, 0))(theta, self.problem.x)
        residual = jax.vmap(jax.grad(self.sample_loss))(outputs, self.problem.targets)
        jacobian = jax.vmap(jax.jacrev(self.output), (None, 0))(theta, self.problem.x)
        hessian = jax.hessian(self.loss)(theta)
        product = jax.jvp(gradient, (theta,), (v,))[1]
        return self.loss(theta), gradient(theta), hessian, product, outputs, residual, jacobian

    def derivatives(self, theta: Any, v: Any) -> dict[str, np.ndarray]:
        """Everything that an objective computes at theta, and the product of the Hessian with v."""
        # Called once: time spent on optimising the compiled code would be lost.
        compiled = jax.jit(self.everything).lower(theta, v).compile({"xla_backend_optimization_level": 0})
        values = [np.asarray(value) for value in compiled(theta, v)]
        loss, gradient, hessian, product, outputs, residual, jacobian = values
        return {
            "loss": loss,
            "gradient": gradient,
            "hessian": hessian,
            "gauss_newton": self.gauss_newton(outputs, jacobian),
            "diagonal": np.diagonal(hessian),
            "trace": np.trace(hessian),
            "product": product,
            "outputs": outputs,
            "residual": residual.ravel(),
            "jacobian": jacobian.reshape(-1, self.problem.num_parameters),
        }

    def gauss_newton(self, outputs: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """Sum over samples of w J^T (d2l/df2) J, plus l2 times the identity; jacobian (N, K, P)."""
        curvature = np.asarray(jax.vmap(jax.hessian(self.sample_loss))(outputs, self.problem.targets))
        weights = self.problem.normalised_weights.astype(float)
        total = np.einsum("n,nkp,nkj,njq->pq", weights, jacobian, curvature, jacobian, optimize=True)
        return total + self.problem.l2 * np.eye(self.problem.num_parameters)
