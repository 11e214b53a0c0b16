"""`history` draws the loss and the gradient along a minimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks
from ..optimize import Trajectory
from .style import BLUE, GREEN, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from scipy.optimize import OptimizeResult


def history(result: OptimizeResult | Trajectory, ax: Axes | None = None) -> Axes:
    """Draws the loss and max|∇L| of a minimisation against its steps, and returns the axes.

    Parameters
    ----------
    result : scipy.optimize.OptimizeResult or Trajectory
        What `hessorbit.minimize` returned, or its `trajectory`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default into new axes.

    Returns
    -------
    matplotlib.axes.Axes
        With a logarithmic scale. A loss that is not positive everywhere is drawn as its height above the lowest, as the
        legend says. Of a gradient flow, the horizontal axis is its time.

    Raises
    ------
    TypeError
        If result is neither.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [2.0, 4.0])
    >>> ax = ho.plot.history(ho.minimize(obj, [0.0], method="gd", learning_rate=0.1, max_steps=20))
    >>> [line.get_label() for line in ax.lines]
    ['loss', 'max |gradient|']
    """
    path: Any = result if isinstance(result, Trajectory) else getattr(result, "trajectory", None)
    _checks.instance(path, Trajectory, "result", "hessorbit.minimize gives")
    ax = new_axes() if ax is None else ax
    across = path.steps if path.times is None else path.times
    losses, label = np.asarray(path.losses), "loss"
    if len(losses) and not (losses > 0).all():
        losses, label = losses - losses.min(), "loss above the lowest"
    ax.plot(across, losses, color=BLUE, label=label)
    ax.plot(across, path.gradient_norms, color=GREEN, linewidth=1, label="max |gradient|")
    ax.set_title("Minimisation", loc="left", fontsize="medium")
    ax.set(xlabel="step" if path.times is None else "time", yscale="log")
    return finish(ax)
