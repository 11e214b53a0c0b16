"""`SubspaceLaws` says how likely a Gaussian start is near the affine pieces of the global minima, one or all of them.

Under a Gaussian scheme the squared distance Q to one piece is a sum of independent parts, so that with the variances
of incoming weights, hidden biases, outgoing weights and output biases (in `Variances`) E e^{−sQ} is a product:

    a copy of teacher i              Π_coordinates g(σ², w̃*²)            g(σ², μ²) = e^{−sμ²/(1+2σ²s)} / √(1+2σ²s)
    the sum over n copies            Π_outputs g(σ_v², v*²/n)
    a zero group of z                Π g(σ², 0)^{z−1} · Π_outputs g(σ_v², 0)
    a neuron off                     Π g(σ², 0)
    the output bias                  Π_outputs g(σ_c², c*²);   with n constant neurons of σ(0) = t instead
                                     Π_weights g(σ², 0)ⁿ · Π_outputs g((σ_c² + n t² σ_v²)/(1 + n t²), c*²/(1 + n t²))

Over all pieces these add up in exponential generating functions in the number of neurons, as pieces are made by
sharing out labelled neurons: Σ_pieces E e^{−sQ} = m! [x^m] Π_i (Σ_{n≥1} x^n/n! …) · exp(Σ_z x^z/z! …) …, which
inverts to the union bound Σ_pieces P(Q ≤ ε²) exactly, in O(r m²) for each s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import schemes
from .._checks import Array
from .inversion import GeneralizedChiSquare, Probability, lower_tail
from .teacher import Setting, at_zero

# A logarithm, or an array of them; real for real s.
Log = Any


@dataclass(frozen=True)
class Variances:
    """A `Variances` holds the variances of entries of θ₀, by kind; zero where the scheme sets them to zero."""

    weight: float
    hidden_bias: float
    outgoing: float
    output_bias: float


def variances(setting: Setting, scheme: schemes.Scheme) -> Variances:
    scales = scheme.scales(setting.net.layer_shapes) ** 2
    (weights, biases), (last, output) = setting.net.unflatten(scales)
    return Variances(
        float(weights.flat[0]),
        0.0 if biases is None else float(biases[0]),
        float(last.flat[0]),
        0.0 if output is None else float(output[0]),
    )


@dataclass(frozen=True)
class Piece:
    """A `Piece` is an affine piece by its numbers: copies of each teacher neuron, dead neurons alone, neurons off."""

    copies: tuple[int, ...]
    dead: int
    off: int = 0


class SubspaceLaws:
    """A `SubspaceLaws` has the laws of the distances from a Gaussian start to the pieces of one student and teacher."""

    def __init__(self, setting: Setting, variance: Variances) -> None:
        self.setting = setting
        self.variance = variance
        self.inputs = setting.net.widths[0]
        self.outputs = setting.net.widths[2]
        self.has_bias, self.has_output_bias = setting.net.biases
        squares = setting.incoming**2
        self.weights_squared = squares[:, : self.inputs].sum(axis=1)
        self.biases_squared = squares[:, self.inputs :].sum(axis=1)
        self.outgoing_squared = (setting.outgoing**2).sum(axis=1)
        self.output_squared = float((setting.output_bias**2).sum())

    def law(self, piece: Piece, scale: float = 1.0) -> GeneralizedChiSquare:
        """Returns the law of the squared distance to a piece with `scale` times the teacher's incoming weights."""
        v = self.variance
        copies = np.array(piece.copies)
        silent = sum(piece.copies) + piece.off
        parts = [
            (v.weight, silent * self.inputs, scale**2 * float(copies @ self.weights_squared)),
            (v.hidden_bias, silent * self.has_bias, scale**2 * float(copies @ self.biases_squared)),
            (
                v.outgoing,
                (len(copies) + piece.dead) * self.outputs,
                float((self.outgoing_squared / copies).sum()) / scale**2,
            ),
            (v.output_bias, self.has_output_bias * self.outputs, self.output_squared),
        ]
        varying = [(w, n, square / w) for w, n, square in parts if w > 0 and n > 0]
        shift = sum(square for w, _, square in parts if w == 0)
        weight, dof, noncentrality = zip(*varying, strict=True) if varying else ((), (), ())
        return GeneralizedChiSquare(weight, dof, noncentrality, shift)

    def lower_bound(self, radius: float) -> Probability:
        """Returns P(Q ≤ radius²) for the likeliest single piece; the best scale of the copies, if they have one."""
        best = Probability(-math.inf, 0.0)
        for piece in self.likely_pieces(radius):
            for scale in self.likely_scales(piece, radius):
                found = self.law(piece, scale).cdf(radius**2)
                if found.relative_error < 1e-2:  # an integral that failed bounds nothing
                    best = max(best, found, key=lambda p: p.log)
        return best

    def likely_pieces(self, radius: float) -> Iterator[Piece]:
        """Yields pieces for which the exponent of P is largest at some s, in between the few and the many copies.

        At given s the logarithm of E e^{−sQ} is a sum over teacher neurons of terms concave in the number of copies,
        so that the best numbers are found one by one; s runs over the scales on which P can change.
        """
        r, m = self.setting.teacher_width, self.setting.width
        seen = set()
        for s in np.geomspace(1e-3, 1e3, 25) * (m * (self.inputs + 1)) / max(radius, 1e-150) ** 2:
            gain = [self.log_copy(i, s) for i in range(r)]
            dead = self.log_dead(s)
            off = self.log_equal(s) if self.setting.symmetry.off != "never" else -math.inf
            copies = [1] * r
            for _ in range(m - r):
                steps = [gain[i] + self.log_sum(i, copies[i] + 1, s) - self.log_sum(i, copies[i], s) for i in range(r)]
                i = int(np.argmax(steps))
                if steps[i] <= max(dead, off):
                    break
                copies[i] += 1
            left = m - sum(copies)
            piece = Piece(tuple(copies), 0, left) if off > dead else Piece(tuple(copies), left)
            if piece not in seen:
                seen.add(piece)
                yield piece

    def likely_scales(self, piece: Piece, radius: float) -> list[float]:
        """Returns 1, or for scaled copies the common scales about which the mean squared distance is least."""
        if self.setting.symmetry.copies != "scaled":
            return [1.0]
        copies = np.array(piece.copies)
        incoming = float(copies @ (self.weights_squared + self.biases_squared))
        outgoing = float((self.outgoing_squared / copies).sum())
        middle = (outgoing / incoming) ** 0.25
        return [middle * factor for factor in (0.7, 0.85, 1.0, 1.2, 1.4)]

    # Logarithms of the factors of E e^{−sQ}.

    def log_gaussian(self, s: complex | float, variance: float, dof: float, square: Array | float) -> Log:
        growth = 1 + 2 * variance * s
        return -dof / 2 * np.log(growth) - s * square / growth

    def log_copy(self, i: int, s: complex | float) -> Log:
        v = self.variance
        return self.log_gaussian(s, v.weight, self.inputs, self.weights_squared[i]) + self.log_gaussian(
            s, v.hidden_bias, self.has_bias, self.biases_squared[i]
        )

    def log_sum(self, i: int, n: Array | int, s: complex | float) -> Log:
        return self.log_gaussian(s, self.variance.outgoing, self.outputs, self.outgoing_squared[i] / n)

    def log_dead(self, s: complex | float) -> Log:
        return self.log_gaussian(s, self.variance.outgoing, self.outputs, 0.0)

    def log_equal(self, s: complex | float) -> Log:
        """Returns the factor of one more neuron with given incoming weights."""
        bias = self.log_gaussian(s, self.variance.hidden_bias, self.has_bias, 0.0)
        return self.log_constant(s) + bias

    def log_constant(self, s: complex | float) -> Log:
        """Returns the factor of the weights of a constant neuron."""
        return self.log_gaussian(s, self.variance.weight, self.inputs, 0.0)

    def log_outputs(self, s: complex | float, constants: Array) -> Log:
        """Returns the factors at the output bias, for numbers of constant neurons, their weights included.

        For constant neurons of free bias, only their weights: the rest of the distance is at least 0.
        """
        if not self.has_output_bias:
            return self.log_uncoupled(s, constants)
        v, net = self.variance, self.setting.net
        kind = self.setting.symmetry.constants
        if kind == "none":
            alone = self.log_gaussian(s, v.output_bias, self.outputs, self.output_squared)
            return np.where(constants == 0, alone, -np.inf)
        weights = constants * self.log_constant(s)
        if kind == "free":
            alone = self.log_gaussian(s, v.output_bias, self.outputs, self.output_squared)
            return np.where(constants == 0, alone, weights)
        t = constants * (net.multipliers[1] * at_zero(net)) ** 2
        variance = (v.output_bias + t * v.outgoing) / (1 + t)
        growth = 1 + 2 * variance * s
        return weights - self.outputs / 2 * np.log(growth) - s * self.output_squared / (1 + t) / growth

    # All pieces at once.

    def log_all(self, s: complex) -> complex:
        """Returns log Σ_pieces E e^{−sQ}; where mirrored neurons couple to the output bias, without its part of Q."""
        copies = self.setting.symmetry.copies
        return self.log_series(s, 1 if copies == "plain" else 2, coupled=copies != "mirrored")

    def log_series(self, s: complex, signs: int, coupled: bool) -> complex:
        """Returns the log of m! [x^m] of the product of the generating functions.

        x is scaled by the largest factor of one neuron, and each function by its largest coefficient, so that nothing
        overflows and what underflows does not matter.
        """
        m, r = self.setting.width, self.setting.teacher_width
        n = np.arange(m + 1)
        factorial = np.array([math.lgamma(k + 1) for k in n])
        spare = [self.log_dead(s), self.log_equal(s), self.log_constant(s)]
        unit = max(float(np.real(x)) for x in (*spare, *(self.log_copy(i, s) for i in range(r))))

        groups = (n - 1) * (self.log_equal(s) + math.log(signs)) + self.log_dead(s)
        exponent = np.where(n > 0, np.exp(groups - n * unit - factorial), 0)
        if self.setting.symmetry.off != "never":
            exponent[1] += np.exp(self.log_equal(s) - unit)
        total = exponential_series(exponent)
        logs = [self.log_outputs(s, n) if coupled else self.log_uncoupled(s, n)]
        for i in range(r):
            copies = n * (self.log_copy(i, s) + math.log(signs)) + self.log_sum(i, np.maximum(n, 1), s)
            logs.append(np.where(n > 0, copies, -np.inf))
        log_value = 0.0
        for log in logs:
            scaled = log - n * unit - factorial
            top = float(scaled.real.max())
            total = np.convolve(total, np.exp(scaled - top))[: m + 1]
            log_value += top
        return complex(np.log(total[m]) + log_value + factorial[m] + m * unit)

    def log_uncoupled(self, s: complex, constants: Array) -> Log:
        """Returns `log_outputs` with nothing but the weights of constant neurons."""
        if self.setting.symmetry.constants == "none":
            return np.where(constants == 0, 0.0, -np.inf).astype(complex)
        return constants * self.log_constant(s)

    def upper_bound(self, radius: float) -> Probability | None:
        """Returns Σ_pieces P(Q ≤ radius²), at most 1; None where pieces are curved copies, which have no such law."""
        if self.setting.symmetry.copies == "scaled":
            return None
        common, more = self.certain_distances()
        x = radius**2 - common
        if x <= 0:
            return Probability(-math.inf, 0.0)
        found = lower_tail(lambda s: self.log_all(s) + s * common, x, straight=more)
        return found if found.log < 0 else replace(found, log=0.0)

    def certain_distances(self) -> tuple[float, bool]:
        """Returns the squared distance that all pieces have, as schemes set biases to 0, and whether some have more."""
        symmetry = self.setting.symmetry
        copies = self.biases_squared if self.variance.hidden_bias == 0 else np.zeros(1)
        output = self.output_squared if self.variance.output_bias == 0 and symmetry.copies != "mirrored" else 0.0
        everywhere = symmetry.constants == "none"
        spare = self.setting.width > self.setting.teacher_width
        more = spare and (bool(copies.any()) or (output > 0 and not everywhere))
        return float(copies.sum()) + (output if everywhere or not spare else 0.0), more


def exponential_series(a: Array) -> Array:
    """Returns the coefficients of exp(Σ a_n x^n), a_0 = 0, from n b_n = Σ_k k a_k b_{n−k}."""
    b = np.zeros_like(a)
    b[0] = 1
    weighted = np.arange(len(a)) * a
    for n in range(1, len(a)):
        b[n] = weighted[1 : n + 1] @ b[n - 1 :: -1][:n] / n
    return b
