"""`orbit` draws the condition number along a one-parameter group of symmetries: θ_t = e^{tX} θ, or its affine kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FLOAT64, Array
from .._words import number_of, those
from ..any_objective import MATRICES, AnyObjective, check_objective
from ..spectra import spectrum
from ..symmetry import Generator, symmetries
from .style import BLUE, GREY, ORANGE, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def orbit(
    obj: AnyObjective,
    theta: ArrayLike,
    generator: Generator | int = 0,
    ax: Axes | None = None,
    *,
    extent: float = 2.0,
    points: int = 41,
    matrix: str = "hessian",
) -> Axes:
    """Draws the condition number along a curve of the orbit, on which the function is the same, and returns the axes.

    Parameters
    ----------
    obj : Objective or PopulationObjective
    theta : array_like, shape (P,)
    generator : Generator or int
        Of the group ``symmetries(net)``: one of its `generators`, or its number among them. The curve moves along
        dθ/dt = X θ + e; for a rectifier, incoming weights are multiplied by e^t and outgoing ones by e^−t.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default into new axes.
    extent : float
        t runs from −extent to extent.
    points : int
        Number of points, each of which takes a spectrum.
    matrix : {"hessian", "gauss_newton"}

    Returns
    -------
    matplotlib.axes.Axes
        With the condition number by the convention ``"quotient"``. Open triangles are lower bounds, where the smallest
        eigenvalue is below the floor.

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong type, shape or range, or if the network has no continuous symmetry.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net, x = ho.MLP([2, 2, 1], "relu"), np.random.default_rng(0).standard_normal((30, 2))
    >>> theta = net.init(np.random.default_rng(1))
    >>> ax = ho.plot.orbit(ho.Objective(net, x, net(theta, x)), theta, points=5)
    >>> ax.get_ylabel()
    'κ (quotient)'
    """
    check_objective(obj)
    at = _checks.parameter_vector(theta, obj.num_parameters)
    name = _checks.one_of(matrix, MATRICES, "matrix")
    number = _checks.integer(points, "points", minimum=2)
    reach = _checks.positive(extent, "extent")
    move = generator_of(obj, generator)
    steps = np.linspace(-reach, reach, number)
    found = [spectrum(obj, point, matrix=name).condition_number() for point in curve(move, at, steps)]
    ax = new_axes() if ax is None else ax
    values, bounds = np.array(found, FLOAT64), np.array([each.is_lower_bound for each in found])
    ax.plot(steps, values, color=BLUE, label="κ")
    if bounds.any():
        ax.plot(steps[bounds], values[bounds], "^", color=BLUE, markerfacecolor="white", label="lower bound")
    ax.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    best = int(np.nanargmin(values)) if np.isfinite(values).any() else 0
    ax.plot(steps[best], values[best], "*", color=ORANGE, markersize=10, label=f"least: {values[best]:.3g}")
    factor = move.factor
    title = f"κ along a {factor.kind}, layer {factor.layer}, {those('neuron', move.neurons)}"
    ax.set_title(title, loc="left", fontsize="medium")
    ax.set(xlabel="t", ylabel="κ (quotient)", yscale="log")
    return finish(ax)


def generator_of(obj: AnyObjective, generator: Generator | int) -> Generator:
    generators = symmetries(obj.net).generators()
    if not generators:
        raise ValueError(
            f"{obj.net!r} has no continuous symmetry, so no curve keeps its function: its orbits are points"
        )
    if isinstance(generator, Generator):
        if generator.matrix.shape[0] != obj.num_parameters:
            count = number_of(generator.matrix.shape[0], "parameter")
            raise ValueError(f"generator must be of {obj.net!r}; got one of {count}")
        return generator
    return generators[_checks.integer(generator, "generator", minimum=0, maximum=len(generators) - 1)]


def curve(move: Generator, theta: Array, steps: Array) -> Array:
    """Returns the solution of dθ/dt = X θ + e at times t: (T, P)."""
    from scipy.sparse import csr_array, hstack, vstack
    from scipy.sparse.linalg import expm_multiply

    # The affine flow is the linear one of (θ, 1).
    size = len(theta)
    top = hstack([move.matrix, csr_array(move.offset.reshape(size, 1))])
    extended = vstack([top, csr_array((1, size + 1))]).tocsr()
    start = np.append(np.asarray(theta, FLOAT64), 1.0)
    return np.stack([expm_multiply(t * extended, start, traceA=t * extended.trace())[:-1] for t in steps])
