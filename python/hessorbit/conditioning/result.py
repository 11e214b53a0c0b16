"""`BestConditioned` is what `best_conditioned` finds: a point, and what the lower bound proves of it."""

from __future__ import annotations

from dataclasses import dataclass

from .. import _html
from .._checks import Array
from ..network import MLP
from ..symmetry.element import GroupElement
from ..symmetry.widening import Widening

CLOSED = 1e-4  # gap up to which a lower bound proves the minimum


@dataclass(frozen=True, eq=False, repr=False)
class BestConditioned:
    """A result holds the best-conditioned point that `best_conditioned` found, and how far from the best it can be.

    Attributes
    ----------
    net : MLP
        The network, widened or not.
    theta : ndarray
        Its parameters, which give the same function.
    value : float
        The criterion there: λ_max/λ_min over the nonzero eigenvalues, the trace of the Hessian, or λ_max.
    lower_bound : float
        No point in `scope` has a smaller value, up to rounding.
    gap : float
        (value − lower_bound)/value.
    certificate : {"minimum", "bound", "none"}
        ``"minimum"``: the gap is at most 1e-4. ``"bound"``: the lower bound is for the question asked, but the gap is
        larger. ``"none"``: the criterion is not convex; the value is a local minimum, and the lower bound is that of
        a larger set of diagonals. Or mixings and shifts of linear neurons are left out, which can lower it. Or
        eigenvalues reach down into rounding, so that nonzero ones may be missing from the condition number.
    message : str
        The same in words, with the reason.
    scope : str
        Which points were searched, in words.
    start : float
        The criterion at the θ that was given.
    criterion : str
        What was minimised.
    rank : int
        Number r of eigenvalues above rounding: the value is `Spectrum.condition_number(rank=r)`.
    scaling : ndarray, shape (P,), or None
        D of the network that was given: the nonzero spectrum is that of D^{1/2} H D^{1/2}. None if neurons of sigmoid
        or normal_cdf are flipped, whose T Tᵀ is not diagonal, or if outgoing vectors of copies are not parallel.
    matrix : {"hessian", "gauss_newton"}
        Whose eigenvalues these are.
    copies : tuple of tuple of int
        Number of copies of each hidden neuron, by layer.
    widening : Widening or None
        What takes the θ given to `theta`, for a search over widenings. Where outgoing vectors of copies are not
        parallel, `theta` has others than ``widening(θ)``, of the same sums:
        ``widening.block_preconditioner(θ, theta)`` is their D.
    element : GroupElement or None
        The same for a search over the network's own orbit.
    uncopied : tuple of str
        Neurons of a minimum with a residual that cannot be copied without making a saddle, and why.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net, x = ho.MLP([1, 2, 1]), np.linspace(-1, 1, 20)[:, None]
    >>> theta = np.array([1.0, -2.0, 0.5, 0.3, 1.5, -1.0, 0.2])
    >>> best = ho.best_conditioned(ho.Objective(net, x, net(theta, x)), theta, widths=[4])
    >>> best.net, best.copies, best.certificate
    (MLP([1, 4, 1], 'tanh'), ((2, 2),), 'minimum')
    >>> bool(best.lower_bound <= best.value < best.start)
    True
    """

    net: MLP
    theta: Array
    value: float
    lower_bound: float
    certificate: str
    message: str
    scope: str
    start: float
    criterion: str
    matrix: str
    rank: int
    scaling: Array | None
    copies: tuple[tuple[int, ...], ...]
    widening: Widening | None = None
    element: GroupElement | None = None
    uncopied: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        return (self.value - self.lower_bound) / self.value

    def __repr__(self) -> str:
        return (
            f"Best {self.criterion.replace('_', ' ')} {self.value:.6g} of {self.net!r}, {self.start:.6g} at the start\n"
            f"  lower bound {self.lower_bound:.6g}, gap {self.gap:.1e}: {self.message}\n"
            f"  over {self.scope}"
        )

    def _repr_html_(self) -> str:
        return _html.facts(
            f"Best {self.criterion.replace('_', ' ')} of {self.net!r}",
            {
                "at the start": self.start,
                "at best": self.value,
                "lower bound": f"{self.lower_bound:.6g}, gap {self.gap:.1e}",
                "certificate": f"{self.certificate}: {self.message}",
                "over": self.scope,
                "copies": self.copies if self.widening is not None else None,
            },
        )
