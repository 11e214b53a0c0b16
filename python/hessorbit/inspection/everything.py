"""`inspect` asks everything that this package can tell of a network at one θ."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._blas import calm_blas
from .._checks import Array
from .._own_points import own_points
from ..any_objective import MATRICES, AnyObjective, WholeObjective
from ..condition_number import ConditionNumber
from ..conditioning import BestConditioned
from ..conditioning.best import answer_to
from ..conditioning.question import question_of
from ..critical import CriticalPoint, classify
from ..critical import certify as proof
from ..equivalence import canonical
from ..plot import Slice, slice_of
from ..population.objective import warn_of_errors
from ..spectra import Spectrum, spectrum
from ..symmetry import symmetries, zero_modes
from .blocks import blocks_of
from .directions import leading, negative
from .neurons import notes_of
from .result import Inspection

MOST_PARAMETERS = 4000  # whose Hessian's eigenvectors are found
MOST_FOR_BEST = 150  # parameters of a network whose best-conditioned points are searched for
MOST_NODES = 4  # of each search: too few for outgoing vectors that are not parallel, which take minutes
THRESHOLD = 1e-6  # of the condition number by threshold


def inspect(obj: AnyObjective, theta: ArrayLike, *, certify: bool = False) -> Inspection:
    """Returns what there is to say about a network at θ: its loss, its Hessian, its symmetries and its neurons.

    Parameters
    ----------
    obj : Objective or PopulationObjective
    theta : array_like, shape (P,)
    certify : bool
        Whether to prove the point in ball arithmetic too (`hessorbit.certify`, with the extra
        ``hessorbit[certify]``), which takes seconds to minutes.

    Returns
    -------
    Inspection

    Raises
    ------
    TypeError, ValueError
        If obj is no objective of a whole network, theta is not one finite parameter vector of it in float64, or there
        are more than 4000 parameters.

    Notes
    -----
    Takes about ten Hessians, their eigenvectors, and the search for best-conditioned points up to 150 parameters. What
    cannot be computed, such as a best-conditioned point with weight decay, has its reason in its place.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> obj = ho.Objective(ho.MLP([1, 2, 1], bias=False), x, np.tanh(2 * x))
    >>> found = ho.inspect(obj, [2.0, 1.0, 1.0, 0.0])
    >>> found.point.kind, found.point.causes
    ('degenerate', ('layer 1, neuron 1: dead, incoming parameters',))
    >>> found.canonical
    CanonicalForm(MLP([1, 1, 1], 'tanh', bias=False), theta=[2. 1.])
    """
    started = time.perf_counter()
    if not isinstance(obj, WholeObjective):
        got = _checks.with_article(type(obj))
        raise TypeError(f"obj must be an Objective or a PopulationObjective, of all parameters; got {got}")
    count = obj.num_parameters
    at = _checks.parameter_vector(theta, count)
    if _checks.is_extended(at):
        raise TypeError("theta must be float64; got longdouble: round it, or ask for spectrum and classify themselves")
    if count > MOST_PARAMETERS:
        raise ValueError(
            f"inspect finds all eigenvectors of the Hessian, for up to {MOST_PARAMETERS} parameters; the network has "
            f"{count}: inspect some of them, as by obj.hessian(theta, parameters=...)"
        )
    warn_of_errors(obj, at)
    with calm_blas(count), own_points():
        hessian = spectrum(obj, at, vectors=True, method="dense")
        gauss_newton = spectrum(obj, at, matrix="gauss_newton")
        loss, point = float(obj.loss(at)), classify(obj, at)
        decay = 0.5 * obj.l2 * float(at @ at) if obj.l2 else 0.0
        return Inspection(
            objective=repr(obj),
            net=obj.net,
            theta=at.copy(),
            gradient=obj.gradient(at),
            loss=loss,
            parts={"data": loss - decay, "weight decay": decay},
            point=point,
            certificate=proof(obj, at) if certify else None,
            hessian=hessian,
            gauss_newton=gauss_newton,
            condition_numbers=tuple(condition_numbers(hessian, gauss_newton)),
            zero_modes=zero_modes(obj, at),
            symmetries=symmetries(obj.net),
            blocks=tuple(blocks_of(obj.net, obj.hessian(at))),
            leading=leading(obj.net, hessian),
            negative=negative(obj.net, hessian),
            best=dict(best_points(obj, at, point)),
            canonical=canonical(obj.net, at, reduce=True),
            neurons=notes_of(obj, at),
            slices=tuple(slices(obj, at, hessian)),
            seconds=time.perf_counter() - started,
        )


def condition_numbers(*spectra: Spectrum) -> Iterator[tuple[str, ConditionNumber]]:
    """Yields the condition number of each matrix by each convention, quotients last within a matrix."""
    for found in spectra:
        if found.rank:
            yield found.matrix, found.condition_number(rank=found.rank)
        yield found.matrix, found.condition_number(threshold=THRESHOLD)
        yield found.matrix, found.condition_number("raw")
        yield found.matrix, found.condition_number("quotient")


def best_points(obj: AnyObjective, theta: Array, point: CriticalPoint) -> Iterator[tuple[str, BestConditioned | str]]:
    """Yields the best points of the orbit, and of widenings to twice the width; or why there is none."""
    net = obj.net
    hidden = net.widths[1:-1]
    if not hidden:
        yield "all networks of the same function", "without hidden neurons there is one such network, this one"
        return
    searches: dict[str, dict[str, Any]] = {
        "the network's own orbit": {"over": symmetries(net)},
        "all widenings to twice the width": {"widths": [2 * width for width in hidden]},
    }
    for where, search in searches.items():
        for matrix in reversed(MATRICES):
            yield f"{where}, {matrix}", best_point(obj, theta, point, {"matrix": matrix, **search})


def best_point(obj: AnyObjective, theta: Array, point: CriticalPoint, search: dict[str, Any]) -> BestConditioned | str:
    if obj.num_parameters > MOST_FOR_BEST:
        return f"not searched for, as there are more than {MOST_FOR_BEST} parameters: call best_conditioned"
    try:
        with np.errstate(all="ignore"):  # of weights near the ends of the range
            return answer_to(question_of(obj, theta, max_nodes=MOST_NODES, point=point, **search))
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return str(error)


def slices(obj: AnyObjective, theta: Array, hessian: Spectrum) -> Iterator[Slice]:
    """Yields lines along the eigenvectors of the largest and of the smallest eigenvalue, and the plane of both."""
    vectors = hessian.vectors
    assert vectors is not None
    named = [(vectors[:, -1], "eigenvector of the largest eigenvalue")]
    if len(theta) > 1:
        named.append((vectors[:, 0], "eigenvector of the smallest eigenvalue"))
    for vector, name in named:
        yield renamed(slice_of(obj, theta, directions=vector), name)
    if len(theta) > 2:
        plane = slice_of(obj, theta, directions=vectors[:, [-1, 0]])
        yield renamed(plane, *(name for _, name in named))


def renamed(found: Slice, *names: str) -> Slice:
    from dataclasses import replace

    return replace(found, names=names)
