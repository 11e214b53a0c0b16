"""A `Question` is what `best_conditioned` is asked: the point, the criterion, and what may be moved or copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import Array
from ..any_objective import AnyObjective, check_objective, overflow
from ..endings import CriticalPoint
from ..network import MLP
from ..restricted import RestrictedObjective
from ..symmetry.copies import checked_copies
from ..symmetry.group import SymmetryGroup, symmetries
from ..symmetry.rules import hidden_layers
from .balance import Move, balanced_weights, element_for
from .conic import LARGEST_RANK
from .curvature import GAUSS_NEWTON, HESSIAN, MATRICES, Curvature, Place, curvature, is_gauss_newton
from .diagonals import Architecture
from .realisation import resting_bias
from .smoothed_spectrum import Extremes, SpectralFunction, Trace

CRITERIA = ("condition_number", "trace", "max")


@dataclass(frozen=True)
class Question:
    """A question is what was asked, checked; and what is known of the point already."""

    obj: AnyObjective
    theta: Array
    orbit: bool
    criterion: str
    matrix: str
    widths: tuple[int, ...]
    copies: list[list[int]] | None  # numbers of copies, if given
    nodes: int
    patient: bool  # whether so many are wanted, even where they would close little of the gap
    point: CriticalPoint | None = None

    @property
    def counted(self) -> bool:
        return self.copies is not None

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.obj.net, self.widths)

    def curvature(self, move: Move) -> Curvature:
        """Returns the criterion as a function of log D from where a move takes θ."""
        return curvature(self.moved(move), self.architecture, self.criterion, GAUSS_NEWTON if self.fits else HESSIAN)

    def diagonal(self, move: Move) -> Array:
        """Returns the diagonal of the matrix where a move takes θ, (P,)."""
        if not self.fits:
            return diagonal_of(self.curvature(move).function)[: len(self.theta)]
        rows = self.obj.gauss_newton_factor(self.moved(move).theta)
        return np.asarray(np.einsum("np,np->p", rows, rows))

    def moved(self, move: Move) -> Place:
        """Returns the point to which a move takes θ, which is θ itself where nothing moves."""
        theta = element_for(symmetries(self.obj.net), move)(self.theta)
        return self.here if np.array_equal(theta, self.theta) else Place(self.obj, theta)

    @cached_property
    def here(self) -> Place:
        return Place(self.obj, self.theta)

    @cached_property
    def fits(self) -> bool:
        """Tells whether the matrix transforms as the Gauss–Newton matrix does.

        The Hessian does where the residual is zero, which the rounding of another representative may hide: the one
        that is given and the balanced one are asked.
        """
        if self.matrix == GAUSS_NEWTON or is_gauss_newton(self.here, self.criterion):
            return True
        balanced = self.moved(balanced_weights(self.obj.net, self.theta))
        return balanced is not self.here and is_gauss_newton(balanced, self.criterion)


def question_of(
    obj: AnyObjective,
    theta: ArrayLike,
    over: SymmetryGroup | None = None,
    widths: Sequence[int] | None = None,
    copies: Sequence[Sequence[int]] | None = None,
    *,
    matrix: str = HESSIAN,
    criterion: str = CRITERIA[0],
    max_nodes: int | None = None,
    point: CriticalPoint | None = None,
) -> Question:
    """Returns the question that arguments of `best_conditioned` are; `point` says what θ is, if that is known."""
    at = checked_point(obj, theta)
    name = _checks.one_of(criterion, CRITERIA, "criterion")
    if (over is None) == (widths is None and copies is None):
        raise TypeError("best_conditioned takes either over=symmetries(net), or widths, copies or both")
    net = obj.net
    if over is not None:
        check_group(over, net)
        sizes, numbers = net.widths[1:-1], None
    else:
        sizes, numbers = checked_widening(net, widths, copies)
    nodes = default_nodes(net)
    if max_nodes is not None:
        nodes = _checks.integer(max_nodes, "max_nodes", minimum=1)
    return Question(
        obj=obj,
        theta=at,
        orbit=over is not None,
        criterion=name,
        matrix=_checks.one_of(matrix, MATRICES, "matrix"),
        widths=sizes,
        copies=numbers,
        nodes=nodes,
        patient=max_nodes is not None,
        point=point,
    )


def diagonal_of(function: SpectralFunction) -> Array:
    """Returns H_pp, (P + Q,)."""
    if isinstance(function, Trace):
        return function.diagonal
    assert isinstance(function, Extremes)
    return np.asarray(np.einsum("rp,rp->p", function.factor, function.factor))


def checked_point(obj: AnyObjective, theta: ArrayLike) -> Array:
    check_objective(obj)
    if isinstance(obj, RestrictedObjective):
        raise TypeError(
            "obj must have all parameters free, as symmetries move all of them; got a RestrictedObjective: give its "
            "attribute `objective`, and `full(theta)`"
        )
    if obj.l2:
        raise ValueError(f"obj must not have weight decay, which symmetries change; got l2={obj.l2!r}")
    at = _checks.parameter_vector(theta, obj.net.num_parameters)
    if _checks.is_extended(at):
        raise TypeError("theta must be float64, the precision in which scalings are sought; got longdouble")
    if not (np.isfinite(obj.loss(at)) and np.isfinite(obj.hessian_diagonal(at)).all()):
        raise overflow(at, "matrix", "hessian")
    return at


def check_group(over: Any, net: MLP) -> None:
    _checks.instance(over, SymmetryGroup, "over", "symmetries(net)")
    if over.net != net:
        raise ValueError(f"over must be the symmetries of obj's network {net!r}; got those of {over.net!r}")


def checked_widening(
    net: MLP, widths: Sequence[int] | None, copies: Sequence[Sequence[int]] | None
) -> tuple[tuple[int, ...], list[list[int]] | None]:
    """Returns the hidden widths to widen to, and the numbers of copies, if given."""
    hidden = net.widths[1:-1]
    numbers = None if copies is None else checked_copies(net, copies)
    if widths is None:
        assert numbers is not None
        return tuple(map(sum, numbers)), numbers
    entries = _checks.entries(widths, "widths", len(hidden), "one per hidden layer")
    least = hidden if numbers is None else list(map(sum, numbers))
    sizes = [_checks.integer(entry, f"widths[{index}]", minimum=1) for index, entry in enumerate(entries)]
    for index, (hidden_layer, size, low) in enumerate(zip(hidden_layers(net), sizes, least, strict=True)):
        if size < low:
            what = "as many neurons as the layer has" if numbers is None else f"the sum of copies[{index}]"
            raise ValueError(f"widths[{index}] must be at least {low}, {what}; got {size}")
        if numbers is not None and size > low and resting_bias(hidden_layer) is None:
            raise ValueError(
                f"copies[{index}] must sum to widths[{index}] = {size}, as an unused {hidden_layer.names[-1]} neuron "
                f"would not be zero without a bias; it sums to {low}"
            )
    return tuple(sizes), numbers


def default_nodes(net: MLP) -> int:
    """Returns how many minima are sought in about half a minute, and at most 100.

    With homogeneous neurons of one hidden layer and small matrices, each takes a semidefinite program, whose time grows
    with the fifth power of the rank; small ones, that have digits to lose, take many steps.
    """
    layers = hidden_layers(net)
    rank = net.num_parameters - net.widths[1]  # rescalings move along as many zero modes
    if rank <= LARGEST_RANK and len(layers) == 1 and any(rule.degree for rule in layers[0].rules):
        return int(np.clip(30 / max(8e-4 * rank**2, 1.2e-9 * rank**5), 2, 100))
    return int(np.clip(2e6 / net.num_parameters**2, 4, 100))
