"""Files that torch's own exporter writes, with its ways of writing activations out."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from hessorbit.interop import from_onnx, from_torch

ACTIVATIONS = [
    nn.GELU(),
    nn.SiLU(),
    nn.LeakyReLU(0.2),
    nn.Softplus(),
    nn.ELU(),
    nn.SELU(),
    nn.Tanh(),
    nn.Softsign(),
    nn.CELU(),
]
OTHERS = [nn.GELU("tanh"), nn.Mish(), nn.Hardswish(), nn.ReLU6(), nn.ELU(0.5)]


def exported(activation: nn.Module, path: Path) -> nn.Module:
    torch.manual_seed(0)
    last = [nn.Dropout(0.3), nn.Linear(4, 2, bias=False), nn.Softmax(-1)]
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), activation, *last).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age
        torch.onnx.export(module, (torch.zeros(1, 3),), str(path), dynamo=False, opset_version=14)
    return module


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_the_same_network_comes_by_both_ways(activation: nn.Module, tmp_path: Path) -> None:
    module = exported(activation, tmp_path / "net.onnx")
    net, theta = from_onnx(tmp_path / "net.onnx", logits=True)
    straight, expected = from_torch(module, logits=True)
    assert net == straight
    assert (theta == expected).all()


@pytest.mark.parametrize("activation", OTHERS, ids=str)
def test_other_activations_are_refused_by_both_ways(activation: nn.Module, tmp_path: Path) -> None:
    module = exported(activation, tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="together are none of hessorbit's activations"):
        from_onnx(tmp_path / "net.onnx", logits=True)
    with pytest.raises(ValueError, match="at '2'"):
        from_torch(module, logits=True)
