"""Networks from Flax's linen and nnx, compared with their outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import hessorbit as ho
from hessorbit.interop import from_flax

X = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
ROUNDING = 5e-6  # of outputs of order 1 in float32


class Linen(linen.Module):
    """3-4-…-4-2, so many hidden layers that their names do not sort by letters."""

    activation: Callable[[Any], Any]
    hidden: int = 2

    @linen.compact
    def __call__(self, x: Any) -> Any:
        for _ in range(self.hidden):
            x = self.activation(linen.Dense(4)(x))
        return linen.Dense(2)(x)


class Nnx(nnx.Module):
    """3-4-4-2 with names that have no numbers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.inner, self.outer = nnx.Linear(3, 4, rngs=rngs), nnx.Linear(4, 2, use_bias=False, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.outer(jnp.tanh(self.inner(x)))


ACTIVATIONS = {
    "tanh": jnp.tanh, "relu": linen.relu, "gelu": lambda z: linen.gelu(z, approximate=False), "silu": linen.silu,
    "elu": linen.elu, "selu": linen.selu, "softplus": linen.softplus, "sigmoid": linen.sigmoid, "sin": jnp.sin,
    "softsign": linen.soft_sign, "leaky_relu": linen.leaky_relu,
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_linen(name: str) -> None:
    model = Linen(ACTIVATIONS[name])
    variables = model.init(jax.random.key(0), X)
    net, theta = from_flax(variables, activation=name, apply=lambda x: model.apply(variables, x))
    assert net == ho.MLP([3, 4, 4, 2], name)
    assert np.abs(net(theta, X) - np.asarray(model.apply(variables, X))).max() < ROUNDING
    assert (from_flax(variables["params"], activation=name)[1] == theta).all()


def test_names_with_numbers_are_in_their_order_after_sorting() -> None:
    model = Linen(jnp.tanh, hidden=11)
    variables = jax.tree.map(lambda leaf: leaf, model.init(jax.random.key(0), X))
    assert list(variables["params"])[1:3] == ["Dense_1", "Dense_10"]
    net, theta = from_flax(variables, activation="tanh", apply=lambda x: model.apply(variables, x))
    assert np.abs(net(theta, X) - np.asarray(model.apply(variables, X))).max() < ROUNDING


def test_nnx() -> None:
    model = Nnx(nnx.Rngs(0))
    net, theta = from_flax(model, activation="tanh")
    assert net == ho.MLP([3, 4, 2], bias=[True, False])
    assert np.abs(net(theta, X) - np.asarray(model(X))).max() < ROUNDING
    state = nnx.state(model, nnx.Param)
    for params in (state, nnx.to_pure_dict(state)):
        assert (from_flax(params, activation="tanh")[1] == theta).all()


def test_nnx_sequential() -> None:
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(
        nnx.Linear(3, 4, rngs=rngs), nnx.relu, nnx.Linear(4, 4, rngs=rngs), nnx.relu, nnx.Linear(4, 1, rngs=rngs)
    )
    net, theta = from_flax(model, activation="relu")
    assert net == ho.MLP([3, 4, 4, 1], "relu")
    assert np.abs(net(theta, X) - np.asarray(model(X))).max() < ROUNDING


def dense(inputs: int, outputs: int, **more: Any) -> dict[str, Any]:
    return {"kernel": np.ones((inputs, outputs)), "bias": np.zeros(outputs), **more}


def test_layers_gives_the_order() -> None:
    params = {"b": dense(3, 3), "a": dense(3, 3)}
    params["a"]["kernel"] = np.arange(9.0).reshape(3, 3)
    with pytest.raises(ValueError, match=r"fit together in more than one order: .* layers=\['b', 'a'\]"):
        from_flax(params, activation="tanh")
    _, theta = from_flax(params, activation="tanh", layers=["a", "b"])
    assert (theta[:9] == params["a"]["kernel"].T.ravel()).all()


NAMES = {
    "numbers among others": (
        {"out": (4, 1), "h.10": (4, 4), "h.2": (4, 4), "in": (3, 4)},
        ["in", "h.2", "h.10", "out"],
    ),
    "numbers inside": ({"l.10.d": (4, 4), "l.9.d": (4, 4), "l.0.d": (3, 4)}, ["l.0.d", "l.9.d", "l.10.d"]),
    "shapes against numbers": ({"d1": (2, 3), "d0": (3, 4)}, ["d1", "d0"]),
    "a loop": ({"a": (3, 4), "b": (4, 3), "c": (3, 5)}, ["a", "b", "c"]),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_tell_the_order(name: str) -> None:
    shapes, expected = NAMES[name]
    rng = np.random.default_rng(0)
    params = {each: {"kernel": rng.standard_normal(shape)} for each, shape in shapes.items()}
    _, theta = from_flax(params, activation="tanh")
    assert (theta == np.concatenate([params[each]["kernel"].T.ravel() for each in expected])).all()


def test_names_of_many_layers() -> None:
    params = {f"d{index}": {"kernel": np.full((1, 1), float(index))} for index in reversed(range(1200))}
    _, theta = from_flax(params, activation="tanh")
    assert (theta == np.arange(1200.0)).all()


def test_layers_that_fit_in_no_order_are_refused_at_once() -> None:
    """As many orders have to be excluded as 18 layers have, but for the last."""
    params = {chr(97 + index): dense(4, 4) for index in range(18)} | {"y": dense(5, 6), "z": dense(6, 5)}
    with pytest.raises(ValueError, match="in no order"):
        from_flax(params, activation="tanh")


REFUSED: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no activation": ({"d0": dense(2, 3), "d1": dense(3, 1)}, {}, ValueError, "activation must be given"),
    "normalisation": ({"d0": dense(2, 3), "n": {"scale": np.ones(3), "bias": np.ones(3)}}, {"activation": "tanh"},
                      ValueError, r"n must be a dense layer.*scale \(3,\)"),
    "convolution": ({"c": {"kernel": np.ones((3, 1, 2))}}, {}, ValueError, r"c must be a dense layer.*\(3, 1, 2\)"),
    "bias": ({"d": dense(2, 3, bias=np.ones(2))}, {}, ValueError,
             r"biases of d must have shape \(3,\), as its weights are \(3, 2\); got \(2,\)"),
    "masked": ({"d": {"kernel": np.ma.masked_array(np.ones((2, 3)), np.eye(2, 3))}}, {}, ValueError,
               "weights of d must not have masked entries; it has 2"),
    "no order": ({"a": dense(2, 3), "b": dense(4, 1)}, {"activation": "tanh"}, ValueError, "in no order"),
    "wrong layers": ({"a": dense(2, 3), "b": dense(3, 1)}, {"activation": "tanh", "layers": ["a", "c"]}, ValueError,
                     "must name each of a, b once"),
    "a function for its name": ({"d0": dense(2, 3), "d1": dense(3, 1)}, {"activation": linen.tanh}, TypeError,
                                "activation must be a sequence of 1 entry"),
    "nothing": ({}, {"activation": "tanh"}, ValueError, "there are none"),
    "no parameters": ("params.msgpack", {}, TypeError, "must be a mapping"),
    "another activation": (Nnx(nnx.Rngs(0)), {"activation": "erf"}, ValueError, "does not compute"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    params, options, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        from_flax(params, **options)


def test_the_approximate_gelu_is_told_by_its_outputs() -> None:
    model = Linen(linen.gelu)
    variables = model.init(jax.random.key(0), X)
    with pytest.raises(ValueError, match="with another activation"):
        from_flax(variables, activation="gelu", apply=lambda x: model.apply(variables, x))
