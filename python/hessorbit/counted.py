"""The eigenvalues of a formed matrix at its ends, of smallest and largest magnitude, few of them, positions counted.

Krylov subspaces of H find those at its ends, those of (H − σ I)⁻¹ the ones nearest σ (krylov.py). That none was missed
is counted, at a shift s that has all those found on one side:

- By the LDLᵀ of H − s I, exact but for e: if m of those found are above s + e + ‖r‖, and it counts m, then these are
  all that are above s + e (Sylvester, Weyl); below and between likewise. The same LDLᵀ is an inverse, so one
  serves to find and to count.
- By norms alone. In the basis of a Krylov subspace Q, completed, H is [T Rᵀ; R W], where R reaches only its last block,
  and ‖W‖_F² = ‖H‖_F² − ‖T‖_F² − 2‖R‖_F². As many eigenvalues of H are above s as of T and of its Schur complement
  W − s I − R (T − s I)⁻¹ Rᵀ together (Haynsworth): none of the latter if ‖W‖_F + λ_max(−R (T − s I)⁻¹ Rᵀ) < s.

Those of largest magnitude are all that are beyond s or −s, so either is done at both ends.

Zero modes, k values that are all within rounding of 0, are told by the first LDLᵀ. Where neighbours are too close to be
told apart by such an s, or several LDLᵀ lead to none, nothing is returned, and tridiagonal.py finds them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ._blas import core_threads
from ._checks import Array
from ._core import Ldlt, factorise, times_columns
from .decomposition import EPS
from .krylov import BLOCK, Subspace, gaussian, grown
from .positions import Pairs, at_end, ends_of, furthest, nearest_zero, sides

TIGHT, CLOSE = 1e-13, 1e-9  # residuals of products with H, and of those with an inverse, that need no further step
ACCURATE = 1e-10  # of ‖H‖_F: residuals of what is returned
LOCATED = 0.01  # of a Ritz value: a residual that tells where an end is
NEAR = 1e-7  # of ‖H‖_F: a count is taken so close beside an eigenvalue, or half-way to the next
TOGETHER = 4000  # rows up to which two LDLᵀ, by a thread each, are sooner done than in turn
LOOK = 6  # blocks of the subspace that tells roughly where the ends are
SLOW = 1e-4  # of the largest magnitude: a residual after LOOK blocks with which an inverse takes less time
MOST = 20  # blocks
BESIDE = 16  # eigenvalues beyond a shift that are found all, to count those wanted among them
SPARE = 3  # eigenvalues that are found beside those wanted, to tell where a count may be taken
ROUGH = 1e-2  # of an eigenvalue of an inverse: a residual of those that are not wanted themselves
INSIDE = 0.25  # of the way from the k-th at an end to the next: a shift that counts k
SPREAD = 0.3  # of the spread of those nearest a shift: residuals that tell where they are
PROBED = 64  # rows
ATTEMPTS = 4  # LDLᵀ that are sooner found than a tridiagonal form

# An end of the spectrum is named by its sign, 1 for the upper; both of them together, in magnitude, by 0.
BOTH = 0


class Counts(NamedTuple):
    """How many eigenvalues are wanted: the smallest, the largest, those of smallest and of largest magnitude."""

    low: int = 0
    high: int = 0
    near: int = 0
    far: int = 0


@dataclass(frozen=True)
class Found:
    """Eigenpairs of H, ascending, with their residuals."""

    values: Array
    vectors: Array
    residuals: Array

    def error(self, chosen: Array | slice) -> float:
        """So many eigenvalues are within this of those chosen."""
        return float(np.linalg.norm(self.residuals[chosen]))


class Few:
    """Few eigenvalues of H (P, P), symmetric, in range (`in_range`) and of this norm, that share what finds them."""

    def __init__(self, H: Array, norm: float, wanted: Counts) -> None:
        self.H, self.norm = H, norm
        self.low, self.high, self.near, self.far = wanted
        self.threads = core_threads(len(H))
        self.tiny = rounding(H, norm)
        # How many are below a shift, and how far from it one that is counted on the wrong side may be.
        self.counts: dict[float, tuple[int, float]] = {-math.inf: (0, 0.0), math.inf: (len(H), 0.0)}

    def around(self, k: int) -> Pairs | None:
        found = self.around_zero
        if k > len(found.values):
            return None
        magnitudes = np.sort(np.abs(found.values))
        if magnitudes[k - 1] <= self.tiny / 2:
            return self.within_rounding(found, k)
        # A count stands back from rounding most where the gap is widest.
        more = k + int(np.argmax(np.diff(magnitudes)[k - 1 :])) if len(magnitudes) > k else k
        return self.nearest_within(inward(magnitudes, more, -1, math.inf), found, k)

    def nearest_within(self, s: float, found: Found, k: int) -> Pairs | None:
        """The k nearest 0, if they are among those found within s of it, and these are all."""
        whole = self.settled(found, -s if self.at_zero.inertia[0] else -math.inf, s)
        if not whole or len(whole.positions) < k:
            return None
        return whole.part(nearest_zero(whole.eigenvalues, k))

    @property
    def costly(self) -> bool:
        """Whether five LDLᵀ may be needed: for what is nearest 0 and for both ends of an indefinite matrix."""
        if not (self.near and self.far and self.norm > 0) or self.seems_positive:
            return False
        return not converged(self.rough, self.far, BOTH)

    def highest(self) -> Pairs | None:
        return self.found(self.high, lambda: self.end(self.high, 1))

    def lowest(self) -> Pairs | None:
        return self.found(self.low, self.lower_end)

    def nearest(self) -> Pairs | None:
        return self.found(self.near, lambda: self.around(self.near))

    def furthest(self) -> Pairs | None:
        return self.found(self.far, lambda: self.outermost(self.far))

    def found(self, k: int, find: Callable[[], Pairs | None]) -> Pairs | None:
        """What is found, if so many are wanted, and H is larger than a subspace that holds them."""
        return find() if k > 0 and self.norm > 0 and len(self.H) > LOOK * BLOCK + k else None

    def lower_end(self) -> Pairs | None:
        if self.seems_positive:
            negative = self.at_zero.inertia[0]
            if negative == 0:
                return self.end_of_positive(self.low)
            if self.low <= negative <= self.low + BESIDE:
                found = self.by_inverse(self.at_zero, self.start, negative, 0, lambda v: v)
                settled = self.end_at(-self.tiny, found, self.low, -1)
                if settled:
                    return settled
        return self.end(self.low, -1)

    @property
    def seems_positive(self) -> bool:
        """Whether the lower end may be 0, for all that is known."""
        if "rough" in vars(self):
            return bool(self.rough.values[0] >= -self.rough.residuals[0])
        return may_be_positive(self.H, self.tiny)

    def end(self, k: int, sign: int) -> Pairs | None:
        """The k eigenvalues at the upper end, sign = 1, or at the lower, −1."""
        space = self.rough
        if len(space.values) < k + BLOCK:
            return None
        if converged(space, k, sign):
            settled = self.held(space, k, sign)
            if settled:
                return settled
        start = space.vectors(at_end(len(space.values), BLOCK, sign))
        first, doubt = outermost(space.values, sign), float(space.residuals[::sign][-1])
        located = doubt <= LOCATED * abs(first)
        # The Ritz value errs by less than its residual where that is small.
        error = doubt if doubt > abs(first) else doubt / 2
        shift = inward(space.values, k, sign, self.norm) if located else first + sign * error
        return self.end_by_inverse(k, sign, shift, start, doubt)

    def held(self, space: Subspace, k: int, sign: int) -> Pairs | None:
        """The k outermost, in a subspace that holds them, counted by norms or else by LDLᵀ."""
        magnitudes = np.sort(sizes(space.values, sign))[::-1]
        # A count stands back from rounding most where the gap is widest.
        some = [more for more in range(k, k + SPARE) if converged(space, more, sign)]
        more = max(some, key=lambda more: magnitudes[more - 1] - magnitudes[more])
        found = self.refined(space.vectors(outside(space.values, more, sign)))
        if found.error(slice(None)) > ACCURATE * self.norm:
            return None
        if self.counted_by_norms(space, more, sign):
            positions = ends_of(found.values, len(self.H)) if sign == BOTH else at_end(len(self.H), more, sign)
            return Pairs(found.values, found.vectors, positions).part(outside(found.values, k, sign))
        shift = inward(magnitudes[::-1], more, 1, self.norm)
        return self.end_at(sign * shift if sign else shift, found, k, sign)

    def outermost(self, k: int) -> Pairs | None:
        """The k largest in magnitude."""
        space = self.rough
        if len(space.values) < k + BLOCK:
            return None
        settled = self.held(space, k, BOTH) if converged(space, k, BOTH) else None
        if settled:
            return settled
        pairs = self.at_ends(*sides(space.values, k))
        if pairs and self.none_between(pairs, space):
            return pairs
        pairs = self.at_ends(k, k)
        return pairs and pairs.part(furthest(pairs.eigenvalues, k))

    def at_ends(self, low: int, high: int) -> Pairs | None:
        """So many at the lower end and at the upper."""
        parts = [self.end(k, sign) for k, sign in ((low, -1), (high, 1)) if k]
        if any(part is None for part in parts):
            return None
        each = [(part.eigenvalues, part.vectors, part.positions) for part in parts if part]
        return Pairs(*(np.concatenate(arrays, axis=-1) for arrays in zip(*each, strict=True)))

    def none_between(self, pairs: Pairs, space: Subspace) -> bool:
        """Whether no other eigenvalue is as large in magnitude as any of those at ends."""
        rest = np.sort(np.abs(space.values))[: -len(pairs.positions)]
        least = float(np.abs(pairs.eigenvalues).min())
        return self.none_outside(pairs.eigenvalues, least - self.tiny, (least + float(rest[-1])) / 2)

    def settled_outside(self, found: Found, s: float) -> Pairs | None:
        """Those found, if they are all that are beyond s and −s."""
        least = float(np.abs(found.values).min()) - found.error(slice(None))
        if not self.none_outside(found.values, least, s):
            return None
        return Pairs(found.values, found.vectors, ends_of(found.values, len(self.H)))

    def none_outside(self, values: Array, least: float, s: float) -> bool:
        """Whether no eigenvalue but these is of so large a magnitude, as is counted at s and −s where need be."""
        negative = int((values < 0).sum())
        ends = (-1, negative), (1, len(values) - negative)
        if not 0 < s < least:
            return False
        self.count([sign * s for sign, most in ends if not self.at_most(most, sign, least)])
        return all(self.at_most(most, sign, least) for sign, most in ends)

    def at_most(self, most: int, sign: int, size: float) -> bool:
        """Whether a count tells that no more than so many are beyond sign·size."""
        for shift, (below, error) in self.counts.items():
            beyond = len(self.H) - below if sign > 0 else below
            if beyond <= most and sign * shift + error <= size:
                return True
        return False

    def end_of_positive(self, k: int) -> Pairs | None:
        found = self.around_zero
        if k > len(found.values):
            return None
        if found.values[k - 1] <= self.tiny / 2:
            return self.within_rounding(found, k)
        return self.end_at(inward(found.values, k, -1, self.norm), found, k, -1)

    def end_by_inverse(self, k: int, sign: int, shift: float, start: Array, doubt: float) -> Pairs | None:
        """The same by the inverse at a shift beyond which are k or some more, to which others lead."""
        for _ in range(ATTEMPTS):
            factor = self.factor(shift)
            below = self.counts[shift][0]
            beyond = len(self.H) - below if sign > 0 else below
            if beyond > k + BESIDE:
                shift, doubt = shift + sign * doubt, 2 * doubt
                continue
            if beyond >= k:
                found = self.by_inverse(factor, start, beyond, 0, lambda v: -sign * v)
                settled = self.end_at(shift, found, k, sign)
                if settled:
                    return settled
            values, start = self.located(shift, factor, start, k)
            if len(values) <= k:
                break
            ordered = np.sort(values)[::-sign]
            shift = float(ordered[k - 1] + INSIDE * (ordered[k] - ordered[k - 1]))
        return None

    def located(self, shift: float, factor: Ldlt, start: Array, k: int) -> tuple[Array, Array]:
        """Roughly the eigenvalues nearest a shift, and vectors of a block."""

        def enough(space: Subspace) -> bool:
            chosen = nearest(space, k + SPARE)
            sizes = np.abs(space.values[chosen])
            return len(space.values) > k + SPARE and bool(
                space.residuals[chosen[:k]].max() <= SPREAD * (sizes[0] - sizes[-1])
            )

        if factor.inertia[1]:
            return np.empty(0), start
        space = self.subspace(factor, start, enough, k)
        return shift + 1 / space.values[nearest(space, k + SPARE)], space.vectors(nearest(space, BLOCK))

    def end_at(self, shift: float, found: Found, k: int, sign: int) -> Pairs | None:
        """The k at an end, if they are among those found beyond a shift, and these are all."""
        whole = self.settled_outside(found, shift) if sign == BOTH else self.settled(found, *window(shift, sign))
        if not whole or len(whole.positions) < k:
            return None
        return whole.part(outside(whole.eigenvalues, k, sign))

    def within_rounding(self, found: Found, k: int) -> Pairs | None:
        """k eigenvalues within `tiny` of 0, for as many are there, from the first above −tiny on."""
        chosen = nearest_zero(found.values, k)
        if k > len(found.values) or max(found.error(chosen), self.counts[-self.tiny][1]) > self.tiny / 2:
            return None
        return Pairs(found.values[chosen], found.vectors[:, chosen], self.at_zero.inertia[0] + np.arange(k))

    def settled(self, found: Found, lower: float, upper: float) -> Pairs | None:
        """Those found between two shifts, if they are all."""
        inside = (lower < found.values) & (found.values < upper)
        values, error = found.values[inside], found.error(inside)
        if not inside.any() or error > ACCURATE * self.norm:
            return None
        self.count([lower, upper])
        for shift in (lower, upper):
            # One that is so close might be counted on the other side.
            if np.abs(values - shift).min() <= self.counts[shift][1] + error:
                return None
        first, end = self.counts[lower][0], self.counts[upper][0]
        return Pairs(values, found.vectors[:, inside], np.arange(first, end)) if end - first == len(values) else None

    @cached_property
    def start(self) -> Array:
        return gaussian(len(self.H))

    def factor(self, shift: float) -> Ldlt:
        """L D Lᵀ of H − shift·I, whose count is kept."""
        return self.factors([shift])[0]

    def factors(self, shifts: list[float]) -> list[Ldlt]:
        factors = factorise(self.H, shifts, self.threads)
        for shift, factor in zip(shifts, factors, strict=True):
            self.counts[shift] = factor.inertia[0], factor.backward_error if not factor.inertia[1] else math.inf
        return factors

    def count(self, shifts: list[float]) -> None:
        """Counts what is below each."""
        new = [shift for shift in shifts if shift not in self.counts]
        for some in [new] if len(self.H) <= TOGETHER else [[shift] for shift in new]:
            self.factors(some)

    @cached_property
    def rough(self) -> Subspace:
        """The Krylov subspace of H that tells where its ends are, and holds them if they are soon found."""
        ends = [(k, sign) for k, sign in ((self.high, 1), (self.low, -1), (self.far, BOTH)) if k]

        def enough(space: Subspace) -> bool:
            late = len(space.values) >= LOOK * BLOCK
            return all(converged(space, k, sign) or (late and not self.promising(space, k, sign)) for k, sign in ends)

        most = self.dimensions(self.low + self.high + self.far)
        return grown(self.H, self.start, enough, most=most, first=LOOK, threads=self.threads)

    def promising(self, space: Subspace, k: int, sign: int) -> bool:
        """Whether more products with H may take less time than an inverse."""
        return residual(space, k, sign) <= SLOW and self.rest(space) < 1.3 * sizes(space.values, sign).max()

    @cached_property
    def at_zero(self) -> Ldlt:
        return self.factor(-self.tiny)

    @cached_property
    def around_zero(self) -> Found:
        """The eigenvalues nearest 0, somewhat more than are wanted."""
        wanted = max(self.low if not self.at_zero.inertia[0] else 0, self.near)
        return self.by_inverse(self.at_zero, self.start, wanted, SPARE, lambda v: -np.abs(v))

    def by_inverse(self, factor: Ldlt, start: Array, wanted: int, spare: int, rank: Callable[[Array], Array]) -> Found:
        """The eigenpairs whose eigenvalues of an inverse `rank` puts first, and roughly some to spare."""
        more = wanted + spare

        def enough(space: Subspace) -> bool:
            chosen = np.argsort(rank(space.values), kind="stable")[:more]
            sizes, residuals = np.abs(space.values[chosen]), space.residuals[chosen]
            # A residual r of μ becomes r/μ² of H, by another step of the inverse.
            limit = np.minimum(CLOSE * sizes, TIGHT * self.norm * sizes**2)
            limit = np.maximum(limit, TIGHT * np.abs(space.values).max())
            limit = np.where(sizes * self.tiny > 0.5, ROUGH * sizes, limit)  # within rounding of 0
            limit[wanted:] = ROUGH * sizes[wanted:]
            return len(space.values) > more and bool((residuals <= limit).all())

        if factor.inertia[1]:  # there is no inverse
            return Found(np.empty(0), np.empty((len(self.H), 0)), np.empty(0))
        space = self.subspace(factor, start, enough, more)
        chosen = np.argsort(rank(space.values), kind="stable")[:more]
        return self.refined(factor.solve(np.ascontiguousarray(space.vectors(chosen))))

    def subspace(self, factor: Ldlt, start: Array, enough: Callable[[Subspace], bool], k: int) -> Subspace:
        """That of an inverse, for k eigenvalues."""
        return grown(factor, start, enough, most=self.dimensions(k), first=2, threads=self.threads)

    def refined(self, vectors: Array) -> Found:
        """The eigenpairs of H within the span of columns (P, k)."""
        basis = np.linalg.qr(vectors)[0]
        images = times(self.H, basis, self.threads)
        within = basis.T @ images
        values, columns = np.linalg.eigh((within + within.T) / 2)
        basis = basis @ columns
        return Found(values, basis, np.asarray(np.linalg.norm(images @ columns - basis * values, axis=0)))

    def rest(self, space: Subspace) -> float:
        """‖W‖_F, and what rounding may make of it."""
        held = float(space.values @ space.values) + 2 * float(np.linalg.norm(space.beyond)) ** 2
        return math.sqrt(max(self.norm**2 - held, 0.0) + 2 * self.tiny * self.norm)

    def counted_by_norms(self, space: Subspace, k: int, sign: int) -> bool:
        """Whether H has no more than k eigenvalues beyond a shift between the k-th Ritz value and the next."""
        magnitudes, rest = np.sort(sizes(space.values, sign)), self.rest(space)
        s = float(magnitudes[-k] + max(magnitudes[-k - 1], rest)) / 2
        if magnitudes[-k] - s <= self.tiny or rest >= s:
            return False
        return all(self.rest_beside(space, s, side, rest) < s - self.tiny for side in ([sign] if sign else [1, -1]))

    def rest_beside(self, space: Subspace, s: float, sign: int, rest: float) -> float:
        """How far the Schur complement reaches towards an end."""
        coupling = np.linalg.eigvalsh((space.beyond / (sign * space.values - s)) @ space.beyond.T)[0]
        return rest - min(float(coupling), 0.0)

    def dimensions(self, k: int) -> int:
        """Of the largest subspace that is worth its time."""
        return min(len(self.H) - BLOCK, MOST * BLOCK + 4 * k)


def rounding(H: Array, norm: float) -> float:
    """How far from 0 the zero eigenvalues of a matrix of this norm may be."""
    return 8 * len(H) * EPS * norm


def may_be_positive(H: Array, tiny: float) -> bool:
    """Whether no eigenvalue is below −tiny, for all that the rows with the least diagonal tell."""
    diagonal = H.diagonal()
    least = np.argsort(diagonal)[:PROBED]
    return bool(diagonal[least[0]] >= 0 and np.linalg.eigvalsh(H[np.ix_(least, least)])[0] > -tiny)


def times(H: Array, columns: Array, threads: int) -> Array:
    """H times columns (P, k)."""
    return times_columns(H, np.ascontiguousarray(columns), threads)


def in_range(H: Array) -> tuple[Array, float, float]:
    """H over a power of two, if squares of its entries are out of range, its norm ‖H‖_F, and that power."""
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(H))
    if 1e-100 < norm < 1e100 or not H.any():
        return H, norm, 1.0
    exponent = math.frexp(float(np.abs(H).max()))[1] - 1
    H = np.ldexp(H, -exponent)
    return H, float(np.linalg.norm(H)), math.ldexp(1.0, exponent)


def window(shift: float, sign: int) -> tuple[float, float]:
    """What is beyond a shift, towards an end."""
    return (shift, math.inf) if sign > 0 else (-math.inf, shift)


def sizes(values: Array, sign: int) -> Array:
    """What is largest at an end."""
    return np.abs(values) if sign == BOTH else sign * values


def outside(values: Array, k: int, sign: int) -> Array:
    """Where the k outermost of ascending values are."""
    return furthest(values, k) if sign == BOTH else at_end(len(values), k, sign)


def nearest(space: Subspace, k: int) -> Array:
    """The k largest in magnitude of an inverse."""
    return np.argsort(-np.abs(space.values), kind="stable")[:k]


def outermost(values: Array, sign: int) -> float:
    """The last of ascending values, or the first."""
    return float(values[::sign][-1])


def inward(values: Array, k: int, sign: int, size: float) -> float:
    """A shift beyond which k of ascending values are, towards an end: close to the k-th, or half-way to the next."""
    ordered = values[::-sign]
    gap = abs(ordered[k] - ordered[k - 1]) if len(ordered) > k else math.inf
    return float(ordered[k - 1] - sign * min(gap / 2, NEAR * size))


def residual(space: Subspace, k: int, sign: int) -> float:
    """The largest of the k at an end, as a fraction of the largest magnitude."""
    size = float(np.abs(space.values).max())
    return float(space.residuals[outside(space.values, k, sign)].max()) / size if size else 0.0


def converged(space: Subspace, k: int, sign: int) -> bool:
    """Whether the k at an end are as good as products with H make them."""
    return len(space.values) > k and residual(space, k, sign) <= TIGHT
