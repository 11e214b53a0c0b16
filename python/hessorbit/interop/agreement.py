"""Whether a network that was read, or written, computes what the other library's does, to the rounding of both.

With the unit roundoff u of their arithmetic, sums of n products in any order, and activations that are right to
`ROUNDINGS` units, errors grow from layer to layer as

    |δz_l| ≤ |W_l| e_{l−1} + γ (|W_l| (|a_{l−1}| + e_{l−1}) + |b_l|),     γ = (n + 2) u / (1 − (n + 2) u)
    e_l    = max|σ'| |δz_l| + ROUNDINGS u (|a_l| + |z_l| + 1)

(Higham, Accuracy and Stability of Numerical Algorithms, 2002, §3.1). Twice that covers our own errors too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import activations
from .._checks import FLOAT64, Array
from .._words import number_of
from ..network import MLP

SAMPLES = 64
SCALES = (0.25, 4.0)  # of the samples, so that activations are tried where they bend and where they saturate
ROUNDINGS = 16  # of an activation: libraries approximate tanh and erf in float32 to a few units

# What makes probabilities of outputs f (N, K), or rates.
LINKS: dict[str, Callable[[Array], Array]] = {
    "softmax": lambda f: np.exp(log_softmax(f)),
    "log_softmax": lambda f: log_softmax(f),
    "sigmoid": lambda f: 0.5 * (1 + np.tanh(f / 2)),
    "exp": lambda f: np.exp(f),
}
# Bounds on the errors of a link's values from those of outputs. Probabilities are Lipschitz in the largest of a row.
LINK_ERRORS: dict[str, Callable[[Array, Array], Array]] = {"exp": lambda values, errors: values * np.expm1(errors)}
LINK_SLOPE = 2.0


def defined_by(kind: type, method: str) -> str:
    """Returns the name of the package whose class defines a method of a class."""
    owner = next(each for each in kind.__mro__ if method in vars(each))
    return owner.__module__.partition(".")[0]


def log_softmax(f: Array) -> Array:
    shifted = f - f.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def probes(inputs: int) -> Array:
    """Returns random inputs that float32 holds exactly, in float64: (SAMPLES, inputs)."""
    rng = np.random.default_rng(0)
    scales = np.geomspace(*SCALES, SAMPLES)[:, None]
    return np.asarray((scales * rng.standard_normal((SAMPLES, inputs))).astype(np.float32), FLOAT64)


def check_outputs(
    net: MLP,
    theta: Array,
    answer: Callable[[Array], Any],
    what: str,
    *,
    link: str | None = None,
    activation_error: float = 0.0,
) -> None:
    """Refuses a network whose outputs are not those of another library's.

    Parameters
    ----------
    answer : callable
        What the other library answers to samples (N, inputs), float64 numbers that float32 holds: (N, K), in the
        precision in which it computes.
    what : str
        What was read, for the message.
    link : str, optional
        What their outputs have beyond ours.
    activation_error : float
        How far their activations are off by design.
    """
    x = probes(net.widths[0])
    try:
        theirs = np.asarray(answer(x))
    except Exception as error:  # whatever a library raises
        reason = str(error).partition("\n")[0]
        samples = f"samples of {number_of(x.shape[1], 'input')}"
        raise ValueError(f"{what} cannot be evaluated on {samples}: {reason}") from error
    ours = net(theta, x)
    allowed = 2 * output_error(net, theta, x, unit_roundoff(theirs), activation_error)
    if link is not None:
        ours, allowed = linked(link, ours, allowed)
        allowed = allowed + ROUNDINGS * unit_roundoff(theirs) * (1 + np.abs(ours))
    if theirs.shape == ours.shape[:1] and ours.shape[1] == 1:
        theirs = theirs[:, None]
    if theirs.shape != ours.shape:
        raise ValueError(
            f"{what} gives outputs of shape {theirs.shape[1:]} for a sample of {number_of(x.shape[1], 'input')}, its "
            f"layers of weights {ours.shape[1:]}: it does more than these"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        difference = np.abs(theirs.astype(FLOAT64) - ours)
        # Where rounding may be as large as the outputs, or these overflow, nothing can be told.
        tells = (allowed < 1 + np.abs(ours)) & (np.abs(ours) < largest(theirs))
        excess = np.where(tells & ~(difference <= allowed), difference / allowed, 0.0)
    if not tells.any():
        raise ValueError(
            f"{what} cannot be compared with its layers: its outputs on random inputs are lost to rounding"
        )
    if excess.any():
        worst = np.unravel_index(np.argmax(np.nan_to_num(excess, nan=np.inf)), excess.shape)
        raise ValueError(
            f"{what} does not compute what its layers of weights and activations do: outputs differ by "
            f"{difference[worst]:.2g} on a random input, where rounding explains {allowed[worst]:.1e}; it does more "
            f"than these, in another order, or with another activation"
        )


def linked(link: str, outputs: Array, errors: Array) -> tuple[Array, Array]:
    """Returns what a link makes of outputs with errors, and bounds on its errors."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = LINKS[link](outputs)
        if link in LINK_ERRORS:
            return values, LINK_ERRORS[link](values, errors)
    return values, LINK_SLOPE * errors.max(axis=1, keepdims=True)


def unit_roundoff(outputs: Array) -> float:
    """Returns that of the numbers that a library answers in; bfloat16 is no format of NumPy's."""
    return 2.0**-8 if outputs.dtype.name == "bfloat16" else float(np.finfo(outputs.dtype).eps) / 2


def largest(outputs: Array) -> float:
    """Returns the largest of the numbers that a library answers in, of which bfloat16's has the range of float32."""
    return float(np.finfo(np.float32 if outputs.dtype.name == "bfloat16" else outputs.dtype).max)


def output_error(net: MLP, theta: Array, x: Array, unit: float, activation_error: float = 0.0) -> Array:
    """Returns a bound on the error of each output that is computed with a unit roundoff, (N, K)."""
    values, errors = x, np.zeros_like(x)
    for (weights, biases), multiplier, names in zip(
        net.unflatten(theta), net.multipliers, net.activations, strict=True
    ):
        scaled = multiplier * weights
        terms = weights.shape[1] + 2
        gamma = terms * unit / (1 - terms * unit)
        shift = np.zeros(len(weights)) if biases is None else biases
        z = values @ scaled.T + shift
        carried = errors @ np.abs(scaled).T
        size = np.abs(values) @ np.abs(scaled).T + carried + np.abs(shift)
        errors = carried + gamma * size
        values, slopes = activated(names, z, errors)
        errors = slopes * errors + ROUNDINGS * unit * (np.abs(values) + np.abs(z) + 1) + activation_error
    return errors


def activated(names: tuple[str, ...], z: Array, errors: Array) -> tuple[Array, Array]:
    """Returns σ(z), and a bound on |σ'| within the errors of z; z (N, neurons)."""
    values, slopes = np.empty_like(z), np.empty_like(z)
    for name in set(names):
        mine = [index for index, other in enumerate(names) if other == name]
        values[:, mine] = activations.derivatives(name, z[:, mine])[0]
        bound = activations.slope_bound(name)
        # Those without a bound, powers and exp, are steepest farthest out.
        farthest = np.abs(z[:, mine]) + errors[:, mine]
        slopes[:, mine] = np.abs(activations.derivatives(name, farthest)[1]) if bound is None else bound
    return values, slopes
