"""A scope says in words which points a search went through, and which equivalent points it left out."""

from __future__ import annotations

from ..network import MLP
from ..symmetry.rules import HiddenLayer, hidden_layers
from .regions import SPAN

RANGE = f"factors of D between {1 / SPAN:g} and {SPAN:g} around the balanced point"


def orbit_scope(net: MLP) -> str:
    """Returns the scope of a search over a network's own orbit."""
    layers = hidden_layers(net)
    searched, left = [], []
    if any(rule.degree and not rule.linear for hidden in layers for rule in hidden.rules):
        searched.append("rescalings of homogeneous neurons")
    if any(len(hidden.linear) for hidden in layers):
        searched.append("rescalings of linear neurons")
    if linear_moves_are_left_out(net):
        left.append("mixings and shifts of linear neurons")
    if any(rule.exponential and hidden.can_shift(n) for hidden in layers for n, rule in enumerate(hidden.rules)):
        searched.append("shifts of exponential neurons")
    if any(map(flips_change_spectra, layers)):
        searched.append("sign flips that move the next layer's bias")
    if any(rule.even_linear for hidden in layers for rule in hidden.rules):
        left.append("even-linear flips, which are possible only at some θ")
    if searched:
        moves = f"{' and '.join(searched)}, {RANGE}; other moves that are orthogonal change no eigenvalue"
    else:
        moves = "the point itself, as orthogonal moves change no eigenvalue"
    return moves + without(left)


def widening_scope(net: MLP, widths: tuple[int, ...], copies: bool, *, parallel: bool = True) -> str:
    """Returns the scope of a search over widenings to these hidden widths, with given numbers of copies or with any.

    Copies' outgoing vectors are parallel, or searched too.
    """
    layers = hidden_layers(net)
    numbers = "the numbers of copies given" if copies else "all numbers of copies"
    left, moves = [], ["all shares and scales of copies"]
    if any(map(flips_change_spectra, layers)):
        moves.append("signs of copies")
    if any(rule.exponential and hidden.can_shift(n) for hidden in layers for n, rule in enumerate(hidden.rules)):
        moves.append("shifts of copies")
    if linear_moves_are_left_out(net):
        left.append("mixings and shifts of linear neurons")
    if sum(widths) > sum(net.widths[1:-1]):
        left.append("dead neurons with incoming weights or a constant that is not zero")
    if not parallel:
        moves.append("all outgoing vectors of copies")
    elif net.widths[-1] > 1 or net.num_layers > 2:
        left.append("copies whose outgoing vectors are not parallel")  # last, as more may be known of them
    text = f"widenings to {list(widths)} hidden neurons with {numbers}, {', '.join(moves)}, {RANGE}"
    return text + without(left)


def linear_moves_are_left_out(net: MLP) -> bool:
    """Tells whether linear neurons can be mixed, or one shifted, which changes the spectrum and is not searched."""
    return any(
        len(hidden.linear) > 1 or any(hidden.can_shift(int(neuron)) for neuron in hidden.linear)
        for hidden in hidden_layers(net)
    )


def flips_change_spectra(hidden: HiddenLayer) -> bool:
    """Tells whether a layer has sign flips that are not orthogonal, as they leave a constant to the next bias."""
    return any(rule.constant and hidden.can_flip(neuron) for neuron, rule in enumerate(hidden.rules))


def without(left: list[str]) -> str:
    return f". Not searched: {'; '.join(left)}" if left else ""
