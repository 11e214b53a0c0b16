"""`spectrum` draws eigenvalues by magnitude, with their signs, the zero modes among them, and the floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import _checks
from .._checks import FLOAT64
from ..spectra import Spectrum
from .style import BLUE, GREEN, GREY, ORANGE, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def spectrum(sp: Spectrum, ax: Axes | None = None) -> Axes:
    """Draws the magnitudes of eigenvalues in descending order, with their signs, and returns the axes.

    Parameters
    ----------
    sp : Spectrum
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default into new axes.

    Returns
    -------
    matplotlib.axes.Axes
        With a logarithmic scale: positive eigenvalues, negative ones, and those below the floor, which have no sign.
        Where predicted zero modes are null, as many of the smallest magnitudes are marked as theirs. Eigenvalues that
        are exactly 0 have no place; the legend counts them.

    Raises
    ------
    TypeError
        If sp is not a Spectrum.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([2, 2, 1]), [[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]], [0.0, 1.0, 1.0])
    >>> ax = ho.plot.spectrum(ho.spectrum(obj, [1.0, 2.0, 0.0, 1.0, 1.0, -1.0, 2.0, 1.0, 1.0]))
    >>> ax.get_ylabel()
    '|λ|'
    """
    _checks.instance(sp, Spectrum, "sp", "hessorbit.spectrum gives")
    ax = new_axes() if ax is None else ax
    values = np.asarray(sp.eigenvalues, FLOAT64)
    order = np.argsort(-np.abs(values), kind="stable")
    ranked, ranks = values[order], np.arange(1, len(values) + 1)
    modes = len(sp.zero_modes) if sp.zero_modes.are_null(sp.floor) else 0
    is_mode = ranks > len(values) - modes
    signed = ~is_mode & (np.abs(ranked) > sp.floor)
    groups = (
        ("positive", BLUE, "o", signed & (ranked > 0)),
        ("negative", ORANGE, "v", signed & (ranked < 0)),
        ("unresolved", GREY, ".", ~is_mode & ~signed & (ranked != 0)),
        ("predicted zero modes", GREEN, "x", is_mode & (ranked != 0)),
    )
    for label, colour, marker, mine in groups:
        if mine.any():
            text = f"{mine.sum()} {label}"
            ax.plot(ranks[mine], np.abs(ranked[mine]), marker, color=colour, markersize=4, linestyle="none", label=text)
    zeros = int((ranked == 0).sum())
    if zeros:
        ax.plot([], [], linestyle="none", label=f"{zeros} exactly 0")
    if 0 < sp.floor < np.inf:
        ax.axhline(sp.floor, color=GREY, linewidth=1, linestyle=":", label=f"floor {sp.floor:.1e}")
    name = {"gauss_newton": "Gauss–Newton matrix", "hessian": "Hessian"}.get(sp.matrix, "matrix")
    ax.set_title(f"Spectrum of the {name}", loc="left", fontsize="medium")
    ax.set(xlabel="rank of the eigenvalue", ylabel="|λ|", yscale="log")
    return finish(ax)
