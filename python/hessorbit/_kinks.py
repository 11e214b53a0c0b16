"""Kinks that a network is at: where σ' or σ'' of an activation jumps, or ∂²ℓ/∂f² of a loss."""

from __future__ import annotations

from typing import NamedTuple

MOST_KINKS = 20  # of those at one θ, that are named


class Kink(NamedTuple):
    """A preactivation at a kink: its layer, from 1, neuron and sample; −1 on infinitely many inputs, which are all.

    As of a layer beyond the last: an output and a sample whose residual is at a kink of the loss.
    """

    layer: int
    neuron: int
    sample: int


def where(kink: Kink, num_layers: int) -> str:
    """Says in words what is at a kink."""
    layer, neuron, sample = kink
    if sample < 0:
        return f"The preactivation of neuron {neuron} of layer {layer} is at its kink on every input"
    if layer > num_layers:
        return f"The residual of output {neuron} on sample {sample} is at the kink of the loss, |f − y| = delta"
    return f"The preactivation of neuron {neuron} of layer {layer} is at its kink on sample {sample}"
