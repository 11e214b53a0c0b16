"""Teacher and student as the search for minima sees them: one hidden layer, one activation, irreducible teacher.

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
from ..network import MLP

# Vectors that differ by less than this part of their size are the same: some thousand times the rounding of float64.
SAME = 1e-12

# The fourth power of this, which squared products of two weights reach, is still finite.
LARGEST = 1e75


class ReducibleTeacherError(ValueError):
    """A teacher that a narrower network equals; `teacher` and `theta_teacher` are that network, if there is one."""

    def __init__(self, message: str, teacher: MLP | None, theta_teacher: Array | None) -> None:
        super().__init__(message)
        self.teacher = teacher
        self.theta_teacher = theta_teacher


@dataclass(frozen=True)
class Symmetry:
    """What the activation lets a copy do, in the words of the core."""

    name: str
    parameter: float
    copies: Literal["plain", "odd", "even", "mirrored", "scaled"]
    mirror: float  # σ(z) + σ(−z) for mirrored copies
    constants: Literal["none", "fixed", "free"]
    off: Literal["never", "zero", "half_line"]


@dataclass(frozen=True)
class Setting:
    """A student architecture and the teacher it is to equal.

    Attributes
    ----------
    incoming : ndarray, shape (r, D)
        The teacher's incoming weights, with the bias last if the student has hidden biases.
    outgoing : ndarray, shape (r, K)
    output_bias : ndarray, shape (K,)
        Zero where the teacher has none.
    """

    net: MLP
    teacher: MLP
    symmetry: Symmetry
    incoming: Array
    outgoing: Array
    output_bias: Array

    @property
    def width(self) -> int:
        """m, the student's hidden neurons."""
        return self.net.widths[1]

    @property
    def teacher_width(self) -> int:
        """r, the teacher's hidden neurons."""
        return len(self.incoming)

    def split(self, theta: Array) -> tuple[Array, Array, Array]:
        """θ (B, P) as incoming (B, m, D), outgoing (B, m, K) and output bias (B, K) less the teacher's."""
        (weights, biases), (last, output) = self.net.unflatten(theta)
        incoming = weights if biases is None else np.concatenate([weights, biases[..., None]], axis=-1)
        difference = np.zeros((len(theta), self.net.widths[2])) if output is None else output - self.output_bias
        return np.ascontiguousarray(incoming), np.ascontiguousarray(np.swapaxes(last, -1, -2)), difference

    def join(self, incoming: Array, outgoing: Array, difference: Array) -> Array:
        """The inverse of `split`."""
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
        """Names of the pieces of the set of global minima that are covered."""
        s = self.symmetry
        names = [
            {
                "plain": "copies",
                "odd": "signed copies",
                "even": "copies with signed incoming weights",
                "mirrored": "copies, mirrored ones included",
                "scaled": "scaled copies",
            }[s.copies],
            "zero groups",
        ]
        if s.constants != "none":
            names.append("constant neurons")
        if s.off != "never":
            names.append("neurons off")
        return tuple(names)

    @cached_property
    def missing(self) -> str:
        """What else there may be among the global minima; empty if the covered pieces are all of them."""
        return missing_pieces(self)


def setting(net: MLP, teacher: MLP, theta_teacher: ArrayLike) -> Setting:
    """Student and teacher, checked."""
    for network, name in ((net, "net"), (teacher, "teacher")):
        check_network(network, name)
    check_match(net, teacher)
    theta = _checks.parameters(theta_teacher, teacher.num_parameters, "theta_teacher")
    if theta.ndim != 1:
        raise _checks.shape_error("theta_teacher", f"({teacher.num_parameters},)", theta.shape)
    theta = _checks.cast(theta, np.float64, "theta_teacher", "net")
    check_size(theta, "theta_teacher")
    (weights, biases), (last, output) = teacher.unflatten(theta)
    check_irreducible(teacher, weights, biases, last, output)
    ratio = [t / s for t, s in zip(teacher.multipliers, net.multipliers, strict=True)]
    incoming = ratio[0] * weights
    if net.biases[0]:
        incoming = np.concatenate([incoming, (np.zeros(len(weights)) if biases is None else biases)[:, None]], axis=1)
    return Setting(
        net=net,
        teacher=teacher,
        symmetry=symmetry_of(net),
        incoming=np.ascontiguousarray(incoming),
        outgoing=np.ascontiguousarray(ratio[1] * last.T),
        output_bias=np.zeros(net.widths[2]) if output is None else output.copy(),
    )


def check_size(theta: Array, name: str) -> None:
    """Refuse θ where squared distances would overflow."""
    size = np.abs(theta)
    position = np.unravel_index(size.argmax(), size.shape)
    if size[position] > LARGEST:
        where = f"{name}[{', '.join(map(str, position))}]"
        raise ValueError(
            f"{name} must be within ±{LARGEST:g}, as squared distances overflow beyond; {where} is {theta[position]}"
        )


def check_network(network: Any, name: str) -> None:
    if not isinstance(network, MLP):
        raise TypeError(f"{name} must be an MLP; got {network!r}")
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
            f"teacher must not be wider than the student, {net.widths[1]} hidden neurons; got {teacher.widths[1]}"
        )
    for layer, what in enumerate(("hidden", "output")):
        if teacher.biases[layer] and not net.biases[layer]:
            raise ValueError(f"net must have {what} biases, as the teacher has; got bias={list(net.biases)}")


def properties(network: MLP) -> dict[str, Any]:
    """The core's symmetry class of the hidden activation."""
    return _core.activation_properties(*activations.split(network.activations[0][0]))


def at_zero(network: MLP) -> float:
    """σ(0)."""
    value, _, _ = _core.activation_derivatives(*activations.split(network.activations[0][0]), np.zeros(1))
    return float(value[0])


def symmetry_of(net: MLP) -> Symmetry:
    """What neurons of this student may do at a global minimum."""
    name, parameter = activations.split(net.activations[0][0])
    known = properties(net)
    hidden_bias, output_bias = net.biases
    copies: Literal["plain", "odd", "even", "mirrored", "scaled"] = "plain"
    if known["positively_homogeneous"]:
        copies = "scaled"
    elif known["odd"]:
        copies = "odd"
    elif known["even"]:
        copies = "even"
    elif known["constant_odd"] is not None and output_bias:
        copies = "mirrored"
    vanishes = at_zero(net) == 0
    constants: Literal["none", "fixed", "free"] = "none"
    if output_bias and hidden_bias and name not in ("exp", "square", "cube"):
        constants = "free"
    elif output_bias and not hidden_bias and not vanishes:
        constants = "fixed"
    off: Literal["never", "zero", "half_line"] = "never"
    if vanishes and constants != "free":
        off = "half_line" if name == "relu" and hidden_bias else "zero"
    return Symmetry(name, parameter, copies, known["constant_odd"] or 0.0, constants, off)


def check_irreducible(teacher: MLP, weights: Array, biases: Array | None, last: Array, output: Array | None) -> None:
    """Refuse a teacher with dead, constant, duplicate or mirrored neurons, and say which network it equals."""
    known = properties(teacher)
    incoming = weights if biases is None else np.concatenate([weights, biases[:, None]], axis=1)
    length = np.linalg.norm(incoming, axis=1)
    r = len(incoming)
    faults: list[str] = []
    kept = {i: (incoming[i].copy(), last[:, i].copy()) for i in range(r)}
    shift = np.zeros(len(last))
    equal = True  # whether `kept` and `shift` compute the teacher's function
    for i in range(r):
        if np.abs(last[:, i]).max() <= SAME * np.abs(last).max():
            faults.append(f"neuron {i} is dead (its outgoing weights are 0)")
            del kept[i]
        elif np.linalg.norm(weights[i]) <= SAME * max(length.max(), 1e-300):
            faults.append(f"neuron {i} is constant (its incoming weights are 0)")
            constant = float(
                _core.activation_derivatives(
                    *activations.split(teacher.activations[0][0]), np.array([0.0 if biases is None else biases[i]])
                )[0][0]
            )
            shift += last[:, i] * constant
            equal &= output is not None or constant == 0
            del kept[i]
    order = list(kept)
    for position, i in enumerate(order):
        if i not in kept:
            continue
        for j in order[position + 1 :]:
            if j not in kept:
                continue
            relation = related(incoming[i], incoming[j], known)
            if relation is None:
                continue
            faults.append(f"neurons {i} and {j} are {relation}")
            ratio = length[j] / length[i] if known["positively_homogeneous"] else 1.0
            factor = ratio
            if relation == "mirrored":
                factor = 1.0 if known["even"] else -1.0
                if known["constant_odd"] is not None:
                    shift += known["constant_odd"] * last[:, j]
                    equal &= output is not None
                if known["even_linear"] is not None:
                    equal = False
            kept[i] = (kept[i][0], kept[i][1] + factor * last[:, j])
            del kept[j]
    if not faults:
        return
    kept = {i: pair for i, pair in kept.items() if np.abs(pair[1]).max() > SAME * np.abs(last).max()}
    narrow, theta = reduced(teacher, kept, shift, output) if equal and kept else (None, None)
    if narrow is not None:
        advice = (
            f"the same function has {len(kept)} hidden neurons; attributes teacher and theta_teacher of this error "
            f"are that network"
        )
    elif equal:
        advice = "it has no neuron left when they are removed"
    else:
        advice = (
            "no narrower network of this architecture equals it, but what they leave can be moved to other neurons, "
            "and its global minima are not copies of neurons"
        )
    raise ReducibleTeacherError(f"theta_teacher must be irreducible; {'; '.join(faults)}: {advice}", narrow, theta)


def related(a: Array, b: Array, known: dict[str, Any]) -> str | None:
    """Whether neurons with these incoming weights are duplicates or mirrored, for this activation."""
    mirrors = known["odd"] or known["even"] or known["constant_odd"] is not None or known["even_linear"] is not None
    size = float(max(np.linalg.norm(a), np.linalg.norm(b)))
    if known["positively_homogeneous"]:
        a, b, size = a / np.linalg.norm(a), b / np.linalg.norm(b), 1.0
    if np.linalg.norm(a - b) <= SAME * size:
        return "duplicates"
    if mirrors and np.linalg.norm(a + b) <= SAME * size:
        return "mirrored"
    return None


def reduced(
    teacher: MLP, kept: dict[int, tuple[Array, Array]], shift: Array, output: Array | None
) -> tuple[MLP, Array]:
    """The network of the neurons kept, with the teacher's function."""
    inputs, _, outputs = teacher.widths
    name = teacher.activations[0][0]
    narrow = MLP(
        [inputs, len(kept), outputs],
        name,
        bias=teacher.biases,
        parametrization=teacher.parametrization,
        output_activation=list(teacher.activations[1]),
    )
    scale = teacher.multipliers[1] / narrow.multipliers[1]
    incoming = np.array([pair[0] for pair in kept.values()])
    outgoing = np.array([pair[1] for pair in kept.values()]).T
    theta = narrow.flatten(
        [
            (incoming[:, :inputs], incoming[:, inputs] if teacher.biases[0] else None),
            (scale * outgoing, None if output is None else output + teacher.multipliers[1] * shift),
        ]
    )
    return narrow, theta


def missing_pieces(setting: Setting) -> str:
    """Why the covered pieces may not be all global minima; empty if they are.

    Global minima here are the θ with f(x; θ) = f(x; θ_teacher) for every x, which training data decides if it is
    spread over an open set (analytic σ) or over the whole space.
    """
    name = setting.symmetry.name
    hidden_bias, output_bias = setting.net.biases
    spare = setting.width - setting.teacher_width
    if set(setting.net.activations[1]) != {"identity"}:
        return "the output activation may take the same value at different arguments"
    if name in ("square", "cube"):
        return f"sums of {name}s can be written in many ways"
    if name in ("sin", "cos") and hidden_bias:
        return f"{name} with biases has shifts by π, and neurons of equal weights merge whatever their biases"
    if name == "exp" and hidden_bias:
        return "a bias of exp is a factor of its neuron"
    known = properties(setting.net)
    if known["even_linear"] is not None:
        weights = setting.incoming[:, : setting.net.widths[0]]
        independent = int(np.linalg.matrix_rank(weights)) == len(weights)
        if spare > 1 or not independent:
            return "mirrored copies, whose linear remainder other neurons carry, are not covered"
    if known["constant_odd"] is not None and not output_bias and spare > 0:
        return "mirrored copies, whose constants cancel without an output bias, are not covered"
    if hidden_bias and not output_bias and spare > 1:
        return "several constant neurons that cancel without an output bias are not covered"
    return ""
