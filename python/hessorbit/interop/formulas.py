"""Which activation a formula in one variable z is, told by what it is made of and not by its values.

On either side of 0 a formula is a fraction of polynomials with rational coefficients,

    f = p(z, e^z, erf(z/√2), log(1 + e^z), sin z, cos z) / q(…)

with any rational powers of e^z, and q ≠ 0 of one sign there. Two formulas are the same function if p q' = p' q on both
sides, where coefficients are compared in exact arithmetic: a kink at 1e−7 instead of 0, or a slope of 1.0000001, makes
another one. Constants that no number holds, √2 and those of selu, count as what they are if they are right to float32.
What has no such form is `Unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .. import activations

Monomial = tuple[tuple[str, Fraction], ...]  # factors and their powers, by name
Polynomial = dict[Monomial, Fraction]
ONE: Polynomial = {(): Fraction(1)}
SIDES = (1, -1)
Z, EXP, ERF, SOFTPLUS, SIN, COS = "z", "e^z", "erf(z/√2)", "log(1 + e^z)", "sin z", "cos z"  # factors
ODD = (Z, ERF)  # of the sign of z
WAVES = (SIN, COS)  # of no sign
ROUNDED = 2.0**-21  # relative error of two constants in float32, and of their product
ROOT_HALF = math.sqrt(0.5)
LARGEST_POWER, MOST_TERMS = 12, 100  # formulas of activations are far below


class Unknown(Exception):
    """Raised where a formula has no form here."""


def product(a: Polynomial, b: Polynomial) -> Polynomial:
    found: Polynomial = {}
    for left, x in a.items():
        for right, y in b.items():
            powers = dict(left)
            for factor, power in right:
                powers[factor] = powers.get(factor, Fraction(0)) + power
            key = tuple(sorted((factor, power) for factor, power in powers.items() if power))
            found[key] = found.get(key, Fraction(0)) + x * y
    return reduced(found)


def total(a: Polynomial, b: Polynomial) -> Polynomial:
    return reduced({key: a.get(key, Fraction(0)) + b.get(key, Fraction(0)) for key in {**a, **b}})


def reduced(polynomial: Polynomial) -> Polynomial:
    if len(polynomial) > MOST_TERMS:
        raise Unknown
    return {key: value for key, value in polynomial.items() if value}


def exponential(power: Fraction) -> Polynomial:
    return {((EXP, power),) if power else (): Fraction(1)}


def is_difference(polynomial: Polynomial) -> bool:
    """Whether a polynomial is c (e^az − e^bz), which has the sign of ± z."""
    return {factor for key in polynomial for factor, _ in key} == {EXP} and (
        len(polynomial) == 2 and sum(polynomial.values()) == 0
    )


def sign(polynomial: Polynomial, side: int) -> int | None:
    """Returns the sign of a polynomial on one side of 0, if all its terms have that sign or it is c (e^az − e^bz)."""
    if is_difference(polynomial):
        steepest = max(polynomial, key=lambda key: dict(key).get(EXP, Fraction(0)))
        return side if polynomial[steepest] > 0 else -side
    signs = set()
    for key, value in polynomial.items():
        if any(factor in WAVES for factor, _ in key):
            return None
        turns = sum(power for factor, power in key if factor in ODD) if side < 0 else 0
        signs.add((1 if value > 0 else -1) * (-1 if turns % 2 else 1))
    return signs.pop() if len(signs) == 1 else None if signs else 0


@dataclass(frozen=True, eq=False)
class Ratio:
    """A formula on one side of 0."""

    side: int
    over: Polynomial
    under: Polynomial

    def linear(self) -> Fraction:
        """Returns c of c z."""
        key: Monomial = ((Z, Fraction(1)),)
        if set(self.over) - {key} or set(self.under) != {()}:
            raise Unknown
        return self.over.get(key, Fraction(0)) / self.under[()]

    def constant(self) -> Fraction:
        if set(self.over) - {()} or set(self.under) != {()}:
            raise Unknown
        return self.over.get((), Fraction(0)) / self.under[()]

    def sign(self) -> int:
        found = sign(self.over, self.side)
        if found is None:
            raise Unknown
        return found * (sign(self.under, self.side) or 0)

    def plus(self, other: Ratio) -> Ratio:
        if self.under == other.under:
            return Ratio(self.side, total(self.over, other.over), self.under)
        over = total(product(self.over, other.under), product(other.over, self.under))
        return Ratio(self.side, over, product(self.under, other.under))

    def times(self, other: Ratio) -> Ratio:
        return Ratio(self.side, product(self.over, other.over), product(self.under, other.under))

    def inverse(self) -> Ratio:
        """Returns 1/f, of which no denominator may vanish: not at 0 either."""
        vanishes = is_difference(self.over) or all(any(factor in ODD for factor, _ in key) for key in self.over)
        if vanishes or not sign(self.over, self.side):
            raise Unknown
        return Ratio(self.side, self.under, self.over)

    def equals(self, other: Ratio, tolerance: float) -> bool:
        a, b = product(self.over, other.under), product(other.over, self.under)
        return set(a) == set(b) and all(abs(a[key] - b[key]) <= Fraction(tolerance) * abs(b[key]) for key in a)


def number(value: float, side: int) -> Ratio:
    if not math.isfinite(value):
        raise Unknown
    return Ratio(side, {(): Fraction(value)} if value else {}, ONE)


@dataclass(frozen=True, eq=False)
class Formula:
    """A function of z, by its forms on the two sides of 0, z > 0 first."""

    sides: tuple[Ratio, ...]

    @classmethod
    def variable(cls) -> Formula:
        return cls(tuple(Ratio(side, {((Z, Fraction(1)),): Fraction(1)}, ONE) for side in SIDES))

    def __add__(self, other: Any) -> Formula:
        return each(Ratio.plus, self, other)

    def __mul__(self, other: Any) -> Formula:
        return each(Ratio.times, self, other)

    def __neg__(self) -> Formula:
        return self * -1.0

    def __sub__(self, other: Any) -> Formula:
        return self + each(lambda x: x, other) * -1.0

    def __truediv__(self, other: Any) -> Formula:
        return self * each(Ratio.inverse, other)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Formula:
        return each(Ratio.plus, -self, other)

    def __rtruediv__(self, other: Any) -> Formula:
        return each(Ratio.times, each(Ratio.inverse, self), other)


def each(form: Callable[..., Ratio], *arguments: Any) -> Formula:
    """Applies what makes a form of forms on each side; arguments may be numbers."""
    return Formula(
        tuple(
            form(*(a.sides[index] if isinstance(a, Formula) else number(float(a), side) for a in arguments))
            for index, side in enumerate(SIDES)
        )
    )


def form_of_exp(x: Ratio) -> Ratio:
    return Ratio(x.side, exponential(x.linear()), ONE)


def form_of_log(x: Ratio) -> Ratio:
    (over, shift, softplus), (under, unshift, unsoftplus) = split(x.over), split(x.under)
    if over != under:
        raise Unknown
    found: Polynomial = {((Z, Fraction(1)),): shift - unshift, ((SOFTPLUS, Fraction(1)),): softplus - unsoftplus}
    return Ratio(x.side, reduced(found), ONE)


def split(polynomial: Polynomial) -> tuple[Fraction, Fraction, Fraction]:
    """Returns c, a and n of c e^az (1 + e^z)^n, n = 0 or 1."""
    powers = [dict(key).get(EXP, Fraction(0)) for key in polynomial]
    if {factor for key in polynomial for factor, _ in key} - {EXP} or len(set(polynomial.values())) != 1:
        raise Unknown
    if len(powers) > 2 or max(powers) - min(powers) not in (0, 1):
        raise Unknown
    return next(iter(polynomial.values())), min(powers), Fraction(len(powers) - 1)


def form_of_erf(x: Ratio) -> Ratio:
    scale = x.linear()
    if abs(abs(scale) - Fraction(ROOT_HALF)) > Fraction(ROUNDED):
        raise Unknown
    return Ratio(x.side, {((ERF, Fraction(1)),): Fraction(1 if scale > 0 else -1)}, ONE)


def form_of_wave(name: str, x: Ratio) -> Ratio:
    scale = x.linear()
    if abs(scale) != 1:
        raise Unknown
    return Ratio(x.side, {((name, Fraction(1)),): scale if name == SIN else Fraction(1)}, ONE)


def form_of_choice(condition: Ratio, x: Ratio, y: Ratio) -> Ratio:
    return x if condition.constant() else y


def exp(x: Any) -> Formula:
    return each(form_of_exp, x)


def log(x: Any) -> Formula:
    return each(form_of_log, x)


def erf(x: Any) -> Formula:
    return each(form_of_erf, x)


def sin(x: Any) -> Formula:
    return each(lambda form: form_of_wave(SIN, form), x)


def cos(x: Any) -> Formula:
    return each(lambda form: form_of_wave(COS, form), x)


def sigmoid(x: Any) -> Formula:
    return 1.0 / (1.0 + exp(-1.0 * x))


def tanh(x: Any) -> Formula:
    return 2.0 * sigmoid(2.0 * x) - 1.0


def softplus(x: Any) -> Formula:
    return log(1.0 + exp(x))


def power(x: Any, exponent: Any) -> Formula:
    """Returns f to a whole power."""
    if not isinstance(exponent, int | float) or exponent != int(exponent) or abs(exponent) > LARGEST_POWER:
        raise Unknown
    found = each(lambda form: form, 1.0)
    for _ in range(abs(int(exponent))):
        found = found * x
    return found if exponent >= 0 else 1.0 / found


def above(x: Any, y: Any) -> Formula:
    """Returns 1 where x > y, 0 where not; in single points this may be the other way round."""
    return each(lambda a, b: number(float(a.plus(b.times(number(-1.0, b.side))).sign() > 0), a.side), x, y)


def choice(condition: Any, x: Any, y: Any) -> Formula:
    return each(form_of_choice, condition, x, y)


def maximum(x: Any, y: Any) -> Formula:
    return choice(above(x, y), x, y)


def minimum(x: Any, y: Any) -> Formula:
    return choice(above(x, y), y, x)


def clip(x: Any, low: Any = None, high: Any = None) -> Formula:
    bounded = x if low is None else maximum(x, low)
    return bounded if high is None else minimum(bounded, high)


def absolute(x: Any) -> Formula:
    return maximum(x, -1.0 * x)


def elu(x: Any) -> Formula:
    return choice(above(x, 0.0), x, exp(x) - 1.0)


# What activations are made of, by their names; "c" is the parameter.
FORMULAS: dict[str, Callable[..., Formula]] = {
    "identity": lambda z: z,
    "relu": lambda z: maximum(z, 0.0),
    "leaky_relu": lambda z, c: choice(above(z, 0.0), z, c * z),
    "tanh": tanh,
    "sigmoid": sigmoid,
    "erf": lambda z: erf(ROOT_HALF * z),
    "normal_cdf": lambda z: 0.5 * (1.0 + erf(ROOT_HALF * z)),
    "gelu": lambda z: 0.5 * z * (1.0 + erf(ROOT_HALF * z)),
    "silu": lambda z: z * sigmoid(z),
    "softplus": softplus,
    "softsign": lambda z: z / (1.0 + absolute(z)),
    "elu": elu,
    "selu": lambda z: 1.0507009873554805 * choice(above(z, 0.0), z, 1.6732632423543773 * (exp(z) - 1.0)),
    "sin": sin,
    "cos": cos,
    "exp": exp,
    "square": lambda z: power(z, 2),
    "cube": lambda z: power(z, 3),
    "g": lambda z: softplus(z) + sigmoid(4.0 * z),
}
OF_ROUNDED_CONSTANTS: tuple[str, ...] = ("selu",)


def formula_of(activation: str, z: Any) -> Formula:
    """Returns the formula of an activation of a formula z."""
    kind, parameter = activations.split(activation)
    return FORMULAS[kind](z) if activations.defaults()[kind] is None else FORMULAS[kind](z, parameter)


def named(formula: Formula, *, single: bool = False) -> str | None:
    """Returns the activation that a formula is, None if it is none; `single` says that its constants are of float32."""
    variable = Formula.variable()
    for kind, default in activations.defaults().items():
        name: str = kind
        if default is not None:
            try:
                slope = float(formula.sides[1].linear())
            except Unknown:
                continue
            expected = FORMULAS[kind](variable, slope)
            name = activations.canonical(f"{kind}({shortest(slope) if single else repr(slope)})", "activation")
        else:
            expected = FORMULAS[kind](variable)
        tolerance = ROUNDED if kind in OF_ROUNDED_CONSTANTS else 0.0
        try:
            if all(a.equals(b, tolerance) for a, b in zip(formula.sides, expected.sides, strict=True)):
                return name
        except Unknown:
            continue
    return None


def shortest(value: float) -> str:
    """Returns a number in the digits that tell it from others in float32."""
    import numpy as np

    return str(np.float32(value))
