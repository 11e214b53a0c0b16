"""Which hidden neurons do nothing, are constant, or repeat others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._checks import Array
from ..any_objective import AnyObjective
from ..objective import Objective
from ..symmetry.data_modes import linear_pieces
from ..symmetry.related_neurons import constant_neurons, dead_neurons, layer_parameters, related_neurons
from ..symmetry.rules import rule_of

TOLERANCE = 1e-8  # relative, of weights that count as zero or equal


@dataclass(frozen=True)
class NeuronNote:
    """A note says that hidden neurons are dead, constant or duplicates.

    Attributes
    ----------
    layer : int
        Counted from 1.
    neurons : tuple of int
        Counted from 0.
    kind : {"dead", "constant", "duplicate", "off", "linear"}
        ``"dead"``: outgoing weights are 0. ``"constant"``: incoming weights are 0. ``"duplicate"``: incoming parameters
        are equal up to a factor that the activation passes through. Of rectifiers also ``"off"`` on every sample, and
        ``"linear"``: on at every sample.
    meaning : str
        The same in words.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 2, 1], bias=False), [[1.0], [2.0]], [1.0, 0.5])
    >>> ho.inspect(obj, [1.0, 1.0, 2.0, 3.0]).neurons
    (NeuronNote(layer=1, neurons=(0, 1), kind='duplicate', meaning='neurons 0 and 1 compute the same up to a factor'),)
    """

    layer: int
    neurons: tuple[int, ...]
    kind: str
    meaning: str


def notes_of(obj: AnyObjective, theta: Array) -> tuple[NeuronNote, ...]:
    """Returns what there is to say of hidden neurons, layer by layer."""
    notes = list(notes_on_data(obj, theta)) if isinstance(obj, Objective) else []
    for parameters in layer_parameters(obj.net, theta):
        layer = parameters.layer.layer
        for neuron in dead_neurons(parameters, TOLERANCE):
            notes.append(NeuronNote(layer, (int(neuron),), "dead", f"neuron {neuron} has outgoing weights 0"))
        for neuron in constant_neurons(parameters, TOLERANCE):
            notes.append(NeuronNote(layer, (int(neuron),), "constant", f"neuron {neuron} has incoming weights 0"))
        for related in related_neurons(parameters, TOLERANCE):
            if len(related.neurons) > 1:
                members = tuple(map(int, related.neurons))
                text = f"neurons {listed(members)} compute the same up to a factor"
                notes.append(NeuronNote(layer, members, "duplicate", text))
    return tuple(sorted(notes, key=lambda note: (note.layer, note.neurons)))


def notes_on_data(obj: Objective, theta: Array) -> Iterator[NeuronNote]:
    """Yields what samples show: neurons that are off, or linear, on all of them."""
    for layer, slopes in enumerate(linear_pieces(obj, theta) or [], 1):
        for neuron, name in enumerate(obj.net.activations[layer - 1]):
            if np.isfinite(slopes[neuron]) and not rule_of(name).linear:
                kind = "linear" if slopes[neuron] else "off"
                text = f"neuron {neuron} is {'linear' if slopes[neuron] else 'off'} on every sample"
                yield NeuronNote(layer, (neuron,), kind, text)


def listed(numbers: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
