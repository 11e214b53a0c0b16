"""A slice of the landscape: the loss on a line or a plane through θ, beside its exact quadratic model.

L(θ + D t)   and   L(θ) + gᵀD t + ½ tᵀ DᵀH D t,      D (P, k), t (k,), k = 1 or 2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import Array
from .._norms import norm
from ..any_objective import AnyObjective, check_objective, overflow

POINTS = {1: 101, 2: 41}  # in each direction
REACH = 0.25  # of ‖θ‖, for directions of norm 1
BEYOND = 0.25  # of the way to another point, on both sides
MOST_NUMBERS = 4_000_000  # of θ in one call
MOST_POINTS = {1: 1_000_000, 2: 1_000}  # in each direction


@dataclass(frozen=True, eq=False, repr=False)
class Slice:
    """A slice holds the loss on a line or a plane through θ; made by `slice_of`.

    Attributes
    ----------
    directions : ndarray, shape (P, k)
        k = 1 or 2.
    names : tuple of str
        What the directions are.
    steps : tuple of ndarray, each of shape (n,)
        Steps t along each direction.
    losses, quadratic : ndarray, shape (n,) or (n, n)
        The loss at θ + D t, and the quadratic model of it; of two directions, entry [i, j] belongs to step i along the
        first and j along the second.
    slopes : ndarray, shape (k,)
        Dᵀ∇L(θ).
    curvatures : ndarray, shape (k, k)
        Dᵀ∇²L(θ) D.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [2.0, 4.0])
    >>> ho.plot.slice_of(obj, [1.0], directions=[1.0], extent=1.0, points=3)
    Slice along given direction, slope -2.5, curvature 2.5
    """

    directions: Array
    names: tuple[str, ...]
    steps: tuple[Array, ...]
    losses: Array
    quadratic: Array
    slopes: Array
    curvatures: Array

    def __repr__(self) -> str:
        parts = [
            f"{name}, slope {slope:.3g}, curvature {curvature:.3g}"
            for name, slope, curvature in zip(self.names, self.slopes, np.diag(self.curvatures), strict=True)
        ]
        return f"Slice along {' and '.join(parts)}"


def slice_of(
    obj: AnyObjective,
    theta: ArrayLike,
    *,
    directions: ArrayLike | None = None,
    eigenvectors: int | tuple[int, ...] | None = None,
    to: ArrayLike | None = None,
    extent: float | None = None,
    points: int | None = None,
) -> Slice:
    """Returns the loss on a line or a plane through θ, and its exact quadratic model there.

    Parameters
    ----------
    obj : Objective or PopulationObjective
    theta : array_like, shape (P,)
    directions : array_like, shape (P,) or (P, k)
        Directions, as long as they are, such as tangents of an orbit.
    eigenvectors : int or tuple of int
        Instead or besides: eigenvectors of the Hessian, 0 for that of the largest eigenvalue, −1 for the smallest. By
        default 0, if nothing else is given.
    to : array_like, shape (P,)
        Instead or besides: another point, at step 1 along the first direction.
    extent : float, optional
        Largest step to either side; by default a quarter of ‖θ‖, or of 1 where that is more, over the norm of the
        direction. Towards another point steps go from −0.25 to 1.25.
    points : int, optional
        Steps along each direction, by default 101 on a line and 41 × 41 on a plane; at most a million, or 1000 × 1000.

    Returns
    -------
    Slice

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong type, shape or range, and unless there are one or two directions.

    Examples
    --------
    Straight on from a minimum of zero loss the model of a linear network is exact:

    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [2.0, 4.0])
    >>> found = ho.plot.slice_of(obj, [2.0], directions=[1.0], extent=1.0, points=3)
    >>> found.losses, found.quadratic
    (array([1.25, 0.  , 1.25]), array([1.25, 0.  , 1.25]))
    """
    check_objective(obj)
    at = _checks.parameter_vector(theta, obj.num_parameters)
    columns, names = chosen(obj, at, directions, eigenvectors, to)
    count = columns.shape[1]
    most = MOST_POINTS[count]
    number = POINTS[count] if points is None else _checks.integer(points, "points", minimum=2, maximum=most)
    reach = None if extent is None else _checks.positive(extent, "extent")
    ends = [limits(at, columns[:, index], reach, towards=to is not None and index == 0) for index in range(count)]
    check_range(at, columns, ends)
    steps = tuple(np.linspace(*each, number) for each in ends)
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)  # (n, [n,] k)
    gradient, images = obj.gradient(at), obj.hvp(at, columns)
    if not (np.isfinite(gradient).all() and np.isfinite(images).all()):
        raise overflow(at, "matrix", "hessian")
    with np.errstate(over="ignore", invalid="ignore"):
        slopes, curvatures = columns.T @ gradient, columns.T @ images
    if not (np.isfinite(slopes).all() and np.isfinite(curvatures).all()):
        raise ValueError("directions must be short enough for slope and curvature to be finite; they overflow")
    with np.errstate(over="ignore", invalid="ignore"):  # far out, where losses overflow
        model = obj.loss(at) + grid @ slopes + 0.5 * np.einsum("...i,ij,...j->...", grid, curvatures, grid)
    return Slice(
        directions=columns,
        names=names,
        steps=steps,
        losses=losses(obj, at, columns, grid.reshape(-1, count)).reshape(grid.shape[:-1]),
        quadratic=model,
        slopes=slopes,
        curvatures=curvatures,
    )


def losses(obj: AnyObjective, theta: Array, columns: Array, steps: Array) -> Array:
    """Returns the loss at θ + D t for rows t (n, k), a few of them at a time."""
    rows = max(1, MOST_NUMBERS // len(theta))
    parts = [obj.loss(theta + steps[start : start + rows] @ columns.T) for start in range(0, len(steps), rows)]
    return np.concatenate([np.atleast_1d(part) for part in parts])


def check_range(theta: Array, columns: Array, ends: list[tuple[float, float]]) -> None:
    """Refuses steps that leave the range of float64, or whose distance does."""
    reach = np.abs(ends).max(axis=1)
    with np.errstate(over="ignore"):
        farthest = 2 * (np.abs(theta) + np.abs(columns) @ reach).max(initial=0.0)
        if not (np.isfinite(farthest) and np.isfinite(2 * reach).all()):
            raise ValueError(
                f"extent and directions must keep steps and parameters within the range of float64; the largest step "
                f"is {reach.max():.3g}, along directions with entries up to {np.abs(columns).max(initial=0.0):.3g}"
            )


def limits(theta: Array, direction: Array, reach: float | None, *, towards: bool) -> tuple[float, float]:
    """Returns the first and the last step along a direction."""
    if reach is None and towards:
        return -BEYOND, 1 + BEYOND
    if reach is None:
        reach = REACH * max(1.0, float(norm(theta))) / (float(norm(direction)) or 1.0)
    return -reach, reach


def chosen(
    obj: AnyObjective, theta: Array, directions: Any, eigenvectors: Any, to: Any
) -> tuple[Array, tuple[str, ...]]:
    """Returns the directions as columns, and what they are."""
    columns: list[Array] = []
    names: list[str] = []
    if to is not None:
        other = _checks.parameter_vector(to, len(theta), "to")
        columns.append(other - theta)
        names.append("way to the other point")
    if directions is not None:
        given = _checks.as_floats(directions, "directions")
        given = given[:, None] if given.ndim == 1 else given
        if given.ndim != 2 or len(given) != len(theta):
            raise _checks.shape_error("directions", f"({len(theta)},) or ({len(theta)}, k)", np.shape(directions))
        columns += list(given.T)
        names += ["given direction"] * given.shape[1]
    if eigenvectors is None and not columns:
        eigenvectors = 0
    if eigenvectors is not None:
        numbers = eigenvectors if isinstance(eigenvectors, tuple | list) else (eigenvectors,)
        found = [_checks.integer(n, "eigenvectors", minimum=-len(theta), maximum=len(theta) - 1) for n in numbers]
        from ..spectra import spectrum

        vectors = spectrum(obj, theta, vectors=True).vectors
        assert vectors is not None
        for number in found:
            columns.append(vectors[:, ::-1][:, number])
            names.append(name_of(number))
    if len(columns) not in POINTS:
        raise ValueError(f"a slice needs one or two directions; got {len(columns)}")
    return np.column_stack(columns), tuple(names)


def name_of(number: int) -> str:
    """Says which eigenvector is meant."""
    if number < 0:
        return "eigenvector of the smallest eigenvalue" if number == -1 else f"eigenvector {-number} from the smallest"
    return "eigenvector of the largest eigenvalue" if number == 0 else f"eigenvector {number + 1} from the largest"
