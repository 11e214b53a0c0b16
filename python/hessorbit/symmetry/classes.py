"""Rows that are one vector up to a tolerance, and up to sign if wanted.

Rows are sorted by their product with one fixed vector, so that each is compared only with the few representatives whose
product is near its own: n rows of F entries take O(n F) operations and sorting.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from .._checks import Array


def classes_of(vectors: Array, allowed: Array, signed: bool) -> Array:
    """The first row of each row's class, (n,).

    Rows are alike if all entries differ by at most what is allowed for one of them, or for one and minus the other if
    signed; a class is made of those alike to one row.
    """
    count, length = vectors.shape
    probe = np.asarray(np.random.default_rng(0).uniform(0.5, 1.5, length))
    products = vectors @ probe
    keys = np.abs(products) if signed else products
    widths = 2 * allowed * probe.sum() + 1e-13 * (np.abs(vectors) @ probe)
    order = np.argsort(keys, kind="stable")
    leaders: list[int] = []
    leader_keys: list[float] = []
    lead = np.empty(count, int)
    for row in order:
        near = leaders[bisect_left(leader_keys, keys[row] - widths[row]) :]
        lead[row] = row
        if near:
            bound = np.maximum(allowed[near], allowed[row])
            alike = np.abs(vectors[near] - vectors[row]).max(axis=1, initial=0) <= bound
            if signed:
                alike |= np.abs(vectors[near] + vectors[row]).max(axis=1, initial=0) <= bound
            if alike.any():
                lead[row] = near[int(alike.argmax())]
                continue
        leaders.append(int(row))
        leader_keys.append(float(keys[row]))
    first = np.full(count, count)
    np.minimum.at(first, lead, np.arange(count))
    return first[lead]
