"""Losses in ball arithmetic: ℓ(f, y), ∂ℓ/∂f, and ∂²ℓ/∂f² = diag(m) − mass · q qᵀ, of which only one loss has a q."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .activations import KinkError
from .arithmetic import flint


@dataclass(frozen=True)
class OutputDerivatives:
    """Of one sample's loss: ℓ, ∂ℓ/∂f (K), m (K), and q (K) with its mass, None where there is no such part."""

    value: Any
    slope: list[Any]
    curvature: list[Any]
    probabilities: list[Any] | None = None
    mass: Any = None


def differentiate(loss: str, delta: Any, f: list[Any], y: list[Any]) -> OutputDerivatives:
    """A loss at outputs f (K) and targets y (K)."""
    if loss == "cross_entropy":
        return cross_entropy(f, y)
    if loss not in OF_ONE_OUTPUT:
        raise NotImplementedError(f"ball arithmetic of the loss {loss!r}: add it to balls/losses.py")
    outputs = [OF_ONE_OUTPUT[loss](v, t, delta) for v, t in zip(f, y, strict=True)]
    values, slopes, curvatures = zip(*outputs, strict=True)
    return OutputDerivatives(sum(values, flint().arb(0)), list(slopes), list(curvatures))


def squared_error(f: Any, y: Any, delta: Any) -> tuple[Any, Any, Any]:
    d = f - y
    return d**2 / 2, d, flint().arb(1)


def huber(f: Any, y: Any, delta: Any) -> tuple[Any, Any, Any]:
    d, one, zero = f - y, flint().arb(1), flint().arb(0)
    if abs(d) <= delta:
        return d**2 / 2, d, one
    if abs(d) > delta:
        return delta * (abs(d) - delta / 2), (delta if d > 0 else -delta), zero
    raise KinkError("a residual lies at the kink of the loss, |f − y| = delta")


def poisson(f: Any, y: Any, delta: Any) -> tuple[Any, Any, Any]:
    mean = f.exp()
    return mean - y * f, mean - y, mean


def logistic(f: Any, y: Any, delta: Any) -> tuple[Any, Any, Any]:
    up, down = (-f).exp() + 1, f.exp() + 1
    softplus = f + up.log() if f > 0 else down.log()
    return softplus - y * f, 1 / up - y, 1 / (up * down)


OF_ONE_OUTPUT: dict[str, Any] = {
    "squared_error": squared_error,
    "huber": huber,
    "poisson": poisson,
    "logistic": logistic,
}


def cross_entropy(f: list[Any], y: list[Any]) -> OutputDerivatives:
    zero = flint().arb(0)
    top = max(v.mid() for v in f)
    powers = [(v - top).exp() for v in f]
    total, mass = sum(powers, zero), sum(y, zero)
    q = [v / total for v in powers]
    value = mass * (total.log() + top) - sum((t * v for v, t in zip(f, y, strict=True)), zero)
    return OutputDerivatives(
        value, [mass * v - t for v, t in zip(q, y, strict=True)], [mass * v for v in q], probabilities=q, mass=mass
    )
