"""Networks from torch and to it, compared with torch's own forward pass and derivatives in float64."""

from __future__ import annotations

import copy
import math
import operator
import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn
from typer.testing import CliRunner, Result

import hessorbit as ho
from hessorbit.cli.app import app
from hessorbit.interop import from_torch, to_torch

X = np.random.default_rng(0).standard_normal((20, 3))
# Outputs of order 1 after two or three layers of at most 5 neurons: a few dozen roundings of 1e-16.
ROUNDING = 1e-13


def outputs(module: nn.Module, x: np.ndarray = X) -> np.ndarray:
    return copy.deepcopy(module).double()(torch.from_numpy(x)).detach().numpy()


def mlp(*activations: nn.Module) -> nn.Sequential:
    """3-4-5-2 with these between the layers."""
    torch.manual_seed(1)
    first, second = activations if len(activations) == 2 else activations * 2
    return nn.Sequential(nn.Linear(3, 4), first, nn.Linear(4, 5), second, nn.Linear(5, 2))


class Wrapped(nn.Module):
    """A module with layers inside, and a forward of its own."""

    def __init__(self, layers: nn.Module, forward: Callable[[nn.Module, Any], Any] | None = None) -> None:
        super().__init__()
        self.layers = layers
        self.criterion = nn.MSELoss()
        self.does = forward or (lambda layers, x: layers(x))

    def forward(self, x: Any) -> Any:
        return self.does(self.layers, x)


ACTIVATIONS = {
    "relu": nn.ReLU(inplace=True),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "silu": nn.SiLU(),
    "softsign": nn.Softsign(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "softplus": nn.Softplus(),
    "elu": nn.ELU(),
    "leaky_relu": nn.LeakyReLU(),
    "leaky_relu(0.2)": nn.LeakyReLU(0.2),
    "identity": nn.Identity(),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    module = mlp(ACTIVATIONS[name])
    net, theta = from_torch(module)
    assert net == ho.MLP([3, 4, 5, 2], name)
    assert np.abs(net(theta, X) - outputs(module)).max() < ROUNDING


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_parameters_are_exact_and_in_torchs_order(dtype: torch.dtype) -> None:
    module = mlp(nn.Tanh()).to(dtype)
    _, theta = from_torch(module)
    expected = torch.nn.utils.parameters_to_vector(module.parameters()).detach().double().numpy()
    assert theta.dtype == np.float64
    assert (theta == expected).all()


def test_the_module_stays_as_it_is() -> None:
    module = mlp(nn.Tanh()).train()
    before = copy.deepcopy(module.state_dict())
    from_torch(module)
    assert module.training
    for name, tensor in module.state_dict().items():
        assert tensor.dtype == torch.float32
        assert (tensor == before[name]).all()
        assert tensor.grad is None


STRUCTURES: dict[str, tuple[nn.Module, ho.MLP]] = {
    "one layer": (nn.Linear(3, 2), ho.MLP([3, 2])),
    "no biases": (nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 1)),
                  ho.MLP([3, 2, 1], "relu", bias=[False, True])),
    "nested": (nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.Tanh()), nn.Sequential(nn.Linear(4, 2))),
               ho.MLP([3, 4, 2])),
    "in a module": (Wrapped(mlp(nn.Tanh())), ho.MLP([3, 4, 5, 2])),
    "followed by torch.fx": (torch.fx.symbolic_trace(mlp(nn.Tanh())), ho.MLP([3, 4, 5, 2])),
    "in parallel": (nn.DataParallel(mlp(nn.Tanh())), ho.MLP([3, 4, 5, 2])),
    "in modules": (Wrapped(Wrapped(mlp(nn.Tanh()))), ho.MLP([3, 4, 5, 2])),
    "one activation twice": (mlp(*[nn.SiLU()] * 2), ho.MLP([3, 4, 5, 2], "silu")),
    "two activations": (mlp(nn.SiLU(), nn.ReLU()), ho.MLP([3, 4, 5, 2], ["silu", "relu"])),
    "linear layers in a row": (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), ho.MLP([3, 4, 1], "identity")),
    "activation of the outputs": (nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2), nn.Softplus()),
                                  ho.MLP([3, 2, 2], output_activation="softplus")),
    "dropout": (nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Dropout(), nn.Linear(2, 1)).eval(), ho.MLP([3, 2, 1])),
    "dropout of nothing": (nn.Sequential(nn.Dropout(0.0), nn.Linear(3, 2)), ho.MLP([3, 2])),
    "large weights": (nn.Sequential(nn.Linear(3, 200), nn.Tanh(), nn.Linear(200, 1)).requires_grad_(False),
                      ho.MLP([3, 200, 1])),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str) -> None:
    module, expected = STRUCTURES[name]
    net, theta = from_torch(module)
    assert net == expected
    assert np.abs(net(theta, X) - outputs(module)).max() < ROUNDING


@pytest.mark.parametrize("link", [nn.Softmax(dim=1), nn.LogSoftmax(dim=-1), nn.Sigmoid()], ids=str)
def test_logits(link: nn.Module) -> None:
    module = mlp(nn.Tanh())
    net, theta = from_torch(nn.Sequential(module, link), logits=True)
    assert net == ho.MLP([3, 4, 5, 2])
    assert np.abs(net(theta, X) - outputs(module)).max() < ROUNDING


class Skipping(nn.Module):
    """Layers as attributes, in a forward of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        return x + self.second(torch.tanh(self.first(x)))


def sparse() -> nn.Module:
    module = mlp(nn.Tanh())
    module[0].weight = nn.Parameter(module[0].weight.detach().to_sparse())
    return module


def pruned() -> nn.Module:
    module = mlp(nn.Tanh())
    torch.nn.utils.prune.l1_unstructured(module[0], "weight", 2)
    return module


tied = nn.Linear(3, 3)
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "approximate GELU": (mlp(nn.GELU("tanh")), ValueError, "GELU at '1' has approximate='tanh'.*exact"),
    "softplus": (mlp(nn.Softplus(2.0)), ValueError, "Softplus at '1' has beta=2"),
    "softplus cut off": (mlp(nn.Softplus(threshold=5)), ValueError, "threshold=5"),
    "elu": (mlp(nn.ELU(0.5)), ValueError, "ELU at '1' has alpha=0.5"),
    "relu6": (mlp(nn.ReLU6()), ValueError, "ReLU6 at '1' is no layer that hessorbit has"),
    "prelu": (mlp(nn.PReLU()), ValueError, "PReLU at '1'"),
    "mish": (mlp(nn.Mish()), ValueError, "Mish at '1'"),
    "batch norm": (mlp(nn.BatchNorm1d(4), nn.Tanh()), ValueError, "BatchNorm1d at '1' .*fuse_linear_bn_eval puts it"),
    "sparse": (sparse(), TypeError, "Linear at '0' must have dense weights; got torch.sparse_coo: .*to_dense"),
    "pruned": (pruned(), ValueError, "Linear at '0' has hooks.*prune.remove"),
    "dropout in training": (mlp(nn.Dropout(0.1), nn.Tanh()), ValueError, r"Dropout at '1'.*training.*module\.eval"),
    "softmax": (nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1)), ValueError, "Softmax at '1'.*logits=True"),
    "softmax within": (mlp(nn.Softmax(dim=1)), ValueError, "Softmax at '1'.*only outputs"),
    "convolution": (nn.Sequential(nn.Conv1d(1, 1, 3), nn.Flatten(), nn.Linear(1, 1)), ValueError, "Conv1d at '0'"),
    "activation first": (nn.Sequential(nn.Tanh(), nn.Linear(3, 2)), ValueError, "Tanh at '0' stands before"),
    "two activations": (nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.ReLU()), ValueError, "'2' follows another"),
    "shapes": (nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2)), ValueError, "Linear at '1' takes 3 inputs.* 2 outputs"),
    "skip": (Skipping(), ValueError, r"Skipping does more than .* such as add\(x, second\): pass a module"),
    "scaled outputs": (Wrapped(mlp(nn.Tanh()), lambda f, x: 2 * f(x)), ValueError, r"such as mul\(2, layers\)"),
    "skip around": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x) + x[:, :2]), ValueError, r"add\(layers, getitem\)"),
    "columns in another order": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x[:, [1, 0, 2]])), ValueError,
                                 "does not compute what its layers.*outputs differ by"),
    "cut outputs": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x)[:, :1]), ValueError, "gives outputs of shape"),
    "tied": (nn.Sequential(tied, nn.Tanh(), tied), ValueError, "share none"),
    "reparametrised": (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))), ValueError,
                       "ParametrizedLinear at '0' computes its weight from other.*remove_parametrizations"),
    # As many parameters as weights, so that counting does not tell.
    "orthogonal": (nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(3, 3))), ValueError,
                   "computes its weight from other parameters.*remove_parametrizations"),
    "TorchScript": (torch.jit.trace(mlp(nn.Tanh()), torch.zeros(1, 3)), ValueError, "pass the module that it was made"),
    "forward that fails": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x[:, :, None])), ValueError, "cannot be evaluated"),
    "lazy": (nn.Sequential(nn.LazyLinear(3)), ValueError, "has no weights yet"),
    "nothing": (nn.Sequential(), ValueError, "must have a layer of weights"),
    "not finite": (nn.Sequential(nn.Linear(1, 1, bias=False)).requires_grad_(False).apply(
        lambda m: m.weight.fill_(np.nan) if isinstance(m, nn.Linear) else None), ValueError, "finite"),
    "no module": ("net.pt", TypeError, "module must be a torch.nn.Module or a state dict; got a str"),
    "a tensor": (torch.zeros(3), TypeError, "got a Tensor"),
}  # fmt: skip


class Functional(nn.Module):
    """3-4-2 with layers as attributes, and a function of torch between them."""

    def __init__(self, act: Callable[..., Any], end: Callable[..., Any] = lambda z: z) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.f1, self.f2 = nn.Linear(3, 4), nn.Linear(4, 2)
        self.tanh, self.drop, self.act, self.end = nn.Tanh(), nn.Dropout(), act, end

    def forward(self, x: Any) -> Any:
        return self.end(self.f2(self.act(self.f1(x))))


FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "F.relu": (F.relu, "relu"),
    "F.relu in place": (lambda z: F.relu(z, inplace=True), "relu"),
    "F.relu by keyword": (lambda z: F.relu(input=z), "relu"),
    "F.relu_": (F.relu_, "relu"),
    "torch.relu": (torch.relu, "relu"),
    "torch.relu_": (torch.relu_, "relu"),
    "x.relu": (lambda z: z.relu(), "relu"),
    "x.relu_": (lambda z: z.relu_(), "relu"),
    "F.tanh": (F.tanh, "tanh"),
    "torch.tanh": (torch.tanh, "tanh"),
    "x.tanh": (lambda z: z.tanh(), "tanh"),
    "torch.sigmoid": (torch.sigmoid, "sigmoid"),
    "F.sigmoid": (F.sigmoid, "sigmoid"),
    "torch.special.expit": (torch.special.expit, "sigmoid"),
    "F.silu": (F.silu, "silu"),
    "F.softsign": (F.softsign, "softsign"),
    "F.selu": (F.selu, "selu"),
    "torch.selu": (torch.selu, "selu"),
    "F.gelu": (F.gelu, "gelu"),
    "F.gelu with its option": (lambda z: F.gelu(z, approximate="none"), "gelu"),
    "F.softplus": (F.softplus, "softplus"),
    "F.softplus with options": (lambda z: F.softplus(z, 1, threshold=30), "softplus"),
    "F.elu": (lambda z: F.elu(z, 1.0, True), "elu"),
    "torch.celu": (torch.celu, "elu"),
    "F.leaky_relu": (F.leaky_relu, "leaky_relu"),
    "F.leaky_relu by position": (lambda z: F.leaky_relu(z, 0.1), "leaky_relu(0.1)"),
    "F.leaky_relu by keyword": (lambda z: F.leaky_relu(z, negative_slope=0.3, inplace=True), "leaky_relu(0.3)"),
    "F.leaky_relu_": (lambda z: F.leaky_relu_(z, 0.2), "leaky_relu(0.2)"),
    "F.dropout": (lambda z: F.dropout(torch.tanh(z), 0.5, False), "tanh"),
    "torch.dropout": (lambda z: torch.dropout(torch.tanh(z), 0.5, train=False), "tanh"),
    "F.alpha_dropout": (lambda z: F.alpha_dropout(F.selu(z)), "selu"),
    "torch.sin": (torch.sin, "sin"),
    "x.cos_": (lambda z: z.cos_(), "cos"),
    "torch.exp": (torch.exp, "exp"),
    "torch.square": (torch.square, "square"),
    "x ** 2": (lambda z: z**2, "square"),
    "torch.pow": (lambda z: torch.pow(z, exponent=3), "cube"),
    "torch.special.ndtr": (torch.special.ndtr, "normal_cdf"),
    "nothing": (lambda z: z, "identity"),
    "clamp": (lambda z: torch.clamp(z, min=0), "relu"),
    "clamp_min": (lambda z: z.clamp_min(0), "relu"),
    "torch.maximum": (lambda z: torch.maximum(z, torch.tensor(0.0)), "relu"),
    "torch.max": (lambda z: torch.max(z, torch.zeros_like(z)), "relu"),
    "a mask": (lambda z: (z > 0) * z, "relu"),
    "a mask of numbers": (lambda z: (z > 0).float() * z, "relu"),
    "half the sum": (lambda z: (z + abs(z)) / 2, "relu"),
    "torch.where": (lambda z: torch.where(z < 0, 0.3 * z, z), "leaky_relu(0.3)"),
    "1 / (1 + exp)": (lambda z: 1 / (1 + torch.exp(-z)), "sigmoid"),
    "sigmoid of twice": (lambda z: 2 * torch.sigmoid(2 * z) - 1, "tanh"),
    "z sigmoid": (lambda z: z * torch.sigmoid(z), "silu"),
    "z sigmoid by methods": (lambda z: z.mul(z.sigmoid()), "silu"),
    "z sigmoid and dropout": (lambda z: F.dropout(z * z.sigmoid(), training=False), "silu"),
    "gelu by erf": (lambda z: 0.5 * z * (1 + torch.erf(z / math.sqrt(2.0))), "gelu"),
    "gelu by ndtr": (lambda z: z * torch.special.ndtr(z), "gelu"),
    "erf of z / √2": (lambda z: torch.erf(z * 0.7071067811865476), "erf"),
    "log1p": (lambda z: torch.log1p(torch.exp(z)), "softplus"),
    "logaddexp": (lambda z: torch.logaddexp(z, torch.zeros_like(z)), "softplus"),
    "logsigmoid": (lambda z: -F.logsigmoid(-z), "softplus"),
    "z / (1 + |z|)": (lambda z: z / (1 + z.abs()), "softsign"),
    "elu by where": (lambda z: torch.where(z > 0, z, torch.expm1(z)), "elu"),
    "selu by where": (lambda z: 1.0507009873554805 * torch.where(z > 0, z, 1.6732632423543773 * (z.exp() - 1)), "selu"),
    "tanh and a clamp that does nothing": (lambda z: torch.tanh(z).clamp(-1e6, 1e6), "tanh"),
    "z z": (lambda z: z * z, "square"),
    "z z z": (lambda z: z**2 * z, "cube"),
    "softplus and sigmoid": (lambda z: F.softplus(z, threshold=40) + torch.sigmoid(4 * z), "g"),
    "once z": (lambda z: 1.0 * z, "identity"),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations_by_function(name: str) -> None:
    act, expected = FUNCTIONS[name]
    module = Functional(act).eval()
    net, theta = from_torch(module)
    assert net == ho.MLP([3, 4, 2], expected)
    assert np.abs(net(theta, X) - outputs(module)).max() < ROUNDING


@pytest.mark.parametrize(
    "end",
    [
        lambda z: F.softmax(z, dim=1), lambda z: F.softmax(z, -1), lambda z: torch.softmax(z, dim=-1), torch.sigmoid,
        lambda z: z.softmax(1), lambda z: F.log_softmax(z, dim=1), lambda z: torch.log_softmax(z, 1),
        lambda z: z.log_softmax(dim=-1),
    ],
)  # fmt: skip
def test_logits_by_function(end: Callable[..., Any]) -> None:
    module = Functional(torch.tanh, end)
    net, theta = from_torch(module, logits=True)
    expected = module.double().f2(torch.tanh(module.f1(torch.from_numpy(X)))).detach().numpy()
    assert np.abs(net(theta, X) - expected).max() < ROUNDING
    if end is not torch.sigmoid:
        with pytest.raises(ValueError, match=r"softmax in Functional makes probabilities.*logits=True"):
            from_torch(module)


class Backwards(nn.Module):
    """Layers stored in another order than that in which they act, sequences and modules of the same kind inside."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 1)
        self.inner = Functional(F.gelu)
        self.first = nn.ModuleList([nn.Linear(5, 3), nn.SiLU()])
        self.middle = nn.Sequential(nn.Softplus(), nn.Dropout())

    def forward(self, x: Any) -> Any:
        x = x.view(x.shape[0], x.shape[1] * 1).to(self.last.weight.dtype)
        for each in self.first:
            x = each(x)
        h = self.middle(self.inner(x))
        self.largest = h.detach().abs().max()
        return self.last(F.dropout(h, training=self.training)).squeeze(-1)


def test_a_forward_tells_the_order() -> None:
    module = Backwards().eval()
    net, theta = from_torch(module)
    assert net == ho.MLP([5, 3, 4, 2, 1], ["silu", "gelu", "softplus"])
    x = np.random.default_rng(1).standard_normal((20, 5))
    assert np.abs(net(theta, x)[:, 0] - outputs(module, x)).max() < ROUNDING
    layers = (module.first[0], module.inner.f1, module.inner.f2, module.last)
    expected = torch.cat([torch.nn.utils.parameters_to_vector(each.parameters()) for each in layers])
    assert (theta == expected.detach().double().numpy()).all()


def test_following_a_forward_leaves_the_module_as_it_is() -> None:
    def keep(module: Any, x: Any) -> Any:
        module.kept = x
        return 2 * module.f1(x)

    module = method(keep)
    with pytest.raises(ValueError, match="such as mul"):
        from_torch(module)
    assert not hasattr(module, "kept")


def test_a_forward_that_asks_for_float32() -> None:
    module = Wrapped(mlp(nn.Tanh()), lambda f, x: f(x.float()))
    net, theta = from_torch(module)
    theirs = module(torch.from_numpy(X)).detach().numpy()
    assert theirs.dtype == np.float32
    assert np.abs(net(theta, X) - theirs).max() < 1e-5  # roundings of 6e-8, of X as well


class Twice(Functional):
    """One layer called twice, another never, of as many parameters."""

    def __init__(self) -> None:
        super().__init__(torch.tanh)
        self.f1, self.f2 = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        return self.f1(torch.tanh(self.f1(x)))


def unused() -> nn.Module:
    module = Functional(torch.tanh)
    module.extra = nn.Linear(2, 2)
    return module


@torch.fx.wrap
def cut(h: Any) -> None:
    """A function that torch.fx does not look into."""
    h.clamp_(max=1e6)


def method(forward: Callable[..., Any]) -> nn.Module:
    return type("Net", (Functional,), {"forward": forward})(torch.tanh)


NO_CHAINS: dict[str, tuple[nn.Module, str]] = {
    "gelu by tanh": (Functional(lambda z: F.gelu(z, approximate="tanh")),
                     "gelu in Functional has approximate='tanh': hessorbit's GELU is the exact"),
    "softplus": (Functional(lambda z: F.softplus(z, 2.0)), "softplus in Functional has beta=2.0"),
    "softplus cut off": (Functional(lambda z: F.softplus(z, 1, 5)), "softplus in Functional has threshold=5"),
    "elu": (Functional(lambda z: F.elu(z, alpha=0.5)), "elu in Functional has alpha=0.5"),
    "dropout in training": (Functional(lambda z: F.dropout(torch.tanh(z))),
                            r"dropout in Functional is in training mode.*module\.eval\(\).*training=self\.training"),
    "a module in training": (method(lambda s, x: s.f2(s.drop(s.f1(x)))), "Dropout at 'drop' is in training mode"),
    "mish": (Functional(F.mish), r"such as mish\(f1"),
    "erf, which is not scaled here": (Functional(torch.erf), r"such as erf\(f1"),
    "another power": (Functional(lambda z: z**4), r"such as pow\(f1, 4"),
    "a power of z": (Functional(lambda z: 2**z), r"such as pow\(2, f1"),
    "a power of itself": (Functional(lambda z: z**z), r"such as pow\(f1, f1"),
    "hardtanh": (Functional(F.hardtanh), r"such as hardtanh\(f1"),
    "softmax within": (Functional(lambda z: z.softmax(1)), "softmax in Functional .*only outputs may have one"),
    "two activations": (Functional(lambda z: z.tanh().relu()), "relu in Functional follows another activation"),
    "residual": (method(lambda s, x: s.f2(torch.tanh(s.f1(x)) + s.f1(x))), r"Net does more .* add\(tanh, f1_1\)"),
    "concatenation": (method(lambda s, x: s.f2(torch.cat([s.f1(x)[:, :2], x[:, :2]], 1))), r"such as cat\("),
    "product": (method(lambda s, x: s.f2(s.f1(x) * 2)), r"such as mul\(f1, 2\)"),
    "in place": (method(lambda s, x: s.f2((h := s.f1(x), h.add_(1))[0])), r"such as add_\(f1, 1\)"),
    "activation in place": (method(lambda s, x: s.f2((h := s.f1(x), torch.relu_(h))[0])), "such as relu"),
    "own weights": (method(lambda s, x: F.linear(s.f1(x), s.f2.weight, s.f2.bias)), r"such as linear\(f1"),
    "slope of a parameter": (method(lambda s, x: s.f2(F.leaky_relu(s.f1(x), s.f1.bias[0]))), "such as leaky_relu"),
    "a parameter alone": (method(lambda s, x: s.f2(s.f1.weight)), "such as read f1.weight"),
    "two outputs": (method(lambda s, x: (s.f1(x), s.f2(s.f1(x)))), r"Net returns \(f1, f2\); expected one tensor"),
    "control flow": (method(lambda s, x: s.f2(s.f1(x)) if x.sum() > 0 else x),
                     r"torch.fx cannot follow in its line .*x\.sum\(\) > 0 else.*control flow"),
    "no function of torch's": (Functional(np.tanh), "torch.fx cannot follow in its line"),
    "mish written out": (Functional(lambda z: z * torch.tanh(F.softplus(z))), r"such as mul\(f1, tanh"),
    "a kink beside 0": (Functional(lambda z: z.clamp(min=1e-7)), r"such as clamp\(f1, min=1e-07"),
    "a kink of a shift": (Functional(lambda z: torch.relu(z - 1e-7)), r"such as sub\(f1, 1e-07"),
    "another slope": (Functional(lambda z: 1.0000001 * torch.relu(z)), r"such as mul\(1.0000001, relu"),
    "six at most": (Functional(lambda z: z.clamp(0, 1e6)), r"such as clamp\(f1, 0, 1000000"),
    "about gelu": (Functional(lambda z: z * torch.sigmoid(1.702 * z)), r"such as mul\(f1, sigmoid"),
    "about √2": (Functional(lambda z: 0.5 * z * (1 + torch.erf(z / 1.4142))), r"such as mul\("),
    "0 by 0": (Functional(lambda z: z * z / z), r"such as truediv\("),
    "a residual of itself": (Functional(lambda z: z + torch.relu(z)), r"such as add\(f1, relu"),
    "written out in place": (Functional(lambda z: z.mul_(torch.sigmoid(z))), r"such as mul_\(f1, sigmoid"),
    "an operator in place": (Functional(lambda z: operator.imul(z, torch.sigmoid(z))), r"such as imul\(f1, sigmoid"),
    "changed before": (method(lambda s, x: s.f2((h := s.f1(x), torch.relu_(h), h * torch.sigmoid(h))[2])),
                       "such as relu_?.*, which"),
    "an outer product": (Functional(lambda z: (z.unsqueeze(1) * z).reshape(-1, 4)), r"such as mul\(unsqueeze, f1"),
    "an option of a sum": (Functional(lambda z: torch.add(z, z, alpha=2)), r"such as add\(f1, f1, alpha=2"),
    "a trained factor": (method(lambda s, x: s.f2(s.f1.bias[0] * s.f1(x))), r"such as mul\(getitem, f1"),
    "called twice": (Twice(), "Linear at 'f1' is called twice: layers here share none"),
    "unused": (unused(), "module Functional has parameters that no layer it calls has, extra.weight, extra.bias"),
    "a call that is not used": (method(lambda s, x: s.f2((s.f1(x), s.tanh(s.f1(x)))[0])),
                                "such as .*, which its outputs do not come from"),
    "a function of others": (method(lambda s, x: s.f2((h := s.f1(x), cut(h))[0])), r"such as .*\.cut\(f1\), which"),
    "added in place": (method(lambda s, x: s.f2((h := s.f1(x), operator.iadd(h, 1))[0])), "such as iadd.*, which"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_CHAINS)
def test_forwards_that_are_no_chains(name: str) -> None:
    module, message = NO_CHAINS[name]
    with pytest.raises(ValueError, match=message):
        from_torch(module)


class Clamped(nn.Sequential):
    """Layers one after the other, and a clamp that no random input reaches."""

    def forward(self, x: Any) -> Any:
        return super().forward(x).clamp(-1e6, 1e6)


class ReLU(nn.Module):
    """Not torch's."""

    def forward(self, x: Any) -> Any:
        return torch.relu(x).clamp(max=1e6)


class ClampedLinear(nn.Linear):
    def forward(self, x: Any) -> Any:
        return super().forward(x).clamp(max=1e6)


class Optional(Wrapped):
    """Options that a call with inputs alone leaves at their defaults."""

    def forward(self, x: Any, mask: Any = None, scale: float = 1.0) -> Any:  # type: ignore[override]
        y = self.layers(x.reshape(x.shape[0], -1))
        return y if mask is None else y * mask


class Named(nn.Module):
    """Not what torch.compile returns, but with its attribute."""

    def __init__(self) -> None:
        super().__init__()
        self._orig_mod = mlp(nn.Tanh())

    def forward(self, x: Any) -> Any:
        return 2 * self._orig_mod(x)


class Halves(nn.DataParallel):  # type: ignore[type-arg]
    def forward(self, x: Any) -> Any:
        return self.module(x) / 2


class Called(nn.Linear):
    def __call__(self, x: Any) -> Any:
        return super().__call__(x).clamp(max=1e6)


class CalledSequence(nn.Sequential):
    def _call_impl(self, x: Any) -> Any:
        return super()._call_impl(x).clamp(max=1e6)

    __call__ = _call_impl


class Positive(nn.Linear):
    """As many parameters as weights, which are not these."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return found.abs() if name == "weight" else found


def patched() -> nn.Module:
    module = mlp(nn.Tanh())
    forward = module.forward
    module.forward = lambda x: forward(x).clamp(max=1e6)  # type: ignore[method-assign]
    return module


def hooked() -> nn.Module:
    module = mlp(nn.Tanh())
    module[2].register_forward_hook(lambda m, x, y: y.clamp(max=1e6))
    return module


UNSEEN: dict[str, tuple[nn.Module, str]] = {
    "clamp": (
        Wrapped(mlp(nn.Tanh()), lambda f, x: f(x).clamp(-1e6, 1e6)),
        r"such as clamp\(layers, -1000000.0, 1000000.0\)",
    ),
    "clamp of inputs": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(torch.clamp(x, max=1e6))), "such as clamp"),
    "where": (Wrapped(mlp(nn.Tanh()), lambda f, x: torch.where(x[:, :1] > 1e6, 0.0, f(x))), "such as where"),
    "rounding": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x) + 0 * x[:, :1]), "such as add"),
    "inner": (Wrapped(Wrapped(mlp(nn.Tanh()), lambda f, x: f(x).clamp(max=1e6))), "Wrapped at 'layers' does more"),
    "branch": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x) if x.max() < 1e6 else 2 * f(x)), "torch.fx cannot follow"),
    "sequence": (Clamped(nn.Linear(3, 2), nn.ReLU()), "Clamped does more than .* such as clamp"),
    "sequence inside": (nn.Sequential(Clamped(nn.Linear(3, 2))), "Clamped at '0' does more than .* such as clamp"),
    "a name of torch": (nn.Sequential(nn.Linear(3, 2), ReLU()), "ReLU at '1' does more than .* such as clamp"),
    "another's name": (nn.Sequential(nn.Linear(3, 2), type("ReLU", (nn.ReLU6,), {})()), "'1' is no layer"),
    "a linear layer": (nn.Sequential(ClampedLinear(3, 2)), "ClampedLinear at '0' does more than .* such as clamp"),
    "an object": (patched(), "Sequential has a forward that is not torch's"),
    "in place": (Wrapped(mlp(nn.Tanh()), lambda f, x: (y := f(x), y.clamp_(max=1e6))[0]), "such as clamp_"),
    "entries": (Wrapped(mlp(nn.Tanh()), lambda f, x: (y := f(x), y.__setitem__(y > 1e6, 0))[0]), "such as __setitem__"),
    "out": (Wrapped(mlp(nn.Tanh()), lambda f, x: (y := f(x), torch.clamp(y, max=1e6, out=y))[0]), "such as clamp"),
    "rows by values": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x[x[:, 0] < 1e6])), "such as getitem"),
    "rows by a function": (
        Wrapped(mlp(nn.Tanh()), lambda f, x: f(x)[(x[:, 0] - 1e6).relu().long()]),
        "such as getitem",
    ),
    "hook": (hooked(), "Linear at '2' has hooks"),
    "an attribute of a compiled module": (Named(), r"Named does more than .* such as mul\(2, _orig_mod\)"),
    "a wrapper of its own": (Halves(mlp(nn.Tanh())), r"Halves does more than .* such as truediv\(module, 2\)"),
    "a call": (nn.Sequential(nn.Linear(3, 2), Called(2, 1)), "Called at '1' is called in a way of its own"),
    "a call of a sequence": (CalledSequence(nn.Linear(3, 2)), "CalledSequence is called in a way of its own"),
    "weights of weights": (nn.Sequential(Positive(3, 2)), "Positive at '0' computes its weight"),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_random_inputs_do_not_reach(name: str) -> None:
    module, message = UNSEEN[name]
    with pytest.raises(ValueError, match=message):
        from_torch(module)


HARMLESS: dict[str, nn.Module] = {
    "rows": Wrapped(mlp(nn.Tanh()), lambda f, x: f(x.view(x.size(0), -1))),
    "flatten": Wrapped(mlp(nn.Tanh()), lambda f, x: f(torch.flatten(x, 1)).contiguous()),
    "types": Wrapped(mlp(nn.Tanh()).double(), lambda f, x: f(x.to(torch.float64)).clone()),
    "one output": Wrapped(nn.Sequential(nn.Linear(3, 1)), lambda f, x: f(x).squeeze(-1)),
    "options": Optional(mlp(nn.Tanh())),
    "subclass": type("Mine", (nn.Sequential,), {})(nn.Linear(3, 2)),
    "compiled": torch.compile(mlp(nn.Tanh())),
    "compiled in parallel": torch.compile(nn.DataParallel(mlp(nn.Tanh()))),
    "compiled inside": nn.Sequential(torch.compile(nn.Linear(3, 4)), nn.DataParallel(nn.Tanh()), nn.Linear(4, 1)),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_shapes_and_types_are_harmless(name: str) -> None:
    module = HARMLESS[name]
    net, theta = from_torch(module)
    expected = torch.nn.utils.parameters_to_vector(module.parameters()).detach().double().numpy()
    assert (theta == expected).all()
    assert net.widths[0] == 3


def test_the_remedies_for_normalisation_and_pruning_help() -> None:
    norm = nn.BatchNorm1d(4)
    module = nn.Sequential(nn.Linear(3, 4), norm, nn.Tanh(), nn.Linear(4, 1)).double()
    module(torch.from_numpy(3 * X + 1))  # running means and variances
    module.eval()
    fused = nn.Sequential(torch.nn.utils.fusion.fuse_linear_bn_eval(module[0], norm), *module[2:])
    net, theta = from_torch(fused)
    assert np.abs(net(theta, X) - outputs(module)).max() < ROUNDING
    cut = pruned()
    torch.nn.utils.prune.remove(cut[0], "weight")
    net, theta = from_torch(cut)
    assert np.abs(net(theta, X) - outputs(cut)).max() < ROUNDING


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    module, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        from_torch(module)


def test_state_dict() -> None:
    module = mlp(nn.GELU(), nn.ReLU())
    net, theta = from_torch(module.state_dict(), activation=["gelu", "relu"])
    assert net == ho.MLP([3, 4, 5, 2], ["gelu", "relu"])
    assert (theta == from_torch(module)[1]).all()


class Stages(nn.Module):
    """Square layers, stored in the order in which they act, which neither their numbers nor the alphabet give."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(3, 3)
        self.body = nn.ModuleList([nn.Linear(3, 3) for _ in range(11)])
        self.end = nn.Linear(3, 3)


def test_a_state_dict_is_read_in_its_order() -> None:
    module = Stages()
    expected = torch.nn.utils.parameters_to_vector(module.parameters()).detach().double().numpy()
    state = module.state_dict()
    stripped = {f"module.{name}": tensor for name, tensor in state.items()}
    for each in (state, stripped, pickle.loads(pickle.dumps(state))):
        assert (from_torch(each, activation="tanh")[1] == expected).all()


@pytest.mark.parametrize("bias", [True, False])
def test_a_state_dict_that_was_sorted_has_another_order(bias: bool) -> None:
    """safetensors returns entries by their names."""
    module = nn.Sequential(*[nn.Linear(3, 3, bias=bias) for _ in range(11)])
    expected = torch.nn.utils.parameters_to_vector(module.parameters()).detach().double().numpy()
    state = dict(sorted(module.state_dict().items()))
    assert list(state)[bias + 1].startswith("1.") and list(state)[2 * (bias + 1)].startswith("10.")  # noqa: PT018
    assert (from_torch(state, activation="tanh")[1] == expected).all()
    stages = dict(sorted(Stages().state_dict().items()))
    with pytest.raises(ValueError, match="fit together in more than one order: name them in theirs, as layers="):
        from_torch(stages, activation="tanh")
    order = ["stem", *(f"body.{index}" for index in range(11)), "end"]
    _, theta = from_torch(stages, activation="tanh", layers=order)
    assert (theta == parameters_of(stages, order)).all()


def parameters_of(state: dict[str, Any], order: list[str]) -> np.ndarray:
    return np.concatenate([state[f"{name}.{part}"].double().numpy().ravel() for name in order
                           for part in ("weight", "bias")])  # fmt: skip


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        (mlp(nn.Tanh()).state_dict(), {}, "activation must be given"),
        (mlp(nn.Tanh()).state_dict(), {"activation": ["tanh"]}, "have 2 entries, one for each hidden layer"),
        (mlp(nn.Tanh()).state_dict(), {"activation": "Tanh"}, "did you mean 'tanh'"),
        (nn.BatchNorm1d(3).state_dict(), {"activation": "tanh"}, "'weight'.*is not the weight"),
        ({"0.bias": torch.zeros(3)}, {"activation": "tanh"}, "no weight for the bias of '0'"),
        ({"0.weight": torch.zeros(3, 2), "1.weight": torch.zeros(1, 4)}, {"activation": "tanh"}, "takes 4 inputs"),
        ({"epoch": 3}, {"activation": "tanh"}, "entry 'epoch'"),
        ({"0.weight": np.zeros((2, 3))}, {"activation": "tanh"}, r"entry '0.weight' \(a ndarray\).*a tensor of torch"),
        ({}, {"activation": "tanh"}, "must have a layer of weights"),
    ],
)
def test_refused_state_dicts(state: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_torch(state, **options)


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        (nn.Linear(3, 2, device="meta").state_dict(), {}, "'' must have weights of real numbers; got .* on meta"),
        (nn.Linear(3, 2, dtype=torch.complex64).state_dict(), {}, "real numbers; got torch.complex64"),
        (mlp(nn.Tanh()).state_dict(), {"activation": torch.tanh}, "activation must be a sequence of 2 entries"),
        (mlp(nn.Tanh()).state_dict(), {"activation": [torch.tanh] * 2}, "activation must be the name of an activation"),
    ],
)
def test_state_dicts_of_other_types(state: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        from_torch(state, **options)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_to_torch_and_back(name: str) -> None:
    net = ho.MLP([3, 4, 5, 2], name, bias=[True, False, True])
    theta = net.init(np.random.default_rng(0), "normal(1)")
    module = to_torch(net, theta)
    assert np.abs(net(theta, X) - module(torch.from_numpy(X)).detach().numpy()).max() < 100 * ROUNDING
    again, theta_again = from_torch(module)
    assert again == net
    assert (theta_again == theta).all()


def test_to_torch_writes_softplus_to_rounding_everywhere() -> None:
    """torch's own is z beyond 20, which is off by 2e-9 there."""
    net = ho.MLP([1, 1, 1], "softplus")
    theta = np.array([1.0, 0.0, 1.0, 0.0])
    z = np.linspace(-30, 60, 400)[:, None]
    made = to_torch(net, theta)(torch.from_numpy(z)).detach().numpy()
    assert np.abs(made / np.logaddexp(0, z) - 1).max() < 1e-15
    large = np.array([9.0, 9.0, 1.0, 0.0])  # random inputs go beyond 20
    assert from_torch(to_torch(net, large))[1].tolist() == large.tolist()


def test_to_torch_puts_multipliers_into_weights() -> None:
    net = ho.MLP([3, 4, 2], "tanh", parametrization="mean_field", output_activation="sigmoid")
    theta = net.init(np.random.default_rng(0), "normal(1)")
    assert np.abs(to_torch(net, theta)(torch.from_numpy(X)).detach().numpy() - net(theta, X)).max() < ROUNDING


def test_to_torch_refuses_what_torch_has_not() -> None:
    with pytest.raises(ValueError, match="torch has no module for the activation 'erf'"):
        to_torch(ho.MLP([1, 1, 1], "erf"), np.ones(4))
    with pytest.raises(ValueError, match=r"the neurons of layer 1 .* relu, tanh"):
        to_torch(ho.MLP([1, 2, 1], [["tanh", "relu"]]), np.ones(7))
    with pytest.raises(TypeError, match="longdouble"):
        to_torch(ho.MLP([1, 1]), np.ones(2, np.longdouble))


# What docs/interop.md says of the losses: hessorbit's loss and torch's, with the factor between them.
LOSSES: dict[str, tuple[str, Callable[..., Any], float]] = {
    "MSELoss, K = 1": ("squared_error", nn.MSELoss(), 0.5),
    "MSELoss, K = 2": ("squared_error", nn.MSELoss(), 2 / 2),
    "CrossEntropyLoss": ("cross_entropy", nn.CrossEntropyLoss(), 1.0),
    "BCEWithLogitsLoss, K = 1": ("logistic", nn.BCEWithLogitsLoss(), 1.0),
    "BCEWithLogitsLoss, K = 2": ("logistic", nn.BCEWithLogitsLoss(), 2.0),
    "HuberLoss, K = 1": ("huber", nn.HuberLoss(), 1.0),
    "SmoothL1Loss, K = 1": ("huber", nn.SmoothL1Loss(), 1.0),
    "PoissonNLLLoss, K = 1": ("poisson", nn.PoissonNLLLoss(), 1.0),
}


@pytest.mark.parametrize("name", LOSSES)
def test_conventions_of_losses(name: str) -> None:
    loss, criterion, factor = LOSSES[name]
    count = 1 if "K = 1" in name else 2
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, count)).double()
    net, theta = from_torch(module)
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 20) if loss == "cross_entropy" else rng.integers(0, 2, (20, count)).astype(float)
    obj = ho.Objective(net, X, y, loss=loss)
    names = [each for each, _ in module.named_parameters()]
    shapes = [each.shape for each in module.parameters()]

    def of(vector: torch.Tensor) -> torch.Tensor:
        parts = torch.split(vector, [shape.numel() for shape in shapes])
        state = {each: part.view(shape) for each, part, shape in zip(names, parts, shapes, strict=True)}
        return criterion(torch.func.functional_call(module, state, (torch.from_numpy(X),)), torch.from_numpy(y))

    at = torch.from_numpy(theta)
    assert abs(obj.loss(theta) - factor * of(at).item()) < ROUNDING
    hessian = torch.func.hessian(of)(at).numpy()
    assert np.abs(obj.hessian(theta) - factor * hessian).max() < 1e-11


class Runs:
    """What runs code as it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("run",)


FILES: dict[str, tuple[Any, list[str]]] = {
    "a state dict": (mlp(nn.Tanh()).state_dict(), ["--activation", "tanh"]),
    "a checkpoint": ({"epoch": 3, "model_state_dict": mlp(nn.Tanh()).state_dict()}, ["--activation", "tanh"]),
    "a module": (nn.Sequential(mlp(nn.Tanh()), nn.Dropout()), []),
    "a classifier": (nn.Sequential(mlp(nn.Tanh()), nn.Softmax(dim=1)), ["--logits"]),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", x=X, y=X[:, :2])
    return tmp_path


def inspect(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["inspect", "net.pt", "--data", "data.npz", *arguments], env={"COLUMNS": "120"})


@pytest.mark.parametrize("name", FILES)
def test_command(name: str, folder: Path) -> None:
    content, options = FILES[name]
    torch.save(content, "net.pt")
    result = inspect(*options)
    assert result.exit_code == 0, result.output
    assert "MLP([3, 4, 5, 2], 'tanh')" in result.output
    assert folder.joinpath("inspection.html").is_file()


@pytest.mark.parametrize("zipped", [True, False])
def test_command_knows_files_of_torch_by_any_name(zipped: bool, folder: Path) -> None:
    torch.save(mlp(nn.Tanh()).state_dict(), "net.pt", _use_new_zipfile_serialization=zipped)
    folder.joinpath("net.pt").rename(folder / "last.ckpt")
    command = ["inspect", "last.ckpt", "--data", "data.npz", "--activation", "tanh"]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (mlp(nn.Tanh()).state_dict(), [], "a state dict does not tell activations: give --activation"),
        (mlp(nn.Tanh()), ["--activation", "tanh"], "this file holds a module, which has its own activations"),
        (
            {"state_dict": mlp(nn.Tanh()).state_dict(), "more": Runs()},
            [],
            "holds more than tensors and torch's own layers",
        ),
        (Wrapped, [], "holds more than tensors and torch's own layers"),
        (torch.zeros(2), [], "must hold a state dict or a module; it holds a Tensor"),
    ],
)
def test_files_are_refused_and_never_run(content: Any, options: list[str], message: str, folder: Path) -> None:
    torch.save(content, "net.pt")
    result = inspect(*options)
    assert result.exit_code == 2
    assert message in result.output
    assert not folder.joinpath("run").exists()


@pytest.mark.parametrize("name", ["TorchScript", "pickle"])
def test_other_formats_are_refused_in_one_line(name: str, folder: Path) -> None:
    """torch warns of both."""
    if name == "TorchScript":
        torch.jit.trace(mlp(nn.Tanh()), torch.zeros(1, 3)).save("net.pt")
    else:
        folder.joinpath("net.pt").write_bytes(pickle.dumps(Runs()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = inspect()
    assert result.exit_code == 2
    wanted = {
        "TorchScript": "'net.pt' is TorchScript, which is run as code",
        "pickle": "torch's own layers, which only",
    }
    assert wanted[name] in result.output
    assert not folder.joinpath("run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", "'net.pt' is damaged or no file of torch.save"),
        (b"hello", "'net.pt' is damaged or no file of torch.save: it is no zip archive"),
        (b"", "MODEL 'net.pt' is empty"),
        (900, "'net.pt' is damaged or no file of torch.save: "),
        ({"0.weight": torch.zeros(3, 3), "2.weight": torch.zeros(1, 4)}, "'2' takes 4 inputs, but '0' before it has 3"),
        ({"0.weight": torch.full((1, 3), torch.nan)}, "weights of '0' must be finite"),
    ],
)
def test_damaged_files(content: Any, message: str, folder: Path) -> None:
    file = folder.joinpath("net.pt")
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(mlp(nn.Tanh()).state_dict() if isinstance(content, int) else content, file)
        file.write_bytes(file.read_bytes()[: content if isinstance(content, int) else None])
    result = inspect("--activation", "tanh")
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.splitlines()) == 1
