"""Norms of vectors whose entries' squares may leave the range of float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checks import Array

# Between these the squares of 2^40 entries add up within the range, and those that underflow count for nothing.
SMALL, LARGE = 2.0**-480, 2.0**480


def norm(vectors: Array, axis: int | None = None) -> Any:
    """The Euclidean norm along an axis, of entries up to 1e±308.

    >>> import numpy as np
    >>> [f"{norm(np.array([3.0, 4.0]) * size):.3g}" for size in (1e200, 1e-200)]
    ['5e+200', '5e-200']
    """
    size = np.abs(vectors).max(axis=axis, keepdims=True, initial=0)
    if ((size < LARGE) & ((size > SMALL) | (size == 0))).all():
        return np.sqrt((vectors * vectors).sum(axis=axis))
    scale = np.where((size > 0) & np.isfinite(size), size, 1)
    # Two divisions by a power of two each: 1/scale may overflow, and scale must not round.
    half = np.exp2(np.floor(np.log2(scale) / 2))
    scaled = vectors / half / half
    with np.errstate(over="ignore"):  # inf where the norm itself is out of range
        return np.sqrt((scaled**2).sum(axis=axis)) * half.squeeze(axis) * half.squeeze(axis)
