"""Networks as descriptions: what they accept, what they are equal to, where parameters lie, how they start."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.stats

import hessorbit as ho
from oracles.autodiff import FUNCTIONS


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_description() -> None:
    net = ho.MLP([5, 16, 8, 2], ["tanh", "relu"], bias=[True, False, True], parametrization="mean_field")
    assert net.widths == (5, 16, 8, 2)
    assert net.activations == (("tanh",) * 16, ("relu",) * 8, ("identity",) * 2)
    assert net.biases == (True, False, True)
    assert net.parametrization == "mean_field"
    assert net.num_layers == 3
    assert net.num_parameters == 16 * 6 + 8 * 16 + 2 * 9
    assert net.multipliers == (1 / math.sqrt(5), 1 / math.sqrt(16), 1 / 8)
    assert ho.MLP([4, 9, 1], parametrization="ntk").multipliers == (1 / 2, 1 / 3)
    assert ho.MLP([4, 9, 1]).multipliers == (1.0, 1.0)


EQUAL: list[tuple[ho.MLP, ho.MLP]] = [
    (ho.MLP([2, 3, 1]), ho.MLP((2, np.int32(3), 1), ["tanh"], bias=[True, True], output_activation=["identity"])),
    (ho.MLP([2, 3, 1], "relu"), ho.MLP([2, 3, 1], [["relu", "relu", "relu"]])),
    (ho.MLP([2, 3, 1], "leaky_relu"), ho.MLP([2, 3, 1], "leaky_relu(0.01)")),
    (ho.MLP([2, 3, 1], "leaky_relu(0.2)"), ho.MLP([2, 3, 1], "leaky_relu(2e-1)")),
    (ho.MLP([2, 1]), ho.MLP([2, 1], "relu")),  # no hidden neuron, no activation
]
DIFFERENT: list[dict[str, Any]] = [
    {"activation": "relu"},
    {"activation": [["tanh", "tanh", "relu"]]},
    {"bias": False},
    {"bias": [True, False]},
    {"parametrization": "ntk"},
    {"output_activation": "tanh"},
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal(one: ho.MLP, other: ho.MLP) -> None:
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == repr(other)


def test_different() -> None:
    nets = [ho.MLP([2, 3, 1]), ho.MLP([2, 4, 1]), *(ho.MLP([2, 3, 1], **options) for options in DIFFERENT)]
    assert len(set(nets)) == len(nets)
    for net in nets:
        again = pickle.loads(pickle.dumps(net))
        assert again == net
        np.testing.assert_array_equal(again(np.ones(net.num_parameters), np.ones((1, 2))),
                                      net(np.ones(net.num_parameters), np.ones((1, 2))))  # fmt: skip


BLOCKED = ho.MLP([2, 3, 2, 2], bias=[True, False, True])  # W 0–5, b 6–8, W 9–14, W 15–18, b 19–20


@pytest.mark.parametrize(
    ("layer", "part", "neurons", "expected"),
    [
        (1, "weights", None, range(6)),
        (1, "weights", [2, 0], [0, 1, 4, 5]),
        (1, "bias", None, [6, 7, 8]),
        (1, "bias", np.array([1]), [7]),
        (1, "incoming", [1], [2, 3, 7]),
        (1, "outgoing", [2], [11, 14]),
        (1, "outgoing", None, range(9, 15)),
        (2, "incoming", None, range(9, 15)),
        (2, "outgoing", (0,), [15, 17]),
        (3, "incoming", [1], [17, 18, 20]),
        (3, "weights", [], []),
    ],
)
def test_block(layer: int, part: str, neurons: Any, expected: Any) -> None:
    positions = BLOCKED.block(layer=layer, part=part, neurons=neurons)
    assert positions.dtype.kind == "i"
    assert positions.tolist() == list(expected)


@pytest.mark.parametrize("hidden", [[1], [4, 1], [3, 2, 5]])
def test_incoming_parts_of_all_layers_make_up_theta(hidden: list[int]) -> None:
    net = ho.MLP([2, *hidden, 3], bias=[True] * len(hidden) + [False])
    blocks = [net.block(layer=layer, part="incoming") for layer in range(1, net.num_layers + 1)]
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(net.num_parameters))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_outputs_do_not_depend_on_threads(threads: int) -> None:
    net = ho.MLP([3, 5, 2], "gelu")
    theta, x = net.init(rng(), size=4), rng(1).standard_normal((501, 3))
    np.testing.assert_array_equal(net(theta, x, threads=threads), net(theta, x))


def test_immutable() -> None:
    net = ho.MLP([2, 3, 1])
    with pytest.raises(AttributeError):
        net.widths = (2, 4, 1)  # type: ignore[misc]


def test_repr() -> None:
    assert repr(ho.MLP([2, 3, 1])) == "MLP([2, 3, 1], 'tanh')"
    assert repr(ho.MLP([2, 1])) == "MLP([2, 1])"
    net = ho.MLP([2, 2, 3, 1], [["sin", "cos"], "leaky_relu(0.5)"], bias=[True, True, False], output_activation="exp")
    expected = (
        "MLP([2, 2, 3, 1], [['sin', 'cos'], 'leaky_relu(0.5)'], bias=[True, True, False], output_activation='exp')"
    )
    assert repr(net) == expected
    assert repr(ho.MLP([2, 2, 1], [["sin", "cos"]], bias=False)) == "MLP([2, 2, 1], [['sin', 'cos']], bias=False)"
    assert repr(ho.MLP([2, 1, 1], parametrization="ntk")) == "MLP([2, 1, 1], 'tanh', parametrization='ntk')"


def test_outputs() -> None:
    """f(x) = s_2 W_2 σ(s_1 W_1 x + b_1) + b_2, written out."""
    net = ho.MLP([3, 4, 2], [["tanh", "sin", "softplus", "cube"]], parametrization="ntk")
    theta, x = rng().standard_normal(net.num_parameters), rng(1).standard_normal((6, 3))
    w1, b1 = theta[:12].reshape(4, 3), theta[12:16]
    w2, b2 = theta[16:24].reshape(2, 4), theta[24:]
    z = x @ w1.T / np.sqrt(3) + b1
    a = np.stack([np.tanh(z[:, 0]), np.sin(z[:, 1]), np.log1p(np.exp(z[:, 2])), z[:, 3] ** 3], axis=1)
    # A dozen roundings of numbers of order one.
    np.testing.assert_allclose(net(theta, x), a @ w2.T / 2 + b2, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_outputs_are_activations(name: str) -> None:
    net = ho.MLP([1, 1], bias=False, output_activation=name)
    x = rng().standard_normal((30, 1))
    # Both are correct to a few ulp of values of order one.
    np.testing.assert_allclose(net([1.0], x), np.asarray(FUNCTIONS[name](x)), rtol=1e-15, atol=1e-15)


def test_outputs_of_a_batch() -> None:
    net = ho.MLP([3, 4, 2])
    theta, x = rng().standard_normal((5, net.num_parameters)), rng(1).standard_normal((7, 3))
    outputs = net(theta, x)
    assert outputs.shape == (5, 7, 2)
    np.testing.assert_array_equal(outputs, np.stack([net(t, x) for t in theta]))
    extended = net(theta.astype(np.longdouble), x)
    assert extended.dtype == np.longdouble
    np.testing.assert_allclose(extended.astype(float), outputs, rtol=0, atol=1e-14)


def test_unflatten_gives_views() -> None:
    net = ho.MLP([2, 3, 2], bias=[True, False])
    theta = np.arange(15.0)
    (w1, b1), (w2, b2) = net.unflatten(theta)
    assert (w1.tolist(), b2) == ([[0, 1], [2, 3], [4, 5]], None)
    assert b1 is not None
    assert (b1.tolist(), w2.tolist()) == ([6, 7, 8], [[9, 10, 11], [12, 13, 14]])
    w1[0, 1], b1[2], w2[1, 0] = -1, -8, -12
    assert theta[[1, 8, 12]].tolist() == [-1, -8, -12]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble, np.int64, np.float32])
def test_flatten_inverts_unflatten(shape: tuple[int, ...], dtype: type) -> None:
    net = ho.MLP([2, 3, 4, 2], bias=[True, False, True])
    theta = rng().integers(-99, 99, (*shape, net.num_parameters)).astype(dtype)
    strided = np.repeat(theta, 2, axis=-1)[..., ::2]
    for given in (theta, strided):
        layers = net.unflatten(given)
        assert all(np.shares_memory(weights, given) for weights, _ in layers)
        assert [weights.shape for weights, _ in layers] == [(*shape, 3, 2), (*shape, 4, 3), (*shape, 2, 4)]
        np.testing.assert_array_equal(net.flatten(layers), theta, strict=True)
    assert net.flatten([[w.tolist(), None if b is None else b.tolist()] for w, b in layers]).tolist() == theta.tolist()


NET = ho.MLP([30, 40, 50, 20])

# Law and standard deviation of the weights and biases of a layer, from fan_in and fan_out.
LAWS: dict[str, tuple[str, Any, Any]] = {
    "torch": ("uniform", lambda i, o: (3 * i) ** -0.5, lambda i, o: (3 * i) ** -0.5),
    "glorot_normal": ("norm", lambda i, o: (2 / (i + o)) ** 0.5, None),
    "glorot_uniform": ("uniform", lambda i, o: (2 / (i + o)) ** 0.5, None),
    "he_normal": ("norm", lambda i, o: (2 / i) ** 0.5, None),
    "normal(0.3)": ("norm", lambda i, o: 0.3, lambda i, o: 0.3),
}


@pytest.mark.parametrize("scheme", LAWS)
def test_initial_laws(scheme: str) -> None:
    """Kolmogorov–Smirnov on every layer: 6 tests a scheme, level 1e-4 each, on one fixed draw."""
    law, weight_std, bias_std = LAWS[scheme]
    theta = NET.init(rng(), scheme, size=50)
    for (weights, biases), fan_in, fan_out in zip(NET.unflatten(theta), NET.widths, NET.widths[1:], strict=False):
        for sample, std in ((weights, weight_std), (biases, bias_std)):
            assert sample is not None
            if std is None:
                assert not sample.any()
            else:
                s = std(fan_in, fan_out)
                frozen = scipy.stats.norm(0, s) if law == "norm" else scipy.stats.uniform(-s * 3**0.5, 2 * s * 3**0.5)
                assert scipy.stats.kstest(sample.ravel(), frozen.cdf).pvalue > 1e-4


@pytest.mark.parametrize("scheme", LAWS)
def test_initial_batches_are_successive_draws(scheme: str) -> None:
    one_by_one = rng(7)
    expected = np.stack([NET.init(one_by_one, scheme) for _ in range(3)])
    for size in (3, (3,)):
        np.testing.assert_array_equal(NET.init(rng(7), scheme, size=size), expected, strict=True)
    assert NET.init(rng(7), scheme).shape == (NET.num_parameters,)


def test_public_names() -> None:
    assert set(ho.__all__) <= set(dir(ho))
    for name in ho.__all__:
        assert getattr(ho, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ho.nothing


def test_import_is_light() -> None:
    """Only NumPy comes along; what takes longer to import waits until it is used."""
    script = "import sys, hessorbit; print({name.partition('.')[0] for name in sys.modules} & set(sys.argv[1:]))"
    heavy = ["scipy", "pandas", "matplotlib", "torch", "sklearn", "typer", "rich", "jinja2", "sqlite3"]
    process = subprocess.run([sys.executable, "-c", script, *heavy], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"
