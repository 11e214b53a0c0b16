"""Block-diagonal curvature: the diagonal blocks of a matrix by layer, by neuron, or for any groups of parameters.

By layer, a block is that of (W_l, b_l); by neuron, that of a row of (W_l, b_l).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _html
from ._checks import Array
from ._words import number_of
from .any_objective import AnyObjective, check_objective
from .network import MLP
from .objective import Objective
from .restricted import RestrictedObjective

GROUPS = ("layer", "neuron")
MATRICES = ("hessian", "gauss_newton", "empirical_fisher")


@dataclass(frozen=True, eq=False, repr=False)
class BlockDiagonal:
    """A block diagonal holds diagonal blocks of a curvature matrix; made by `block_diagonal`.

    Attributes
    ----------
    matrix : str
        ``"hessian"``, ``"gauss_newton"`` or ``"empirical_fisher"``.
    names : tuple of str
        What each block belongs to, such as ``"layer 1"`` or ``"layer 1, neuron 0"``.
    parameters : tuple of ndarray of int
        Positions in θ of each block's rows and columns.
    blocks : tuple of ndarray, shape (p, p), or (B, p, p) for a batch of θ
    num_parameters : int
        P.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([2, 2], bias=False), [[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]])
    >>> found = ho.block_diagonal(obj, [0.0, 0.0, 0.0, 0.0], by="neuron")
    >>> found
    BlockDiagonal(2 blocks of the hessian, of 4 of 4 parameters)
    >>> for name, block in zip(found.names, found.blocks):
    ...     print(name, block.tolist())
    layer 1, neuron 0 [[5.0, 1.0], [1.0, 2.0]]
    layer 1, neuron 1 [[5.0, 1.0], [1.0, 2.0]]
    """

    matrix: str
    names: tuple[str, ...]
    parameters: tuple[Array, ...]
    blocks: tuple[Array, ...]
    num_parameters: int

    def dense(self) -> Array:
        """Returns the matrix with these blocks and zeros elsewhere, of shape (P, P), or (B, P, P).

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), [[1.0]], [2.0])
        >>> ho.block_diagonal(obj, [0.0, 1.0], by="layer").dense(), obj.hessian([0.0, 1.0])
        (array([[1., 0.],
               [0., 0.]]), array([[ 1., -2.],
               [-2.,  0.]]))
        """
        first = self.blocks[0]
        result = np.zeros((*first.shape[:-2], self.num_parameters, self.num_parameters), first.dtype)
        for at, block in zip(self.parameters, self.blocks, strict=True):
            result[..., at[:, None], at] = block
        return result

    def __repr__(self) -> str:
        covered, count = sum(map(len, self.parameters)), len(self.blocks)
        return (
            f"BlockDiagonal({number_of(count, 'block')} of the {self.matrix}, of {covered} of "
            f"{number_of(self.num_parameters, 'parameter')})"
        )

    def _repr_html_(self) -> str:
        rows = [
            (name, len(at), *([*map(float, extremes(block))] if block.ndim == 2 else []))
            for name, at, block in zip(self.names, self.parameters, self.blocks, strict=True)
        ]
        headings = ("block", "parameters", "trace", "smallest eigenvalue", "largest eigenvalue")
        return _html.table(repr(self), headings if self.blocks[0].ndim == 2 else headings[:2], rows)


def block_diagonal(
    obj: AnyObjective, theta: ArrayLike, *, by: str | Sequence[ArrayLike] = "layer", matrix: str = "hessian"
) -> BlockDiagonal:
    """Returns the diagonal blocks of the Hessian by layer or by neuron, each exact and alone formed.

    Parameters
    ----------
    obj : Objective, PopulationObjective or RestrictedObjective
    theta : array_like, shape (P,) or (B, P)
    by : {"layer", "neuron"} or sequence of array_like of int or bool
        What makes a block: a layer's parameters (W_l, b_l); a neuron's incoming parameters, a row of (W_l, b_l), in
        every layer, outputs included; or groups of positions in θ, such as `MLP.block` gives, in which no parameter
        appears twice. Layers and neurons cover θ. Of a restricted objective the free parameters are grouped, and
        positions are among these.
    matrix : {"hessian", "gauss_newton", "empirical_fisher"}
        Of which matrix; the last one of an `Objective` alone.

    Returns
    -------
    BlockDiagonal

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; if groups share a parameter or are empty.

    Notes
    -----
    Every block is a principal block of the matrix that ``getattr(obj, matrix)(theta)`` gives, with its weights, its
    mean over samples and its weight decay. A layer of P_l parameters takes N·P_l²/2 operations. All neurons together
    take one pass through the samples, and N·F_l/2 operations for each parameter of a layer with F_l features: for
    10 inputs and 100 neurons, on 2000 samples, 0.08 of the time of the whole Hessian, and with another layer of 100
    neurons 0.03. (The empirical Fisher matrix, populations, and restricted objectives take a pass for each block.)

    The blocks by layer of the Gauss–Newton matrix are what KFAC approximates further, by a Kronecker product each.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([3, 4, 1])
    >>> x = np.linspace(-1, 1, 30).reshape(10, 3)
    >>> obj = ho.Objective(net, x, x.sum(axis=1))
    >>> theta = net.init(np.random.default_rng(0))
    >>> found = ho.block_diagonal(obj, theta, matrix="gauss_newton")
    >>> [(name, block.shape) for name, block in zip(found.names, found.blocks)]
    [('layer 1', (16, 16)), ('layer 2', (5, 5))]
    >>> first = obj.gauss_newton(theta, parameters=net.block(layer=1, part="incoming"))
    >>> bool((found.blocks[0] == first).all())
    True
    """
    check_objective(obj)
    name = _checks.one_of(matrix, MATRICES, "matrix")
    if name == "empirical_fisher" and not isinstance(obj, Objective):
        got = _checks.with_article(type(obj))
        raise TypeError(f"matrix='empirical_fisher' needs the samples of an Objective; got {got}")
    groups = dict(grouped(obj, by))
    if isinstance(by, str) and by == "neuron" and name != "empirical_fisher" and isinstance(obj, Objective):
        blocks = list(split(obj.net, obj._neuron_blocks(theta, name)))
    else:
        blocks = [getattr(obj, name)(theta, parameters=at) for at in groups.values()]
    return BlockDiagonal(name, tuple(groups), tuple(groups.values()), tuple(blocks), obj.num_parameters)


def grouped(obj: AnyObjective, by: str | Sequence[ArrayLike]) -> Iterator[tuple[str, Array]]:
    """Yields the name of each block, and its positions in what the objective is a function of."""
    if not isinstance(by, str):
        yield from own_groups(by, obj.num_parameters)
        return
    kind = _checks.one_of(by, GROUPS, "by")
    for name, at in groups_of(obj.net, kind):
        if isinstance(obj, RestrictedObjective):
            at = np.flatnonzero(np.isin(obj.free, at))
        if len(at):
            yield name, at


def groups_of(net: MLP, kind: str) -> Iterator[tuple[str, Array]]:
    """Yields the parameters of each layer, or of each neuron."""
    for layer, width in enumerate(net.widths[1:], 1):
        if kind == "layer":
            yield f"layer {layer}", net.block(layer=layer, part="incoming")
            continue
        weights, biases = net.unflatten(np.arange(net.num_parameters))[layer - 1]
        for neuron in range(width):
            own = weights[neuron] if biases is None else np.append(weights[neuron], biases[neuron])
            yield f"layer {layer}, neuron {neuron}", own


def own_groups(by: Any, count: int) -> Iterator[tuple[str, Array]]:
    """Yields the groups of a sequence, which must not share a parameter."""
    try:
        given = list(by)
    except TypeError:
        given = None
    if not given or np.ndim(given[0]) != 1:
        raise TypeError(
            f"by must be one of {', '.join(GROUPS)}, or a sequence of groups, each a sequence of positions in theta; "
            f"got {by!r}"
        )
    groups = [np.array(_checks.positions(each, count, f"by[{index}]"), int) for index, each in enumerate(given)]
    _checks.distinct(list(map(int, chain(*groups))), "by", "a parameter")
    for index, at in enumerate(groups):
        yield f"group {index}", at


def split(net: MLP, flat: Array) -> Iterator[Array]:
    """Yields the blocks of neurons, which stand one after the other in the last axis."""
    start = 0
    for fan_in, width, bias in net.layer_shapes:
        features = fan_in + bias
        for _ in range(width):
            stop = start + features**2
            yield flat[..., start:stop].reshape(*flat.shape[:-1], features, features)
            start = stop


def extremes(block: Array) -> tuple[float, float, float]:
    """The trace, and the smallest and the largest eigenvalue."""
    values = np.linalg.eigvalsh(block.astype(float)) if np.isfinite(block).all() else np.full(1, np.nan)
    return float(np.trace(block)), float(values[0]), float(values[-1])
