"""Networks from torch and to it, compared with torch's own forward pass and derivatives in float64."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
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


tied = nn.Linear(3, 3)
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "approximate GELU": (mlp(nn.GELU("tanh")), ValueError, "GELU at '1' has approximate='tanh'.*exact"),
    "softplus": (mlp(nn.Softplus(2.0)), ValueError, "Softplus at '1' has beta=2"),
    "softplus cut off": (mlp(nn.Softplus(threshold=5)), ValueError, "threshold=5"),
    "elu": (mlp(nn.ELU(0.5)), ValueError, "ELU at '1' has alpha=0.5"),
    "relu6": (mlp(nn.ReLU6()), ValueError, "ReLU6 at '1' is no layer that hessorbit has"),
    "prelu": (mlp(nn.PReLU()), ValueError, "PReLU at '1'"),
    "mish": (mlp(nn.Mish()), ValueError, "Mish at '1'"),
    "batch norm": (mlp(nn.BatchNorm1d(4), nn.Tanh()), ValueError, "BatchNorm1d at '1'"),
    "dropout in training": (mlp(nn.Dropout(0.1), nn.Tanh()), ValueError, r"Dropout at '1'.*training.*module\.eval"),
    "softmax": (nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1)), ValueError, "Softmax at '1'.*logits=True"),
    "softmax within": (mlp(nn.Softmax(dim=1)), ValueError, "Softmax at '1'.*only outputs"),
    "convolution": (nn.Sequential(nn.Conv1d(1, 1, 3), nn.Flatten(), nn.Linear(1, 1)), ValueError, "Conv1d at '0'"),
    "activation first": (nn.Sequential(nn.Tanh(), nn.Linear(3, 2)), ValueError, "Tanh at '0' stands before"),
    "two activations": (nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.ReLU()), ValueError, "'2' follows another"),
    "shapes": (nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2)), ValueError, "Linear at '1' takes 3 inputs.* 2 outputs"),
    "skip": (Skipping(), ValueError, "has layers in first, second; expected one nn.Sequential"),
    "scaled outputs": (Wrapped(mlp(nn.Tanh()), lambda f, x: 2 * f(x)), ValueError, "does not compute what its layers"),
    "scaled a little": (Wrapped(mlp(nn.Tanh()), lambda f, x: (1 + 1e-9) * f(x)), ValueError, "outputs differ by"),
    "skip around": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x) + x[:, :2]), ValueError, "does not compute"),
    "cut outputs": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x)[:, :1]), ValueError, "gives outputs of shape"),
    "tied": (nn.Sequential(tied, nn.Tanh(), tied), ValueError, "share none"),
    "reparametrised": (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))), ValueError,
                       "has 10 parameters, its layers of weights 8.*remove_parametrizations"),
    "forward that fails": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x[:, :, None])), ValueError, "cannot be evaluated"),
    "lazy": (nn.Sequential(nn.LazyLinear(3)), ValueError, "has no weights yet"),
    "nothing": (nn.Sequential(), ValueError, "must have a layer of weights"),
    "not finite": (nn.Sequential(nn.Linear(1, 1, bias=False)).requires_grad_(False).apply(
        lambda m: m.weight.fill_(np.nan) if isinstance(m, nn.Linear) else None), ValueError, "finite"),
    "no module": ("net.pt", TypeError, "module must be a torch.nn.Module or a state dict; got a str"),
    "a tensor": (torch.zeros(3), TypeError, "got a Tensor"),
}  # fmt: skip


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


class Compiled(nn.Module):
    """What torch.compile returns."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._orig_mod = module
        self.forward = module.forward


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
    "clamp": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x).clamp(-1e6, 1e6)), "call its 'layers', such as clamp"),
    "clamp of inputs": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(torch.clamp(x, max=1e6))), "such as clamp"),
    "where": (Wrapped(mlp(nn.Tanh()), lambda f, x: torch.where(x[:, :1] > 1e6, 0.0, f(x))), "such as where"),
    "rounding": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x) + 0 * x[:, :1]), "such as add"),
    "inner": (Wrapped(Wrapped(mlp(nn.Tanh()), lambda f, x: f(x).clamp(max=1e6))), "Wrapped at 'layers' does more"),
    "branch": (Wrapped(mlp(nn.Tanh()), lambda f, x: f(x) if x.max() < 1e6 else 2 * f(x)), "torch.fx cannot follow"),
    "sequence": (Clamped(nn.Linear(3, 2), nn.Tanh()), "Clamped has a forward that is not torch's"),
    "sequence inside": (nn.Sequential(Clamped(nn.Linear(3, 2))), "Clamped at '0' has a forward that is not torch's"),
    "a name of torch": (nn.Sequential(nn.Linear(3, 2), ReLU()), "ReLU at '1' has a forward that is not torch's"),
    "a linear layer": (nn.Sequential(ClampedLinear(3, 2)), "ClampedLinear at '0' has a forward that is not torch's"),
    "an object": (patched(), "Sequential has a forward that is not torch's"),
    "hook": (hooked(), "Linear at '2' has hooks"),
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
    "compiled": Compiled(mlp(nn.Tanh())),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_shapes_and_types_are_harmless(name: str) -> None:
    module = HARMLESS[name]
    net, theta = from_torch(module)
    inner = getattr(module, "_orig_mod", module)
    expected = torch.nn.utils.parameters_to_vector(inner.parameters()).detach().double().numpy()
    assert (theta == expected).all()
    assert net.widths[0] == 3


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


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        (mlp(nn.Tanh()).state_dict(), {}, "activation must be given"),
        (mlp(nn.Tanh()).state_dict(), {"activation": ["tanh"]}, "one name or one for each of 2 hidden"),
        (mlp(nn.Tanh()).state_dict(), {"activation": "Tanh"}, "did you mean 'tanh'"),
        (nn.BatchNorm1d(3).state_dict(), {"activation": "tanh"}, "'weight'.*is not the weight"),
        ({"0.bias": torch.zeros(3)}, {"activation": "tanh"}, "no weight for the bias of '0'"),
        ({"0.weight": torch.zeros(3, 2), "1.weight": torch.zeros(1, 4)}, {"activation": "tanh"}, "takes 4 inputs"),
        ({"epoch": 3}, {"activation": "tanh"}, "entry 'epoch'"),
        ({}, {"activation": "tanh"}, "must have a layer of weights"),
    ],
)
def test_refused_state_dicts(state: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
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
