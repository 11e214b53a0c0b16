"""What the readers of other libraries have in common: a network is a chain of affine maps and activations.

    a ← W a + b,    a ← σ(a) for each neuron

A reader names the parts of its library's network one by one, or says which of them is none of these; `assemble` makes
the `MLP` and θ of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .. import _checks, activations
from .._checks import FLOAT64, Array
from .._words import number_of
from ..network import MLP


@dataclass(frozen=True, eq=False)
class Affine:
    """a ← W a + b, W (out, in), b (out,) or None; `where` names it in messages."""

    weights: Array
    biases: Array | None
    where: str


@dataclass(frozen=True)
class Elementwise:
    """a ← σ(a), by hessorbit's name of σ."""

    activation: str
    where: str


@dataclass(frozen=True)
class Link:
    """What makes probabilities of the outputs, by its name in agreement.py: softmax and the like."""

    name: str
    where: str


Part = Affine | Elementwise | Link
MOST_TRIES = 10_000  # at an order of layers


def affine(weights: Any, biases: Any, where: str) -> Affine:
    """Returns an affine map with its numbers in float64, which holds those of smaller formats exactly."""
    matrix = exact(weights, f"weights of {where}")
    shift = None if biases is None else exact(biases, f"biases of {where}")
    if shift is not None and shift.shape != matrix.shape[:1]:
        raise _checks.shape_error(
            f"biases of {where}", f"({len(matrix)},), as its weights are {matrix.shape}", shift.shape
        )
    return Affine(matrix, shift, where)


def exact(array: Any, name: str) -> Array:
    """Returns finite numbers in float64, and refuses formats that it cannot hold."""
    numbers = _checks.as_floats(np.asanyarray(array), name)  # masked arrays stay so, and are refused
    if _checks.is_extended(numbers):
        raise TypeError(f"{name} must be float64 or smaller; got {numbers.dtype}")
    return numbers


def assemble(parts: Sequence[Part], what: str, *, logits: bool = False) -> tuple[MLP, Array, str | None]:
    """Returns the network, θ, and the link that `logits` leaves out.

    Parameters
    ----------
    parts : sequence of Affine, Elementwise and Link
        In the order in which they act.
    what : str
        What was read, for messages.
    logits : bool
        Whether to leave out a link on the outputs, or the activation of that name.
    """
    linear = activations.linear()
    link, kept = split_link([part for part in parts if getattr(part, "activation", None) != linear], logits)
    maps: list[Affine] = []
    names: list[str] = []
    for part in kept:
        if isinstance(part, Affine):
            if maps and part.weights.shape[1] != len(maps[-1].weights):
                raise ValueError(
                    f"{what}: {part.where} takes {number_of(part.weights.shape[1], 'input')}, but "
                    f"{maps[-1].where} before it has {number_of(len(maps[-1].weights), 'output')}"
                )
            maps.append(part)
            names.append(linear)
        elif not maps:
            raise ValueError(f"{what}: {part.where} stands before the first layer of weights; a network begins there")
        elif names[-1] != linear:
            raise ValueError(f"{what}: {part.where} follows another activation; a layer has one")
        else:
            names[-1] = part.activation
    if not maps:
        raise ValueError(f"{what} must have a layer of weights; it has none")
    net = MLP(
        [maps[0].weights.shape[1], *(len(part.weights) for part in maps)],
        names[:-1],
        bias=[part.biases is not None for part in maps],
        output_activation=names[-1],
    )
    theta = net.flatten([(part.weights, part.biases) for part in maps])
    return net, np.asarray(theta, FLOAT64), link


def split_link(parts: Sequence[Part], logits: bool) -> tuple[str | None, list[Affine | Elementwise]]:
    """Returns the link that is left out, and the parts before it."""
    from .agreement import LINKS

    last = parts[-1] if parts else None
    found = None
    if logits and isinstance(last, Link | Elementwise):
        name = last.name if isinstance(last, Link) else last.activation
        found = name if name in LINKS else None
    rest = list(parts[:-1]) if found else list(parts)
    for part in rest:
        if isinstance(part, Link):
            remedy = "set logits=True to leave it out, as the losses take logits"
            reason = remedy if part is last else "only outputs may have one"
            raise ValueError(f"{part.where} makes probabilities of all its inputs together: {reason}")
    return found, [part for part in rest if not isinstance(part, Link)]


def chain_of(found: dict[str, Affine], layers: Sequence[str] | None, what: str) -> list[Affine]:
    """Returns the affine maps of a collection that has names but no order that can be relied on.

    They are in the only order in which each takes what the one before it gives, if there is one. Names that differ in
    their numbers alone are in the order of these, unless no order is left then. Else `layers` has to tell.
    """
    if layers is not None:
        names = _checks.entries(layers, "layers", len(found), f"the names of {what}: {', '.join(found)}")
        unknown = [name for name in names if name not in found]
        if unknown or len(set(names)) < len(names):
            raise ValueError(f"layers must name each of {', '.join(found)} once; got {names}")
        return [found[name] for name in names]
    by_number = sorted(found, key=lambda name: split_name(name)[1])
    alike = len({split_name(name)[0] for name in found}) == 1
    fits = all(found[b].weights.shape[1] == len(found[a].weights) for a, b in pairwise(by_number))
    orders = [by_number] if alike and fits else possible_orders(found, numbered=True)
    orders = orders or possible_orders(found, numbered=False)
    if alike and not orders:
        orders = [by_number]  # of which can be said where it does not fit
    if len(orders) != 1:
        many = "more than one order" if orders else "no order"
        raise ValueError(
            f"the layers {', '.join(found)} of {what} fit together in {many}: name them in theirs, as "
            f"layers={list(found)!r}"
        )
    return [found[name] for name in orders[0]]


def possible_orders(found: dict[str, Affine], *, numbered: bool) -> list[list[str]]:
    """Returns up to two orders in which each map takes as many inputs as the one before it has outputs.

    With `numbered`, only those in which names that differ in their numbers alone are in the order of these. What is not
    found in `MOST_TRIES` steps is taken for more than one order.
    """
    if not has_order(list(found.values())):
        return []
    keys = {name: split_name(name) for name in found}
    earlier = {
        name: {other for other in found if numbered and keys[other][0] == text and keys[other][1] < numbers}
        for name, (text, numbers) in keys.items()
    }
    orders: list[list[str]] = []
    tries = 0

    def extend(order: list[str], left: list[str]) -> None:
        nonlocal tries
        tries += 1
        if not left or tries > MOST_TRIES:
            orders.append(order)
        for name in left:
            if len(orders) == 2:
                return
            fits = not order or found[name].weights.shape[1] == len(found[order[-1]].weights)
            if fits and earlier[name].isdisjoint(left):
                extend([*order, name], [other for other in left if other != name])

    extend([], list(found))
    return orders


def has_order(maps: Sequence[Affine]) -> bool:
    """Whether maps fit together in some order: whether widths, joined by them, have an Euler trail."""
    ends = [(part.weights.shape[1], len(part.weights)) for part in maps]
    excess = Counter(inputs for inputs, _ in ends)
    excess.subtract(outputs for _, outputs in ends)
    reached = set(ends[0] if ends else ())
    for _ in ends:
        reached.update(*(pair for pair in ends if not reached.isdisjoint(pair)))
    return sum(map(abs, excess.values())) <= 2 and reached.issuperset(excess)


def split_name(name: str) -> tuple[str, list[int]]:
    """Returns what a name has beside its numbers, and these."""
    pieces = re.split(r"(\d+)", name)
    return "#".join(pieces[::2]), [int(digits) for digits in pieces[1::2]]


def given_activations(maps: Sequence[Affine], activation: Any, output_activation: str) -> list[Part]:
    """Returns the parts of a network whose activations are told beside its weights: one name, or one per layer."""
    if not maps:
        return []
    hidden = len(maps) - 1
    if activation is None and hidden:
        raise ValueError("activation must be given: weights do not tell the activation of hidden layers")
    names: list[Any] = [activation] * hidden
    if not isinstance(activation, str | None):
        names = _checks.entries(activation, "activation", hidden, "one for each hidden layer, or be one name for all")
    parts: list[Part] = []
    for index, (part, name) in enumerate(zip(maps, [*names, output_activation], strict=True)):
        argument = "output_activation" if index == hidden else "activation"
        parts += [part, Elementwise(activations.canonical(name, argument), part.where)]
    return parts
