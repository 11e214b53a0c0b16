"""Where the curvature sits: the diagonal blocks of the Hessian by layer, and by neuron within each layer.

A layer's block is that of W_l and b_l. A hidden neuron's are that of its incoming parameters, a row of (W_l, b_l), and
that of its outgoing weights, a column of W_{l+1}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._checks import Array
from .._words import number_of
from ..network import MLP


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """A block is a diagonal block of the Hessian: that of some layer's or neuron's parameters.

    Attributes
    ----------
    layer : int
        Counted from 1.
    neuron : int or None
        Counted from 0; None for the whole layer.
    part : {"incoming", "outgoing"}
    size : int
        Number of parameters.
    trace : float
    share : float
        The trace over that of the Hessian; nan if that is 0.
    smallest, largest : float
        Extreme eigenvalues of the block. Those of the Hessian lie outside or on them.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), [[1.0], [2.0]], [1.0, 0.5])
    >>> for block in ho.inspect(obj, [1.0, 1.0]).blocks:
    ...     print(block)
    layer 1, incoming: 1 parameter, trace 0.048 (6 %), eigenvalues 0.048 to 0.048
    layer 1, neuron 0, incoming: 1 parameter, trace 0.048 (6 %), eigenvalues 0.048 to 0.048
    layer 1, neuron 0, outgoing: 1 parameter, trace 0.755 (94 %), eigenvalues 0.755 to 0.755
    layer 2, incoming: 1 parameter, trace 0.755 (94 %), eigenvalues 0.755 to 0.755
    """

    layer: int
    neuron: int | None
    part: str
    size: int
    trace: float
    share: float
    smallest: float
    largest: float

    @property
    def name(self) -> str:
        """Layer, neuron and part in words."""
        return f"layer {self.layer}, {'' if self.neuron is None else f'neuron {self.neuron}, '}{self.part}"

    def __repr__(self) -> str:
        return (
            f"{self.name}: {number_of(self.size, 'parameter')}, trace {self.trace:.3g} ({self.share:.0%}), "
            f"eigenvalues {self.smallest:.3g} to {self.largest:.3g}"
        ).replace("%)", " %)")


def blocks_of(net: MLP, hessian: Array) -> Iterator[Block]:
    """Yields the blocks of a Hessian, layer by layer."""
    for layer, width in enumerate(net.widths[1:], 1):
        yield block_of(net, hessian, layer, None, "incoming")
        if layer < net.num_layers:
            for neuron in range(width):
                for part in ("incoming", "outgoing"):
                    yield block_of(net, hessian, layer, neuron, part)


def block_of(net: MLP, hessian: Array, layer: int, neuron: int | None, part: str) -> Block:
    positions = net.block(layer=layer, part=part, neurons=None if neuron is None else [neuron])
    block = hessian[np.ix_(positions, positions)]
    values = np.linalg.eigvalsh(block)
    total, trace = float(np.trace(hessian)), float(np.trace(block))
    return Block(
        layer=layer,
        neuron=neuron,
        part=part,
        size=len(positions),
        trace=trace,
        share=trace / total if total else float("nan"),
        smallest=float(values[0]),
        largest=float(values[-1]),
    )
