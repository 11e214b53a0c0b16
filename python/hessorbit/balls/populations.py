"""The expected loss of a student of a teacher in ball arithmetic, with its gradient and Hessian.

Student and teacher are one network with outgoing weights v, the teacher's negated, and output biases β. With
K_ab = E[σ_a σ_b] and M_a = E[σ_a],

    L = Σ_{a<b} (v_a·v_b) K_ab + Σ_a ½ (v_a·v_a) K_aa + Σ_a (v_a·β) M_a + ½ β·β + (l2/2) ‖θ‖²

K and M are functions of the means w_a·μ + b_a and covariances w_aᵀ Σ w_b of preactivations (kernels.py), whose
derivatives in θ follow by the chain rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from .._checks import FLOAT64, Array
from ..network import MLP
from ..population import PopulationObjective
from .arithmetic import balls, exact, flint, zeros
from .jets import Jet, variables
from .kernels import KINDS, Activation
from .samples import multipliers_of


@dataclass(frozen=True)
class Neuron:
    """σ, w (d,) and b as they act, v (K,), Σw (d,), the mean, and where w, b and v are in θ; None for a teacher's."""

    activation: Activation
    weights: Array
    outgoing: Array
    spread: Array
    mean: Any
    places: Array | None
    has_bias: bool
    outgoing_places: Array | None


@dataclass(frozen=True)
class Variable:
    """A mean or a covariance of preactivations: its value, its gradient in θ, at places, and entries of its Hessian."""

    value: Any
    places: Array
    gradient: Array
    bends: tuple[tuple[Array, Array, Any], ...] = ()  # (rows, columns, factor of Σ)


class PopulationLoss:
    """A `PopulationObjective` in ball arithmetic, at the precision of flint's context; θ are arrays (P,) of balls."""

    dtype = FLOAT64

    def __init__(self, obj: PopulationObjective) -> None:
        names = {*obj.net.activations[0], *obj.teacher.activations[0]}
        kinds = {Activation(name).kind for name in names}
        if None in kinds or len(kinds) > 1:
            known = ", ".join(KINDS)
            raise TypeError(
                "obj must have activations whose expectations are known in closed form, of one kind in student and "
                f"teacher, for a proof; known are {known}; got {', '.join(sorted(names))}"
            )
        self.obj, self.net, self.num_parameters = obj, obj.net, obj.net.num_parameters
        inputs = obj.net.widths[0]
        self.mean = balls(np.zeros(inputs) if obj.mean is None else obj.mean)
        covariance = np.eye(inputs) if obj.covariance is None else (obj.covariance + obj.covariance.T) / 2
        self.covariance = balls(covariance)
        self.l2 = exact(obj.l2)
        self.positions = obj.net.unflatten(np.arange(self.num_parameters))

    @property
    def multipliers(self) -> list[Any]:
        return multipliers_of(self.net)

    def loss(self, theta: Array) -> Any:
        return self.total(theta, 0).value + self.l2 * (theta @ theta) / 2

    def gradient(self, theta: Array) -> Array:
        result: Array = self.total(theta, 1).gradient * self.scale() + self.l2 * theta
        return result

    def hessian(self, theta: Array) -> Array:
        scale = self.scale()
        result: Array = self.total(theta, 2).hessian * np.outer(scale, scale)
        result[np.diag_indices(len(result))] += self.l2
        return result

    def total(self, theta: Array, order: int) -> Total:
        """The loss without its penalty and derivatives up to an order, in the weights as they act."""
        total = Total(self.num_parameters, order, self.covariance)
        student, teacher = self.neurons(self.net, theta, 1), self.neurons(self.obj.teacher, None, -1)
        neurons = [*student, *teacher]
        beta, places = self.output_bias(theta)
        for first, second in combinations(neurons, 2):
            total.add(*self.pair(first, second), (first.outgoing, first.outgoing_places),
                      (second.outgoing, second.outgoing_places))  # fmt: skip
        for neuron in neurons:
            v = (neuron.outgoing, neuron.outgoing_places)
            found = self.of_one(neuron)
            a, m = variables([x.value for x in found])
            total.add(neuron.activation.square(a, m) / 2, found, v, v)
            total.add(neuron.activation.mean(a, m), found, v, (beta, places))
        total.add(Jet(flint().arb(1) / 2, zeros(0), zeros(0, 0)), [], (beta, places), (beta, places))
        return total

    def neurons(self, net: MLP, theta: Array | None, sign: int) -> list[Neuron]:
        """The hidden neurons of the student at θ, or of the teacher."""
        first, last = multipliers_of(net)
        (weights, biases), (outgoing, _) = parts(net, balls(self.obj.theta_teacher) if theta is None else theta)
        result = []
        for i, name in enumerate(net.activations[0]):
            w = first * weights[i]
            mean = w @ self.mean + (0 if biases is None else biases[i])
            places = outgoing_places = None
            if theta is not None:
                (own, bias), (columns, _) = self.positions
                places = own[i] if bias is None else np.append(own[i], bias[i])
                outgoing_places = columns[:, i]
            v = sign * last * outgoing[:, i]
            result.append(Neuron(Activation(name), w, v, self.covariance @ w, mean, places, biases is not None,
                                 outgoing_places))  # fmt: skip
        return result

    def output_bias(self, theta: Array) -> tuple[Array, Array | None]:
        mine, taught = self.positions[1][1], parts(self.obj.teacher, balls(self.obj.theta_teacher))[1][1]
        beta: Array = zeros(self.net.widths[2])
        if mine is not None:
            beta = beta + theta[mine]
        return (beta if taught is None else beta - taught), mine

    def scale(self) -> Array:
        """Derivatives in θ over those in the weights as they act."""
        first, last = self.multipliers
        result = zeros(self.num_parameters) + 1
        result[self.positions[0][0]] = first
        result[self.positions[1][0]] = last
        return result

    def of_one(self, neuron: Neuron) -> list[Variable]:
        """The variance and the mean of a neuron's preactivation."""
        d = len(neuron.weights)
        if neuron.places is None:
            return [constant(neuron.weights @ neuron.spread), constant(neuron.mean)]
        weights = neuron.places[:d]
        variance = Variable(
            neuron.weights @ neuron.spread, weights, 2 * neuron.spread, ((weights, weights, flint().arb(2)),)
        )
        slopes = np.append(self.mean, flint().arb(1)) if neuron.has_bias else self.mean
        return [variance, Variable(neuron.mean, neuron.places, slopes)]

    def pair(self, first: Neuron, second: Neuron) -> tuple[Jet, list[Variable]]:
        """K_ab, and the variables that it depends on."""
        (a, m), (b, n) = self.of_one(first), self.of_one(second)
        d = len(first.weights)
        places, gradients, bends = [], [], []
        if first.places is not None:
            places.append(first.places[:d])
            gradients.append(second.spread)
        if second.places is not None:
            places.append(second.places[:d])
            gradients.append(first.spread)
        if first.places is not None and second.places is not None:
            bends = [(first.places[:d], second.places[:d], flint().arb(1)),
                     (second.places[:d], first.places[:d], flint().arb(1))]  # fmt: skip
        joined = [np.concatenate(x) if x else zeros(0) for x in (places, gradients)]
        c = Variable(first.weights @ second.spread, joined[0], joined[1], tuple(bends))
        found = [a, b, c, m, n]
        return first.activation.with_other(second.activation, *variables([x.value for x in found])), found


def parts(net: MLP, theta: Array) -> list[tuple[Array, Array | None]]:
    """Weights and biases of each layer, of balls."""
    positions = net.unflatten(np.arange(len(theta)))
    return [(theta[weights], None if biases is None else theta[biases]) for weights, biases in positions]


def constant(value: Any) -> Variable:
    return Variable(value, np.zeros(0, int), zeros(0))


class Total:
    """A sum of terms (u·v) F, F being a function of variables and u, v outgoing vectors, with derivatives in θ."""

    def __init__(self, count: int, order: int, covariance: Array) -> None:
        self.order, self.covariance = order, covariance
        self.value = flint().arb(0)
        self.gradient, self.hessian = zeros(count), zeros(*((count, count) if order > 1 else (0, 0)))

    def add(self, jet: Jet, found: Sequence[Variable], first: Any, second: Any) -> None:
        (u, at_u), (v, at_v) = first, second
        weight = u @ v
        self.value += weight * jet.value
        if self.order < 1:
            return
        sides = [(at, other) for at, other in ((at_u, v), (at_v, u)) if at is not None]
        for at, other in sides:
            self.gradient[at] += other * jet.value
        moving = [(i, x) for i, x in enumerate(found) if len(x.places)]
        for i, x in moving:
            self.gradient[x.places] += weight * jet.first[i] * x.gradient
        if self.order < 2:
            return
        if at_u is not None and at_v is not None:
            self.hessian[at_u, at_v] += jet.value
            self.hessian[at_v, at_u] += jet.value
        for i, x in moving:
            for at, other in sides:
                block = np.outer(other, jet.first[i] * x.gradient)
                self.hessian[np.ix_(at, x.places)] += block
                self.hessian[np.ix_(x.places, at)] += block.T
            for j, y in moving:
                self.hessian[np.ix_(x.places, y.places)] += np.outer(weight * jet.second[i, j] * x.gradient, y.gradient)
            for rows, columns, factor in x.bends:
                self.hessian[np.ix_(rows, columns)] += weight * jet.first[i] * factor * self.covariance
