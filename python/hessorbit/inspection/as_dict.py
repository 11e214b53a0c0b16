"""An inspection as numbers, strings, lists and dicts, which JSON takes."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from ..condition_number import ConditionNumber
from ..conditioning import BestConditioned
from ..critical import Certificate, CriticalPoint
from ..spectra import Spectrum
from .blocks import Block
from .directions import Direction
from .findings import Findings


def as_dict(found: Findings) -> dict[str, Any]:
    """Returns everything but spectra's vectors and the points of slices' grids."""
    modes = Counter(zip(found.zero_modes.kinds, found.zero_modes.labels, strict=True))
    result = {
        "objective": found.objective,
        "network": {
            "widths": found.net.widths,
            "activations": found.net.activations,
            "biases": found.net.biases,
            "parametrization": found.net.parametrization,
            "num_parameters": found.net.num_parameters,
        },
        "theta": found.theta,
        "loss": found.loss,
        "parts": found.parts,
        "gradient_norm": found.point.gradient_norm,
        "point": point_dict(found.point),
        "certificate": None if found.certificate is None else certificate_dict(found.certificate),
        "hessian": spectrum_dict(found.hessian),
        "gauss_newton": spectrum_dict(found.gauss_newton),
        "condition_numbers": [
            {"matrix": matrix, **condition_dict(number)} for matrix, number in found.condition_numbers
        ],
        "zero_modes": [{"kind": kind, "cause": cause, "count": count} for (kind, cause), count in modes.items()],
        "symmetries": [
            {"layer": f.layer, "kind": f.kind, "activation": f.activation, "neurons": f.neurons, "order": str(f.order),
             "dimension": f.dimension, "action": f.action}
            for f in found.symmetries.factors
        ],
        "blocks": [block_dict(block) for block in found.blocks],
        "leading": [direction_dict(direction) for direction in found.leading],
        "negative": [direction_dict(direction) for direction in found.negative],
        "best": {name: best_dict(best) for name, best in found.best.items()},
        "canonical": {
            "network": repr(found.canonical.net), "theta": found.canonical.theta, "bound": found.canonical.bound,
            "radius": found.canonical.radius,
        },
        "neurons": [
            {"layer": note.layer, "neurons": note.neurons, "kind": note.kind, "meaning": note.meaning}
            for note in found.neurons
        ],
        "slices": [
            {"names": each.names, "steps": each.steps[0], "losses": each.losses, "quadratic": each.quadratic}
            for each in found.slices if len(each.steps) == 1
        ],
        "seconds": found.seconds,
    }  # fmt: skip
    plain: dict[str, Any] = plain_value(result)
    return plain


def plain_value(value: Any) -> Any:
    """Returns arrays and tuples as lists, NumPy's numbers as Python's, and those that JSON has not as None."""
    if isinstance(value, dict):
        return {name: plain_value(each) for name, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain_value(value.tolist())
    if isinstance(value, list | tuple):
        return [plain_value(each) for each in value]
    if isinstance(value, np.generic):
        return plain_value(value.item())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def spectrum_dict(found: Spectrum) -> dict[str, Any]:
    return {
        "eigenvalues": found.eigenvalues,
        "trace": found.trace,
        "floor": found.floor,
        "rank": found.rank,
        "num_negative": found.num_negative,
        "method": found.method,
        "predicted_zero_modes": len(found.zero_modes),
    }


def condition_dict(number: ConditionNumber) -> dict[str, Any]:
    return {
        "convention": number.convention,
        "value": float(number),
        "is_lower_bound": number.is_lower_bound,
        "lower": number.lower,
        "upper": number.upper,
        "directions": number.directions,
        "of": number.of,
        "modes_are_null": number.modes_are_null,
    }


def point_dict(point: CriticalPoint) -> dict[str, Any]:
    return {
        "kind": point.kind,
        "message": point.message,
        "num_negative": point.num_negative,
        "num_positive": point.num_positive,
        "smallest": point.smallest,
        "floor": point.floor,
        "decrease": point.decrease,
        "distance": point.distance,
        "limit": point.limit,
        "causes": point.causes,
        "ways": [{"kind": w.kind, "layer": w.layer, "neurons": w.neurons, "unit": w.unit} for w in point.ways],
        "kinks": point.kinks,
    }


def certificate_dict(certificate: Certificate) -> dict[str, Any]:
    return {
        "kind": certificate.kind,
        "proven": certificate.proven,
        "message": certificate.message,
        "distance": certificate.distance,
        "radius": certificate.radius,
        "loss": certificate.loss,
        "condition_number": certificate.condition_number,
        "inertia": certificate.inertia,
        "theta": certificate.theta,
    }


def block_dict(block: Block) -> dict[str, Any]:
    return {
        "name": block.name,
        "layer": block.layer,
        "neuron": block.neuron,
        "part": block.part,
        "size": block.size,
        "trace": block.trace,
        "share": block.share,
        "smallest": block.smallest,
        "largest": block.largest,
    }


def direction_dict(direction: Direction) -> dict[str, Any]:
    return {
        "eigenvalue": direction.eigenvalue,
        "participation": direction.participation,
        "layers": direction.layers,
        "neurons": [{"layer": layer, "neuron": neuron, "part": part} for layer, neuron, part in direction.neurons],
        "vector": direction.vector,
    }


def best_dict(best: BestConditioned | str) -> dict[str, Any]:
    if isinstance(best, str):
        return {"reason": best}
    return {
        "network": repr(best.net),
        "value": best.value,
        "start": best.start,
        "lower_bound": best.lower_bound,
        "gap": best.gap,
        "certificate": best.certificate,
        "scope": best.scope,
        "copies": best.copies,
        "theta": best.theta,
    }
