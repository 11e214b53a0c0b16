"""`grow` widens a network during training: the same function at any θ, and what an optimiser needs to go on.

With the T of the widening (symmetry/widening.py), gradients become g_wide = Tᵀ g at every θ. An average of gradients,
Adam's first moment or momentum's buffer, becomes Tᵀ m exactly; an average of squared gradients (T∘T)ᵀ v, exactly where
a wide parameter stems from one narrow one, as all do but next to flipped copies of sigmoid or normal_cdf neurons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html
from .._checks import Array
from ..any_objective import AnyObjective, check_objective
from ..network import MLP
from ..objective import Objective
from ..symmetry.other_network import for_network
from ..symmetry.rules import hidden_layers
from ..symmetry.widening import Widening
from .best import best_conditioned
from .question import checked_widening
from .result import BestConditioned

SPLITS = ("best", "equal", "random")
Moments = tuple[Array | None, Array | None]


@dataclass(frozen=True, eq=False, repr=False)
class Growth:
    """A wider network at the same function, made by `grow`; it unpacks into `net` and `theta`.

    Attributes
    ----------
    net : MLP
        The wide network.
    theta : ndarray, shape (P_wide,)
        Its parameters.
    widening : Widening
        What takes the narrow network to it; its neurons by where they come from.
    split : {"best", "equal", "random"}
    moments : tuple of (ndarray or None), or None
        The moments of an optimiser, carried along: averages of gradients and of squared gradients, (P_wide,) each.
    best : BestConditioned or None
        What is known of the split ``"best"``; None for the others.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([1, 2, 1])
    >>> obj = ho.Objective(net, [[0.0], [1.0], [2.0]], [0.0, 1.0, 0.5])
    >>> grown = ho.grow(obj, np.linspace(-1.0, 1.0, 7), [4], split="equal")
    >>> grown
    Growth: MLP([1, 2, 1], 'tanh') -> MLP([1, 4, 1], 'tanh'), split equally into copies (2, 2)
    >>> wide, theta = grown
    """

    net: MLP
    theta: Array
    widening: Widening
    split: str
    moments: Moments | None = None
    best: BestConditioned | None = None

    def __iter__(self) -> Iterator[Any]:
        """The network and its parameters."""
        yield self.net
        yield self.theta

    def __repr__(self) -> str:
        how = {"best": "at best", "equal": "equally", "random": "at random"}[self.split]
        copies = ", ".join(str(tuple(numbers_of(layer.source))) for layer in self.widening.layers)
        return f"Growth: {self.widening.source!r} -> {self.net!r}, split {how} into copies {copies}"

    def _repr_html_(self) -> str:
        rows = {
            "from": repr(self.widening.source),
            "to": repr(self.net),
            "split": self.split,
            "copies": "; ".join(
                f"layer {layer}: {', '.join(map(str, numbers_of(each.source)))}"
                for layer, each in enumerate(self.widening.layers, 1)
            ),
            "κ of the Gauss–Newton matrix": None if self.best is None else self.best.value,
        }
        return _html.facts("A grown network", rows)


def grow(
    obj: AnyObjective,
    theta: ArrayLike,
    widths: Sequence[int],
    *,
    split: str = "best",
    rng: np.random.Generator | None = None,
    moments: tuple[ArrayLike | None, ArrayLike | None] | None = None,
    max_nodes: int | None = None,
) -> Growth:
    """Returns a wider network that computes the same function, with an optimiser's moments carried along.

    Parameters
    ----------
    obj : Objective or PopulationObjective
        What is being minimised, with the narrow network.
    theta : array_like, shape (P,)
        Any point, converged or not.
    widths : sequence of int
        The hidden widths to grow to, one per hidden layer, each at least what it is.
    split : {"best", "equal", "random"}
        - ``"best"``: the widening whose Gauss–Newton matrix is best conditioned, by `best_conditioned`: which neurons
          are copied, into how many, and how their outgoing weights are shared out; weight decay is left out of it.
        - ``"equal"``: as many copies of each neuron as the widths allow, one more of the first ones, all with equal
          parts of the outgoing weights.
        - ``"random"``: each further neuron copies a random one, and copies share the outgoing weights at random, as
          uniformly distributed fractions of one.
    rng : numpy.random.Generator, optional
        For the split ``"random"``, which needs it. With ``"best"``, the incoming parameters of neurons that are copies
        of none are drawn from it, as `MLP.init` does; without it they are at rest, and descent leaves them so.
    moments : tuple of array_like, optional
        (m, v) of an optimiser at theta, each of shape (P,) or None: averages of gradients, such as Adam's first moment
        or momentum's buffer, and of squared gradients, such as Adam's second. Both are carried along.
    max_nodes : int, optional
        How long the best split may be searched, as in `best_conditioned`.

    Returns
    -------
    Growth
        It unpacks: ``net, theta = grow(…)``.

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong type, shape or range; with ``"best"`` also where `best_conditioned` raises, as for a
        Gauss–Newton matrix of zeros.

    Notes
    -----
    Gradients of the wide network are Tᵀ g, T being ``widening.transfer()``, for any loss, at this θ; so m goes to Tᵀ m
    and v to (T∘T)ᵀ v, in which Adam's next step is that of a network that had always been wide, up to the moves of its
    copies relative to each other. With weight decay this holds for the loss without it: the penalty of the wide network
    is another one.

    Copies with equal parts of the outgoing weights have equal gradients: gradient descent and Adam move them together
    for ever, and the wide network learns no more than the narrow one could. Copies with unequal parts drift apart.

    Of the parameters that the network computes the same at θ is meant up to rounding. Equal and random splits take
    O(P_wide) operations; for ``"best"`` see `best_conditioned`.

    References
    ----------
    .. [1] Chen, Goodfellow and Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016.
    .. [2] Fukumizu and Amari, "Local minima and plateaus in hierarchical structures of multilayer perceptrons", Neural
       Networks 13 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> rng = np.random.default_rng(0)
    >>> net, x = ho.MLP([2, 3, 1]), rng.normal(size=(40, 2))
    >>> obj = ho.Objective(net, x, np.sin(2 * x[:, 0]) + x[:, 1])
    >>> theta = ho.minimize(obj, net.init(rng), method="adam", max_steps=50).x
    >>> wide, theta_wide = ho.grow(obj, theta, widths=[6])
    >>> wide, bool(abs(wide(theta_wide, x) - net(theta, x)).max() < 1e-12)
    (MLP([2, 6, 1], 'tanh'), True)
    """
    check_objective(obj)
    net = obj.net
    at = _checks.parameter_vector(theta, net.num_parameters)
    how = _checks.one_of(split, SPLITS, "split")
    sizes, _ = checked_widening(net, widths, None)
    generator = None if rng is None else _checks.generator(rng)
    averages = None if moments is None else checked_moments(moments, net.num_parameters)
    if how == "best":
        best = best_conditioned(without_penalty(obj), at, widths=sizes, matrix="gauss_newton", max_nodes=max_nodes)
        assert best.widening is not None
        widening, wide = best.widening, best.theta
        if generator is not None:
            wide = woken(widening, wide, generator)
        return Growth(widening.net, wide, widening, how, carried(widening, averages), best)
    if how == "equal":
        widening = Widening(net, [equal_numbers(n, m) for n, m in zip(net.widths[1:-1], sizes, strict=True)])
    elif generator is None:
        raise TypeError("split='random' needs rng, a numpy.random.Generator, such as numpy.random.default_rng(0)")
    else:
        widening = random_widening(net, sizes, generator)
    wide = widening(at)
    return Growth(widening.net, wide, widening, how, carried(widening, averages))


def without_penalty(obj: AnyObjective) -> AnyObjective:
    """The objective with l2 = 0, as the wide network's penalty is another one whatever the split."""
    if not obj.l2:
        return obj
    if isinstance(obj, Objective):
        return for_network(obj, obj.net)
    raise ValueError(f"obj must have l2 = 0 for split='best', unless it is an Objective; got l2={obj.l2!r}")


def checked_moments(moments: Any, count: int) -> Moments:
    first, second = _checks.entries(moments, "moments", 2, "(m, v), averages of gradients and of their squares")
    m = None if first is None else _checks.parameter_vector(first, count, "m of moments")
    v = None if second is None else _checks.parameter_vector(second, count, "v of moments")
    if v is not None and (v < 0).any():
        raise ValueError(f"v of moments must not be negative, as an average of squares; it has {v.min():.3g}")
    return m, v


def numbers_of(source: Array) -> list[int]:
    """Number of copies of each neuron."""
    return [int(number) for number in np.bincount(source[source >= 0])]


def equal_numbers(neurons: int, width: int) -> list[int]:
    """As equal numbers of copies as there can be."""
    return [width // neurons + (i < width % neurons) for i in range(neurons)]


def random_widening(net: MLP, sizes: Sequence[int], rng: np.random.Generator) -> Widening:
    copies, coefficients = [], []
    for neurons, width in zip(net.widths[1:-1], sizes, strict=True):
        numbers = 1 + rng.multinomial(width - neurons, np.full(neurons, 1 / neurons))
        copies.append(numbers.tolist())
        coefficients.append([rng.dirichlet(np.ones(number)) for number in numbers])
    return Widening(net, copies, coefficients=coefficients)


def dead_parameters(widening: Widening) -> Iterator[tuple[Array, Array, Array]]:
    """Of each hidden layer's neurons that copy none: positions of their rows, of their biases, and of their columns."""
    positions = widening.net.unflatten(np.arange(widening.net.num_parameters))
    for hidden, layer in zip(hidden_layers(widening.net), widening.layers, strict=True):
        dead = np.flatnonzero(layer.source < 0)
        (weights, biases), (outgoing, _) = positions[hidden.layer - 1], positions[hidden.layer]
        yield weights[dead], dead[:0] if biases is None else biases[dead], outgoing[:, dead]


def woken(widening: Widening, theta: Array, rng: np.random.Generator) -> Array:
    """θ with random incoming parameters of the neurons that copy none; their outgoing weights are zero."""
    drawn, result = widening.net.init(rng), theta.copy()
    for weights, biases, outgoing in dead_parameters(widening):
        result[weights], result[biases], result[outgoing] = drawn[weights], drawn[biases], 0.0
    return result


def carried(widening: Widening, averages: Moments | None) -> Moments | None:
    """The moments of the wide network; those of neurons that copy none begin at zero."""
    if averages is None:
        return None
    transfer = widening.transfer()
    m, v = averages
    wide_m = None if m is None else np.asarray(transfer.T @ m)
    wide_v = None if v is None else np.asarray(transfer.multiply(transfer).T @ v)
    for _, _, outgoing in dead_parameters(widening):
        for average in (wide_m, wide_v):
            if average is not None:
                average[outgoing] = 0.0
    return wide_m, wide_v
