"""An `MLP` describes the function f(x; θ) of a multilayer perceptron, without its parameters.

    a_0 = x,   z_l = s_l W_l a_{l-1} + b_l,   a_l = σ_l(z_l),   l = 1 … L,   f(x; θ) = a_L

θ holds W_1 (out × in, row-major), b_1, W_2, b_2, …, the order of torch's `parameters_to_vector`; P entries in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _core, activations, schemes
from ._checks import Array
from ._words import number_of

PARTS = ("weights", "bias", "incoming", "outgoing")
PARAMETRIZATIONS = ("standard", "ntk", "mean_field")
MOST_PARAMETERS = 10**8
DEFAULT_OUTPUT = "identity"

Layers = list[tuple[Array, Array | None]]


@dataclass(frozen=True, init=False, repr=False)
class MLP:
    """An MLP describes a multilayer perceptron, without its parameters.

    ``z_l = s_l W_l a_{l-1} + b_l`` and ``a_l = σ_l(z_l)`` for layers ``l = 1 … L``, with ``a_0 = x`` and the output
    ``f(x; θ) = a_L``. The parameters are one vector θ in the order W_1 (out × in, row-major), b_1, W_2, b_2, …,
    which is that of torch's ``parameters_to_vector``.

    An `MLP` is immutable, hashable and picklable; two of them are equal if they describe the same function of θ.

    Parameters
    ----------
    widths : sequence of int
        Number of inputs, of neurons in each hidden layer, and of outputs; ``[5, 16, 1]`` has one hidden layer.
    activation : str or sequence
        Activation of the hidden neurons: one name for all, or one entry per hidden layer, which is a name or a
        sequence of names, one per neuron. ``"leaky_relu(0.2)"`` carries its slope; without one it is 0.01.
    bias : bool or sequence of bool
        Whether layers have biases: for all layers, or one per layer, the output layer included.
    parametrization : {"standard", "ntk", "mean_field"}
        The fixed multipliers s_l: 1; or 1/√fan_in on every layer [1]_; or 1/√fan_in on hidden layers and 1/fan_in on
        the last [2]_.
    output_activation : str or sequence of str
        Activation of the outputs: one name for all, or one per output.

    Attributes
    ----------
    widths : tuple of int
    activations : tuple of tuple of str
        Activation of every neuron, by layer, output layer included.
    biases : tuple of bool
        Whether each layer has biases.
    parametrization : str

    Raises
    ------
    TypeError, ValueError
        For widths below 1, fewer than two widths, unknown names, or sequences of the wrong length.

    References
    ----------
    .. [1] Jacot, Gabriel and Hongler, "Neural tangent kernel", NeurIPS 2018.
    .. [2] Mei, Montanari and Nguyen, "A mean field view of the landscape of two-layer neural networks", PNAS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([2, 3, 1], "relu")
    >>> net.num_parameters
    13
    >>> theta = np.ones(13)
    >>> net(theta, [[1.0, 2.0], [-3.0, 1.0]])
    array([[13.],
           [ 1.]])
    """

    widths: tuple[int, ...]
    activations: tuple[tuple[str, ...], ...]
    biases: tuple[bool, ...]
    parametrization: str

    def __init__(
        self,
        widths: Iterable[int],
        activation: str | Sequence[str | Sequence[str]] = "tanh",
        *,
        bias: bool | Sequence[bool] = True,
        parametrization: str = "standard",
        output_activation: str | Sequence[str] = DEFAULT_OUTPUT,
    ) -> None:
        sizes = checked_widths(widths)
        biases = per_layer_biases(bias, len(sizes) - 1)
        check_size(sizes, biases)
        hidden = hidden_activations(activation, sizes[1:-1])
        outputs = neuron_activations(output_activation, sizes[-1], "output_activation")
        fields = {
            "widths": sizes,
            "activations": (*hidden, outputs),
            "biases": biases,
            "parametrization": _checks.one_of(parametrization, PARAMETRIZATIONS, "parametrization"),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (self.widths, self.activations, self.biases, self.parametrization)

    def __repr__(self) -> str:
        parts = [repr(list(self.widths))]
        hidden = [shortest(layer) for layer in self.activations[:-1]]
        if hidden:
            # One list stands for the layers, so that the neurons of an only layer need another around theirs.
            parts.append(repr(hidden if isinstance(hidden[0], list) else shortest(hidden)))
        if not all(self.biases):
            parts.append(f"bias={shortest(self.biases)!r}")
        if self.parametrization != "standard":
            parts.append(f"parametrization={self.parametrization!r}")
        if set(self.activations[-1]) != {DEFAULT_OUTPUT}:
            parts.append(f"output_activation={shortest(self.activations[-1])!r}")
        return f"MLP({', '.join(parts)})"

    @cached_property
    def num_parameters(self) -> int:
        """P, the length of θ."""
        return sum(shape_size(i, o, b) for i, o, b in self.layer_shapes)

    @property
    def num_layers(self) -> int:
        """L, the number of layers of weights."""
        return len(self.widths) - 1

    @property
    def layer_shapes(self) -> list[tuple[int, int, bool]]:
        """(inputs, outputs, has biases) of each layer."""
        return [(i, o, b) for (i, o), b in zip(pairwise(self.widths), self.biases, strict=True)]

    @cached_property
    def multipliers(self) -> tuple[float, ...]:
        """The fixed factor s_l of each layer's weights."""
        return tuple(self.core.multipliers)

    @cached_property
    def core(self) -> _core.Network:
        """The compiled network; internal."""
        runs = [
            [(*activations.split(name), len(list(run))) for name, run in groupby(layer)] for layer in self.activations
        ]
        return _core.Network(list(self.widths), runs, list(self.biases), self.parametrization)

    def __call__(self, theta: ArrayLike, x: ArrayLike, *, threads: int | None = None) -> Array:
        """Returns the outputs f(x; θ).

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
            Parameters, float64 or longdouble, which is also the precision of the computation.
        x : array_like, shape (N, inputs)
            Samples as rows.
        threads : int, optional
            Number of threads; by default what OpenMP would use, which threadpoolctl governs. The result does not
            depend on it.

        Returns
        -------
        ndarray, shape (N, K) or (B, N, K)

        Raises
        ------
        TypeError, ValueError
            If a shape does not fit, an entry is not finite, threads is out of range, or x is longdouble and theta is
            not.

        Notes
        -----
        Takes about 2·N·P floating-point operations.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "relu", bias=False)
        >>> net([1.0, 2.0, 3.0], [[1.0, 1.0], [-1.0, 0.0]])
        array([[9.],
               [0.]])
        """
        at, workers = _checks.parameters(theta, self.num_parameters), _checks.threads(threads)
        return _core.outputs(self.core, at, _checks.cast(self.samples(x), at.dtype, "x", "theta"), workers)

    def samples(self, x: ArrayLike) -> Array:
        """Returns `x` as checked rows of inputs, (N, inputs).

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.MLP([2, 1]).samples([[1, 2], [3, 4]])
        array([[1., 2.],
               [3., 4.]])
        """
        rows = _checks.as_floats(x, "x")
        if rows.ndim != 2 or rows.shape[1] != self.widths[0]:
            raise _checks.shape_error("x", f"(N, {self.widths[0]}), one sample per row", rows.shape)
        if not len(rows):
            raise ValueError("x must hold at least one sample; got none")
        return rows

    def unflatten(self, theta: ArrayLike) -> Layers:
        """Returns the weights and biases of each layer as views into θ.

        Parameters
        ----------
        theta : array_like, shape (P,) or (…, P)
            Parameters of any numeric dtype. ``net.unflatten(np.arange(net.num_parameters))`` therefore says where in
            θ each parameter lies.

        Returns
        -------
        list of (W, b)
            W of shape (…, out, in) and b of shape (…, out), or None in a layer without biases. Writing to them
            writes to θ, if θ is an array.

        Raises
        ------
        TypeError, ValueError
            If theta is not numeric or its last axis is not P long.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 2, 1], bias=[True, False])
        >>> for weights, biases in net.unflatten(np.arange(8)):
        ...     print(weights.tolist(), biases)
        [[0, 1], [2, 3]] [4 5]
        [[6, 7]] None
        """
        array = _checks.as_array(theta, "theta")
        if array.ndim == 0 or array.shape[-1] != self.num_parameters:
            raise _checks.shape_error("theta", f"({self.num_parameters},) or (..., {self.num_parameters})", array.shape)
        layers: Layers = []
        start = 0
        for fan_in, width, bias in self.layer_shapes:
            stop = start + width * fan_in
            weights = array[..., start:stop].reshape(*array.shape[:-1], width, fan_in)
            start = stop + width * bias
            layers.append((weights, array[..., stop:start] if bias else None))
        return layers

    def flatten(self, layers: Sequence[tuple[ArrayLike, ArrayLike | None]]) -> Array:
        """Returns θ from the weights and biases of each layer; it undoes `unflatten`.

        Parameters
        ----------
        layers : sequence of (W, b)
            W of shape (…, out, in) and b of shape (…, out), or None in a layer without biases.

        Returns
        -------
        ndarray, shape (P,) or (…, P)
            A new array, in the common dtype of the parts.

        Raises
        ------
        TypeError, ValueError
            If a layer or one of its parts is missing, superfluous, not numeric, or of the wrong shape.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.MLP([2, 1]).flatten([([[1.0, 2.0]], [3.0])])
        array([1., 2., 3.])
        """
        check_layers(layers)
        if len(layers) != self.num_layers:
            entries = number_of(self.num_layers, "entry", "entries")
            raise ValueError(f"layers must have {entries} (W, b); got {len(layers)}")
        parts: list[Array] = []
        for index, ((fan_in, width, bias), layer) in enumerate(zip(self.layer_shapes, layers, strict=True)):
            weights, biases = pair(layer, f"layers[{index}]")
            array = part(weights, (width, fan_in), f"W of layers[{index}]")
            parts.append(array.reshape(*array.shape[:-2], width * fan_in))
            if (biases is not None) != bias:
                has = "has biases" if bias else "has none: give None"
                raise ValueError(f"b of layers[{index}]: the layer {has}; got {biases!r}")
            if bias:
                parts.append(part(biases, (width,), f"b of layers[{index}]"))
        leading = {array.shape[:-1] for array in parts}
        if len(leading) > 1:
            raise ValueError(f"layers must agree in their leading axes; got {sorted(leading)}")
        return np.concatenate(parts, axis=-1)

    def block(self, *, layer: int, part: str, neurons: Sequence[int] | None = None) -> Array:
        """Returns the positions in θ of the parameters of some neurons.

        Parameters
        ----------
        layer : int
            Layer of the neurons, counted from 1; the last is the output layer.
        part : {"weights", "bias", "incoming", "outgoing"}
            The neurons' rows of W_l; their entries of b_l; both of these; or their columns of W_{l+1}.
        neurons : sequence of int, optional
            Neurons of the layer, counted from 0; by default all of them.

        Returns
        -------
        ndarray of int
            In ascending order, as the parameters stand in θ: a row-major submatrix of W, then of b.

        Raises
        ------
        TypeError, ValueError
            If the layer or a neuron is out of range, a neuron is named twice, the layer has no biases for ``"bias"``,
            or it is the output layer for ``"outgoing"``.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 3, 1])
        >>> net.block(layer=1, part="incoming", neurons=[1])
        array([2, 3, 7])
        >>> net.block(layer=1, part="outgoing")
        array([ 9, 10, 11])
        """
        number = _checks.integer(layer, "layer", minimum=1, maximum=self.num_layers)
        name = _checks.one_of(part, PARTS, "part")
        chosen = _checks.neurons(neurons, self.widths[number])
        positions = self.unflatten(np.arange(self.num_parameters))
        weights, biases = positions[number - 1]
        if name == "outgoing":
            if number == self.num_layers:
                raise ValueError(f"part 'outgoing' needs a hidden layer, below {number}, which is the output layer")
            return np.sort(positions[number][0][:, chosen].ravel())
        if name == "bias" and biases is None:
            raise ValueError(f"part 'bias' needs a layer with biases; layer {number} of {self!r} has none")
        parts = [] if name == "bias" else [weights[chosen].ravel()]
        if name != "weights" and biases is not None:
            parts.append(biases[chosen])
        return np.sort(np.concatenate(parts))

    def init(
        self, rng: np.random.Generator, scheme: str = "torch", *, size: int | tuple[int, ...] | None = None
    ) -> Array:
        """Returns random parameters.

        Parameters
        ----------
        rng : numpy.random.Generator
        scheme : str
            - ``"torch"``: weights and biases uniform in ±1/√fan_in, the default of ``torch.nn.Linear``;
            - ``"glorot_normal"``, ``"glorot_uniform"``: weights of variance 2/(fan_in + fan_out) [1]_, biases 0;
            - ``"he_normal"``: weights normal with variance 2/fan_in [2]_, biases 0;
            - ``"normal(σ)"``, as ``"normal(0.5)"``: weights and biases normal with standard deviation σ.

            Schemes set the entries of θ; the multipliers of the parametrization come on top. With ``"ntk"`` and
            ``"mean_field"``, ``"normal(1)"`` is the usual choice.
        size : int or tuple of one int, optional
            Number of draws B. ``size=B`` gives what B calls without it would have given, stacked.

        Returns
        -------
        ndarray, shape (P,) or (B, P)

        Raises
        ------
        TypeError, ValueError
            If rng is not a Generator, the scheme is unknown, or size is not a number of draws.

        References
        ----------
        .. [1] Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
           AISTATS 2010.
        .. [2] He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 3, 1])
        >>> net.init(np.random.default_rng(0), "he_normal", size=4).shape
        (4, 13)
        """
        rng = _checks.generator(rng)
        law = schemes.scheme_of(scheme)
        shape = (*batch_shape(size), self.num_parameters)
        return law.draw(rng, shape) * law.scales(self.layer_shapes)


def restore(
    widths: tuple[int, ...], activations: tuple[tuple[str, ...], ...], biases: tuple[bool, ...], parametrization: str
) -> MLP:
    """Returns the network with these fields; networks are unpickled and loaded by it."""
    return MLP(
        widths, activations[:-1], bias=biases, parametrization=parametrization, output_activation=activations[-1]
    )


def check_size(widths: tuple[int, ...], biases: tuple[bool, ...], name: str = "widths") -> None:
    """Refuses networks that would fill the memory."""
    total = sum(shape_size(i, o, b) for (i, o), b in zip(pairwise(widths), biases, strict=True))
    if total > MOST_PARAMETERS:
        raise ValueError(f"{name} {widths} make {total} parameters; at most {MOST_PARAMETERS} are supported")


def shape_size(fan_in: int, width: int, bias: bool) -> int:
    return width * (fan_in + bias)


def shortest(entries: Sequence[Any]) -> Any:
    """Returns one entry if all are the same, else a list of them."""
    return entries[0] if all(entry == entries[0] for entry in entries) else list(entries)


def checked_widths(widths: Iterable[int]) -> tuple[int, ...]:
    if isinstance(widths, str | bytes) or not isinstance(widths, Iterable):
        raise TypeError(f"widths must be a sequence of integers, such as [5, 16, 1]; got {widths!r}")
    sizes = tuple(_checks.integer(w, f"widths[{i}]", minimum=1) for i, w in enumerate(widths))
    if len(sizes) < 2:
        raise ValueError(f"widths must have at least two entries, inputs and outputs; got {list(sizes)}")
    return sizes


def per_layer_biases(bias: bool | Sequence[bool], layers: int) -> tuple[bool, ...]:
    if isinstance(bias, bool | np.bool_):
        return (bool(bias),) * layers
    entries = tuple(bias) if isinstance(bias, Iterable) else None
    if entries is None or not all(isinstance(b, bool | np.bool_) for b in entries):
        raise TypeError(f"bias must be True, False, or one of them for each layer; got {bias!r}")
    if len(entries) != layers:
        raise ValueError(f"bias must have one entry for each of the {number_of(layers, 'layer')}; got {len(entries)}")
    return tuple(map(bool, entries))


def hidden_activations(
    activation: str | Sequence[str | Sequence[str]], widths: tuple[int, ...]
) -> tuple[tuple[str, ...], ...]:
    if isinstance(activation, str):
        return tuple(neuron_activations(activation, width, "activation") for width in widths)
    if not isinstance(activation, Iterable):
        raise TypeError(f"activation must be a name or a sequence with an entry per hidden layer; got {activation!r}")
    entries = list(activation)
    if len(entries) != len(widths):
        raise ValueError(
            f"activation must be one name or have one entry per hidden layer ({len(widths)}), each a name or a list "
            f"with a name per neuron; got {number_of(len(entries), 'entry', 'entries')}"
        )
    return tuple(
        neuron_activations(entry, width, f"activation[{index}]")
        for index, (entry, width) in enumerate(zip(entries, widths, strict=True))
    )


def neuron_activations(entry: str | Sequence[str], width: int, name: str) -> tuple[str, ...]:
    if isinstance(entry, str):
        return (activations.canonical(entry, name),) * width
    if not isinstance(entry, Iterable):
        raise TypeError(f"{name} must be a name or a sequence of names; got {entry!r}")
    names = list(entry)
    if len(names) != width:
        raise ValueError(
            f"{name} must be one name or one for each of the {number_of(width, 'neuron')}; got {len(names)}"
        )
    spelled: dict[str, str] = {}
    for index, each in enumerate(names):
        if not isinstance(each, str) or each not in spelled:
            spelled[each] = activations.canonical(each, f"{name}[{index}]")
    return tuple(spelled[each] for each in names)


def batch_shape(size: int | tuple[int, ...] | None) -> tuple[int, ...]:
    if size is None:
        return ()
    entries = size if isinstance(size, tuple) else (size,)
    if len(entries) > 1:
        raise ValueError(f"size must be a number of draws B or (B,); got {size!r}")
    return tuple(_checks.integer(entry, "size", minimum=1) for entry in entries)


def check_layers(layers: Any) -> None:
    """Refuses what is no sequence of pairs, and says where those come from."""
    if isinstance(layers, Sequence) and not isinstance(layers, str | bytes):
        return
    remedy = ""
    if isinstance(layers, Mapping):
        remedy = ": hessorbit.interop.from_torch reads a state dict, and from_flax the parameters of Flax"
    elif isinstance(layers, Iterator):
        remedy = ": make a list of it"
    elif isinstance(layers, np.ndarray):
        remedy = ": an array that holds all parameters is θ itself"
    kind = _checks.with_article(type(layers))
    raise TypeError(f"layers must be a sequence of pairs (W, b), one per layer; got {kind}{remedy}")


def pair(layer: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(layer, Sequence) or len(layer) != 2:
        got = _checks.with_article(type(layer))
        raise TypeError(f"{name} must be a pair (W, b), b None in a layer without biases; got {got}")
    return layer[0], layer[1]


def part(value: Any, shape: tuple[int, ...], name: str) -> Array:
    array = _checks.as_array(value, name)
    if array.shape[max(array.ndim - len(shape), 0) :] != shape:
        raise _checks.shape_error(name, f"{shape} or (..., {', '.join(map(str, shape))})", array.shape)
    return array
