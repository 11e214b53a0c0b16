"""Whether two networks compute the same function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import Array
from ..network import MLP
from ..symmetry.element import GroupElement
from .features import Features
from .matching import connecting_element
from .separating import separation


@dataclass(frozen=True, eq=False, repr=False)
class Equivalence:
    """The answer of `equivalent`. It is true only if the verdict is "equal".

    Attributes
    ----------
    verdict : {"equal", "different", "unknown"}
    reason : str
        What decided.
    witness : GroupElement, ndarray of shape (d,), or None
        If equal, an element with ``witness(theta1)`` equal to theta2 within the tolerance, where one was found. If
        different, an input at which the outputs differ.
    difference : float
        The largest difference of outputs at that input, relative to the size of the terms that make them up: the
        ``Σ |W| |a| + |b|`` of the layers, carried to the output. 0 unless different.

    Examples
    --------
    >>> import hessorbit as ho
    >>> net = ho.MLP([1, 2, 1], bias=False)
    >>> answer = ho.equivalent(net, [1.0, 2.0, 3.0, 4.0], net, [2.0, -1.0, 4.0, -3.0])
    >>> answer
    Equivalence(equal: a group element takes theta1 to theta2)
    >>> answer.witness
    GroupElement(MLP([1, 2, 1], 'tanh', bias=False), layer 1: order [1, 0], factors [1, -1])
    """

    verdict: Literal["equal", "different", "unknown"]
    reason: str
    witness: GroupElement | Array | None = None
    difference: float = 0.0

    @property
    def equal(self) -> bool | None:
        """True, False, or None if unknown."""
        return {"equal": True, "different": False, "unknown": None}[self.verdict]

    def __bool__(self) -> bool:
        return self.verdict == "equal"

    def __repr__(self) -> str:
        return f"Equivalence({self.verdict}: {self.reason})"


def equivalent(
    net1: MLP,
    theta1: ArrayLike,
    net2: MLP,
    theta2: ArrayLike,
    *,
    tolerance: float = 1e-8,
    rng: np.random.Generator | None = None,
) -> Equivalence:
    """Whether two networks compute the same function of all inputs.

    Both networks are written as sums over common features, classes of neurons up to what their activations allow,
    and the coefficients are compared. Widths, depths, activations and parametrizations may differ.

    For one hidden layer this decides, mixed activations included: the features are linearly independent, so that the
    functions are equal if and only if all sums are. It finds pairs that no permutation and rescaling relates, such as
    relu(z) − relu(−z) = z. In deeper networks equal coefficients prove equality, but others prove nothing: then it is
    "different" if an input shows so, and otherwise "unknown".

    Parameters
    ----------
    net1, net2 : MLP
        With the same numbers of inputs and of outputs.
    theta1, theta2 : array_like, shape (P1,) and (P2,)
    tolerance : float
        Two weights, or sums over a class, agree if they differ by at most this part of the larger one, or by a
        thousandth of it (at least 1e-13) of the size of the neuron's incoming parameters, or of all terms of the
        output. What differs more is told apart. Sums are what is compared: where many neurons share one (polynomial
        coefficients of identity, square and cube neurons; constants and linear parts), a change of one neuron that is
        within the tolerance of the sum is not seen.
    rng : numpy.random.Generator, optional
        For the inputs tried; by default a fixed one, so that the answer is always the same.

    Returns
    -------
    Equivalence
        With the verdict, the reason in words, and a witness: the group element between two equal θ of one network, if
        there is one, or an input at which the functions differ.

    Raises
    ------
    TypeError, ValueError
        If a network is not an MLP, numbers of inputs or outputs disagree, a theta is not one finite parameter vector,
        or tolerance is not in [0, 1).

    Notes
    -----
    "different" always comes with an input at which outputs computed in extended precision differ by more than
    rounding of the parameters explains. Sums of one hidden layer that differ where no input tried shows it are called
    "unknown", with this reason.

    With n neurons in a layer and F features, takes O(n² F) operations for each layer, and for square and cube neurons
    of d inputs as many features as there are monomials; beyond 100 000 of these sums of powers are not multiplied
    out, and may stay unknown. longdouble parameters are rounded to float64.

    References
    ----------
    .. [1] Sussmann, "Uniqueness of the weights for minimal feedforward nets with a given input-output map", Neural
       Networks 5, 1992.
    .. [2] Kůrková and Kainen, "Functionally equivalent feedforward neural networks", Neural Computation 6, 1994.

    Examples
    --------
    A sigmoid neuron as a tanh neuron, σ(z) = ½ + ½ tanh(z/2):

    >>> import numpy as np
    >>> import hessorbit as ho
    >>> one, other = ho.MLP([1, 1, 1], "sigmoid"), ho.MLP([1, 1, 1], "tanh")
    >>> ho.equivalent(one, [2.0, 1.0, 3.0, 0.0], other, [1.0, 0.5, 1.5, 1.5])
    Equivalence(equal: all class sums agree; the architectures differ)

    A group element is found, and near misses are told apart:

    >>> net = ho.MLP([2, 3, 1], "relu")
    >>> theta = net.init(np.random.default_rng(0))
    >>> moved = ho.symmetries(net).permutation(layer=1, order=[2, 0, 1])(theta)
    >>> ho.equivalent(net, theta, net, moved).witness
    GroupElement(MLP([2, 3, 1], 'relu'), layer 1: order [2, 0, 1])
    >>> moved[0] *= 1 + 1e-6
    >>> ho.equivalent(net, theta, net, moved).verdict
    'different'
    """
    first, second = pair(net1, theta1, "1"), pair(net2, theta2, "2")
    for position, what in ((0, "inputs"), (-1, "outputs")):
        if net1.widths[position] != net2.widths[position]:
            raise ValueError(
                f"net2 must have the number of {what} of net1, {net1.widths[position]}; got {net2.widths[position]}"
            )
    allowed = _checks.fraction(tolerance, "tolerance")
    source = np.random.default_rng(0) if rng is None else _checks.generator(rng)
    features = Features(net1.widths[0], allowed)
    try:
        differing = features.disagreement(features.express(*first), features.express(*second))
    except FloatingPointError as error:
        differing = (str(error),)
    if not differing:
        return equality(first, second, allowed)
    found = separation((first, second), source)
    sums = f"class sums differ ({', '.join(differing)})"
    if found is not None:
        reason = f"outputs differ by {found.difference:.2g} of the size of their terms at the witness; {sums}"
        return Equivalence("different", reason, found.x, found.difference)
    if features.nested:
        return Equivalence("unknown", f"{sums}, which proves nothing in a deep network, and no input tried separates")
    return Equivalence("unknown", f"{sums}, but by no more than rounding on all inputs tried")


def equality(first: tuple[MLP, Array], second: tuple[MLP, Array], tolerance: float) -> Equivalence:
    """The answer where all sums agree."""
    (net, theta1), (other, theta2) = first, second
    if net != other:
        return Equivalence("equal", "all class sums agree; the architectures differ")
    element = connecting_element(net, theta1, theta2, max(tolerance, 1e-13))
    if element is not None:
        return Equivalence("equal", "a group element takes theta1 to theta2", element)
    return Equivalence("equal", "all class sums agree; no permutation, flip and rescaling was found to relate them")


def pair(net: MLP, theta: ArrayLike, suffix: str) -> tuple[MLP, Array]:
    """A network and its parameters, checked."""
    _checks.instance(net, MLP, f"net{suffix}")
    return net, _checks.parameter_vector(theta, net.num_parameters, f"theta{suffix}").astype(np.float64)
