"""`Setting` is teacher and student as the search for minima sees them: one hidden layer, an irreducible teacher.

Everything is in the student's coordinates: where the two differ in the fixed multipliers of the parametrization
(s_l depends on the fan-in), the teacher's weights are scaled so that the student computes the same with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core, activations
from .._checks import Array
from .._words import number_of
from ..equivalence.reduction import is_empty, reduced
from ..network import MLP
from ..symmetry.related_neurons import (
    LayerParameters,
    constant_neurons,
    dead_neurons,
    factors_between,
    layer_parameters,
)
from ..symmetry.rules import rule_of

# Vectors that differ by less than this part of their size are the same: some thousand times the rounding of float64.
SAME = 1e-12

# Beyond this, distances of several such weights may leave float64.
LARGEST = 1e300


class ReducibleTeacherError(ValueError):
    """A narrower network equals the teacher, or would but for a remainder that no neuron can carry.

    Attributes
    ----------
    teacher : MLP or None
        The narrower network, if there is one.
    theta_teacher : ndarray or None
        Its parameters.

    Examples
    --------
    >>> import hessorbit as ho
    >>> teacher, student = ho.MLP([1, 2, 1], bias=False), ho.MLP([1, 3, 1], bias=False)
    >>> try:
    ...     ho.nearest_minimum(student, [1.0] * 6, teacher, [1.0, 1.0, 2.0, 3.0])
    ... except ho.ReducibleTeacherError as error:
    ...     print(error.teacher, error.theta_teacher)
    MLP([1, 1, 1], 'tanh', bias=False) [1. 5.]
    """

    def __init__(self, message: str, teacher: MLP | None, theta_teacher: Array | None) -> None:
        super().__init__(message)
        self.teacher = teacher
        self.theta_teacher = theta_teacher

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.teacher, self.theta_teacher)


@dataclass(frozen=True)
class Symmetry:
    """A `Symmetry` says what the activation lets a copy do, in the words of the core."""

    name: str
    parameter: float
    copies: str  # a key of `_core.copy_pieces`
    mirror: float  # σ(z) + σ(−z) for mirrored copies
    constants: Literal["none", "fixed", "free"]
    off: Literal["never", "zero", "half_line"]


@dataclass(frozen=True)
class Setting:
    """A `Setting` holds a student architecture and the teacher it is to equal.

    Attributes
    ----------
    incoming : ndarray, shape (r, D)
        The teacher's incoming weights, with the bias last if the student has hidden biases.
    outgoing : ndarray, shape (r, K)
    output_bias : ndarray, shape (K,)
        Zero where the teacher has none.
    factors : ndarray, shape (r,)
        Powers of 2 by which homogeneous neurons' incoming weights are multiplied here, and outgoing ones divided, so
        that both are of about one size: the set of minima is the same, and the search loses no digits.
    """

    net: MLP
    teacher: MLP
    symmetry: Symmetry
    incoming: Array
    outgoing: Array
    output_bias: Array
    factors: Array

    @property
    def width(self) -> int:
        """Returns m, the student's hidden neurons."""
        return self.net.widths[1]

    @property
    def teacher_width(self) -> int:
        """Returns r, the teacher's hidden neurons."""
        return len(self.incoming)

    def rescaled(self, assignment: Array, scale: Array, factors: Array) -> Array:
        """Returns the scales of copies times the factors (r,) of the neurons that they are assigned to."""
        return np.asarray(np.where(assignment >= 0, scale * factors[np.maximum(assignment, 0)], scale))

    def split(self, theta: Array) -> tuple[Array, Array, Array]:
        """Returns θ (B, P) as incoming (B, m, D), outgoing (B, m, K) and output bias (B, K) less the teacher's."""
        (weights, biases), (last, output) = self.net.unflatten(theta)
        incoming = weights if biases is None else np.concatenate([weights, biases[..., None]], axis=-1)
        difference = np.zeros((len(theta), self.net.widths[2])) if output is None else output - self.output_bias
        return np.ascontiguousarray(incoming), np.ascontiguousarray(np.swapaxes(last, -1, -2)), difference

    def join(self, incoming: Array, outgoing: Array, difference: Array) -> Array:
        """Returns θ (B, P) from what `split` returns."""
        hidden, last = self.net.biases
        inputs = self.net.widths[0]
        return self.net.flatten(
            [
                (incoming[..., :inputs], incoming[..., inputs] if hidden else None),
                (np.swapaxes(outgoing, -1, -2), difference + self.output_bias if last else None),
            ]
        )

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Returns names of the pieces of the set of global minima that are covered."""
        s = self.symmetry
        names = [_core.copy_pieces[s.copies], "zero groups"]
        if s.constants != "none":
            names.append("constant neurons")
        if s.off != "never":
            names.append("neurons off")
        return tuple(names)

    @cached_property
    def geometry(self) -> _core.MinimaGeometry:
        """Returns teacher and activation as the core takes them."""
        s = self.symmetry
        hidden_bias, output_bias = self.net.biases
        return _core.MinimaGeometry(
            self.incoming,
            self.outgoing,
            s.copies,
            s.mirror,
            self.net.multipliers[1],
            hidden_bias,
            output_bias,
            s.constants,
            s.off,
            s.name,
            s.parameter,
        )

    @cached_property
    def missing(self) -> str:
        """Returns what else there may be among the global minima; empty if the covered pieces are all of them."""
        return missing_pieces(self)


def setting_of(net: MLP, teacher: MLP, theta_teacher: ArrayLike) -> Setting:
    """Returns student and teacher, checked."""
    for network, name in ((net, "net"), (teacher, "teacher")):
        check_network(network, name)
    check_match(net, teacher)
    theta = _checks.parameters(theta_teacher, teacher.num_parameters, "theta_teacher")
    if theta.ndim != 1:
        raise _checks.shape_error("theta_teacher", f"({teacher.num_parameters},)", theta.shape)
    theta = _checks.cast(theta, np.float64, "theta_teacher", "net")
    check_size(theta, "theta_teacher")
    check_irreducible(teacher, theta)
    (weights, biases), (last, output) = teacher.unflatten(theta)
    ratio = [t / s for t, s in zip(teacher.multipliers, net.multipliers, strict=True)]
    incoming = ratio[0] * weights
    if net.biases[0]:
        incoming = np.concatenate([incoming, (np.zeros(len(weights)) if biases is None else biases)[:, None]], axis=1)
    outgoing, symmetry = ratio[1] * last.T, symmetry_of(net, net.widths[1] - teacher.widths[1])
    factors = balancing(incoming, outgoing) if symmetry.copies.startswith("scaled") else np.ones(len(incoming))
    return Setting(
        net=net,
        teacher=teacher,
        symmetry=symmetry,
        incoming=np.ascontiguousarray(incoming * factors[:, None]),
        outgoing=np.ascontiguousarray(outgoing / factors[:, None]),
        output_bias=np.zeros(net.widths[2]) if output is None else output.copy(),
        factors=factors,
    )


def balancing(incoming: Array, outgoing: Array) -> Array:
    """Returns powers of 2 that make the largest incoming and outgoing weight of each neuron (r, ·) alike, (r,)."""
    exponents = [np.frexp(np.abs(rows).max(axis=1))[1] for rows in (incoming, outgoing)]
    factors: Array = np.ldexp(1.0, (exponents[1] - exponents[0]) // 2)
    return factors


def check_size(theta: Array, name: str) -> None:
    """Refuses θ so large that distances overflow."""
    size = np.abs(theta)
    position = np.unravel_index(size.argmax(), size.shape)
    if size[position] > LARGEST:
        where = f"{name}[{', '.join(map(str, position))}]"
        raise ValueError(
            f"{name} must be within ±{LARGEST:g}, as distances may overflow beyond; {where} is {theta[position]}"
        )


def check_network(network: Any, name: str) -> None:
    _checks.instance(network, MLP, name)
    if network.num_layers != 2:
        raise ValueError(f"{name} must have one hidden layer; got widths {list(network.widths)}")
    hidden = set(network.activations[0])
    if len(hidden) > 1:
        raise ValueError(f"{name} must have one activation in its hidden layer; got {', '.join(sorted(hidden))}")
    if properties(network)["linear"]:
        raise ValueError(
            f"{name}: the hidden layer is linear; its global minima are the factorisations of one matrix, not copies "
            f"of neurons"
        )


def check_match(net: MLP, teacher: MLP) -> None:
    for position, what in ((0, "inputs"), (2, "outputs")):
        if net.widths[position] != teacher.widths[position]:
            raise ValueError(
                f"teacher must have the student's number of {what}, {net.widths[position]}; "
                f"got {teacher.widths[position]}"
            )
    if net.activations[0][0] != teacher.activations[0][0] or net.activations[1] != teacher.activations[1]:
        raise ValueError(
            f"teacher must have the student's activations, {net.activations[0][0]} and {net.activations[1][0]} at the "
            f"output; got {teacher.activations[0][0]} and {teacher.activations[1][0]}"
        )
    if teacher.widths[1] > net.widths[1]:
        raise ValueError(
            f"teacher must not be wider than the student, {number_of(net.widths[1], 'hidden neuron')}; "
            f"got {teacher.widths[1]}"
        )
    for layer, what in enumerate(("hidden", "output")):
        if teacher.biases[layer] and not net.biases[layer]:
            raise ValueError(f"net must have {what} biases, as the teacher has; got bias={list(net.biases)}")


def properties(network: MLP) -> dict[str, Any]:
    """Returns the core's symmetry class of the hidden activation."""
    return _core.activation_properties(*activations.split(network.activations[0][0]))


def at_zero(network: MLP) -> float:
    """Returns σ(0)."""
    return float(activations.derivatives(network.activations[0][0], 0.0)[0])


def symmetry_of(net: MLP, spare: int) -> Symmetry:
    """Returns what neurons of this student may do; `spare` of them are not needed for a copy of each teacher neuron."""
    name, parameter = activations.split(net.activations[0][0])
    known = properties(net)
    hidden_bias, output_bias = net.biases
    copies = "plain"
    if known["positively_homogeneous"]:
        copies = "scaled_even" if known["even"] else "scaled"
    elif known["odd"]:
        copies = "odd"
    elif known["even"]:
        copies = "even"
    elif known["constant_odd"] is not None:
        copies = "mirrored"
    mirrored = copies == "mirrored"
    vanishes = at_zero(net) == 0
    constants: Literal["none", "fixed", "free"] = "none"
    if hidden_bias and not (known["exponential"] or known["power"]):
        # Without an output bias they have to cancel each other, or what mirrored copies leave.
        if output_bias or spare >= (1 if mirrored else 2):
            constants = "free"
    elif not hidden_bias and not vanishes and (output_bias or (mirrored and spare > 0)):
        constants = "fixed"
    off: Literal["never", "zero", "half_line"] = "never"
    if vanishes and not (constants == "free" and output_bias):
        off = "half_line" if known["zero_below"] and hidden_bias else "zero"
    return Symmetry(name, parameter, copies, known["constant_odd"] or 0.0, constants, off)


def check_irreducible(teacher: MLP, theta: Array) -> None:
    """Refuses a teacher with dead, constant, duplicate or mirrored neurons, and says which network it equals."""
    found = faults(teacher, balanced(teacher, theta))
    if not found:
        return
    narrow: MLP | None
    smaller = reduced(teacher, theta, SAME)
    narrow, theta_narrow = smaller.net, smaller.theta
    if is_empty(layer_parameters(narrow, theta_narrow)[0]):
        narrow, advice = None, "it has no neuron left when they are removed"
    elif faults(narrow, theta_narrow):
        narrow = None
        advice = (
            "no narrower network of this architecture equals it, but what they leave can be moved to other neurons, "
            "and its global minima are not copies of neurons"
        )
    else:
        advice = (
            f"the same function has {number_of(narrow.widths[1], 'hidden neuron')}; attributes teacher and "
            f"theta_teacher of this error are that network"
        )
    message = f"theta_teacher must be irreducible; {'; '.join(found)}: {advice}"
    raise ReducibleTeacherError(message, narrow, None if narrow is None else theta_narrow)


def balanced(teacher: MLP, theta: Array) -> Array:
    """Returns θ with each layer divided by a power of 2 near its largest weight; relations of neurons stay.

    Homogeneous neurons are rescaled first.
    """
    layers = []
    (first, biases), (last, output) = teacher.unflatten(theta)
    if properties(teacher)["positively_homogeneous"]:
        factors = balancing(first if biases is None else np.column_stack([first, biases]), last.T)
        first, last = first * factors[:, None], last / factors
        biases = None if biases is None else biases * factors
    for weights, bias in ((first, biases), (last, output)):
        parts = [weights] if bias is None else [weights, bias]
        _, exponent = np.frexp(max(np.abs(part).max() for part in parts))
        scaled = [np.ldexp(part, -exponent) for part in parts]
        layers.append((scaled[0], None if bias is None else scaled[1]))
    return teacher.flatten(layers)


def faults(teacher: MLP, theta: Array) -> list[str]:
    """Returns what makes the teacher reducible, or would but for a remainder that nothing can carry."""
    (parameters,) = layer_parameters(teacher, theta)
    found = [f"neuron {i} is dead (its outgoing weights are 0)" for i in dead_neurons(parameters, SAME)]
    found += [f"neuron {i} is constant (its incoming weights are 0)" for i in constant_neurons(parameters, SAME)]
    rest = np.arange(parameters.layer.width)
    while len(rest):
        factors = copy_factors(parameters, rest)
        for neuron, factor in zip(rest[1:], factors[1:], strict=True):
            if factor:
                found.append(f"neurons {rest[0]} and {neuron} are {'duplicates' if factor > 0 else 'mirrored'}")
        rest = rest[factors == 0]
    return found


def copy_factors(parameters: LayerParameters, neurons: Array) -> Array:
    """Returns the incoming weights of neurons as multiples of the first one's, where these are its copies; else 0."""
    layer, vectors = parameters.layer, parameters.incoming[neurons]
    rule = layer.rules[neurons[0]]
    factors = factors_between(layer, vectors, neurons[0], SAME)
    if rule.parity or rule.even_linear:  # mirrored, whether or not there is a bias for what remains
        opposite = factors_between(layer, np.vstack([vectors[:1], -vectors[1:]]), neurons[0], SAME)
        factors = np.where(factors == 0, -opposite, factors)
    if rule.degree > 1:  # other multiples of square and cube are no copies in the search
        factors = np.where(np.abs(np.abs(factors) - 1) <= SAME, factors, 0)
    return factors


def missing_pieces(setting: Setting) -> str:
    """Returns why the covered pieces may not be all global minima; empty if they are.

    Global minima here are the θ with f(x; θ) = f(x; θ_teacher) for every x, which training data decides if it is
    spread over an open set (analytic σ) or over the whole space.
    """
    name = setting.symmetry.name
    rule = rule_of(setting.net.activations[0][0])
    hidden_bias, _ = setting.net.biases
    spare = setting.width - setting.teacher_width
    if not all(rule_of(name).linear for name in setting.net.activations[1]):
        return "the output activation may take the same value at different arguments"
    if rule.power:
        return f"sums of {name}s can be written in many ways"
    if rule.phase is not None and hidden_bias:
        return f"{name} with biases has shifts by π, and neurons of equal weights merge whatever their biases"
    if rule.exponential and hidden_bias:
        return f"a bias of {name} is a factor of its neuron"
    known = properties(setting.net)
    if known["even_linear"] is not None:
        weights = setting.incoming[:, : setting.net.widths[0]]
        independent = int(np.linalg.matrix_rank(weights)) == len(weights)
        if spare > 1 or not independent:
            return "mirrored copies, whose linear remainder other neurons carry, are not covered"
    return ""
