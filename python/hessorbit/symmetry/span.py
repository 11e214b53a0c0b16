"""`orthonormal_basis` spans sparse directions by columns, each with the part that it comes from.

Directions that share no parameters are orthogonal as they are: the graph of parameters and directions falls into
connected components, and only within each one is there something to do. Which directions are independent of those
before them is decided at the unit point of the orbit (unit_point.py), by QR with column pivoting. There columns compare
with each other; at θ itself one may be smaller than the rounding errors of another. The chosen ones are then mapped to
θ, and made orthonormal there part by part, where they may be nearly parallel: a column of which a part r is outside the
span of those before has an error of some eps/r.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import qr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .._checks import FLOAT64, LONGDOUBLE, Array
from .._norms import norm
from .._waiting import interruptible, side

ROUNDING = 4 * float(np.finfo(FLOAT64).eps)  # of the entries of a direction
INDEPENDENCE = 1e-8  # a direction counts if this part of it lies outside the span of those before


@dataclass(frozen=True)
class Directions:
    """Directions of one cause, not yet orthonormal: the same n combinations of r parameters, in g places."""

    cause: str
    kind: str
    places: Array  # (g, r) positions in θ
    combinations: Array  # (r, n)

    def __len__(self) -> int:
        return int(len(self.places) * self.combinations.shape[1])

    def entries(self) -> tuple[Array, Array, Array]:
        """Returns rows, columns and values of the nonzero entries of (P, g·n)."""
        r, n = np.nonzero(self.combinations)
        rows = self.places[:, r]
        columns = n + self.combinations.shape[1] * np.arange(len(self.places))[:, None]
        values = np.broadcast_to(self.combinations[r, n], rows.shape)
        return rows.ravel(), columns.ravel(), values.ravel()


def orthonormal_basis(
    size: int, parts: Sequence[Directions], units: Array | None = None, back: Any = None
) -> tuple[Array, Array, float]:
    """Returns orthonormal columns (P, k), in the order of the parts, the part of each (k,), and their largest error.

    `units` are the sizes of the parameters (P,), and `back` is the sparse matrix (P, P) that maps directions at the
    unit point to θ; None if θ is one.
    """
    if not parts:
        return np.zeros((size, 0)), np.zeros(0, int), 0.0
    lengths = [len(part) for part in parts]
    part_of = np.repeat(np.arange(len(parts)), lengths)
    vectors = sparse_columns(size, parts, lengths)
    sizes = np.ones(size) if units is None else units
    chosen = [there[independent(at_unit(block, sizes[here]), part_of[there])] for here, there, block in blocks(vectors)]
    kept = np.sort(np.concatenate([np.zeros(0, int), *chosen]))
    vectors, origins = vectors[:, kept], part_of[kept]
    if back is not None:
        vectors = back @ scaled_columns(vectors, sizes.astype(LONGDOUBLE))
    basis, errors = np.zeros((size, len(kept))), [0.0]
    for here, there, block in blocks(vectors):
        basis[np.ix_(here, there)], error = orthonormal_block(block)
        errors.append(error)
    return basis, origins, max(errors)


def at_unit(vectors: Array, sizes: Array) -> Array:
    """Columns (r, n) of norm one, where parameters (r,) have size one; sizes may be at the ends of float64's range."""
    columns = vectors / sizes.astype(LONGDOUBLE)[:, None]
    return np.asarray(columns / norm(columns, 0), FLOAT64)


def sparse_columns(size: int, parts: Sequence[Directions], lengths: Sequence[int]) -> Any:
    """The directions of all parts as columns of a sparse matrix, each of size one."""
    entries = [part.entries() for part in parts]
    starts = np.cumsum([0, *lengths[:-1]])
    rows = np.concatenate([entry[0] for entry in entries])
    columns = np.concatenate([entry[1] + start for entry, start in zip(entries, starts, strict=True)])
    values = np.concatenate([entry[2] for entry in entries])
    return coo_array((values, (rows, columns)), (size, sum(lengths))).tocsc()


def scaled_columns(vectors: Any, sizes: Array) -> Any:
    """Columns of a sparse matrix, the largest entry 1 in units of the given sizes, so that no product overflows."""
    entries = vectors.tocoo()
    rows, columns = entries.coords
    largest = np.zeros(vectors.shape[1], LONGDOUBLE)
    np.maximum.at(largest, columns, np.abs(entries.data) / sizes[rows])
    return coo_array((entries.data / largest[columns], (rows, columns)), vectors.shape)


def blocks(vectors: Any) -> Iterator[tuple[Array, Array, Array]]:
    """Yields the rows, the columns and the dense entries of each connected component of a sparse matrix."""
    entries = vectors.tocoo()
    entries.eliminate_zeros()
    rows, columns = entries.coords
    size, count = vectors.shape
    for chosen in components(size, count, rows, columns):
        here, row = np.unique(rows[chosen], return_inverse=True)
        there, column = np.unique(columns[chosen], return_inverse=True)
        block = np.zeros((len(here), len(there)))
        block[row, column] = entries.data[chosen]
        yield here, there, block


def components(size: int, count: int, rows: Array, columns: Array) -> list[Array]:
    """Returns the indices of the entries of each connected component."""
    if not len(rows):
        return []
    graph = coo_array((np.ones(len(rows)), (rows, size + columns)), (size + count, size + count))
    labels = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def independent(vectors: Array, part_of: Array) -> Array:
    """Returns which columns of (r, n) are independent of each other and of those before; parts ascend."""
    vectors = vectors / norm(vectors, 0)
    basis, count = np.empty_like(vectors[:, : len(vectors)], order="F"), 0
    chosen: list[Array] = []
    for part in np.unique(part_of):
        if count == len(vectors):
            break
        mine = np.flatnonzero(part_of == part)
        columns, triangle, order = factored(outside(vectors[:, mine], basis[:, :count]), pivoting=True)
        rank = int((np.abs(np.diagonal(triangle)) > INDEPENDENCE).sum())
        basis[:, count : count + rank] = columns[:, :rank]
        if count:
            # A small remainder of a direction holds rounding errors along the basis: it is projected again.
            basis[:, count : count + rank] = again(basis[:, count : count + rank], basis[:, :count])
        count += rank
        chosen.append(mine[order[:rank]])
    return np.sort(np.concatenate(chosen))


def orthonormal_block(vectors: Array) -> tuple[Array, float]:
    """Returns orthonormal columns (r, n) of which the first k span what the first k vectors do, for every k.

    And the largest error of one, as vectors are rounded.
    """
    vectors = np.asarray(vectors / norm(vectors, 0), FLOAT64)
    order = np.argsort(-np.abs(vectors).max(axis=1), kind="stable")  # QR is more accurate with large rows on top
    basis = np.empty_like(vectors)
    basis[order], triangle = factored(vectors[order])
    outside_others = float(np.abs(np.diagonal(triangle)).min())
    return basis, ROUNDING / outside_others if outside_others > ROUNDING else 1.0


def again(vectors: Array, basis: Array) -> Array:
    return np.asarray(factored(outside(vectors, basis))[0])


def factored(vectors: Array, *, pivoting: bool = False) -> Any:
    """Returns Q (r, n), R (n, n) and where pivoting the order of the columns."""
    return interruptible(side(vectors), qr, vectors, mode="economic", pivoting=pivoting, check_finite=False)


def outside(vectors: Array, basis: Array) -> Array:
    return np.asarray(vectors - basis @ (basis.T @ vectors))
