"""Whether two networks compute the same function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html
from .._checks import Array
from ..network import MLP
from ..symmetry.element import GroupElement
from ..symmetry.rules import hidden_layers
from .ball import Scale, natural_radius, scale_of
from .exact_copies import without_copies
from .features import ROUNDING, Features
from .matching import connecting_element
from .separating import Pairs, seem_different, separation


@dataclass(frozen=True, eq=False, repr=False)
class Equivalence:
    """An `Equivalence` holds the answer of `equivalent`. It is true only if the verdict is "equal".

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
    bound : float
        ``|f₁(x) − f₂(x)|`` is at most this in every output, for all ‖x‖ ≤ `radius`; the largest of the outputs' bounds.
        Infinite where none was found. It was computed in float64, with an allowance for rounding to first order.
    radius : float
        Of the ball of inputs that `bound` and `scale` hold on.
    scale : float
        The largest magnitude of any output on a sample of that ball.

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
    bound: float = float("inf")
    radius: float = float("nan")
    scale: float = float("nan")

    @property
    def equal(self) -> bool | None:
        """True, False, or None if unknown."""
        return {"equal": True, "different": False, "unknown": None}[self.verdict]

    def __bool__(self) -> bool:
        return self.verdict == "equal"

    def __repr__(self) -> str:
        return f"Equivalence({self.verdict}: {self.reason})"

    def _repr_html_(self) -> str:
        proof = isinstance(self.witness, GroupElement)
        rows = {
            "reason": self.reason,
            "element": repr(self.witness) if proof else None,
            "input": None if proof or self.witness is None else np.array2string(np.asarray(self.witness), precision=6),
            "outputs differ by": self.difference or None,
            "|f₁ − f₂|": f"at most {self.bound:.2g} for ‖x‖ ≤ {self.radius:.3g}" if np.isfinite(self.bound) else None,
            "|f|": f"up to {self.scale:.2g}" if np.isfinite(self.scale) else None,
        }
        return _html.facts(f"Two networks: {self.verdict}", rows)

    def __str__(self) -> str:
        shown = f"|f₁ − f₂| ≤ {self.bound:.2g} for ‖x‖ ≤ {self.radius:.3g}, where |f| reaches {self.scale:.2g}"
        return f"{self.verdict}: {self.reason}; {shown if np.isfinite(self.bound) else 'no bound was found'}"


def equivalent(
    net1: MLP,
    theta1: ArrayLike,
    net2: MLP,
    theta2: ArrayLike,
    *,
    tolerance: float = 1e-8,
    radius: float | None = None,
    rng: np.random.Generator | None = None,
) -> Equivalence:
    """Tells whether two networks compute the same function.

    Both networks are written as sums over common features, classes of neurons up to what their activations allow, and
    the sums' coefficients are compared. What their differences, and the merging of neurons that nearly agree, can do to
    the outputs for ‖x‖ ≤ radius is bounded, layer by layer. The networks are "equal" if the bound is at most the
    tolerance times the size of the outputs, and if no input tried contradicts. Widths, depths, activations and
    parametrizations may differ.

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
        Largest ``|f₁ − f₂|``, as a part of the largest ``|f|`` on the ball, that counts as equal, for each output by
        itself; and the relative difference up to which neurons may be merged for that. Beside it, what rounding of the
        parameters explains (16 units in their last place) counts as equal, with that of sums whose terms cancel. Where
        an output vanishes on the ball, this is the most that rounding can do there.
    radius : float, optional
        Radius of the ball of inputs on which the difference is bounded. By default twice the distance of the farthest
        hyperplane w · x + b = 0 of the first layers, and at least 1; less where bounds on steep activations need that.
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
        tolerance is not in [0, 1), or radius not positive.

    Notes
    -----
    "different" always comes with an input at which outputs computed in extended precision differ by more than
    rounding of the parameters explains. Sums of one hidden layer that differ where no input tried shows it are called
    "unknown", with this reason.

    With n neurons in a layer and F features, takes O(n F) operations and sorting for each layer, and for square and
    cube neurons of d inputs as many features as there are monomials; beyond 100 000 of these sums of powers are not
    multiplied out, and may stay unknown. longdouble parameters are rounded to float64.

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
    pairs = (first, second)
    ball = None if radius is None else _checks.positive(radius, "radius")
    differ = seem_different(pairs, allowed)
    comparison = compared(pairs, allowed, ball, differ)
    if comparison.equal and not differ:
        return equality(pairs, allowed, comparison)
    element = rearrangement(pairs)
    if element is not None:
        exact = comparison._replace(bound=np.zeros_like(comparison.bound))
        return answer("equal", "a group element takes theta1 to theta2", exact, element)
    if not differ and same_without_copies(pairs):
        exact = comparison._replace(bound=np.zeros_like(comparison.bound))
        reason = "both are one network but for copies of neurons, whose outgoing weights add up exactly"
        return answer("equal", reason, exact)
    found = separation(pairs, source)
    if comparison.agree and found is None:
        return answer("unknown", unbounded(comparison, allowed), comparison)
    sums = f"class sums differ ({', '.join(comparison.kinds) or 'in neurons that nearly agree'})"
    if found is not None:
        reason = f"outputs differ by {found.difference:.2g} of the size of their terms at the witness; {sums}"
        return answer("different", reason, comparison, found.x, found.difference)
    if comparison.nested:
        reason = f"{sums}, which proves nothing in a deep network, and no input tried separates"
    else:
        reason = f"{sums}, but by no more than rounding on all inputs tried"
    return answer("unknown", reason, comparison)


class Comparison(NamedTuple):
    """A bound on the difference of two functions on a ball, (K,), and what makes it."""

    bound: Array
    radius: float
    scale: Scale
    equal: bool
    kinds: tuple[str, ...]
    nested: bool
    agree: bool


def compared(pairs: Pairs, tolerance: float, radius: float | None, differ: bool) -> Comparison:
    """The first comparison that shows equality; else the last, on the smallest ball: that alone if functions differ.

    Merging more neurons needs fewer features, but adds to the bound: so few are merged first.
    """
    radii = [radius] if radius is not None else default_radii(pairs)
    merging = sorted({min(tolerance, ROUNDING), float(np.sqrt(ROUNDING * max(tolerance, ROUNDING))), tolerance})
    merging = [closeness for closeness in merging if closeness <= tolerance]
    if differ:
        radii, merging = radii[-1:], merging[-1:]
    for r in radii:
        scale = joined(*(scale_of(*each, r) for each in pairs))
        for closeness in merging:
            result = comparison_at(pairs, r, closeness, scale, tolerance)
            if result.equal:
                return result
    return result


def default_radii(pairs: Pairs) -> list[float]:
    """The natural radius, and smaller ones where bounds on activations that are ever steeper get loose."""
    radius = natural_radius(*pairs)
    steep = any(r.slope_bound is None for net, _ in pairs for hidden in hidden_layers(net) for r in hidden.rules)
    return [radius, min(radius, 1.0), 0.25] if steep else [radius]


def joined(first: Scale, second: Scale) -> Scale:
    """The scale of two functions: no larger than either's outputs, and the rounding of both."""
    return Scale(np.minimum(first.outputs, second.outputs), first.rounding + second.rounding)


def comparison_at(pairs: Pairs, radius: float, closeness: float, scale: Scale, tolerance: float) -> Comparison:
    features = Features(pairs[0][0].widths[0], radius, closeness)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            first, second = (features.express(*each) for each in pairs)
            bound, kinds = features.difference(first, second)
            agree = features.agree(first, second, tolerance)
            equal = agree and bool((bound <= scale.allowed(tolerance)).all())
    except FloatingPointError as error:
        bound, kinds, equal, agree = np.full(len(scale.outputs), np.inf), (str(error),), False, False
    return Comparison(bound, radius, scale, equal, kinds, features.nested, agree)


def unbounded(comparison: Comparison, tolerance: float) -> str:
    """Says why sums that agree do not show equality, of the output where the bound is farthest from what counts."""
    scale, bound = comparison.scale, comparison.bound
    allowed = scale.allowed(tolerance)
    with np.errstate(all="ignore"):
        needed = np.where(bound > allowed, (bound - scale.rounding) / scale.outputs, 0.0)
    worst = int(np.argmax(needed))
    if needed[worst] < 0.5:
        remedy = f"tolerance={1.05 * needed[worst]:.1e} would do"
    else:
        remedy = f"no tolerance would do, as the output's largest value seen is {scale.outputs[worst]:.2g}"
    return (
        f"all class sums agree, but the bound on what their rounding does to output {worst}, {bound[worst]:.2g}, is "
        f"above what counts as equal, {allowed[worst]:.2g}; no input tried separates; {remedy}"
    )


def same_without_copies(pairs: Pairs) -> bool:
    """Whether both networks are the same, up to permutations and signs, once exact copies of neurons are merged."""
    (net, theta), (other, theta2) = pairs
    first, second = without_copies(net, theta), without_copies(other, theta2)
    if first[0] != second[0]:
        return False
    return np.array_equal(first[1], second[1]) or rearrangement((first, second)) is not None


def equality(pairs: Pairs, tolerance: float, comparison: Comparison) -> Equivalence:
    """The answer where all sums agree."""
    (net, theta1), (other, theta2) = pairs
    if net != other:
        return answer("equal", "all class sums agree; the architectures differ", comparison)
    element = connecting_element(net, theta1, theta2, max(tolerance, 1e-13))
    if element is not None:
        return answer("equal", "a group element takes theta1 to theta2", comparison, element)
    reason = "all class sums agree; no permutation, flip and rescaling was found to relate them"
    return answer("equal", reason, comparison)


def rearrangement(pairs: Pairs) -> GroupElement | None:
    """The element, if one only permutes and negates the parameters: without any rounding, however steep neurons are."""
    (net, theta1), (other, theta2) = pairs
    if net != other or not np.array_equal(np.sort(np.abs(theta1)), np.sort(np.abs(theta2))):
        return None
    element = connecting_element(net, theta1, theta2, 1e-13)
    return element if element is not None and np.array_equal(element(theta1), theta2) else None


def answer(
    verdict: Literal["equal", "different", "unknown"],
    reason: str,
    comparison: Comparison,
    witness: GroupElement | Array | None = None,
    difference: float = 0.0,
) -> Equivalence:
    bound, scale = float(comparison.bound.max()), float(comparison.scale.outputs.max())
    return Equivalence(verdict, reason, witness, difference, bound, comparison.radius, scale)


def pair(net: MLP, theta: ArrayLike, suffix: str) -> tuple[MLP, Array]:
    """A network and its parameters, checked."""
    _checks.instance(net, MLP, f"net{suffix}")
    return net, _checks.parameter_vector(theta, net.num_parameters, f"theta{suffix}").astype(np.float64)
