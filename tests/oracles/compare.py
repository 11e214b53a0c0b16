"""Judging a result against a reference, with the tolerance that was asked for.

Accuracy asked of float64 results:  max|A - A_ref| <= 1e-13 max|A_ref| sqrt(P).
A sum of rounding errors of size eps = 1.1e-16 over the terms of an entry grows like the square root of their number,
and a few dozen operations lie on the way to each term: 1e-13 leaves a factor 900 for all constants, at P = 1.
Extended precision has 11 bits more, so its tolerance is 2^11 times smaller.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jets import Reference
from .taylor import array_to_longdouble


def accuracy(dtype: Any) -> float:
    """The relative accuracy asked of results in a precision."""
    return 1e-13 * float(np.finfo(dtype).eps / np.finfo(np.float64).eps)


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
    assert actual.dtype in (np.float64, np.longdouble), f"{what}: dtype {actual.dtype}"
    assert np.isfinite(actual).all(), f"{what}: not finite"
    if reference.dtype.hasobject:
        reference = array_to_longdouble(reference)
    error = np.abs(actual.astype(np.longdouble) - reference.astype(np.longdouble)).max(initial=0)
    size = largest(reference) if scale is None else np.longdouble(scale)
    allowed = (accuracy(actual.dtype) if relative is None else relative) * np.sqrt(parameters) * size
    assert error <= allowed, f"{what}: error {error:.3e} exceeds {allowed:.3e} (size {size:.3e}, P = {parameters})"


METHODS = {
    "loss": "loss",
    "gradient": "gradient",
    "hessian": "hessian",
    "gauss_newton": "gauss_newton",
    "diagonal": "hessian_diagonal",
    "trace": "hessian_trace",
    "outputs": "outputs",
    "residual": "residual",
    "jacobian": "jacobian",
}


def computed(objective: Any, theta: Any) -> dict[str, Any]:
    """Everything that an objective computes at theta, by the names of `Reference`."""
    return {name: getattr(objective, method)(theta) for name, method in METHODS.items()}


def assert_matches(
    results: dict[str, Any], reference: Reference, count: int | None = None, *, by_terms: bool = False, what: str = ""
) -> None:
    """Assert that results over the first `count` samples have the accuracy asked.

    Errors are judged against the largest entry of the matrix or vector; `by_terms` judges them against the largest
    sum of magnitudes of the terms instead, for problems in which the terms may cancel.
    """
    parameters = reference.problem.num_parameters
    for name, value in results.items():
        assert_close(
            value,
            reference.total(name, count),
            parameters=parameters,
            scale=scale_of(reference, name, count, by_terms),
            what=f"{what} {name}, N = {count or len(reference.problem.x)}",
        )


def scale_of(reference: Reference, name: str, count: int | None, by_terms: bool) -> Any:
    if name == "trace":  # entries of either sign are added up
        return np.sum(np.abs(reference.total("diagonal", count)))
    if name == "residual":  # the difference of targets and a function of the outputs, whose slope is at most 1 or e^f
        size = max(largest(reference.outputs[:count]), largest(reference.problem.targets[:count]), 1)
        slope = np.exp(float(np.max(reference.outputs[:count]))) if reference.problem.loss == "poisson" else 1.0
        return size * max(slope, 1.0)
    if by_terms and name in reference.running:
        return reference.magnitude(name, count)
    return largest(reference.total("hessian" if name == "diagonal" else name, count))


def largest(array: Any) -> Any:
    return np.max(np.abs(array), initial=0)
