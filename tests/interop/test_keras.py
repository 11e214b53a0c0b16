"""Networks from Keras 3, compared with Keras's own outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers, ops
from typer.testing import CliRunner

import hessorbit as ho
from hessorbit.cli.app import app
from hessorbit.interop import from_keras

X = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
# Outputs of order 1 in float32: a few dozen roundings of 6e-8.
ROUNDING = 5e-6


def mlp(activation: Any, *more: Any, outputs: int = 2) -> keras.Model:
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(4, activation, bias_initializer="normal"), layers.Dense(5, activation)]
    return keras.Sequential([keras.Input((3,)), *hidden, layers.Dense(outputs), *more])


ACTIVATIONS = {
    "linear": "identity", "relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "gelu": "gelu", "silu": "silu",
    "swish": "silu", "softplus": "softplus", "softsign": "softsign", "elu": "elu", "selu": "selu", "exponential": "exp",
    "leaky_relu": "leaky_relu(0.2)",
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    model = mlp(name)
    net, theta = from_keras(model)
    assert net == ho.MLP([3, 4, 5, 2], ACTIVATIONS[name])
    expected = np.asarray(model(X))
    assert np.abs(net(theta, X) - expected).max() < ROUNDING * (1 + np.abs(expected).max())
    kernels = [np.asarray(each, np.float64) for each in model.get_weights()]
    assert (theta == net.flatten([(w.T, b) for w, b in zip(kernels[::2], kernels[1::2], strict=True)])).all()


def written(function: Any, **options: Any) -> keras.Model:
    """3-4-2 with a function between the layers."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = layers.Dense(4, bias_initializer="normal")(inputs)
    return keras.Model(inputs, layers.Dense(2, **options)(function(hidden)))


WRITTEN_OUT: dict[str, tuple[Any, str]] = {
    "z sigmoid": (lambda z: z * ops.sigmoid(z), "silu"),
    "z sigmoid of a layer": (lambda z: z * layers.Activation("sigmoid")(z), "silu"),
    "maximum": (lambda z: ops.maximum(z, 0), "relu"),
    "where": (lambda z: ops.where(z > 0, z, 0.25 * z), "leaky_relu(0.25)"),
    "1 / (1 + exp)": (lambda z: 1 / (1 + ops.exp(-z)), "sigmoid"),
    "gelu by erf": (lambda z: 0.5 * z * (1 + ops.erf(z / np.sqrt(2))), "gelu"),
    "log1p": (lambda z: ops.log1p(ops.exp(z)), "softplus"),
    "power": (lambda z: z**3, "cube"),
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_activations_written_out(name: str) -> None:
    function, expected = WRITTEN_OUT[name]
    model = written(function)
    net, theta = from_keras(model)
    assert net == ho.MLP([3, 4, 2], expected)
    assert np.abs(net(theta, X) - np.asarray(model(X))).max() < ROUNDING


NO_ACTIVATIONS: dict[str, tuple[Any, str]] = {
    "a kink beside 0": (lambda z: ops.maximum(z, 1e-7), "Maximum .* is no layer"),
    "a clamp": (lambda z: ops.clip(z, 0, 1e6), "Clip .* is no layer"),
    "mish": (lambda z: z * ops.tanh(ops.softplus(z)), "Multiply .* takes 2 tensors"),
    "a residual": (lambda z: z + ops.relu(z), "Add .* takes 2 tensors"),
    "two layers": (lambda z: z * layers.Dense(4)(z), "Multiply .* takes 2 tensors"),
}


@pytest.mark.parametrize("name", NO_ACTIVATIONS)
def test_what_is_written_out_and_no_activation(name: str) -> None:
    function, message = NO_ACTIVATIONS[name]
    with pytest.raises(ValueError, match=message):
        from_keras(written(function))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_policy_that_rounds_inside(policy: str) -> None:
    """Outputs are of float32, as Keras advises, and what is before them is rounded more roughly."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = written(ops.tanh, dtype="float32")
    finally:
        keras.config.set_dtype_policy(before)
    net, theta = from_keras(model)
    kernels = [np.asarray(each, np.float64) for each in model.get_weights()]
    assert (theta == net.flatten([(w.T, b) for w, b in zip(kernels[::2], kernels[1::2], strict=True)])).all()


def functional() -> keras.Model:
    inputs = keras.Input((3,))
    hidden = layers.LeakyReLU(negative_slope=0.1)(layers.Dense(4, use_bias=False)(layers.Flatten()(inputs)))
    return keras.Model(inputs, layers.Dense(1, "sigmoid")(layers.Dropout(0.5)(hidden)))


def skipping() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Add()([inputs, layers.Dense(3)(inputs)]))


def twice() -> keras.Model:
    inputs, shared = keras.Input((3,)), layers.Dense(3)
    return keras.Model(inputs, shared(shared(inputs)))


def shared_activation() -> keras.Model:
    inputs, act = keras.Input((3,)), layers.ReLU()
    return keras.Model(inputs, layers.Dense(1)(act(layers.Dense(4)(act(layers.Dense(5)(inputs))))))


def by_functions() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.ops.exp(mlp("tanh")(keras.ops.sin(layers.Dense(3)(inputs)))))


STRUCTURES = {
    "an activation twice": (shared_activation(), ho.MLP([3, 5, 4, 1], "relu")),
    "functions of keras.ops": (by_functions(),
                               ho.MLP([3, 3, 4, 5, 2], ["sin", "tanh", "tanh"], output_activation="exp")),
    "functional": (functional(), ho.MLP([3, 4, 1], "leaky_relu(0.1)", bias=[False, True], output_activation="sigmoid")),
    "nested": (keras.Sequential([keras.Input((3,)), mlp("tanh"), layers.ReLU(), layers.Dense(1)]),
               ho.MLP([3, 4, 5, 2, 1], ["tanh", "tanh", "relu"])),
    "rectifiers with a slope": (mlp(layers.ReLU(negative_slope=0.25)), ho.MLP([3, 4, 5, 2], "leaky_relu(0.25)")),
    "activation layers": (mlp(None, layers.Activation("tanh"), layers.ELU()), None),
    "pictures": (keras.Sequential([keras.Input((3, 2)), layers.Flatten(), layers.Dense(1)]), ho.MLP([6, 1])),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str) -> None:
    model, expected = STRUCTURES[name]
    if expected is None:
        with pytest.raises(ValueError, match="follows another activation"):
            from_keras(model)
        return
    net, theta = from_keras(model)
    assert net == expected
    x = np.random.default_rng(1).standard_normal((20, *model.input_shape[1:])).astype(np.float32)
    assert np.abs(net(theta, x.reshape(20, -1)) - np.asarray(model(x))).max() < ROUNDING


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sigmoid", "exponential"])
@pytest.mark.parametrize("as_layer", [False, True])
def test_logits(name: str, as_layer: bool) -> None:
    plain = mlp("tanh")
    end = layers.Activation(name) if not as_layer or name != "softmax" else layers.Softmax()
    net, theta = from_keras(keras.Sequential([plain, end]), logits=True)
    assert net == ho.MLP([3, 4, 5, 2])
    assert np.abs(net(theta, X) - np.asarray(plain(X))).max() < ROUNDING


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "softmax": (mlp("tanh", layers.Softmax()), ValueError, "Softmax .*logits=True"),
    "approximate GELU": (mlp(lambda z: keras.activations.gelu(z, approximate=True)), ValueError, "'<lambda>'"),
    "relu6": (mlp("relu6"), ValueError, "activation 'relu6', which hessorbit has not"),
    "mish": (mlp("mish"), ValueError, "'mish'"),
    "cut": (mlp(layers.ReLU(max_value=3.0)), ValueError, "max_value=3"),
    "elu": (mlp(layers.ELU(0.5)), ValueError, "alpha=0.5"),
    "prelu": (mlp("tanh", layers.PReLU()), ValueError, "PReLU"),
    "batch norm": (mlp("tanh", layers.BatchNormalization()), ValueError, "BatchNormalization .* is no layer"),
    "skip": (skipping(), ValueError, "Add 'add.* takes 2 tensors; a network here is a chain"),
    "a layer twice": (twice(), ValueError, "Dense 'dense.* is called twice"),
    "convolution": (keras.Sequential([keras.Input((3, 1)), layers.Conv1D(1, 2)]), ValueError, "Conv1D"),
    "not built": (keras.Sequential([layers.Dense(1)]), ValueError, "must be built"),
    "no model": (layers.Dense(1), TypeError, "must be a keras.Model; got a Dense"),
}


class Clamped(keras.Sequential):
    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return keras.ops.clip(super().call(inputs, training=training, mask=mask), -1e6, 1e6)


class ClampedDense(layers.Dense):
    def call(self, inputs: Any, training: Any = None) -> Any:
        return keras.ops.clip(super().call(inputs), -1e6, 1e6)


@pytest.mark.parametrize(
    "model",
    [
        Clamped([keras.Input((3,)), layers.Dense(2)]),
        keras.Sequential([keras.Input((3,)), ClampedDense(2)]),
        keras.Sequential([keras.Input((3,)), Clamped([keras.Input((3,)), layers.Dense(2)])]),
    ],
    ids=["model", "layer", "inner model"],
)
def test_what_random_inputs_do_not_reach(model: keras.Model) -> None:
    with pytest.raises(ValueError, match="has a call of its own, which may compute anything"):
        from_keras(model)


OPERATIONS: dict[str, tuple[Any, str]] = {
    "clamp": (lambda x: keras.ops.clip(x, -1e6, 1e6), "Clip 'clip.* is no layer"),
    "small shift": (lambda x: x + 1e-12, "Add 'add.* is no layer"),
    "small skip": (lambda x: x + 1e-12 * layers.Dense(2)(x), "Add 'add.* takes 2 tensors"),
    "elu": (lambda x: keras.ops.elu(x, alpha=0.5), "Elu 'elu.* has alpha=0.5; expected 1"),
    "approximate GELU": (lambda x: keras.ops.gelu(x), "Gelu 'gelu.* has approximate=True; expected False"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_that_random_inputs_do_not_reach(name: str) -> None:
    function, message = OPERATIONS[name]
    inputs = keras.Input((3,))
    model = keras.Model(inputs, function(layers.Dense(2)(inputs)))
    for each in (model, keras.Sequential([keras.Input((3,)), model])):
        with pytest.raises(ValueError, match=message):
            from_keras(each)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda z: keras.ops.elu(z, alpha=1.0), "elu"),
        (lambda z: keras.ops.celu(z), "elu"),
        (lambda z: keras.ops.gelu(z, approximate=False), "gelu"),
        (lambda z: keras.ops.leaky_relu(z, 0.3), "leaky_relu(0.3)"),
    ],
)
def test_operations_with_options(function: Any, expected: str) -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(2)(function(layers.Dense(4)(inputs))))
    net, theta = from_keras(model)
    assert net == ho.MLP([3, 4, 2], expected)
    assert np.abs(net(theta, X) - np.asarray(model(X))).max() < ROUNDING


class CalledDense(layers.Dense):
    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return keras.ops.clip(super().__call__(*inputs, **options), -1e6, 1e6)


class PositiveDense(layers.Dense):
    @property
    def kernel(self) -> Any:
        return keras.ops.abs(super().kernel)


def low_rank() -> layers.Layer:
    """A layer whose kernel is a sum of one that is frozen and a product of two that are trained."""
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.enable_lora(1)
    return layer


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (CalledDense(2), "CalledDense .* has a call of its own"),
        (PositiveDense(2), "PositiveDense .* computes its kernel or bias from other weights"),
        (low_rank(), "Dense .* computes its kernel or bias from other weights, as with LoRA"),
    ],
)
def test_weights_and_calls_of_its_own(layer: layers.Layer, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_keras(keras.Sequential([keras.Input((3,)), layer]))


def test_models_of_several_outputs() -> None:
    inputs = keras.Input((3,))
    hidden = layers.Dense(2)(inputs)
    with pytest.raises(ValueError, match="one input and one output; it has 1 and 2"):
        from_keras(keras.Model(inputs, [hidden, layers.Dense(2)(hidden)]))


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    model, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        from_keras(model)


# What docs/interop.md says: hessorbit's loss over that of Keras.
LOSSES: dict[str, tuple[str, Any, float]] = {
    "MeanSquaredError, K = 1": ("squared_error", keras.losses.MeanSquaredError(), 0.5),
    "MeanSquaredError, K = 2": ("squared_error", keras.losses.MeanSquaredError(), 2 / 2),
    "SparseCategoricalCrossentropy": (
        "cross_entropy",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        1.0,
    ),
    "BinaryCrossentropy, K = 1": ("logistic", keras.losses.BinaryCrossentropy(from_logits=True), 1.0),
    "BinaryCrossentropy, K = 2": ("logistic", keras.losses.BinaryCrossentropy(from_logits=True), 2.0),
    "Huber, K = 2": ("huber", keras.losses.Huber(), 2.0),
}


@pytest.mark.parametrize("name", LOSSES)
def test_conventions_of_losses(name: str) -> None:
    loss, criterion, factor = LOSSES[name]
    model = mlp("tanh", outputs=1 if "K = 1" in name else 2)
    net, theta = from_keras(model)
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 20) if loss == "cross_entropy" else rng.integers(0, 2, (20, net.widths[-1])).astype(float)
    ours = ho.Objective(net, X, y, loss=loss).loss(theta)
    assert ours == pytest.approx(factor * float(criterion(y, model(X))), rel=1e-5)


def test_conventions_of_jax() -> None:
    net = ho.MLP([3, 4, 2])
    theta = net.init(np.random.default_rng(3))
    y = np.random.default_rng(4).standard_normal((20, 2))
    with jax.enable_x64(True):
        (w, b), (v, c) = ((jnp.asarray(m), jnp.asarray(n)) for m, n in net.unflatten(theta))
        f = jnp.tanh(jnp.asarray(X, jnp.float64) @ w.T + b) @ v.T + c
        mean = float(jnp.mean((f - y) ** 2))
    assert ho.Objective(net, X, y).loss(theta) == pytest.approx(2 / 2 * mean, rel=1e-12)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", x=X, y=X[:, :2])
    mlp("tanh").save("net.keras")
    keras.Sequential([keras.Input((3,)), layers.Lambda(lambda z: z), layers.Dense(2)]).save("code.keras")
    result = CliRunner().invoke(app, ["inspect", "net.keras", "--data", "data.npz"])
    assert result.exit_code == 0, result.output
    assert "MLP([3, 4, 5, 2], 'tanh')" in result.output
    refused = CliRunner().invoke(app, ["inspect", "code.keras", "--data", "data.npz"])
    assert refused.exit_code == 2
    assert "'code.keras' is no model that Keras reads safely" in refused.output
