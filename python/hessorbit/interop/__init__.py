"""Networks from other libraries, and back to some of them; each library is imported only when it is asked for.

Every reader gives ``(net, theta)``, with θ exact in float64, names what it cannot take, and compares outputs with those
of the library, on random inputs and up to rounding.
"""

from __future__ import annotations

from .flax import from_flax
from .keras import from_keras
from .onnx import from_onnx, to_onnx
from .sklearn import from_sklearn
from .state_dict import from_safetensors
from .torch import from_torch, to_torch

__all__ = [
    "from_flax",
    "from_keras",
    "from_onnx",
    "from_safetensors",
    "from_sklearn",
    "from_torch",
    "to_onnx",
    "to_torch",
]


def __dir__() -> list[str]:
    return list(__all__)
