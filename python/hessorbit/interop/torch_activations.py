"""Activations among torch's modules, by hessorbit's names."""

from __future__ import annotations

from typing import Any

from .. import activations

# Modules of torch without options, and hessorbit's names of what they compute.
OTHER_NAMES = {
    "Identity": "identity",
    "ReLU": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "SiLU": "silu",
    "Softsign": "softsign",
    "SELU": "selu",
    "LeakyReLU": "leaky_relu",
    "GELU": "gelu",
    "Softplus": "softplus",
    "ELU": "elu",
    "CELU": "elu",
}
# Options with which a module is the activation; others are refused by name.
OPTIONS = {
    "GELU": ("approximate", "none", "hessorbit's GELU is the exact z Φ(z)"),
    "Softplus": ("beta", 1, "hessorbit's softplus is log(1 + e^z)"),
    "ELU": ("alpha", 1, "hessorbit's ELU has α = 1"),
    "CELU": ("alpha", 1, "hessorbit's ELU has α = 1"),
}
LEAST_THRESHOLD = 20  # beyond which torch's softplus is z, off by e^−20 there
EXACT_THRESHOLD = 40.0  # where e^−z is less than the rounding of z


def activation_of(module: Any, kind: str, where: str) -> str:
    """Returns the activation that a module of one of these kinds is, and refuses options with which it is none."""
    if kind in OPTIONS:
        option, wanted, reason = OPTIONS[kind]
        if getattr(module, option) != wanted:
            raise ValueError(f"{where} has {option}={getattr(module, option)!r}: {reason}")
    if getattr(module, "threshold", LEAST_THRESHOLD) < LEAST_THRESHOLD:
        raise ValueError(
            f"{where} has threshold={module.threshold!r}, and is z beyond: hessorbit's softplus is log(1 + e^z) "
            f"everywhere, as torch's is to rounding from a threshold of {LEAST_THRESHOLD}"
        )
    name = OTHER_NAMES[kind]
    if hasattr(module, "negative_slope"):
        name = f"{name}({module.negative_slope!r})"
    return activations.canonical(name, where)


def kind_of(module: Any) -> str:
    """Returns the name of torch's own class that a module is of, or its class is made from."""
    return next(each.__name__ for each in type(module).__mro__ if each.__module__.startswith("torch."))
