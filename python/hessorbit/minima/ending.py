"""`compare_descent` says whether descents end at the minima that were nearest when they started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core
from .._checks import Array
from .._words import number_of
from ..network import MLP
from .nearest import NearestMinimum, default_nodes, row_norms, search
from .teacher import Setting, check_size, setting_of


@dataclass(frozen=True, eq=False, repr=False)
class DescentComparison:
    """A `DescentComparison` holds where B descents ended, and the global minimum nearest to each start.

    Attributes
    ----------
    nearest : ndarray, shape (B,)
        Distance from the start to the nearest minimum.
    travelled : ndarray, shape (B,)
        Distance from the start to the end.
    remaining : ndarray, shape (B,)
        Distance from the end to the global minimum nearest to it.
    off_piece : ndarray, shape (B,)
        Size of what the end violates of the equations of the piece nearest to its start; 0 on it.
    converged : ndarray of bool, shape (B,)
        The end is at a global minimum.
    same_piece : ndarray of bool, shape (B,)
        It is on the piece that was nearest at the start.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([1, 1, 1], bias=False)
    >>> starts = np.array([[0.9, 1.1], [1.2, 0.8]])
    >>> ends = np.array([[1.0, 1.0], [1.0, 1.0]])
    >>> comparison = ho.minima.compare_descent(net, starts, ends, net, [1.0, 1.0])
    >>> comparison.converged, comparison.fraction
    (array([ True,  True]), 1.0)
    """

    nearest: Array
    travelled: Array
    remaining: Array
    off_piece: Array
    converged: Array
    same_piece: Array

    @property
    def fraction(self) -> float:
        """Returns the part of the converged descents that ended on the piece nearest to their start, or nan."""
        return float(self.same_piece[self.converged].mean()) if self.converged.any() else float("nan")

    @property
    def excess(self) -> Array:
        """Returns travelled over nearest distance, at least 1 where descent converged."""
        return self.travelled / self.nearest

    def __repr__(self) -> str:
        return (
            f"DescentComparison({number_of(len(self.nearest), 'descent')}, {int(self.converged.sum())} converged, "
            f"{self.fraction:.0%} of them on the nearest piece, median travelled/nearest {np.median(self.excess):.3g})"
        )


def compare_descent(
    net: MLP,
    theta0: ArrayLike,
    theta_end: ArrayLike,
    teacher: MLP,
    theta_teacher: ArrayLike,
    *,
    tolerance: float = 1e-2,
    threads: int | None = None,
) -> DescentComparison:
    """Compares where descents ended with the global minima nearest to where they started.

    Parameters
    ----------
    net, teacher, theta_teacher
        As for `nearest_minimum`.
    theta0, theta_end : array_like, shape (B, P)
        Starts and ends of descents.
    tolerance : float
        An end counts as being at a minimum, or on a piece, if it is within this part of the distance travelled.
    threads : int, optional
        As for `nearest_minimum`.

    Returns
    -------
    DescentComparison

    Raises
    ------
    ReducibleTeacherError, TypeError, ValueError
        As `nearest_minimum`; and if starts and ends differ in number.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> from hessorbit.minima import compare_descent
    >>> teacher, student = ho.MLP([1, 1, 1], bias=False), ho.MLP([1, 2, 1], bias=False)
    >>> start, end = [[0.9, 0.1, 1.0, 0.1]], [[1.0, 0.3, 1.0, 0.0]]
    >>> compare_descent(student, start, end, teacher, [1.0, 1.0]).same_piece.tolist()
    [True]
    """
    setting = setting_of(net, teacher, theta_teacher)
    starts, ends = (
        np.atleast_2d(_checks.cast(_checks.parameters(value, net.num_parameters, name), np.float64, name, "net"))
        for value, name in ((theta0, "theta0"), (theta_end, "theta_end"))
    )
    if starts.shape != ends.shape:
        raise _checks.shape_error("theta_end", f"{starts.shape}, as theta0 has", ends.shape)
    check_size(starts, "theta0")
    check_size(ends, "theta_end")
    part = _checks.positive(tolerance, "tolerance")
    workers = _checks.threads(threads)
    nodes = default_nodes(net.widths[1])
    near = search(setting, starts, 1e-6, nodes, workers)
    remaining = np.asarray(search(setting, ends, 1e-6, nodes, workers).distance)
    travelled = row_norms(ends - starts)
    off_piece = violation(setting, ends, near)
    converged = remaining <= part * travelled
    return DescentComparison(
        nearest=np.asarray(near.distance),
        travelled=travelled,
        remaining=remaining,
        off_piece=off_piece,
        converged=converged,
        same_piece=converged & (off_piece <= part * travelled),
    )


def violation(setting: Setting, theta: Array, near: NearestMinimum) -> Array:
    """Returns the root of the sum of squared residuals of the equations of each start's piece, at θ (B, P)."""
    assignment = np.asarray(near.assignment)
    return _core.piece_violations(
        setting.geometry,
        *setting.split(theta),
        assignment,
        np.asarray(near.group),
        setting.rescaled(assignment, np.asarray(near.scale), 1 / setting.factors),
    )
