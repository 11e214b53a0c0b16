"""`landscape` draws the loss on a line or a plane through θ, with its exact quadratic model beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._checks import Array
from ..any_objective import AnyObjective
from .slices import Slice, slice_of
from .style import BLUE, GREY, ORANGE, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = 14  # of contours
WIDEST = 1e300  # range of losses that matplotlib's axes can hold
HIGHEST = 1e249  # of the losses that its contours can hold
FLAT = 1e-12  # of a loss, a change that is rounding
TALLEST = 4.0  # of the quadratic on a line, in ranges of the loss


def landscape(
    obj: AnyObjective,
    theta: ArrayLike,
    ax: Axes | None = None,
    *,
    directions: ArrayLike | None = None,
    eigenvectors: int | tuple[int, ...] | None = None,
    to: ArrayLike | None = None,
    extent: float | None = None,
    points: int | None = None,
) -> Axes:
    """Draws the loss on a line or a plane through θ, beside its exact quadratic model, and returns the axes.

    Parameters
    ----------
    obj : Objective or PopulationObjective
    theta : array_like, shape (P,)
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default into new axes.
    directions, eigenvectors, to, extent, points
        Which line or plane, as in `slice_of`: by default the line along the eigenvector of the Hessian's largest
        eigenvalue. Along the directions of ``symmetries(net).tangents(theta)`` the quadratic is flat at a minimum.

    Returns
    -------
    matplotlib.axes.Axes
        On a line, the loss as a curve and the quadratic dashed. On a plane, contours of the loss, filled, and dashed
        ones of the quadratic at the same levels.

    Raises
    ------
    TypeError, ValueError
        As in `slice_of`.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, np.tanh(2 * x))
    >>> ax = ho.plot.landscape(obj, [2.0, 1.0], to=[-2.0, -1.0])
    >>> ax.get_title(loc="left")
    'Loss along the way to the other point'
    """
    found = slice_of(obj, theta, directions=directions, eigenvectors=eigenvectors, to=to, extent=extent, points=points)
    return draw(found, ax, to=to is not None)


def draw(found: Slice, ax: Axes | None = None, *, to: bool = False) -> Axes:
    """Draws a slice; `to` marks step 1 of the first direction."""
    ax = new_axes() if ax is None else ax
    return draw_line(found, ax, to=to) if len(found.steps) == 1 else draw_plane(found, ax, to=to)


def draw_line(found: Slice, ax: Axes, *, to: bool) -> Axes:
    (steps,) = found.steps
    ax.plot(steps, found.losses, color=BLUE, label="loss")
    ax.plot(steps, found.quadratic, "--", color=ORANGE, linewidth=1.2, label="exact quadratic")
    ax.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    if to:
        ax.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
    low, high = ends(found.losses)
    least, most = ends(found.quadratic)
    room = max(high - low, FLAT * max(abs(low), abs(high))) or 1.0
    # A steep quadratic must not flatten the loss.
    bottom, top = low - min(room, max(low - least, 0.0)), high + room * (TALLEST - 1) / TALLEST
    if np.isfinite(room) and room < WIDEST:
        ax.set_ylim(bottom - 0.05 * room, min(top, max(high, most)) + 0.05 * room)
    ax.set_title(f"Loss along the {found.names[0]}", loc="left", fontsize="medium")
    ax.set(xlabel="step", ylabel="loss")
    return finish(ax)


def ends(values: Array) -> tuple[float, float]:
    """Returns the smallest and the largest of the values that are finite."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def draw_plane(found: Slice, ax: Axes, *, to: bool) -> Axes:
    first, second = found.steps
    spread = np.where(np.abs(found.losses) < HIGHEST, found.losses, np.nan).T
    if not np.isfinite(spread).any():
        ax.set_title("The loss is infinite, or too large to draw, on this plane", loc="left", fontsize="medium")
        return ax
    levels = levels_of(spread)
    filled = ax.contourf(first, second, spread, levels=levels, cmap="viridis", extend="both")
    ax.contour(first, second, found.quadratic.T, levels=levels, colors=ORANGE, linewidths=0.9, linestyles="dashed")
    ax.plot([0.0], [0.0], "o", color="white", markeredgecolor="black", markersize=5)
    if to:
        ax.plot([1.0], [0.0], "s", color="white", markeredgecolor="black", markersize=5)
    ax.figure.colorbar(filled, ax=ax, label="loss")
    ax.set_title("Loss, and its exact quadratic (dashed)", loc="left", fontsize="medium")
    ax.set(xlabel=f"along the {found.names[0]}", ylabel=f"along the {found.names[1]}")
    return ax


def levels_of(values: Array) -> Array:
    """Returns levels that crowd near the smallest loss, as losses grow like squares."""
    low, high = ends(values)[0], float(np.nanquantile(values, 0.98))
    levels = low + (high - low) * np.linspace(0, 1, LEVELS) ** 2
    # Of a loss that is the same all over, to rounding, there is one level.
    return levels if (np.diff(levels) > 0).all() else low + max(1.0, abs(low)) * np.linspace(0, 1, LEVELS) ** 2
