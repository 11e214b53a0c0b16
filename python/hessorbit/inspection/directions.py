"""The directions in which the loss bends most, and those in which it falls away: eigenvectors of the Hessian."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .._checks import Array
from ..network import MLP
from ..spectra import Spectrum

LEADING = 5  # of each kind


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction is an eigenvector of the Hessian, with the layers and neurons that it moves.

    Attributes
    ----------
    eigenvalue : float
    participation : float
        (Σ v²)² / Σ v⁴, from 1 (one parameter) to P (all alike).
    layers : tuple of float
        The part of ‖v‖² in each layer; they sum to 1.
    neurons : tuple of (int, int, float)
        Layer, neuron and part of ‖v‖² in the neuron's incoming and outgoing parameters together, for the three hidden
        neurons with the largest part.
    vector : ndarray, shape (P,)

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), [[1.0], [2.0]], [1.0, 0.5])
    >>> layers = ho.inspect(obj, [1.0, 1.0]).leading[0].layers
    >>> [round(part, 2) for part in layers]
    [0.07, 0.93]
    """

    eigenvalue: float
    participation: float
    layers: tuple[float, ...]
    neurons: tuple[tuple[int, int, float], ...]
    vector: Array = field(repr=False)


def direction_of(net: MLP, spectrum: Spectrum, index: int) -> Direction:
    """Returns eigenvector `index`, in ascending order."""
    assert spectrum.vectors is not None
    vector = spectrum.vectors[:, index]
    squares = vector**2
    layers = tuple(float(squares[net.block(layer=k, part="incoming")].sum()) for k in range(1, net.num_layers + 1))
    return Direction(
        eigenvalue=float(spectrum.eigenvalues[index]),
        participation=float(spectrum.participation_ratio[index]),
        layers=layers,
        neurons=tuple(sorted(neuron_parts(net, squares), key=lambda entry: -entry[2])[:3]),
        vector=vector,
    )


def neuron_parts(net: MLP, squares: Array) -> list[tuple[int, int, float]]:
    parts = []
    for layer, width in enumerate(net.widths[1:-1], 1):
        for neuron in range(width):
            own = [net.block(layer=layer, part=part, neurons=[neuron]) for part in ("incoming", "outgoing")]
            parts.append((layer, neuron, float(squares[np.concatenate(own)].sum())))
    return parts


def leading(net: MLP, spectrum: Spectrum) -> tuple[Direction, ...]:
    """Returns the eigenvectors of the largest eigenvalues above the floor, the largest first."""
    values = spectrum.eigenvalues
    chosen = [index for index in range(len(values))[::-1][:LEADING] if values[index] > spectrum.floor]
    return tuple(direction_of(net, spectrum, index) for index in chosen)


def negative(net: MLP, spectrum: Spectrum) -> tuple[Direction, ...]:
    """Returns the eigenvectors of the most negative eigenvalues that are resolved, the most negative first."""
    count = min(spectrum.num_negative, LEADING)
    return tuple(direction_of(net, spectrum, index) for index in range(count))
