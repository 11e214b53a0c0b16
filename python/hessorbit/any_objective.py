"""`AnyObjective` is what every objective has, on samples or a population, of all parameters or of some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _core
from ._checks import Array
from .network import MLP

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

MATRIX_NAMES = {"hessian": "Hessian", "gauss_newton": "Gauss–Newton matrix"}
MATRICES = tuple(MATRIX_NAMES)


@runtime_checkable
class AnyObjective(Protocol):
    """A loss as a function of θ with its exact derivatives: an `Objective`, or another with the same methods."""

    @property
    def net(self) -> MLP: ...
    @property
    def l2(self) -> float: ...
    @property
    def loss_name(self) -> str: ...
    @property
    def num_parameters(self) -> int: ...
    def loss(self, theta: ArrayLike) -> Any: ...
    def value_and_gradient(self, theta: ArrayLike) -> tuple[Any, Array]: ...
    def gradient(self, theta: ArrayLike) -> Array: ...
    def hessian(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array: ...
    def gauss_newton(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array: ...
    def gauss_newton_factor(self, theta: ArrayLike) -> Array: ...
    def hvp(self, theta: ArrayLike, v: ArrayLike) -> Array: ...
    def hessian_operator(self, theta: ArrayLike) -> LinearOperator: ...
    def hessian_diagonal(self, theta: ArrayLike) -> Array: ...
    def hessian_trace(self, theta: ArrayLike) -> Any: ...


@runtime_checkable
class WholeObjective(AnyObjective, Protocol):
    """An objective of all parameters, which can be restricted to some of them."""

    def _part(self, theta: Array, positions: Array) -> tuple[Any, Array]: ...
    def _factor_part(self, theta: Array, positions: Array) -> Array: ...


objectives: set[type] = set()  # that were seen to be: looking at every method takes longer than a small Hessian


def check_objective(obj: Any, name: str = "obj") -> None:
    """Refuses what is no objective."""
    if type(obj) in objectives:
        return
    if not isinstance(obj, AnyObjective):
        got = _checks.with_article(type(obj))
        raise TypeError(f"{name} must be an Objective or a PopulationObjective; got {got}")
    objectives.add(type(obj))


def matrix_of(obj: AnyObjective, theta: Array, name: str) -> Array:
    """The Hessian or the Gauss–Newton matrix at θ, by its name in MATRICES."""
    return obj.hessian(theta) if name == "hessian" else obj.gauss_newton(theta)


def finite_matrix_of(obj: AnyObjective, theta: Array, name: str) -> Array:
    """The same, refused where it overflows."""
    matrix = matrix_of(obj, theta, name)
    if not _core.all_finite(matrix):
        raise overflow(theta, "matrix", name)
    return matrix


def overflow(theta: Array, what: str, name: str) -> ValueError:
    """The refusal of a θ at which something that is asked for is not finite."""
    return ValueError(
        f"theta must give a finite {what}; the {MATRIX_NAMES.get(name, name)} overflows there: take smaller "
        f"parameters, which reach {np.abs(theta).max():.3g} now, or inputs and targets of about size one"
    )


def as_scalar(value: Any) -> Any:
    """A float64 number as a Python float; longdouble numbers and arrays as they are."""
    return float(value) if isinstance(value, np.float64) else value


def read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
