"""Generated architectures: depth 1–4, widths 1–7, activations mixed neuron by neuron, all losses, weights and l2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import hessorbit as ho
from oracles import jets
from oracles.compare import assert_close, assert_matches, computed
from oracles.problem import ACTIVATIONS, LOSSES, PARAMETRIZATIONS, Problem, random_problem

pytestmark = [
    pytest.mark.core,
    pytest.mark.filterwarnings("ignore:the loss 'cross_entropy' of one output"),  # whose derivatives are right, if zero
]

NAMES = (*ACTIVATIONS, "leaky_relu(0.25)")

# exp and cube blow up through layers; where preactivations grow beyond this, float64 has lost the digits asked for in
# the outputs already, whatever computes the derivatives.
LARGEST_PREACTIVATION = 8.0


@st.composite
def problems(draw: Any, *, smooth: bool = False) -> Problem:
    depth = draw(st.integers(1, 4))
    widths = tuple(draw(st.lists(st.integers(1, 7), min_size=depth + 1, max_size=depth + 1)))
    names = st.sampled_from(NAMES)
    layers = [draw(st.one_of(names, st.lists(names, min_size=w, max_size=w))) for w in widths[1:-1]]
    return random_problem(
        np.random.default_rng(draw(st.integers(0, 2**32))),
        widths,
        layers,
        loss=draw(st.sampled_from(LOSSES)),
        biases=tuple(draw(st.lists(st.booleans(), min_size=depth, max_size=depth))),
        parametrization=draw(st.sampled_from(PARAMETRIZATIONS)),
        output_activation=tuple(draw(st.lists(names, min_size=widths[-1], max_size=widths[-1]))),
        samples=draw(st.integers(1, 20)),
        weighted=draw(st.booleans()),
        l2=draw(st.sampled_from([0.0, 0.01, 1.0])),
        integer_labels=draw(st.booleans()),
        scale=draw(st.sampled_from([0.3, 1.0])),
    )


@settings(max_examples=150)
@given(problems())
def test_every_derivative(problem: Problem) -> None:
    reference = jets.evaluate(problem)
    assume(reference.largest_preactivation < LARGEST_PREACTIVATION)
    objective = problem.objective()
    results = computed(objective, problem.theta)
    assert_matches(results, reference, by_terms=True)
    assert (results["hessian"] == results["hessian"].T).all()
    assert (results["gauss_newton"] == results["gauss_newton"].T).all()
    product = objective.hvp(problem.theta, np.eye(problem.num_parameters))
    scale = reference.magnitude("hessian")
    assert_close(product, reference.total("hessian"), parameters=problem.num_parameters, scale=scale, what="hvp")


@settings(max_examples=40)
@given(problems(), st.integers(1, 4), st.integers(1, 3))
def test_batches_are_loops(problem: Problem, batch: int, threads: int) -> None:
    objective = problem.objective(threads=threads)
    theta = problem.theta * np.linspace(0.5, 1.0, batch)[:, None]
    together = computed(objective, theta)
    for index, one in enumerate(theta):
        for name, value in computed(objective, one).items():
            np.testing.assert_array_equal(together[name][index], value, err_msg=name)


@settings(max_examples=60)
@given(problems())
def test_networks_rebuild_themselves(problem: Problem) -> None:
    """repr, flatten and unflatten lose nothing, and outputs are those of the objective."""
    net = problem.network()
    assert eval(repr(net), {"MLP": ho.MLP}) == net
    np.testing.assert_array_equal(net.flatten(net.unflatten(problem.theta)), problem.theta)
    np.testing.assert_array_equal(net(problem.theta, problem.x), problem.objective().outputs(problem.theta))
    for layer, (weights, biases) in zip(problem.layers(), net.unflatten(np.arange(net.num_parameters)), strict=True):
        np.testing.assert_array_equal(weights, layer.weights)
        assert (biases is None) == (layer.bias is None)
        if biases is not None:
            np.testing.assert_array_equal(biases, layer.bias)
