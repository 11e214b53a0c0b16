"""The inertia of a widened network's Hessian, from the narrow network alone.

Let neuron i of a layer become m copies with shares α'_k = α_k N(c_k), Σ α'_k = 1. In the coordinates δw̃_k/c_k and
N_k δv_k of the copies, with u = Σ α'_k δw̃_k/c_k, s = Σ N_k δv_k and what is left, e_k and f_k with Σ α'_k e_k = 0 and
Σ f_k = 0,

    δᵀ H_wide δ = (Tδ)ᵀ H (Tδ) + Σ_i Σ_k [ α'_k e_kᵀ B_i e_k + 2 f_kᵀ C_i e_k ]

at any θ (B, C: neuron_forms.py), so the inertia of H_wide is that of H and of one form for every split neuron. By the
pairing of the e with the f, each of the R = rank C_i directions gives m − 1 pairs of eigenvalues ±. What is left of the
e has the form diag(α') ⊗ B_i on ker C_i; with n₊ positive and n₋ negative shares, diag(α') has inertia (n₋, n₊ − 1) on
Σ α'_k e_k = 0, where the vector of ones, on which it is 1, is missing. So with inertia (b₋, b₊) of B_i on ker C_i

    negative   R (m − 1) + n₋ b₊ + (n₊ − 1) b₋         positive   R (m − 1) + n₋ b₋ + (n₊ − 1) b₊

A dead neuron, whose weights are all zero, adds the form 2 fᵀ C e, C = σ'(0) E: rank C pairs ±. Layers are widened one
after the other from below; the features of a wide layer span those of the narrow one, so B_i and C_i keep rank and
inertia. (K. Fukumizu and S. Amari, Neural Networks 13, 2000, for two copies and one output.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core, activations
from .._blas import calm_blas
from .._checks import FLOAT64, Array
from .._norms import norm
from ..any_objective import AnyObjective, overflow
from ..decomposition import Dense, Extended
from ..matrix_errors import QuadratureErrors, RoundingErrors, errors_of
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective
from .copies import Copies
from .neuron_forms import LayerForms, neuron_forms
from .null_modes import null_modes
from .related_neurons import layer_parameters

CRITICAL = 1e-6  # relative to ‖H‖ max(1, ‖θ‖), the gradient of a critical point
MOST_EXTENDED = 400  # parameters up to which eigenvalues are found in longdouble
EPS = float(np.finfo(FLOAT64).eps)


class Widened(Protocol):
    """These parts of a `Widening` are needed here."""

    source: MLP
    net: MLP
    layers: tuple[Copies, ...]


class Inertia(tuple[int, int, int]):
    """An inertia is a triple (negative, zero, positive) of numbers of eigenvalues; it says how many zeros are open.

    Attributes
    ----------
    negative, zero, positive : int
    undecided : int
        How many of the eigenvalues that are counted as zero are only too small to have a sign, without a symmetry or
        an identity that makes them zero.

    Examples
    --------
    >>> import hessorbit as ho
    >>> net, x = ho.MLP([1, 1, 1], bias=False), [[-1.0], [0.5], [2.0]]
    >>> obj = ho.Objective(net, x, net([0.5, 1.0], x))
    >>> inertia = ho.Widening(net, copies=[[2]]).inertia(obj, [0.5, 1.0])
    >>> inertia, inertia.positive
    ((0, 2, 2), 2)
    """

    undecided: int

    def __new__(cls, negative: int, zero: int, positive: int, undecided: int = 0) -> Inertia:
        triple = super().__new__(cls, (negative, zero, positive))
        triple.undecided = undecided
        return triple

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Inertia, undecided=self.undecided), tuple(self)

    @property
    def negative(self) -> int:
        return self[0]

    @property
    def zero(self) -> int:
        return self[1]

    @property
    def positive(self) -> int:
        return self[2]

    def __repr__(self) -> str:
        note = f", {self.undecided} of the zeros undecided" if self.undecided else ""
        return f"{tuple(self)!r}{note}"


@dataclass(frozen=True)
class Signs:
    """How many of some eigenvalues are negative, positive, and too small to have a sign."""

    negative: int = 0
    positive: int = 0
    small: int = 0

    def __add__(self, other: Signs) -> Signs:
        sums = self.negative + other.negative, self.positive + other.positive, self.small + other.small
        return Signs(*sums)


@dataclass(frozen=True)
class Form:
    """B and C of a neuron, float64, and bounds on the norms of their errors."""

    curvature: Array
    coupling: Array
    curvature_error: float
    coupling_error: float


def predicted_inertia(widening: Widened, obj: AnyObjective, theta: ArrayLike) -> Inertia:
    """Returns what `Widening.inertia` describes."""
    net = widening.source
    check(net, obj)
    at = _checks.parameter_vector(theta, net.num_parameters)
    with calm_blas(len(at)):
        return inertia_at(widening, obj, at)


def inertia_at(widening: Widened, obj: AnyObjective, at: Array) -> Inertia:
    net, errors = widening.source, errors_of(obj, at)
    total, ahead = signs_of_hessian(obj, at, errors)
    here = finite_forms(obj, at)
    there = here if ahead is None else finite_forms(obj, ahead)
    structural = errors.zero_residual  # then B and C are zero
    for parameters, copies, *pair in zip(layer_parameters(net, at), widening.layers, here, there, strict=True):
        added = dead(parameters.layer.names[-1], int((copies.source < 0).sum()), *pair)
        for neuron in range(parameters.layer.width):
            own = copies.source == neuron
            outgoing = None if ahead is None else parameters.outgoing[:, neuron].astype(FLOAT64)
            forms = [form_of(forms, neuron, outgoing) for forms in pair]
            added += split((copies.outgoing * copies.gain)[own], *forms)
        total += replace(added, small=0) if structural else added
    zero = widening.net.num_parameters - total.negative - total.positive
    return Inertia(total.negative, zero, total.positive, total.small)


def finite_forms(obj: AnyObjective, theta: Array) -> list[LayerForms]:
    """The forms of every hidden layer, or ValueError where B, C or E are not finite."""
    forms = neuron_forms(obj, theta)
    for layer in forms:
        if not all(np.isfinite(part).all() for part in (layer.curvature, layer.coupling, layer.signal)):
            raise overflow(theta, "Hessian of the wide network", "part of it that copies add")
    return forms


def check(net: MLP, obj: AnyObjective) -> None:
    if not isinstance(obj, Objective | PopulationObjective):
        got = _checks.with_article(type(obj))
        raise TypeError(f"obj must be an Objective or a PopulationObjective; got {got}")
    if obj.net != net:
        raise ValueError(f"obj must be of the network that is widened, {net!r}; got one of {obj.net!r}")
    if obj.l2:
        raise ValueError(f"obj must not have weight decay, which copies change; got l2={obj.l2!r}")


def signs_of_hessian(
    obj: AnyObjective, theta: Array, errors: RoundingErrors | QuadratureErrors
) -> tuple[Signs, Array | None]:
    """Returns the signs of the eigenvalues across the null modes, and where a Newton step leads if θ is critical.

    What the eigenvalues change by along the step counts as an error of them.
    """
    hessian, gradient = decomposed(obj.hessian(theta), theta), obj.gradient(theta)
    modes = null_modes(obj, theta, hessian, errors)
    across = modes.complement
    if not across.shape[1]:
        return Signs(), theta
    values, vectors = hessian.restrict(across).eigenvectors()
    error = errors.of("hessian", hessian.matrix) + (hessian.restriction_error(values) if len(modes.causes) else 0.0)
    floor = hessian.floor(values, error)
    size = float(np.abs(values).max())
    if not (np.isfinite(gradient).all() and norm(gradient) <= CRITICAL * size * max(1.0, float(norm(theta)))):
        return signs(values, np.full(len(values), floor)), None
    slopes = vectors.T @ (across.T @ gradient)
    step = across @ (vectors @ np.where(np.abs(values) > floor, -slopes / np.where(values == 0, 1, values), 0))
    ahead = (theta + step).astype(theta.dtype)
    changes = np.abs(decomposed(obj.hessian(ahead), ahead).restrict(across).eigenvalues() - values)
    return signs(values, floor + 2 * changes), ahead


def decomposed(matrix: Array, theta: Array) -> Dense:
    """The Hessian at θ, in longdouble if it came so and Jacobi's rotations are affordable."""
    if not _core.all_finite(matrix):
        raise overflow(theta, "matrix", "hessian")
    if _checks.is_extended(matrix) and len(matrix) <= MOST_EXTENDED:
        return Extended(matrix)
    return Dense(matrix.astype(FLOAT64, copy=False))


def signs(values: Array, floors: Array) -> Signs:
    """Exact zeros, known without an error, are not counted."""
    negative, positive = int((values < -floors).sum()), int((values > floors).sum())
    exact = int(((values == 0) & (floors == 0)).sum())
    return Signs(negative, positive, len(values) - negative - positive - exact)


def form_of(forms: LayerForms, neuron: int, outgoing: Array | None) -> Form:
    """B and C of a neuron; of C what is orthogonal to its outgoing weights at a critical point, where vᵀ C = 0."""
    coupling = forms.coupling[neuron].astype(FLOAT64)
    if outgoing is not None and outgoing.any():
        coupling = np.linalg.qr(outgoing[:, None], mode="complete")[0][:, 1:].T @ coupling
    return Form(
        forms.curvature[neuron].astype(FLOAT64),
        coupling,
        float(forms.curvature_error[neuron]),
        float(forms.coupling_error[neuron]),
    )


def split(shares: Array, here: Form, there: Form) -> Signs:
    """Signs of what a neuron's copies add, from its forms at θ and near the critical point."""
    others = len(shares) - 1
    if not others:
        return Signs()
    pairs, kernel = coupled(here.coupling, there.coupling, here.coupling_error)
    curvature, ahead = (kernel.T @ form.curvature @ kernel for form in (here, there))
    rest = signs_between(curvature, ahead, here.curvature_error)
    up, down = int((shares > 0).sum()) - 1, int((shares < 0).sum())
    return Signs(
        others * pairs.positive + down * rest.positive + up * rest.negative,
        others * pairs.positive + down * rest.negative + up * rest.positive,
        others * pairs.small + (up + down) * rest.small,
    )


def dead(activation: str, count: int, here: LayerForms, there: LayerForms) -> Signs:
    """Signs of what dead neurons add: pairs for the rank of σ'(0) E."""
    slope = float(activations.derivatives(activation, 0.0)[1])
    if not (count and slope):
        return Signs()
    pairs, _ = coupled(here.signal.astype(FLOAT64), there.signal.astype(FLOAT64), here.signal_error)
    return Signs(count * pairs.positive, count * pairs.positive, 2 * count * pairs.small)


def coupled(here: Array, there: Array, error: float) -> tuple[Signs, Array]:
    """Returns which singular values of C (d', p) are positive, and orthonormal columns of its kernel."""
    _, values, right = np.linalg.svd(here)
    changes = np.abs(np.linalg.svd(there, compute_uv=False) - values)
    found = signs(values, error + EPS * max(here.shape) * values.max(initial=0.0) + 2 * changes)
    return found, right[found.positive :].T


def signs_between(here: Array, there: Array, error: float) -> Signs:
    """The signs of the eigenvalues of a symmetric matrix known to an error, and to its change on the way."""
    values, ahead = np.linalg.eigvalsh(here), np.linalg.eigvalsh(there)
    floor = error + EPS * len(here) * np.abs(values).max(initial=0.0)
    return signs(values, floor + 2 * np.abs(ahead - values))
