"""E[σ(z_a) τ(z_b)], E[σ(z)²] and E[σ(z)] for normal z in closed form, with derivatives in means and covariances.

Of z ~ N(m, S) with variances a, b and covariance c. With B(m, S; ν) = P(u_a < z_a, u_b < z_b) for u ~ N(0, ν I),

    normal_cdf            B with ν = 1;  erf(z/√2) = 2 Φ(z) − 1, which is the activation "erf"
    z Φ_ν(z)              ∂_t ∂_u [e^{t m_a + u m_b + (a t² + 2 c t u + b u²)/2} B(m + S (t, u), S)] at t = u = 0:
                          relu with ν = 0, gelu with ν = 1;  leaky_relu z = p z + (1 − p) relu z
    identity, square, cube       moments
    exp, sin, cos                exponentials of m and S

B's derivatives are elementary: B_a = φ Φ in m_a, B_ab, the density, in c, B_aa/2 in a (Plackett, Biometrika 41, 1954).
These formulas are written down independently of those in the compiled core.
"""

from __future__ import annotations

from typing import Any

from .. import activations
from .arithmetic import exact, flint
from .jets import Jet, from_gradient

KINDS = {
    "relu": "rectifier", "leaky_relu": "rectifier", "identity": "rectifier", "gelu": "gelu", "erf": "step",
    "normal_cdf": "step", "square": "power", "cube": "power", "exp": "exp", "sin": "wave", "cos": "wave",
}  # fmt: skip


WIDE = 0.01  # radius of arguments beyond which of a probability no more is said than that it is one


def orthant(a: Jet, b: Jet, c: Jet, m: Jet, n: Jet) -> tuple[Jet, Jet, Jet, Jet, Jet, Jet]:
    """B and its derivatives B_a, B_b, B_aa, B_ab, B_bb in the means m, n; a and b contain ν."""
    determinant = a * b - c * c
    root = determinant.sqrt()
    pi = flint().arb.pi()
    both = (-(m * m * b - m * n * c * 2 + n * n * a) / determinant / 2).exp() / root
    both = both.times(1 / (2 * pi))
    along_a = (m / a.sqrt()).normal_density() / a.sqrt() * ((n * a - c * m) / (a.sqrt() * root)).normal_cdf()
    along_b = (n / b.sqrt()).normal_density() / b.sqrt() * ((m * b - c * n) / (b.sqrt() * root)).normal_cdf()
    twice_a = -(m * along_a + c * both) / a
    twice_b = -(n * along_b + c * both) / b
    value = probability(a.value, b.value, c.value, m.value, n.value)
    parts = [(along_a, m), (along_b, n), (both, c), (twice_a / 2, a), (twice_b / 2, b)]
    return from_gradient(value, parts), along_a, along_b, twice_a, both, twice_b


def probability(a: Any, b: Any, c: Any, m: Any, n: Any) -> Any:
    """B itself: P(z_a > 0, z_b > 0) for variances a, b, covariance c and means m, n."""
    fl = flint()
    arb, pi = fl.arb, fl.arb.pi()
    angle = (c / (a * b - c**2).sqrt()).atan()
    if m.is_zero() and n.is_zero():
        return arb(1) / 4 + angle / (2 * pi)
    h, k = m / a.sqrt(), n / b.sqrt()
    if not (angle.is_finite() and h.is_finite() and k.is_finite()):
        return arb("nan")
    if max(angle.rad(), h.rad(), k.rad()) > WIDE:
        return arb(0.5, 0.5)

    def integrand(t: Any, analytic: bool) -> Any:
        sine, cosine = (t * angle).sin(), (t * angle).cos()
        return (-(h**2 + k**2 - 2 * h * k * sine) / (2 * cosine**2)).exp() * angle

    separate = (-h / arb(2).sqrt()).erfc() * (-k / arb(2).sqrt()).erfc() / 4
    return separate + fl.acb.integral(integrand, 0, 1).real / (2 * pi)


def gated(noise: int, a: Jet, b: Jet, c: Jet, m: Jet, n: Jet) -> Jet:
    """E[z_a Φ_ν(z_a) z_b Φ_ν(z_b)]."""
    value, along_a, along_b, twice_a, both, twice_b = orthant(a + noise, b + noise, c, m, n)
    result = (c + m * n) * value + m * (c * along_a + b * along_b) + n * (a * along_a + c * along_b)
    return result + a * c * twice_a + (a * b + c * c) * both + b * c * twice_b


def gated_mean(noise: int, a: Jet, m: Jet) -> Jet:
    """E[z Φ_ν(z)]."""
    root = (a + noise).sqrt()
    return m * (m / root).normal_cdf() + a / root * (m / root).normal_density()


def rectified_square(a: Jet, m: Jet) -> Jet:
    """E[relu(z)²]."""
    root = a.sqrt()
    return (m * m + a) * (m / root).normal_cdf() + m * root * (m / root).normal_density()


def moment(p: int, q: int, a: Jet, b: Jet, c: Jet, m: Jet, n: Jet) -> Jet:
    """E[z_a^p z_b^q] by Stein's lemma."""
    if p == 0:
        return m.times(0) + 1 if q == 0 else moment(q, 0, b, a, c, n, m)
    lower = m * moment(p - 1, q, a, b, c, m, n)
    if p > 1:
        lower = lower + a * (p - 1) * moment(p - 2, q, a, b, c, m, n)
    if q > 0:
        lower = lower + c * q * moment(p - 1, q - 1, a, b, c, m, n)
    return lower


class Activation:
    """An activation whose expectations are known."""

    def __init__(self, name: str) -> None:
        self.name, parameter = activations.split(name)
        self.kind = KINDS.get(self.name)
        slope = {"relu": 0.0, "leaky_relu": parameter, "identity": 1.0}.get(self.name, 0.0)
        self.slope = exact(slope)
        self.power = {"square": 2, "cube": 3}.get(self.name, 0)

    def mean(self, a: Jet, m: Jet) -> Jet:
        """E[σ(z)]."""
        if self.kind == "rectifier":
            return m.times(self.slope) + gated_mean(0, a, m).times(1 - self.slope)
        if self.kind == "gelu":
            return gated_mean(1, a, m)
        if self.kind == "step":
            value = (m / (a + 1).sqrt()).normal_cdf()
            return value * 2 + (-1) if self.name == "erf" else value
        if self.kind == "power":
            return moment(self.power, 0, a, a, a, m, m)
        if self.kind == "exp":
            return (m + a / 2).exp()
        return (-a / 2).exp() * (m.sin() if self.name == "sin" else m.cos())

    def square(self, a: Jet, m: Jet) -> Jet:
        """E[σ(z)²]."""
        if self.kind == "rectifier":
            second = m * m + a
            if self.slope == 1:
                return second
            return second.times(self.slope**2) + rectified_square(a, m).times(1 - self.slope**2)
        return self.with_other(self, a, a, a, m, m)

    def with_other(self, other: Activation, a: Jet, b: Jet, c: Jet, m: Jet, n: Jet) -> Jet:
        """E[σ(z_a) τ(z_b)] for two activations of one kind."""
        if self.kind == "rectifier":
            return rectifiers(self.slope, other.slope, a, b, c, m, n)
        if self.kind == "gelu":
            return gated(1, a, b, c, m, n)
        if self.kind == "step":
            return steps(self.name, other.name, a, b, c, m, n)
        if self.kind == "power":
            return moment(self.power, other.power, a, b, c, m, n)
        if self.kind == "exp":
            return (m + n + (a + b) / 2 + c).exp()
        return waves(self.name, other.name, (a + b) / 2, c, m, n)


def rectifiers(p: Any, q: Any, a: Jet, b: Jet, c: Jet, m: Jet, n: Jet) -> Jet:
    """Of p z + (1 − p) relu(z), and the same with q."""
    result = (c + m * n).times(p * q)
    if q != 1 and not p.is_zero():  # E[z_a relu(z_b)]
        result = result + (m * gated_mean(0, b, n) + c * (n / b.sqrt()).normal_cdf()).times(p * (1 - q))
    if p != 1 and not q.is_zero():
        result = result + (n * gated_mean(0, a, m) + c * (m / a.sqrt()).normal_cdf()).times(q * (1 - p))
    if p != 1 and q != 1:
        result = result + gated(0, a, b, c, m, n).times((1 - p) * (1 - q))
    return result


def steps(first: str, second: str, a: Jet, b: Jet, c: Jet, m: Jet, n: Jet) -> Jet:
    """Of normal_cdf and erf."""
    value = orthant(a + 1, b + 1, c, m, n)[0]
    alone_a, alone_b = (m / (a + 1).sqrt()).normal_cdf(), (n / (b + 1).sqrt()).normal_cdf()
    if first == second == "erf":
        return value * 4 - (alone_a + alone_b) * 2 + 1
    if first == "erf":
        return value * 2 - alone_b
    return value * 2 - alone_a if second == "erf" else value


def waves(first: str, second: str, half_sum: Jet, c: Jet, m: Jet, n: Jet) -> Jet:
    """Of sin and cos, from sums and differences of their arguments."""
    more, less = (-half_sum - c).exp(), (c - half_sum).exp()
    if first == second == "cos":
        return (less * (m - n).cos() + more * (m + n).cos()) / 2
    if first == second == "sin":
        return (less * (m - n).cos() - more * (m + n).cos()) / 2
    sign = 1 if first == "sin" else -1
    return (more * (m + n).sin() + less * (m - n).sin() * sign) / 2
