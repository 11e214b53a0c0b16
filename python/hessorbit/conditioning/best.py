"""`best_conditioned` minimises a criterion over a network's own moves, or over all its widenings.

A move that multiplies every parameter's derivative by √D_p turns the Hessian into D^{1/2} H D^{1/2}, exactly for the
moves of a network's own orbit at any θ, and as far as the nonzero spectrum goes for a widening where H is the
Gauss–Newton matrix. What is minimised is therefore a function of the diagonal D over the set that the moves reach
(diagonal_search.py): regions.py has the set, smoothed_spectrum.py and central_path.py the minimum, lower_bounds.py and
conic.py the lower bound, branching.py whole numbers of copies and signs, balance.py the point of the orbit that factors
are counted from. Widenings of a minimum with a residual (copied_minima.py), and copies whose outgoing vectors are not
parallel (outgoing_search.py), are no such diagonals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .._blas import SMALL, calm_blas
from .._own_points import own_points
from ..any_objective import AnyObjective
from ..population.objective import warn_of_errors
from ..symmetry.group import SymmetryGroup
from .choices import Choices, copy_choices, orbit_choices
from .copied_minima import with_residual
from .diagonal_search import report, solve
from .outgoing_search import with_outgoing_vectors
from .question import Question, question_of
from .result import BestConditioned

LARGE = 1000  # parameters from which on a second thread shortens LAPACK's factorisations, which are most of the work


def best_conditioned(
    obj: AnyObjective,
    theta: ArrayLike,
    *,
    over: SymmetryGroup | None = None,
    widths: Sequence[int] | None = None,
    copies: Sequence[Sequence[int]] | None = None,
    matrix: str = "hessian",
    criterion: str = "condition_number",
    max_nodes: int | None = None,
) -> BestConditioned:
    """Returns the point of an orbit, or among all widenings, where the Hessian is best conditioned.

    Parameters
    ----------
    obj : Objective or PopulationObjective
        Without weight decay, which no symmetry leaves the same.
    theta : array_like, shape (P,)
    over : SymmetryGroup
        ``symmetries(net)``, to search the network's own orbit: rescalings of homogeneous neurons, shifts of exponential
        ones, and sign flips of those whose flips change the spectrum (sigmoid, normal_cdf). Of linear neurons only the
        rescalings are searched, not all invertible mixings; `scope` says so.
    widths : sequence of int
        Instead: the hidden widths to widen to, one per hidden layer, to search all widenings: how many copies of each
        neuron, how their outgoing weights are split, how homogeneous copies are scaled, exponential ones shifted, and
        which copies of sigmoid and normal_cdf neurons are flipped. With the Hessian this needs a
        minimum, and where its residual is not zero the search is over the copies that keep a minimum.
    copies : sequence of sequence of int
        Instead of or beside `widths`: given numbers of copies, one per hidden neuron by layer. What they leave of
        `widths` is filled with dead neurons.
    matrix : {"hessian", "gauss_newton"}
        Of the Gauss–Newton matrix H_wide = Tᵀ H T holds at any θ, for any loss and data.
    criterion : {"condition_number", "trace", "max"}
        What is minimised: λ_max/λ_min over the nonzero eigenvalues, the trace, or λ_max.
    max_nodes : int, optional
        How many nodes branch and bound may minimise, where one is not enough. By default 100, and fewer beyond P = 140.
        With fewer than 5, copies whose outgoing vectors are not parallel are not searched, which takes longest; by
        default that search is left out too where half a minute is not enough for one of its programs.

    Returns
    -------
    BestConditioned

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong type, shape or range; if widenings of the Hessian are asked for at a point that is
        neither of zero residual nor a minimum, or where every one is a saddle [1]_; and if the Hessian is not positive
        semidefinite, or is zero, or overflows.
    ArithmeticError
        If the search leaves the range of float64.

    Notes
    -----
    With u = log D, λ_max and the trace are convex functions of u, and so is log κ if H is nonsingular; the moves allow
    a convex set of u. If H is singular and there is one hidden layer, κ is quasiconvex in D, and the D that the moves
    allow are a convex set once every homogeneous neuron has at least two copies. These cases are solved along the
    central path, and what is left, whole numbers of copies, their signs, and homogeneous neurons without copies, by
    branch and bound. With one hidden layer lower bounds come from a semidefinite program where Clarabel is installed
    (``pip install "hessorbit[conic]"``), and are coarser without it. There is no certificate for the condition number
    of a deeper network with a singular H, such as one of rectifiers.

    At a residual H_wide has a form beside D for every neuron that is copied. A minimum stays one if that form has
    B ⪰ 0 and no share is negative, B ⪯ 0 and one share alone is positive, or B = 0, and C = 0, as where the next layer
    has one neuron; `uncopied` names the neurons that fail. Where B = 0, as of rectifiers with one output, D says all.
    Else numbers of copies are tried one by one, with equal shares, those of the best D, and others nearby; the value
    is that of the wide Hessian over its eigenvalues that are not zero. The lower bound is the least λ_max over the
    smaller of λ_min, both of D^{1/2} H D^{1/2}, and what deviations of copies have at most, λ⁺(B)(1 − D_in)/(m − 1):
    jointly over D with one hidden layer and Clarabel. Only equal shares have so much, so that a gap may be left.
    Homogeneous, exponential or flipped neurons beside others are then not copied
    unless their B is 0.

    For K > 1 outputs copies may have outgoing vectors u_k that are not parallel, with the same sum: a neuron's D_in is
    the matrix Σ u_k u_kᵀ then, at least that of parallel ones, which are therefore best for the trace and λ_max. The
    rank grows, and κ is taken over all eigenvalues that are not zero, the new ones included: descent has to contract
    these modes too, whereas over as many eigenvalues as before κ would fall by counting, as large new ones take the
    places of small old ones. With one hidden layer of activations that are neither homogeneous nor exponential, nor
    flipped, these copies are searched as well, where Clarabel is installed: by branch and bound over spans of the u_k
    for two outputs, and for more with a lower bound on those that are not parallel, which `scope` tells if none better
    was found. Elsewhere they are left out, as is what unused neurons with a constant activation could do for the next
    layer's biases, whose derivatives they multiply, and unused neurons that keep their incoming weights, which raise
    the rank. Factors are counted from
    the balanced point of the orbit, so the answer does not depend on which representative is given, and stay between
    1e-8 and 1e8; where the best point is near that limit, the search is repeated around it. What copies' outgoing
    weights cancel stays below 1e4 too: at least twelve digits of the function remain.

    Away from critical points the Hessian has curvature along its orbit, H A θ = −Aᵀ ∇L for a generator A. These
    directions are left out of the spectrum at every θ, and `message` tells the size of the gradient.

    A node takes 20 to 60 steps of Newton's method. Each finds the eigenvalues of an r × r matrix, r ≤ P, about twice,
    and its eigenvectors once; the last ones, and those where κ is above 1e10 or so, take singular value decompositions
    of an r × P matrix, which are twice as much. Without `max_nodes`, branch and bound ends where the nodes left would
    close little of the gap.

    References
    ----------
    .. [1] Fukumizu and Amari, "Local minima and plateaus in hierarchical structures of multilayer perceptrons", Neural
       Networks 13 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> rng = np.random.default_rng(0)
    >>> net = ho.MLP([2, 2, 1])
    >>> theta, x = net.init(rng, "normal(1)"), rng.normal(size=(50, 2))
    >>> obj = ho.Objective(net, x, net(theta, x))
    >>> best = ho.best_conditioned(obj, theta, widths=[6])
    >>> best.value < best.start, best.gap < 1e-4
    (True, True)
    >>> wide = ho.Objective(best.net, x, obj.y)
    >>> kappa = ho.spectrum(wide, best.theta, matrix="gauss_newton", method="jacobian").condition_number(rank=best.rank)
    >>> bool(abs(kappa / best.value - 1) < 1e-9)
    True
    """
    return answer_to(
        question_of(obj, theta, over, widths, copies, matrix=matrix, criterion=criterion, max_nodes=max_nodes)
    )


def answer_to(question: Question) -> BestConditioned:
    """Returns the best point that is found."""
    net, at = question.obj.net, question.theta
    warn_of_errors(question.obj, at)
    threads = calm_blas(net.num_parameters if net.num_parameters > LARGE else SMALL)
    with threads, np.errstate(all="ignore"), own_points():
        choices = orbit_choices(net) if question.orbit else copy_choices(net, question.widths, question.copies)
        try:
            return answered(question, choices)
        except np.linalg.LinAlgError as error:
            raise ArithmeticError(
                f"the search leaves the range of float64 ({error}), with parameters up to {np.abs(at).max():.3g}: "
                f"rescale the network, as by canonical(net, theta), or inputs and targets"
            ) from error


def answered(question: Question, choices: Choices) -> BestConditioned:
    if not (question.orbit or question.fits):
        return with_residual(question, choices)
    answer = solve(question, choices)
    best = report(question, answer)
    return best if answer.curvature.doubtful else with_outgoing_vectors(question, choices, best)
