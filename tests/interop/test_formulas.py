"""Formulas of activations: what they are made of, against the core's functions and against values in mpmath."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from hessorbit import activations
from hessorbit.interop import formulas
from hessorbit.interop.formulas import Formula, Unknown
from oracles import taylor

Z = Formula.variable()
POINTS = ("-3.1", "-0.4", "-1e-3", "2e-4", "0.7", "2.3")
FACTORS: dict[str, Callable[[Any], Any]] = {
    formulas.Z: lambda z: z,
    formulas.EXP: mpmath.exp,
    formulas.ERF: lambda z: mpmath.erf(z / mpmath.sqrt(2)),
    formulas.SOFTPLUS: lambda z: mpmath.log1p(mpmath.exp(z)),
    formulas.SIN: mpmath.sin,
    formulas.COS: mpmath.cos,
}


def exactly(fraction: Any) -> Any:
    return mpmath.mpf(fraction.numerator) / fraction.denominator


def value(formula: Formula, z: Any) -> Any:
    """What the polynomials of a formula give at a point."""
    side = formula.sides[0 if z > 0 else 1]

    def evaluated(polynomial: Any) -> Any:
        return mpmath.fsum(
            mpmath.fprod([exactly(c), *(FACTORS[factor](z) ** exactly(power) for factor, power in key)])
            for key, c in polynomial.items()
        )

    return evaluated(side.over) / evaluated(side.under)


@pytest.mark.parametrize("name", [*activations.defaults(), "leaky_relu(0.3)", "leaky_relu(-0.5)", "leaky_relu(2.5)"])
def test_the_formula_of_each_activation(name: str) -> None:
    formula = formulas.formula_of(name, Z)
    assert formulas.named(formula) == name
    with mpmath.workdps(30):
        for point in map(mpmath.mpf, POINTS):
            expected = taylor.derivatives(name, point)[0]
            # √½ and the constants of selu are those of float64.
            assert abs(value(formula, point) - expected) <= 1e-15 * (1 + abs(expected))


# What formulas may be made of: the function here, and in mpmath.
STEPS: list[tuple[Callable[..., Any], Callable[..., Any], int]] = [
    (operator.add, operator.add, 2),
    (operator.sub, operator.sub, 2),
    (operator.mul, operator.mul, 2),
    (operator.truediv, operator.truediv, 2),
    (formulas.maximum, max, 2),
    (formulas.minimum, min, 2),
    (formulas.absolute, abs, 1),
    (formulas.exp, mpmath.exp, 1),
    (formulas.log, mpmath.log, 1),
    (formulas.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), 1),
    (formulas.tanh, mpmath.tanh, 1),
    (formulas.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), 1),
    (formulas.elu, lambda x: x if x > 0 else mpmath.expm1(x), 1),
    (lambda x: formulas.erf(formulas.ROOT_HALF * x), lambda x: mpmath.erf(x / mpmath.sqrt(2)), 1),
    (formulas.sin, mpmath.sin, 1),
    (formulas.cos, mpmath.cos, 1),
    (lambda x: formulas.power(x, 3), lambda x: x**3, 1),
    (lambda x: formulas.clip(x, -1.0, 2.0), lambda x: min(max(x, -1), 2), 1),
]


@pytest.mark.parametrize("seed", range(40))
def test_forms_have_the_values_of_what_they_are_made_of(seed: int) -> None:
    """Steps at random, of what there is; those without a form are left out."""
    rng = np.random.default_rng(seed)
    points = [mpmath.mpf(point) for point in POINTS]
    with mpmath.workdps(40):
        made: list[tuple[Any, list[Any]]] = [
            (Z, points),
            *((c, [mpmath.mpf(c)] * len(points)) for c in (1.0, 0.5, -2.0)),
        ]
        for _ in range(60):
            ours, theirs, count = STEPS[rng.integers(len(STEPS))]
            chosen = [made[int(rng.integers(len(made)) * rng.uniform())] for _ in range(count)]
            if not any(isinstance(formula, Formula) for formula, _ in chosen):
                continue
            try:
                formula = ours(*(formula for formula, _ in chosen))
            except Unknown:
                continue
            expected = [theirs(*(values[index] for _, values in chosen)) for index in range(len(points))]
            for point, wanted in zip(points, expected, strict=True):
                # Sums of large terms cancel, of 40 digits.
                assert abs(value(formula, point) - wanted) <= 1e-14 * (1 + abs(wanted))
            made.append((formula, expected))


def test_signs_are_known_only_where_they_are_the_same_on_a_side() -> None:
    for shift in (1e-7, -1e-7, 5e-324):
        with pytest.raises(Unknown):
            formulas.maximum(Z + shift, 0.0)
    with pytest.raises(Unknown):
        formulas.maximum(formulas.sin(Z), 0.0)
    with pytest.raises(Unknown):
        Z / Z  # at 0 it has no value
    with pytest.raises(Unknown):
        1.0 / (formulas.exp(Z) - 1.0)
    assert formulas.named(formulas.maximum(formulas.exp(Z) - 1.0, 0.0)) is None


@pytest.mark.parametrize(
    "formula",
    [
        1.0000001 * formulas.maximum(Z, 0.0), formulas.maximum(Z, 0.0) + 1e-12 * Z, formulas.sigmoid(1.702 * Z) * Z,
        formulas.tanh(Z) * formulas.tanh(Z), formulas.exp(Z) - 1.0, formulas.softplus(-Z),
    ],
)  # fmt: skip
def test_what_is_no_activation(formula: Formula) -> None:
    assert formulas.named(formula) is None
