"""A scheme draws entry p of θ as scale_p · u_p, with u_p uniform in [−1, 1] or standard normal.

    torch            uniform   weights and biases 1/√fan_in                     torch.nn.Linear
    glorot_uniform   uniform   weights √(6/(fan_in + fan_out)), biases 0        Glorot and Bengio 2010
    glorot_normal    normal    weights √(2/(fan_in + fan_out)), biases 0        Glorot and Bengio 2010
    he_normal        normal    weights √(2/fan_in), biases 0                    He, Zhang, Ren and Sun 2015
    normal(σ)        normal    weights and biases σ

The multipliers of the parametrization are no part of a law: they come on top.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from . import _checks
from ._checks import Array

NAMES = ("torch", "glorot_normal", "glorot_uniform", "he_normal", "normal(σ)")


@dataclass(frozen=True)
class Scheme:
    """A scheme is a law of θ; `weight` and `bias` give the scale of a layer's entries from its (fan_in, fan_out)."""

    uniform: bool
    weight: Callable[[int, int], float]
    bias: Callable[[int, int], float]

    def scales(self, layer_shapes: Iterable[tuple[int, int, bool]]) -> Array:
        """Returns the scale of every entry of θ, (P,); layer_shapes as in `MLP.layer_shapes`."""
        parts = []
        for fan_in, width, bias in layer_shapes:
            parts.append(np.full(width * fan_in, self.weight(fan_in, width)))
            parts.append(np.full(width * bias, self.bias(fan_in, width)))
        return np.concatenate(parts)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draws the u_p of the law."""
        return rng.uniform(-1.0, 1.0, shape) if self.uniform else rng.standard_normal(shape)


def none(fan_in: int, width: int) -> float:
    return 0.0


def torch(fan_in: int, width: int) -> float:
    return 1 / math.sqrt(fan_in)


def glorot(numerator: float) -> Callable[[int, int], float]:
    return lambda fan_in, width: math.sqrt(numerator / (fan_in + width))


def he(fan_in: int, width: int) -> float:
    return math.sqrt(2 / fan_in)


TABLE = {
    "torch": Scheme(True, torch, torch),
    "glorot_normal": Scheme(False, glorot(2), none),
    "glorot_uniform": Scheme(True, glorot(6), none),
    "he_normal": Scheme(False, he, none),
}


def scheme_of(name: str) -> Scheme:
    """Returns the scheme of a name."""
    if not isinstance(name, str):
        raise TypeError(f"scheme must be a string, one of {', '.join(NAMES)}; got {name!r}")
    if name in TABLE:
        return TABLE[name]
    normal = re.fullmatch(r"normal(?:\((.*)\))?", name)
    if normal is None:
        hint = _checks.did_you_mean(name, NAMES)
        raise ValueError(f"scheme must be one of {', '.join(NAMES)}; got {name!r}{hint}")
    sigma = number(normal[1])
    if not 0 <= sigma < math.inf:
        raise ValueError(f"scheme normal(σ) must carry a standard deviation σ ≥ 0, as 'normal(0.5)'; got {name!r}")
    return Scheme(False, lambda fan_in, width: sigma, lambda fan_in, width: sigma)


def number(text: str | None) -> float:
    """Returns the number that a text holds, nan if it holds none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
