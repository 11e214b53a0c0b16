"""Files of safetensors, written here by the description of the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import hessorbit as ho
from hessorbit.cli.app import app
from hessorbit.interop import from_safetensors

Arrays = dict[str, np.ndarray]
KINDS = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<u2": "BF16", "<i8": "I64"}  # no file here has other 16-bit numbers


def layers(dtype: str = "<f4", **shapes: tuple[int, int]) -> Arrays:
    """A state dict of layers (out, in), in this order; an underscore stands for a dot."""
    rng = np.random.default_rng(0)
    found: Arrays = {}
    for name, (outputs, inputs) in shapes.items():
        found[f"{name.replace('_', '.')}.weight"] = rng.standard_normal((outputs, inputs)).astype(dtype)
        found[f"{name.replace('_', '.')}.bias"] = rng.standard_normal(outputs).astype(dtype)
    return found


def written(folder: Path, arrays: Arrays, **metadata: str) -> Path:
    """A file whose entries are sorted by name, as safetensors sorts those of one type."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    numbers = b""
    for name, array in sorted(arrays.items()):
        begin, numbers = len(numbers), numbers + array.tobytes()
        header[name] = {"dtype": KINDS[array.dtype.str], "shape": array.shape, "data_offsets": [begin, len(numbers)]}
    return with_header(folder, json.dumps(header), numbers)


def with_header(folder: Path, header: str, numbers: bytes = b"") -> Path:
    path = folder / "net.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + numbers)
    return path


def vector(arrays: Arrays) -> np.ndarray:
    return np.concatenate([each.ravel().astype(float) for each in arrays.values()])


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<f2"])
def test_layers_are_in_the_order_of_their_numbers(dtype: str, tmp_path: Path) -> None:
    """The file has the last of eleven layers second."""
    arrays = layers(dtype, **{f"net_{index}": (3, 3) for index in range(11)})
    net, theta = from_safetensors(written(tmp_path, arrays, format="pt"), activation="gelu", output_activation="tanh")
    assert net == ho.MLP([3] * 12, "gelu", output_activation="tanh")
    assert (theta == vector(arrays)).all()


def test_layers_are_in_the_order_that_their_shapes_leave(tmp_path: Path) -> None:
    arrays = layers(stem=(4, 2), block=(3, 4), head=(1, 3))
    net, theta = from_safetensors(written(tmp_path, arrays), activation=["relu", "tanh"])
    assert net == ho.MLP([2, 4, 3, 1], ["relu", "tanh"])
    assert (theta == vector(arrays)).all()


def test_layers_name_the_order(tmp_path: Path) -> None:
    path = written(tmp_path, layers(outer=(3, 3), inner=(3, 3)))
    with pytest.raises(ValueError, match=r"in more than one order: name them .* layers=\['inner', 'outer'\]"):
        from_safetensors(path, activation="relu")
    _, theta = from_safetensors(path, activation="relu", layers=["outer", "inner"])
    assert (theta == vector(layers(outer=(3, 3), inner=(3, 3)))).all()


def test_bfloat16(tmp_path: Path) -> None:
    """Its numbers are the upper halves of those of float32."""
    numbers = np.array([[1.0, -2.5, 3.0e38, 2.0**-130]], np.float32)
    assert (numbers.view(np.uint32) & 0xFFFF)[0, [0, 1, 3]].tolist() == [0, 0, 0]
    halves = (numbers.view(np.uint32) >> 16).astype("<u2")
    _, theta = from_safetensors(written(tmp_path, {"0.weight": halves}))
    assert (theta == (halves.astype(np.uint32) << 16).view(np.float32).astype(float).ravel()).all()
    assert theta[[0, 1, 3]].tolist() == [1.0, -2.5, 2.0**-130]


ENTRY = '{"0.weight": {"dtype": "%s", "shape": %s, "data_offsets": %s}}'


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (ENTRY % ("F32", "[1, 2]", "[0, 12]"), "the bytes 0 to 12 of 8 are not those of '0.weight'"),
        (ENTRY % ("F32", "[1, 3]", "[0, 8]"), "the bytes 0 to 8 of 8 are not those of '0.weight'"),
        (ENTRY % ("F32", "[1, -2]", "[8, 0]"), "the bytes 8 to 0"),
        (ENTRY % ("F32", "[-1, -2]", "[0, 8]"), "damaged or no file of safetensors"),
        (ENTRY % ("F32", '"ab"', "[0, 8]"), "damaged or no file of safetensors"),
        (ENTRY % ("F32", "[1, 2]", "[0]"), "damaged or no file of safetensors"),
        (ENTRY % ("I64", "[1, 1]", "[0, 8]"), "'0.weight' is I64; expected one of F64, F32, F16, BF16"),
        ("[1, 2]", "damaged or no file of safetensors"),
        ("{}", "must have a layer of weights"),
        ("[" * 100_000, "damaged or no file of safetensors"),
    ],
)
def test_other_headers(header: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        from_safetensors(with_header(tmp_path, header, bytes(8)))


def test_damaged_files_are_refused_in_words(tmp_path: Path) -> None:
    """Cut anywhere, or with one byte changed, a file is read as it is or refused."""
    arrays = layers(a=(2, 2), b=(1, 2))
    path = written(tmp_path, arrays)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"damaged or no file of safetensors"):
            from_safetensors(path, activation="tanh")
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x40]) + whole[position + 1 :])
        try:
            from_safetensors(path, activation="tanh")
        except (ValueError, TypeError) as error:
            assert "\n" not in str(error)  # noqa: PT017


def inspect(model: Path, *arguments: str) -> Result:
    folder, rng = model.parent, np.random.default_rng(0)
    np.savez(folder / "data.npz", x=rng.standard_normal((20, 3)), y=rng.standard_normal((20, 3)))
    paths = ["--data", str(folder / "data.npz"), "--report", str(folder / "page.html")]
    return CliRunner().invoke(app, ["inspect", str(model), *paths, *arguments], env={"COLUMNS": "120"})


@pytest.mark.parametrize("name", ["net.safetensors", "weights.bin", "net.pt", "model"])
def test_command_tells_files_by_their_content(name: str, tmp_path: Path) -> None:
    model = written(tmp_path, layers(outer=(3, 3), inner=(3, 3))).rename(tmp_path / name)
    result = inspect(model, "--activation", "relu")
    assert result.exit_code == 2
    assert "in more than one order: name them in theirs, as --layers inner,outer" in result.output
    result = inspect(model, "--activation", "relu", "--layers", "outer, inner")
    assert result.exit_code == 0, result.output
    assert "MLP([3, 3, 3], 'relu')" in result.output
    assert "give --activation" in inspect(model, "--layers", "outer,inner").output
    assert "--logits is for models that have a softmax" in inspect(model, "--activation", "relu", "--logits").output


def test_command_knows_files_of_its_own_by_any_name(tmp_path: Path) -> None:
    net = ho.MLP([3, 2, 3])
    ho.save(tmp_path / "net.npz", net, net.init(np.random.default_rng(0)))
    model = tmp_path.joinpath("net.npz").rename(tmp_path / "net.best")
    assert "MLP([3, 2, 3], 'tanh')" in inspect(model).output
    refused = inspect(model, "--layers", "a,b")
    assert "--layers is for state dicts of torch; a file .npz has its own layers" in refused.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("net.h5", b"\x89HDF\r\n\x1a\n" + bytes(20), "is HDF5: load it with Keras and save the model as a .keras file"),
        ("net.txt", b"hello", "must end in .npz, .pt"),
        ("net.txt", b"PK hello", "must end in .npz, .pt"),
        ("net.safetensors", b"hello", "is damaged or no file of safetensors"),
        ("net.pkl", b"hello", "is a pickle"),
        ("net.npz", b"", "is empty"),
    ],
)
def test_command_refuses_other_content(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    tmp_path.joinpath(name).write_bytes(content)
    result = inspect(tmp_path / name)
    assert result.exit_code == 2
    assert message in result.output
