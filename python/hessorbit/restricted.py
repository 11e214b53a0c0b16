"""The loss as a function of some parameters, the others held: an objective whose derivatives are part of the whole's.

L(φ) = L(θ(φ)),    θ(φ) = φ at the free positions and the held θ elsewhere
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import _checks
from ._checks import FLOAT64, Array
from ._words import number_of
from .any_objective import AnyObjective, WholeObjective, as_scalar, read_only
from .network import MLP

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


class RestrictedObjective:
    """A restricted objective is a loss as a function of some of its parameters, the others held.

    Made by `Objective.restricted`, it is an objective like the one it comes from, an `Objective` or a
    `PopulationObjective`: every method takes the F free parameters, array_like of shape (F,), or (B, F) for a batch, in
    the order of `free`, and derivatives are in these alone. `minimize`, `spectrum` and `zero_modes` take it.

    Weight decay is that of the whole θ: the loss contains the constant (l2/2)‖θ_held‖², so that it is the loss of the
    objective at `full`, and derivatives have the free parameters' part.

    Parameters
    ----------
    objective : Objective or PopulationObjective
    theta : array_like, shape (P,)
        Where the others are held. Its entries at the free positions do not matter.
    free : array_like of int or bool
        Positions in θ, such as `MLP.block` gives, each named once; or a mask, of shape (P,).

    Attributes
    ----------
    objective : Objective or PopulationObjective
        Of all parameters.
    theta : ndarray, shape (P,)
        Read-only.
    free : ndarray of int, shape (F,)
        Read-only.
    net : MLP
        The whole network, of P parameters.
    loss_name : str
    l2 : float

    Raises
    ------
    TypeError, ValueError
        If theta is not one parameter vector of the objective; if free is empty, names a parameter twice or one that is
        not there, or holds neither integers nor truth values.

    Notes
    -----
    `hessian` and `gauss_newton` form the block of the free parameters alone; of a population, the gradient too takes
    the integrals of pairs with one of their neurons alone. Everything else costs what it does for the whole objective.

    Examples
    --------
    The two weights of a linear model are fitted one after the other:

    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
    >>> sub = obj.restricted([0.0, 0.0], free=[1])
    >>> sub
    RestrictedObjective(1 of 2 parameters of Objective(MLP([2, 1], bias=False), 2 samples, loss='squared_error'))
    >>> sub.gradient([0.0]), sub.hessian([0.0])
    (array([-5.5]), array([[2.5]]))
    >>> sub.full([2.0])
    array([0., 2.])
    """

    def __init__(self, objective: WholeObjective, theta: ArrayLike, free: ArrayLike) -> None:
        if not hasattr(objective, "_part"):
            got = _checks.with_article(type(objective))
            raise TypeError(f"objective must be an Objective or a PopulationObjective; got {got}")
        self.objective = objective
        count = objective.num_parameters
        self.theta = read_only(_checks.parameter_vector(theta, count))
        self.free = read_only(np.array(_checks.positions(free, count, "free"), int))

    def __reduce__(self) -> tuple[Any, ...]:
        return RestrictedObjective, (self.objective, self.theta, self.free)

    def __repr__(self) -> str:
        return (
            f"RestrictedObjective({len(self.free)} of {number_of(len(self.theta), 'parameter')} of {self.objective!r})"
        )

    @property
    def net(self) -> MLP:
        return self.objective.net

    @property
    def l2(self) -> float:
        return self.objective.l2

    @property
    def loss_name(self) -> str:
        return self.objective.loss_name

    @property
    def num_parameters(self) -> int:
        """F, the number of free parameters."""
        return len(self.free)

    def full(self, part: ArrayLike) -> Array:
        """Returns θ, of shape (P,), or (B, P) for a batch: the held parameters with `part` at the free positions.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.full([2.0])
        array([0., 2.])
        """
        at = self._checked(part)
        theta = np.empty((*at.shape[:-1], len(self.theta)), np.result_type(at, self.theta))
        theta[...] = self.theta
        theta[..., self.free] = at
        return theta

    def loss(self, part: ArrayLike) -> Any:
        """Returns the loss, a float.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.loss([2.0]) == obj.loss([0.0, 2.0])
        True
        """
        return self.objective.loss(self.full(part))

    def gradient(self, part: ArrayLike) -> Array:
        """Returns the gradient in the free parameters, of shape (F,).

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.gradient([2.0]), obj.gradient([0.0, 2.0])
        (array([-0.5]), array([-0.5, -0.5]))
        """
        return self.value_and_gradient(part)[1]

    def value_and_gradient(self, part: ArrayLike) -> tuple[Any, Array]:
        """Returns the pair of `loss` and `gradient`, for the cost of the gradient.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.value_and_gradient([2.0])
        (0.25, array([-0.5]))
        """
        return self.objective._part(self.full(part), self.free)

    def hessian(self, part: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the Hessian in the free parameters, of shape (F, F), for the cost of this block.

        Of some `parameters`, positions among the free ones, it is a principal block of that.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.hessian([2.0]), obj.hessian([0.0, 2.0])
        (array([[2.5]]), array([[0.5, 0.5],
               [0.5, 2.5]]))
        """
        return self.objective.hessian(self.full(part), parameters=self._chosen(parameters))

    def gauss_newton(self, part: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the Gauss–Newton matrix in the free parameters, of shape (F, F); of some `parameters`, a block.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.gauss_newton([2.0])
        array([[2.5]])
        """
        return self.objective.gauss_newton(self.full(part), parameters=self._chosen(parameters))

    def gauss_newton_factor(self, part: ArrayLike) -> Array:
        """Returns a matrix F, of F columns, such that the Gauss–Newton matrix is FᵀF + l2·I.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> F = sub.gauss_newton_factor([2.0])
        >>> (F.T @ F).round(12)
        array([[2.5]])
        """
        return self.objective._factor_part(self.full(part), self.free)

    def hessian_diagonal(self, part: ArrayLike) -> Array:
        """Returns the diagonal of the Hessian, of shape (F,).

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.hessian_diagonal([2.0])
        array([2.5])
        """
        return self._free(self.objective.hessian_diagonal(self.full(part)))

    def hessian_trace(self, part: ArrayLike) -> Any:
        """Returns the trace of the Hessian, a float.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.hessian_trace([2.0])
        2.5
        """
        return as_scalar(np.add.reduce(self.hessian_diagonal(part), axis=-1))

    def hvp(self, part: ArrayLike, v: ArrayLike) -> Array:
        """Returns products of the Hessian with vectors, of the shape of v: (F,), (F, m), or (B, F, m) for a batch.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.hvp([2.0], [1.0])
        array([2.5])
        """
        theta = self.full(part)
        vectors = _checks.as_floats(v, "v")
        batched = theta.ndim == 2 and vectors.ndim == 3
        expected = (len(theta), len(self.free)) if batched else (len(self.free),)
        if vectors.ndim not in (1, 2, 2 + batched) or vectors.shape[: len(expected)] != expected:
            own = f", or ({len(theta)}, {len(self.free)}, m)" if theta.ndim == 2 else ""
            raise _checks.shape_error("v", f"({len(self.free)},) or ({len(self.free)}, m){own}", vectors.shape)
        axis = int(batched)
        embedded = np.zeros((*vectors.shape[:axis], len(self.theta), *vectors.shape[axis + 1 :]), vectors.dtype)
        embedded[(slice(None),) * axis + (self.free,)] = vectors
        products = self.objective.hvp(theta, embedded)
        return np.ascontiguousarray(np.take(products, self.free, axis=theta.ndim - 1))

    def hessian_operator(self, part: ArrayLike) -> LinearOperator:
        """Returns the Hessian at one point as a SciPy linear operator, of shape (F, F).

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 1.0], [0.0, 2.0]], [3.0, 4.0])
        >>> sub = obj.restricted([0.0, 0.0], free=[1])
        >>> sub.hessian_operator([2.0]) @ [1.0]
        array([2.5])
        """
        from scipy.sparse.linalg import LinearOperator

        at = _checks.parameter_vector(part, len(self.free))
        product = partial(self.hvp, at.copy())
        shape = (len(at), len(at))
        return LinearOperator(shape, matvec=product, rmatvec=product, matmat=product, rmatmat=product, dtype=at.dtype)

    def restricted(self, part: ArrayLike, free: ArrayLike) -> RestrictedObjective:
        """Returns the loss as a function of some of the free parameters, `free` being positions among these.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([1, 1, 1], bias=False)
        >>> sub = ho.Objective(net, [[1.0]], [2.0]).restricted([1.0, 1.0], free=[0, 1])
        >>> sub.restricted([0.5, 3.0], free=[1]).full([4.0])
        array([0.5, 4. ])
        """
        at = _checks.parameter_vector(part, len(self.free))
        chosen = self.free[_checks.positions(free, len(self.free), "free")]
        return RestrictedObjective(self.objective, self.full(at), chosen)

    def _checked(self, part: ArrayLike) -> Array:
        count = len(self.free)
        at = _checks.as_floats(part, "theta")
        if at.ndim not in (1, 2) or at.shape[-1] != count:
            expected = f"({count},) or (B, {count}), with {count} of {number_of(len(self.theta), 'parameter')} free"
            raise _checks.shape_error("theta", expected, at.shape)
        return at

    def _free(self, array: Array) -> Array:
        return np.ascontiguousarray(array[..., self.free])

    def _chosen(self, parameters: ArrayLike | None) -> Array:
        if parameters is None:
            return self.free
        return self.free[_checks.positions(parameters, len(self.free), "parameters")]


def whole(obj: AnyObjective, theta: Array) -> tuple[AnyObjective, Array]:
    """Returns the objective of all parameters, and θ; `obj` and `theta` themselves where all are free."""
    return (obj.objective, obj.full(theta)) if isinstance(obj, RestrictedObjective) else (obj, theta)


def part_of(obj: AnyObjective, derivative: Array) -> Array:
    """Returns what a derivative in θ (P,) has in the free parameters; itself where all are free."""
    return np.asarray(derivative[obj.free]) if isinstance(obj, RestrictedObjective) else derivative


def within(obj: AnyObjective, directions: Array) -> Array:
    """Returns a basis of the directions in the span of columns (P, k) that leave held parameters alone, (F, n)."""
    if not isinstance(obj, RestrictedObjective) or not directions.shape[1]:
        return directions
    from scipy.linalg import null_space

    held = np.delete(directions, obj.free, axis=0)
    kept = null_space(held) if len(held) else np.eye(directions.shape[1])
    return np.asarray(directions[obj.free] @ kept, FLOAT64)


def block_of(obj: AnyObjective, theta: Array, parameters: ArrayLike | None) -> tuple[AnyObjective, Array]:
    """Returns the objective of some parameters alone, the others held, and these; all of them for None."""
    if parameters is None:
        return obj, theta
    chosen = _checks.positions(parameters, len(theta), "parameters")
    if isinstance(obj, RestrictedObjective):
        return obj.restricted(theta, chosen), theta[chosen]
    return RestrictedObjective(obj, theta, chosen), theta[chosen]  # type: ignore[arg-type]
