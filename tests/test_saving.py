"""Networks saved and loaded: the same bits or a ValueError, whatever has happened to the file."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hessorbit as ho

NETWORKS = [
    ho.MLP([1, 1]),
    ho.MLP([3, 4, 2], "relu", parametrization="ntk"),
    ho.MLP([2, 2, 3, 1], [["tanh", "leaky_relu(0.3)"], "sin"], bias=[True, False, True], output_activation="sigmoid"),
    ho.MLP([2, 5, 2], "cube", bias=False, parametrization="mean_field", output_activation=["identity", "exp"]),
]
EXTREME = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, -1 / 3]


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.npz"


@pytest.mark.parametrize("net", NETWORKS, ids=repr)
@pytest.mark.parametrize("size", [None, 3])
def test_round_trip(net: ho.MLP, size: int | None, path: Path) -> None:
    theta = net.init(np.random.default_rng(0), "normal(1)", size=size)
    theta.flat[: len(EXTREME)] = EXTREME[: theta.size]
    ho.save(path, net, theta)
    again, loaded = ho.load(str(path))
    assert again == net
    assert same_bits(loaded, theta)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_extended_precision_is_kept(path: Path) -> None:
    net = NETWORKS[1]
    theta = np.sqrt(np.arange(net.num_parameters, dtype=np.longdouble) + 2)
    ho.save(path, net, theta)
    loaded = ho.load(path)[1]
    assert loaded.dtype == np.longdouble
    assert (loaded == theta).all()


def test_what_converts_exactly_is_accepted(path: Path) -> None:
    net = NETWORKS[0]
    for theta in ([1, 2], np.float32([0.1, 3.0]), np.array([1.5, 2.5, 0.0])[::-2]):
        ho.save(path, net, theta)
        assert same_bits(ho.load(path)[1], np.array(theta, np.float64))


def test_any_name_and_a_symbolic_link(tmp_path: Path) -> None:
    net, link = NETWORKS[0], tmp_path / "link"
    link.symlink_to(tmp_path / "target.anything")
    ho.save(link, net, [1.0, 2.0])
    assert link.is_symlink()
    assert ho.load(tmp_path / "target.anything")[1].tolist() == [1.0, 2.0]


@given(position=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
@settings(max_examples=300, deadline=None)
def test_damage_is_noticed(position: int, bit: int, cut: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bits outside what the file says, such as its date, may change nothing; no other change goes unnoticed."""
    net, path = NETWORKS[2], tmp_path_factory.mktemp("damage") / "net.npz"
    theta = net.init(np.random.default_rng(1))
    ho.save(path, net, theta)
    stored = bytearray(path.read_bytes())
    position %= len(stored)
    if cut:
        del stored[position:]
    else:
        stored[position] ^= 1 << bit
    path.write_bytes(stored)
    try:
        with warnings.catch_warnings(action="ignore"):
            again, loaded = ho.load(path)
    except ValueError:
        return
    assert not cut
    assert again == net
    assert same_bits(loaded, theta)


def npz(**entries: Any) -> Any:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **entries)

    return write


def npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.ones(3))


NETWORK = {"widths": [1, 1], "activations": [["identity"]], "biases": [True], "parametrization": "standard"}


def described(**changes: Any) -> str:
    return json.dumps({**NETWORK, **changes})


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "it is no npz file"),
        (lambda path: path.write_text("theta = 1"), "it is no npz file"),
        (lambda path: path.write_bytes(pickle.dumps([1, 2])), "it is no npz file"),
        (npy, "it is no npz file"),
        (npz(x=np.ones(3)), "it holds x; expected format, network, theta"),
        (npz(), "No data left in file"),
        (npz(format="hessorbit network 2", network=described(), theta=[1.0, 2.0]), "this version reads"),
        (npz(format="hessorbit network 1", network="{", theta=[1.0, 2.0]), "damaged"),
        (npz(format="hessorbit network 1", network="[]", theta=[1.0, 2.0]), "must have the fields"),
        (npz(format="hessorbit network 1", network=described(biases=[1]), theta=[1.0, 2.0]), "bias must be"),
        (npz(format="hessorbit network 1", network=described(widths=[1, 2]), theta=[1.0, 2.0]), "2 neurons"),
        (npz(format="hessorbit network 1", network=described(), theta=[1.0]), r"theta must have shape \(2,\)"),
        (npz(format="hessorbit network 1", network=described(), theta=[1, 2]), "its theta is int64"),
        (npz(format="hessorbit network 1", network=described(), theta=[1.0, np.nan]), r"theta\[1\] is nan"),
        (npz(format="hessorbit network 1", network=described(), theta=np.array([1.0, None])), "allow_pickle"),
    ],
)
def test_foreign_files(write: Any, message: str, path: Path) -> None:
    write(path)
    with pytest.raises(ValueError, match=message) as caught:
        ho.load(path)
    assert f"{path} is damaged or not a file written by hessorbit.save" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ho.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError):
        ho.save(tmp_path / "no folder" / "net.npz", NETWORKS[0], [1.0, 2.0])


def test_a_failure_leaves_the_file_that_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ho.save(path, NETWORKS[0], [1.0, 2.0])

    def full(file: Any, **entries: Any) -> None:
        file.write(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        ho.save(path, NETWORKS[0], [3.0, 4.0])
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert ho.load(path)[1].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, NETWORKS[0], [1.0, 2.0]), TypeError, "path must be the path of a file; got 3"),
        (("net.npz", [1, 1], [1.0, 2.0]), TypeError, "net must be an MLP; got a list"),
        (("net.npz", NETWORKS[0], [1.0]), ValueError, r"theta must have shape \(2,\)"),
        (("net.npz", NETWORKS[0], [1.0, np.inf]), ValueError, r"theta\[1\] is inf"),
        (("net.npz", NETWORKS[0], ["a", "b"]), TypeError, "theta must hold real numbers"),
    ],
)
def test_bad_input(arguments: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    place = tmp_path / arguments[0] if isinstance(arguments[0], str) else arguments[0]
    with pytest.raises(error, match=message):
        ho.save(place, *arguments[1:])
    assert not list(tmp_path.iterdir())
