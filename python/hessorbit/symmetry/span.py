"""`orthonormal_basis` spans sparse directions by columns, each with the part that it comes from.

Directions that share no parameters are orthogonal as they are: the graph of parameters and directions falls into
connected components, and only within each one are the directions of one part after the other made orthonormal, by QR
with column pivoting of what the parts before leave of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .._checks import Array
from .._norms import norm

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


def orthonormal_basis(size: int, parts: Sequence[Directions]) -> tuple[Array, Array]:
    """Returns orthonormal columns (P, k), in the order of the parts, and the part of each (k,)."""
    if not parts:
        return np.zeros((size, 0)), np.zeros(0, int)
    lengths = [len(part) for part in parts]
    part_of = np.repeat(np.arange(len(parts)), lengths)
    entries = [part.entries() for part in parts]
    starts = np.cumsum([0, *lengths[:-1]])
    rows, columns, values = (
        np.concatenate([entry[0] for entry in entries]),
        np.concatenate([entry[1] + start for entry, start in zip(entries, starts, strict=True)]),
        np.concatenate([entry[2] for entry in entries]),
    )
    found: list[tuple[Array, Array, Array]] = []
    for chosen in components(size, len(part_of), rows, columns):
        here, row = np.unique(rows[chosen], return_inverse=True)
        there, column = np.unique(columns[chosen], return_inverse=True)
        block = np.zeros((len(here), len(there)))
        block[row, column] = values[chosen]
        found.append((here, *orthonormal_block(block, part_of[there])))
    origins = np.concatenate([np.zeros(0, int), *(origin for _, _, origin in found)])
    order = np.argsort(origins, kind="stable")
    position = np.argsort(order)
    basis = np.zeros((size, len(origins)))
    for here, vectors, _ in found:
        mine, position = position[: vectors.shape[1]], position[vectors.shape[1] :]
        basis[here[:, None], mine] = vectors
    return basis, origins[order]


def components(size: int, count: int, rows: Array, columns: Array) -> list[Array]:
    """Returns the indices of the entries of each connected component."""
    if not len(rows):
        return []
    graph = coo_array((np.ones(len(rows)), (rows, size + columns)), (size + count, size + count))
    labels = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def orthonormal_block(vectors: Array, part_of: Array) -> tuple[Array, Array]:
    """Returns the same for the columns (r, n) of one component, whose parts ascend."""
    basis, count = np.empty_like(vectors[:, : len(vectors)], order="F"), 0
    origins: list[int] = []
    for part in np.unique(part_of):
        if count == len(vectors):
            break
        fresh = independent(vectors[:, part_of == part], basis[:, :count])
        basis[:, count : count + fresh.shape[1]] = fresh
        count += fresh.shape[1]
        origins += [int(part)] * fresh.shape[1]
    return basis[:, :count], np.array(origins, int)


def independent(vectors: Array, basis: Array) -> Array:
    """Returns orthonormal columns for what the vectors add to the span of the orthonormal basis."""
    vectors = vectors / norm(vectors, 0)
    columns, triangle, _ = qr(outside(vectors, basis), mode="economic", pivoting=True, check_finite=False)
    columns = columns[:, np.abs(np.diagonal(triangle)) > INDEPENDENCE]
    if not basis.shape[1] or not columns.shape[1]:
        return np.asarray(columns)
    # A small remainder of a direction holds rounding errors along the basis, so it is projected again at length one.
    return np.asarray(qr(outside(columns, basis), mode="economic", check_finite=False)[0])


def outside(vectors: Array, basis: Array) -> Array:
    return np.asarray(vectors - basis @ (basis.T @ vectors))
