"""The best condition number of copies whose outgoing vectors point anywhere, for several outputs.

Copies k of neuron i with outgoing vectors u_k of K outputs, Σ_k u_k = v_i, make the Gauss–Newton matrix one with the
nonzero eigenvalues of

    Θ = R Rᵀ + Σ_i [ m_i O_i O_iᵀ + Σ_jl M_i[j, l] E_ij E_ilᵀ ],     M_i = Σ_k u_k u_kᵀ ⪰ v_i v_iᵀ / m_i,

E_ij (r, p) being the derivatives of the outputs in the incoming parameters of a neuron that feeds output j alone, O_i
those in the outgoing weights, and R the rest. Any such M_i whose excess over v_i v_iᵀ/m_i has a rank below m_i is made
by copies. Of the outputs only those combinations count that the loss sees: not their sum with a cross-entropy.

*Over which eigenvalues.* Vectors that are not parallel raise the rank: outputs change in directions E_ij w which the
narrow network does not have. κ is the largest eigenvalue over the smallest that is not zero, the new ones included: a
descent from anywhere near has to contract these as well, and its rate is the smallest's. Over as many eigenvalues as
the narrow network has, κ would fall by counting: large new ones take the places of small old ones, whose modes are
there and slow as before.

The range of Θ depends on the spans S_i of the u_k alone. With two outputs S_i is the *line* of v_i or the *plane*: for
each choice κ is the value of a semidefinite program, and where the choice is open for some neurons, one with λ_min over
the range they have in either case is a lower bound. So branch and bound decides. With more outputs S_i may be anything
between; then the bound with all open is what holds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec

import numpy as np
import scipy.linalg

from .._checks import Array
from ..any_objective import AnyObjective
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective
from ..symmetry.block_preconditioner import incoming, taken_apart
from ..symmetry.other_network import for_network
from ..symmetry.rules import rule_of
from .choices import Choices
from .clarabel_calls import solution
from .conic import LITTLE, from_triangle, triangle

LINE, OPEN, PLANE = "line", "open", "plane"
RANK = 1e-12  # of singular values, relative to the largest
CLOSED = 5e-5  # a node whose bound is that close to the best value is closed
POLISH = (30.0, 300.0)  # exponents of smoothed condition numbers
FAR = 1e6  # of deviations: no step goes there
SECONDS = 3.2e-9  # of a program, times the fifth power of the rank


@dataclass(frozen=True)
class OutgoingVectors:
    """E (h, K', r, p), O (h, r, K), R (r, ·), all of about size one, v (h, K'), and K' orthonormal columns (K, K').

    These are combinations of outputs that the loss sees, in which v is given.
    """

    incoming: Array
    outgoing: Array
    rest: Array
    vectors: Array
    seen: Array

    def gram(self, copies: Sequence[int], moments: Sequence[Array]) -> Array:
        """Θ (r, r) for M_i (K, K)."""
        total = self.rest @ self.rest.T
        for e, o, m, moment in zip(self.incoming, self.outgoing, copies, moments, strict=True):
            total = total + m * (o @ o.T) + np.einsum("jrp,jl,lsp->rs", e, moment, e, optimize=True)
        return np.asarray(total)

    def span(self, spans: Sequence[str]) -> Array:
        """Orthonormal columns (r, n) of the range that is there, whatever open spans are."""
        parts = [self.rest, *self.outgoing]
        for e, v, kind in zip(self.incoming, self.vectors, spans, strict=True):
            parts += list(e) if kind == PLANE else [np.tensordot(v, e, 1)]
        left, values, _ = np.linalg.svd(np.hstack(parts), full_matrices=False)
        return np.asarray(left[:, values > RANK * values[0]])

    @property
    def rank(self) -> int:
        return len(self.rest)

    @cached_property
    def products(self) -> Array:
        """E_ij E_ilᵀ, (h, K, K, r, r)."""
        return np.asarray(np.einsum("ijrp,ilsp->ijlrs", self.incoming, self.incoming, optimize=True))


@dataclass(frozen=True)
class Apart:
    """Copies, u_k − v_i/m_i as columns (K, m_i) for each neuron, κ, and the number of eigenvalues it is over."""

    copies: tuple[int, ...]
    changes: tuple[Array, ...]
    value: float
    rank: int


@dataclass(frozen=True)
class Found:
    """What a search found: the best vectors, None if none is better; and a lower bound, whether it is for all spans."""

    best: Apart | None
    bound: float


def searchable(obj: AnyObjective, choices: Choices) -> bool:
    """Tells whether copies have outgoing vectors and nothing else to choose: no scales, shifts, nor flips."""
    net = obj.net
    return (
        net.num_layers == 2
        and net.widths[-1] > 1
        and isinstance(obj, Objective | PopulationObjective)
        and all(rule_of(name).linear for name in net.activations[-1])
        and not any(choice.degree or choice.shifted or choice.flips for choice in choices)
        and find_spec("clarabel") is not None
    )


def outgoing_vectors(obj: AnyObjective, theta: Array, width: int) -> OutgoingVectors:
    """Returns the derivatives at θ, on an orthonormal basis of what they span, for a hidden layer of that width."""
    net = obj.net
    inputs, hidden, outputs = net.widths
    untied, at = taken_apart(net, theta)
    rows = untied_factor(obj, theta, untied, at)
    last, biases = untied.unflatten(np.arange(untied.num_parameters))[-1]
    places = (
        incoming(untied).reshape(hidden, outputs, -1),
        last[:, ::outputs].T,
        np.array([] if biases is None else biases, int),
    )
    used, local = np.unique(np.concatenate([each.ravel() for each in places]), return_inverse=True)
    # Only products of columns matter, which the triangle of the rows has too.
    root = scipy.linalg.qr(rows[:, used], mode="r")[0][: min(len(rows), len(used))]
    root = root / np.sqrt(np.einsum("rp,rp->", root, root) / len(root))
    each, out, rest = (
        part.reshape(where.shape)
        for part, where in zip(np.split(local, np.cumsum([where.size for where in places])[:-1]), places, strict=True)
    )
    wide = MLP((inputs, width, outputs), parametrization=net.parametrization)
    scale = wide.multipliers[-1] / untied.multipliers[-1]
    seen = seen_by_loss(obj)
    return OutgoingVectors(
        incoming=np.einsum("rijp,jk->ikrp", root[:, each], seen),
        outgoing=scale * np.moveaxis(root[:, out], 0, 1),
        rest=root[:, rest],
        vectors=net.multipliers[-1] * net.unflatten(theta)[-1][0].T @ seen,
        seen=seen,
    )


def seen_by_loss(obj: AnyObjective) -> Array:
    """Returns orthonormal combinations of outputs (K, K') that the loss sees: differences, for a cross-entropy."""
    outputs = obj.net.widths[-1]
    return scipy.linalg.helmert(outputs).T if obj.loss_name == "cross_entropy" else np.eye(outputs)


def untied_factor(obj: AnyObjective, theta: Array, untied: MLP, at: Array) -> Array:
    """Returns the root of the Gauss–Newton matrix of the untied network, with the loss's curvature at θ."""
    if isinstance(obj, PopulationObjective):
        return for_network(obj, untied).gauss_newton_factor(at)
    assert isinstance(obj, Objective)
    outputs = obj.net.widths[-1]
    jacobian = Objective(untied, obj.x, np.zeros((obj.num_samples, outputs))).jacobian(at)
    # A linear layer of its own on the outputs: its biases' columns of the factor are √w A, AᵀA = ∂²ℓ/∂f².
    layer = MLP((outputs, outputs))
    loss = Objective(layer, obj.net(theta, obj.x), obj.y, loss=obj.loss_name, delta=obj.delta,
                     sample_weight=obj.sample_weight)  # fmt: skip
    biases = layer.unflatten(np.arange(layer.num_parameters))[0][1]
    assert biases is not None
    roots = loss.gauss_newton_factor(layer.flatten([(np.eye(outputs), np.zeros(outputs))]))[:, biases]
    rows = roots.reshape(obj.num_samples, -1, outputs) @ jacobian.reshape(obj.num_samples, outputs, -1)
    return np.asarray(rows.reshape(-1, jacobian.shape[1]))


def search(parts: OutgoingVectors, tuples: Iterable[tuple[int, ...]], value: float, nodes: int) -> Found:
    """Returns vectors better than a value, if there are, and a lower bound on those that are not all parallel.

    For each of the numbers of copies; at most so many programs are solved. With more than two outputs, planes stand for
    spans of all outputs, and the bounds with all spans open remain.
    """
    outputs = parts.vectors.shape[1]
    best: Apart | None = None
    heap: list[tuple[float, int, tuple[int, ...], tuple[str, ...]]] = []
    order = itertools.count()
    closed = np.inf  # the least bound of what is not looked into further
    for copies in tuples:
        spread = [m > 1 and (outputs == 2 or m >= outputs) and bool(v.any()) for m, v in
                  zip(copies, parts.vectors, strict=True)]  # fmt: skip
        if outputs > 2:
            bound, _ = solved(parts, copies, [OPEN if m > 1 else LINE for m in copies])
            closed, nodes = min(closed, bound), nodes - 1
        if any(spread):
            spans = tuple((OPEN if outputs == 2 else PLANE) if each else LINE for each in spread)
            heapq.heappush(heap, (1.0, next(order), copies, spans))
    while heap:
        before, _, copies, spans = heapq.heappop(heap)
        limit = (value if best is None else best.value) * (1 - CLOSED)
        if before >= limit or nodes <= 0:
            closed = min(closed, before)
            continue
        nodes -= 1
        bound, moments = solved(parts, copies, spans)
        bound = max(bound, before)
        if moments is not None and bound < limit:
            tried = realised(parts, copies, spans, moments)
            if tried.value < (value if best is None else best.value):
                best = tried
        if OPEN not in spans or bound >= limit:
            closed = min(closed, bound)
            continue
        neuron = widest(parts, copies, spans, moments)
        for kind in (PLANE, LINE):
            child = (*spans[:neuron], kind, *spans[neuron + 1 :])
            if set(child) != {LINE}:
                heapq.heappush(heap, (bound, next(order), copies, child))
    return Found(best, closed)


def widest(parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str], moments: Sequence[Array] | None) -> int:
    """The open neuron whose vectors are farthest from parallel."""
    sizes = [0.0 if kind == OPEN else -1.0 for kind in spans]
    for index, (v, m) in enumerate(zip(parts.vectors, copies, strict=True)):
        if moments is not None and spans[index] == OPEN:
            sizes[index] = float(np.trace(moments[index])) - float(v @ v) / m
    return int(np.argmax(sizes))


def solved(parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str]) -> tuple[float, list[Array] | None]:
    """Returns a lower bound on κ from the multipliers, and the M_i of the program's minimum, None if it fails."""
    import clarabel  # type: ignore[import-untyped]

    range_ = parts.span(spans)
    whole = np.eye(len(range_)) if OPEN in spans else range_
    blocks, starts = variables(parts, copies, spans)
    size = 2 + sum(len(basis) for basis, _ in blocks)
    constant = parts.gram(copies, [fixed for _, fixed in blocks])
    maps = [constant]
    for (basis, _), products in zip(blocks, parts.products, strict=True):
        maps += [np.einsum("jl,jlrs->rs", direction, products) for direction in basis]
    rows, right, cones = [], [], []
    for columns, sign in ((whole, 1.0), (range_, -1.0)):
        inside = [sign * triangle(columns.T @ each @ columns) for each in maps]
        one = triangle(np.eye(columns.shape[1]))
        rows.append(np.column_stack([-one if sign > 0 else 0 * one, *inside]))
        right.append(np.zeros(len(one)) if sign > 0 else -one)
        cones.append(clarabel.PSDTriangleConeT(columns.shape[1]))
    for (basis, _), start, kind in zip(blocks, starts, spans, strict=True):
        if not len(basis):
            continue
        if kind == LINE:
            row = np.zeros((1, size))
            row[0, start] = -1
            cones.append(clarabel.NonnegativeConeT(1))
        else:
            row = np.zeros((len(basis), size))
            row[:, start : start + len(basis)] = -np.column_stack([triangle(each) for each in basis])
            cones.append(clarabel.PSDTriangleConeT(len(basis[0])))
        rows.append(row)
        right.append(np.zeros(len(row)))
    matrix, wanted = np.vstack(rows), np.concatenate(right)
    for method in ("faer", "qdldl"):  # faer takes a tenth of the time, and fails at the first step of some programs
        found = solution(np.eye(size)[0], matrix, wanted, cones, direct_solve_method=method, max_threads=1)
        if found.solved:
            break
    x, z = found.x, found.z
    counts = [columns.shape[1] * (columns.shape[1] + 1) // 2 for columns in (whole, range_)]
    if not (np.isfinite(z).all() and np.isfinite(x).all() and x[1] > 0):
        return 1.0, None
    top = whole @ from_triangle(z[: counts[0]], whole.shape[1]) @ whole.T
    bottom = range_ @ from_triangle(z[counts[0] : sum(counts)], range_.shape[1]) @ range_.T
    moments = [
        fixed + (np.tensordot(x[start : start + len(basis)] / x[1], basis, 1) if len(basis) else 0.0)
        for (basis, fixed), start in zip(blocks, starts, strict=True)
    ]
    return dual_bound(parts, copies, spans, density(top), density(bottom)), moments


def variables(
    parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str]
) -> tuple[list[tuple[Array, Array]], list[int]]:
    """Returns for each neuron matrices that span M_i − v_i v_iᵀ/m_i, and that; and where their factors begin."""
    outputs = parts.vectors.shape[1]
    units = [np.outer(a, b) for a, b in itertools.combinations_with_replacement(np.eye(outputs), 2)]
    free = np.array([(unit + unit.T) / 2 for unit in units])
    blocks, starts, start = [], [], 2
    for v, m, kind in zip(parts.vectors, copies, spans, strict=True):
        fixed = np.outer(v, v) / m
        line = fixed[None] if v.any() else np.zeros((0, outputs, outputs))
        basis = free[:0] if m == 1 else line if kind == LINE else free
        blocks.append((basis, fixed))
        starts.append(start)
        start += len(basis)
    return blocks, starts


def density(matrix: Array) -> Array:
    """The matrix without negative eigenvalues, of trace one."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, 0)
    return np.asarray((vectors * (values / values.sum())) @ vectors.T)


def dual_bound(parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str], top: Array, bottom: Array) -> float:
    """Returns a lower bound on κ ≥ tr(Y Θ)/tr(X Θ) for densities Y and X, X within the range; whatever they are."""
    even = np.eye(len(top)) / len(top)
    forms = [weights(parts, matrix) for matrix in (top, even, bottom)]
    best = 1.0
    for little in LITTLE:
        mixed = [(1 - little) * a + little * b for a, b in zip(forms[0], forms[1], strict=True)]
        best = max(best, largest_ratio(parts, copies, spans, mixed, forms[2]))
    return best


def weights(parts: OutgoingVectors, matrix: Array) -> list[Array]:
    """Returns tr(Y R Rᵀ), tr(Y O_i O_iᵀ), (h,), and tr(Y E_ij E_ilᵀ), (h, K, K)."""
    return [
        np.array(np.sum((matrix @ parts.rest) * parts.rest)),
        np.einsum("rs,irk,isk->i", matrix, parts.outgoing, parts.outgoing, optimize=True),
        np.einsum("rs,ijlrs->ijl", matrix, parts.products, optimize=True),
    ]


def largest_ratio(
    parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str], top: list[Array], bottom: list[Array]
) -> float:
    """Returns the largest τ with tr(Y Θ) ≥ τ tr(X Θ) for all Θ, by bisection; 0 if there is none."""

    def least(ratio: float) -> float:
        rest, outgoing, moments = (a - ratio * b for a, b in zip(top, bottom, strict=True))
        total = float(rest + outgoing @ np.array(copies))
        for v, m, kind, form in zip(parts.vectors, copies, spans, moments, strict=True):
            cost = float(v @ form @ v)
            if m > 1 and (cost < 0 if kind == LINE else np.linalg.eigvalsh(form)[0] < 0):
                return -np.inf
            total += cost / m
        return total

    low, high = 0.0, 1.0
    while least(high) >= 0 and high < 1e300:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if least(middle) >= 0 else (low, middle)
    return low


def realised(parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str], moments: Sequence[Array]) -> Apart:
    """Returns copies with these M_i, or with the nearest that so many can have, improved then."""
    deviations, short = [], False
    for v, m, moment in zip(parts.vectors, copies, moments, strict=True):
        values, columns = np.linalg.eigh(moment - np.outer(v, v) / m)
        kept = min(m - 1, len(v))
        short = short or bool(values[: len(v) - kept].max(initial=0.0) > RANK * max(values[-1], 0.0))
        deviations.append(columns[:, len(v) - kept :] * np.sqrt(np.maximum(values[len(v) - kept :], 0)))
    for index, (v, kind) in enumerate(zip(parts.vectors, spans, strict=True)):
        if kind == LINE and v.any():
            unit = v / np.linalg.norm(v)
            deviations[index] = np.outer(unit, unit @ deviations[index])
    if short:
        deviations = polished(parts, copies, spans, deviations)
    return with_value(parts, copies, spans, deviations)


def moments_of(parts: OutgoingVectors, copies: Sequence[int], deviations: Sequence[Array]) -> list[Array]:
    """Returns M_i = v_i v_iᵀ/m_i + Δ_i Δ_iᵀ."""
    return [np.outer(v, v) / m + d @ d.T for v, m, d in zip(parts.vectors, copies, deviations, strict=True)]


def with_value(
    parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str], deviations: Sequence[Array]
) -> Apart:
    """Returns the copies with these deviations, and κ over the range that their spans have."""
    there = [kind if kind == LINE else PLANE for kind in spans]
    range_ = parts.span(there)
    columns = [parts.rest, *(np.sqrt(m) * o for m, o in zip(copies, parts.outgoing, strict=True))]
    for e, v, m, d in zip(parts.incoming, parts.vectors, copies, deviations, strict=True):
        columns += list(np.tensordot(np.column_stack([v / np.sqrt(m), d]).T, e, 1))
    values = np.linalg.svd(range_.T @ np.hstack(columns), compute_uv=False)[: range_.shape[1]]
    changes = tuple(parts.seen @ spread_out(m, d) for m, d in zip(copies, deviations, strict=True))
    value = float((values[0] / values[-1]) ** 2) if values[-1] > 0 else np.inf
    return Apart(tuple(copies), changes, value, len(values))


def spread_out(copies: int, deviations: Array) -> Array:
    """Returns columns (K', m) of sum zero with Σ of their outer products Δ Δᵀ."""
    across = scipy.linalg.helmert(copies) if copies > 1 else np.zeros((0, 1))
    return np.asarray(deviations @ across[: deviations.shape[1]])


def polished(
    parts: OutgoingVectors, copies: Sequence[int], spans: Sequence[str], deviations: list[Array]
) -> list[Array]:
    """Returns deviations that make κ locally smallest, by L-BFGS on norms of eigenvalues that come near it."""
    from scipy.optimize import minimize

    sizes = np.cumsum([0, *(d.size for d in deviations)]).tolist()
    range_ = parts.span([kind if kind == LINE else PLANE for kind in spans])
    lines = [np.outer(v, v) / (v @ v) if kind == LINE and v.any() else np.eye(len(v)) for v, kind in
             zip(parts.vectors, spans, strict=True)]  # fmt: skip

    def split(flat: Array) -> list[Array]:
        return [p @ flat[a:b].reshape(d.shape) for p, (a, b), d in
                zip(lines, itertools.pairwise(sizes), deviations, strict=True)]  # fmt: skip

    def smoothed(flat: Array, exponent: float) -> tuple[float, Array]:
        parted = split(flat)
        if not np.abs(flat).max() < FAR:
            return FAR, np.zeros_like(flat)
        gram = parts.gram(copies, moments_of(parts, copies, parted))
        values, columns = np.linalg.eigh(range_.T @ gram @ range_)
        logs, columns = np.log(np.maximum(values, 1e-15 * values[-1])), range_ @ columns
        high, low = np.exp(exponent * (logs - logs[-1])), np.exp(exponent * (logs[0] - logs))
        value = logs[-1] - logs[0] + np.log(high.sum() * low.sum()) / exponent
        slope = (high / high.sum() - low / low.sum()) / np.exp(logs)
        forms = weights(parts, (columns * slope) @ columns.T)[2]
        steps = [(2 * p @ form @ d).ravel() for p, form, d in zip(lines, forms, parted, strict=True)]
        return float(value), np.concatenate(steps)

    at = np.concatenate([d.ravel() for d in deviations])
    for exponent in POLISH:
        reached = minimize(smoothed, at, args=(exponent,), jac=True, method="L-BFGS-B").x
        at = reached if np.abs(reached).max() < FAR else at
    values = [with_value(parts, copies, spans, each).value for each in (split(at), deviations)]
    return split(at) if values[0] < values[1] else deviations
