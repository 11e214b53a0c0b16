"""The Hessian of a small network in ball arithmetic, and its eigenvalues to any number of digits, proven.

Forward, per sample, a_l and its Jacobian A_l = ∂a_l/∂θ (d_l, P), Z_l = ∂z_l/∂θ; σ' and σ'' are coefficients of the
series of σ(z + t). With u_l = ∂ℓ/∂a_l, δ_l = σ'_l u_l,

    H = Σ_n w_n [ A_Lᵀ (∂²ℓ/∂f²) A_L + Σ_l Z_lᵀ diag(σ''_l u_l) Z_l + Σ_l (δ_l ⊗ s_l ∂a_{l−1}/∂θ, and its transpose) ]

An orthonormal V from Jacobi's rotations makes VᵀHV nearly diagonal. By Ostrowski's and Weyl's theorems an eigenvalue is
then within ‖VᵀV − I‖ ‖H‖ and the norm of what is off the diagonal, both evaluated in balls, of a diagonal entry.

F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Computers 66
(2017).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from . import activations, jacobi
from ._checks import Array
from .objective import Objective
from .targets import one_hot

MOST_PARAMETERS = 100
MOST_DIGITS = 10_000
# Of these, rounding may take some in the Hessian and in the rotations; more are added until the proof succeeds.
SPARE_BITS, SPARE_DECIMALS = 64, 4
ATTEMPTS = 6


def flint() -> Any:
    """python-flint, or an error that names the extra."""
    try:
        import flint as module
    except ImportError as error:
        raise ImportError("digits= needs python-flint: pip install 'hessorbit[certify]'") from error
    return module


def eigenvalues(obj: Objective, theta: Array, digits: int, *, gauss_newton: bool) -> tuple[Array, float]:
    """Eigenvalues (P,) as Decimals, ascending, and a proven bound on their errors, below 10^−digits ‖H‖.

    For data and θ exactly as they are stored.
    """
    ctx = flint().ctx
    before = ctx.prec
    try:
        bits = int(digits * 3.3219281) + SPARE_BITS
        for _ in range(ATTEMPTS):
            ctx.prec = bits
            values, error, size = enclosed(hessian(obj, theta, gauss_newton=gauss_newton))
            # Beyond what is proven, decimals are cut off.
            cut = size * flint().arb(10) ** -(digits + SPARE_DECIMALS - 1)
            if error + cut <= size * flint().arb(10) ** -digits:
                shown = [as_decimal(v.mid().str(digits + SPARE_DECIMALS, radius=False)) for v in values]
                return np.array(shown, object), rounded_up((error + cut).upper())
            bits *= 2
    finally:
        ctx.prec = before
    raise ArithmeticError(
        f"digits = {digits} cannot be proven at this theta: a preactivation lies at a kink, or overflows"
    )


def as_decimal(text: str) -> Decimal:
    """A number as a Decimal; 0 below 10^(−10^18), where Decimals end, which is less than any error that is reported."""
    try:
        return Decimal(text)
    except InvalidOperation:
        if "e-" in text:
            return Decimal(0)
        raise ArithmeticError("an eigenvalue is beyond the range of Decimal") from None


def rounded_up(bound: Any) -> float:
    """A float64 that is at least this number ≥ 0, also where float64 would round it to zero."""
    return math.nextafter(float(bound), math.inf) if bound > 0 else 0.0


def enclosed(matrix: Any) -> tuple[list[Any], Any, Any]:
    """Eigenvalues of an arb_mat, a bound on their errors, and on ‖H‖."""
    fl = flint()
    count = matrix.nrows()
    table = np.array([[matrix[i, j].mid() for j in range(count)] for i in range(count)], object)
    unit = fl.arb(2) ** (SPARE_BITS // 4 - fl.ctx.prec)
    _, columns = jacobi.symmetric_eigen(table, unit)
    vectors = fl.arb_mat([[fl.arb(v).mid() for v in row] for row in columns])
    diagonal = vectors.transpose() * matrix * vectors
    gram = vectors.transpose() * vectors
    pairs = [(i, j) for i in range(count) for j in range(count)]
    aside = largest_norm(diagonal[i, j] for i, j in pairs if i != j)
    skew = largest_norm(gram[i, j] - (i == j) for i, j in pairs)
    values = [diagonal[i, i] for i in range(count)]
    size = max((abs(v).upper() for v in values), default=fl.arb(0))
    radius = max(v.rad() for v in values)
    bound = fl.arb((aside + radius + 2 * skew * (size + aside)).upper())
    return sorted(values, key=lambda v: v.mid()), bound, size


def largest_norm(balls: Iterable[Any]) -> Any:
    """At least the root of the sum of squares."""
    return sum((abs(ball).upper() ** 2 for ball in balls), flint().arb(0)).sqrt().upper()


def hessian(obj: Objective, theta: Array, *, gauss_newton: bool = False) -> Any:
    """∇²L, or its Gauss–Newton part, as an arb_mat (P, P) at the precision of flint's context."""
    fl = flint()
    count, net = len(theta), obj.net
    where = net.unflatten(np.arange(count))
    parameters = [exact(v) for v in theta]
    weight = [exact(w) for w in (np.ones(obj.num_samples) if obj.sample_weight is None else obj.sample_weight)]
    targets = one_hot(obj.y, net.widths[-1]) if obj.y.dtype.kind == "i" else obj.y
    total = fl.arb_mat(count, count)
    for x, y, w in zip(obj.x, targets, weight, strict=True):
        if w != 0:
            total += sample(obj, parameters, where, [exact(v) for v in x], [exact(v) for v in y], gauss_newton) * w
    total = total * (1 / sum(weight, fl.arb(0)))
    for i in range(count):
        total[i, i] = total[i, i] + exact(obj.l2)
    return total


def sample(obj: Objective, theta: list[Any], where: Any, x: list[Any], y: list[Any], gauss_newton: bool) -> Any:
    """One sample's matrix, arb_mat (P, P)."""
    fl = flint()
    net, count = obj.net, len(theta)
    a = x  # a_{l−1}
    moved: Any = None  # A_{l−1}
    layers: list[tuple[Any, ...]] = []
    for index, (weights, biases) in enumerate(where):
        s = multiplier(net.parametrization, weights.shape[1], index == net.num_layers - 1)
        matrix = fl.arb_mat([[s * theta[p] for p in row] for row in weights.tolist()])
        z = [sum((matrix[i, j] * a[j] for j in range(len(a))), fl.arb(0)) for i in range(len(weights))]
        jacobian = matrix * moved if moved is not None else fl.arb_mat(len(z), count)
        for i, row in enumerate(weights.tolist()):
            for j, p in enumerate(row):
                jacobian[i, p] = jacobian[i, p] + s * a[j]
            if biases is not None:
                z[i] += theta[biases[i]]
                jacobian[i, int(biases[i])] = jacobian[i, int(biases[i])] + 1
        sigma = [derivatives(name, v) for name, v in zip(net.activations[index], z, strict=True)]
        below = moved
        a = [t[0] for t in sigma]
        moved = diagonal([t[1] for t in sigma]) * jacobian
        layers.append((matrix, s, weights, jacobian, sigma, below))
    u, middle = loss_derivatives(obj.loss_name, obj.delta, a, y)
    result = moved.transpose() * middle * moved
    if gauss_newton:
        return result
    for matrix, s, weights, jacobian, sigma, below in reversed(layers):
        result += jacobian.transpose() * diagonal([t[2] * v for t, v in zip(sigma, u, strict=True)]) * jacobian
        delta = [t[1] * v for t, v in zip(sigma, u, strict=True)]
        if below is not None:
            outer = fl.arb_mat(count, count)
            for i, row in enumerate(weights.tolist()):
                for j, p in enumerate(row):
                    for q in range(count):
                        outer[p, q] = s * delta[i] * below[j, q]
            result += outer + outer.transpose()
        u = [sum((matrix[i, j] * delta[i] for i in range(len(delta))), fl.arb(0)) for j in range(matrix.ncols())]
    return result


def diagonal(values: list[Any]) -> Any:
    matrix = flint().arb_mat(len(values), len(values))
    for i, value in enumerate(values):
        matrix[i, i] = value
    return matrix


def exact(value: Any) -> Any:
    """A float64 or longdouble number as a ball of radius zero."""
    high = float(value)
    return flint().arb(high) + flint().arb(float(value - type(value)(high)))


def multiplier(parametrization: str, fan_in: int, last: bool) -> Any:
    one = flint().arb(1)
    if parametrization == "standard":
        return one
    return one / fan_in if parametrization == "mean_field" and last else one / flint().arb(fan_in).sqrt()


def loss_derivatives(loss: str, delta: float | None, f: list[Any], y: list[Any]) -> tuple[list[Any], Any]:
    """∂ℓ/∂f and ∂²ℓ/∂f² (K, K)."""
    count = len(f)
    if loss == "huber":
        pairs = [clipped(v - t, exact(delta)) for v, t in zip(f, y, strict=True)]
        return [r for r, _ in pairs], diagonal([m for _, m in pairs])
    if loss == "poisson":
        means = [v.exp() for v in f]
        return [v - t for v, t in zip(means, y, strict=True)], diagonal(means)
    if loss == "squared_error":
        return [v - t for v, t in zip(f, y, strict=True)], diagonal([flint().arb(1)] * count)
    if loss == "logistic":
        q = [1 / (1 + (-v).exp()) for v in f]
        return [v - t for v, t in zip(q, y, strict=True)], diagonal([1 / ((1 + (-v).exp()) * (1 + v.exp())) for v in f])
    if loss != "cross_entropy":
        raise NotImplementedError(f"ball arithmetic of the loss {loss!r}: add it to many_digits.py")
    top = max(f, key=lambda v: v.mid())
    powers = [(v - top).exp() for v in f]
    total, mass = sum(powers, flint().arb(0)), sum(y, flint().arb(0))
    q = [v / total for v in powers]
    middle = diagonal([mass * v for v in q])
    for i in range(count):
        for j in range(count):
            middle[i, j] = middle[i, j] - mass * q[i] * q[j]
    return [mass * v - t for v, t in zip(q, y, strict=True)], middle


def clipped(d: Any, delta: Any) -> tuple[Any, Any]:
    """Huber's derivatives at d = f − y; not finite across the kink, so that more digits are tried."""
    one, zero = flint().arb(1), flint().arb(0)
    if abs(d) <= delta:
        return d, one
    if abs(d) > delta:
        return (delta if d > 0 else -delta), zero
    return flint().arb("nan"), flint().arb("nan")


def derivatives(name: str, z: Any) -> tuple[Any, Any, Any]:
    """σ, σ' and σ'' from the series of σ(z + t); at a kink as in the core."""
    fl = flint()
    kind, parameter = activations.split(name)
    t = fl.arb_series([z, 1], prec=3)
    series = FORMULAS[kind](t, z, exact(parameter))
    value, slope, bend = (list(series) + [fl.arb(0)] * 3)[:3]
    if z == 0 and kind in AT_KINK:
        return value, AT_KINK[kind](exact(parameter)), fl.arb(0)
    return value, slope, 2 * bend


def constant(value: Any) -> Any:
    return flint().arb_series([value], prec=3)


def sigmoid(t: Any, z: Any) -> Any:
    if z < 0:
        power = t.exp()
        return power / (power + 1)
    return 1 / ((-t).exp() + 1)


def tanh(t: Any, z: Any) -> Any:
    power = (-2 * t).exp() if z > 0 else (2 * t).exp()
    value = (1 - power) / (1 + power)
    return value if z > 0 else -value


def error_function(t: Any) -> Any:
    return (t * (1 / flint().arb(2).sqrt())).erf()


def normal_cdf(t: Any, z: Any) -> Any:
    if z < 0:
        return (t * (-1 / flint().arb(2).sqrt())).erfc() * flint().arb(0.5)
    return (error_function(t) + 1) * flint().arb(0.5)


def softplus(t: Any, z: Any) -> Any:
    return (t.exp() + 1).log() if z < 0 else t + ((-t).exp() + 1).log()


def pieces(t: Any, z: Any, left: Any) -> Any:
    """t where z > 0, else left; a ball across the kink gives no finite answer, so that more digits are tried."""
    if z > 0:
        return t
    if z < 0 or z == 0:
        return left
    return constant(flint().arb("nan"))


SELU_SCALE, SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"


def selu(t: Any, z: Any) -> Any:
    scale, alpha = flint().arb(SELU_SCALE), flint().arb(SELU_ALPHA)
    return scale * pieces(t, z, alpha * (t.exp() - 1))


FORMULAS: dict[str, Any] = {
    "identity": lambda t, z, p: t,
    "relu": lambda t, z, p: pieces(t, z, 0 * t),
    "leaky_relu": lambda t, z, p: pieces(t, z, p * t),
    "tanh": lambda t, z, p: tanh(t, z),
    "sigmoid": lambda t, z, p: sigmoid(t, z),
    "erf": lambda t, z, p: error_function(t),
    "normal_cdf": lambda t, z, p: normal_cdf(t, z),
    "gelu": lambda t, z, p: t * normal_cdf(t, z),
    "silu": lambda t, z, p: t * sigmoid(t, z),
    "softplus": lambda t, z, p: softplus(t, z),
    "softsign": lambda t, z, p: pieces(t / (1 + t), z, t / (1 - t)),
    "elu": lambda t, z, p: pieces(t, z, t.exp() - 1),
    "selu": lambda t, z, p: selu(t, z),
    "sin": lambda t, z, p: t.sin(),
    "cos": lambda t, z, p: t.cos(),
    "exp": lambda t, z, p: t.exp(),
    "square": lambda t, z, p: t * t,
    "cube": lambda t, z, p: t * t * t,
    "g": lambda t, z, p: sigmoid(4 * t, z) + softplus(t, z),
}
AT_KINK: dict[str, Any] = {
    "relu": lambda p: flint().arb(0),
    "leaky_relu": lambda p: p,
    "elu": lambda p: flint().arb(1),
    "selu": lambda p: flint().arb(SELU_SCALE) * flint().arb(SELU_ALPHA),
    "softsign": lambda p: flint().arb(1),
}
