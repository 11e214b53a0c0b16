"""Judging a result against a reference, with the tolerance that was asked for.

Accuracy asked of float64 results:  max|A - A_ref| <= 1e-13 max|A_ref| sqrt(P).
A sum of rounding errors of size eps = 1.1e-16 over the terms of an entry grows like the square root of their number,
and a few dozen operations lie on the way to each term: 1e-13 leaves a factor 900 for all constants, at P = 1.
Extended precision has 11 bits more, so its tolerance is 2^11 times smaller.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RELATIVE = {np.dtype(np.float64): 1e-13, np.dtype(np.longdouble): 1e-13 / 2**11}


def assert_close(
    actual: Any, reference: Any, *, parameters: int, scale: Any = None, relative: float | None = None, what: str = ""
) -> None:
    """Assert max|actual - reference| <= relative * sqrt(parameters) * scale.

    `scale` is the size of the reference, max|reference|, unless cancellation makes the size of its terms the honest
    measure; `relative` is the accuracy asked of actual's precision unless the reference itself is less accurate.
    """
    actual = np.asarray(actual)
    reference = np.asarray(reference)
    assert actual.shape == reference.shape, f"{what}: shape {actual.shape}, expected {reference.shape}"
    assert actual.dtype in RELATIVE, f"{what}: dtype {actual.dtype}"
    assert np.isfinite(actual).all(), f"{what}: not finite"
    if reference.dtype == object:
        from .taylor import array_to_longdouble

        reference = array_to_longdouble(reference)
    error = np.abs(actual.astype(np.longdouble) - reference.astype(np.longdouble)).max(initial=0)
    size = np.abs(reference).max(initial=0) if scale is None else np.longdouble(scale)
    allowed = (RELATIVE[actual.dtype] if relative is None else relative) * np.sqrt(parameters) * size
    assert error <= allowed, f"{what}: error {error:.3e} exceeds {allowed:.3e} (size {size:.3e}, P = {parameters})"
