"""Reads networks from files, by what is in them or else by their ending, and never a pickle that could run code."""

from __future__ import annotations

import ast
import os
import pickle
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

from .. import _files, interop
from .._checks import Array
from .._extras import need
from .._words import number_of
from ..interop.torch_activations import OTHER_NAMES
from ..network import DEFAULT_OUTPUT, MLP
from ..saving import load
from .options import check_readable

# Under which names training scripts keep a state dict among other things.
STATES = ("state_dict", "model_state_dict", "model")
# What reads a file.
LIBRARIES = {".pt": "torch", ".onnx": "onnx", ".keras": "keras", ".skops": "skops"}
# Of scikit-learn's estimators, beside the types that skops knows.
OPTIMISERS = "sklearn.neural_network._stochastic_optimizers."
BACKENDS = ("tensorflow", "jax", "torch")
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".p")
ENDINGS = (".npz", *LIBRARIES, ".safetensors")
STATE_DICTS = (".pt", ".safetensors")  # of which torch's may be modules
OTHER_ENDINGS = {".pth": ".pt"}
# A member of an archive, by its name's end, tells what wrote it; skops puts arrays of NumPy beside its own.
MEMBERS = {"data.pkl": ".pt", "schema.json": ".skops", "model.weights.h5": ".keras", ".npy": ".npz"}
TORCH_BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the first bytes of torch.save before version 1.6
HDF5 = b"\x89HDF\r\n\x1a\n"


class Model(NamedTuple):
    """A network, its parameters, and where the file tells, the classes of its outputs in their order, and its loss."""

    net: MLP
    theta: Array
    classes: list[Any] | None = None
    loss: str | None = None


def read_model(
    path: Path,
    *,
    activation: list[str] | None,
    output_activation: str | None,
    logits: bool,
    layers: list[str] | None = None,
) -> Model:
    """Return what a file holds."""
    kind = format_of(path)
    check_readable(path, "MODEL")
    if kind in LIBRARIES:
        need(LIBRARIES[kind], f"reading {kind}")
    given = [name for name, value in (("activations", activation or output_activation), ("layers", layers)) if value]
    if given and kind not in STATE_DICTS:
        option = "--activation" if "activations" in given else "--layers"
        raise ValueError(f"{option} is for state dicts of torch; a file {kind} has its own {given[0]}")
    options: dict[str, Any] = {}
    if given:
        options = {"output_activation": output_activation or DEFAULT_OUTPUT, "layers": layers}
        options["activation"] = activation[0] if activation and len(activation) == 1 else activation
    readers: dict[str, Callable[[], tuple[Any, ...]]] = {
        ".npz": lambda: saved(path),
        ".pt": lambda: from_torch_file(path, options, logits),
        ".safetensors": lambda: from_state(path, options, logits),
        ".onnx": lambda: interop.from_onnx(path, logits=logits),
        ".keras": lambda: from_keras_file(path, logits),
        ".skops": lambda: from_skops_file(path),
    }
    return Model(*readers[kind]())


def format_of(path: Path) -> str:
    """Return the usual ending of files like this one, by its content if that tells."""
    ending = OTHER_ENDINGS.get(path.suffix.lower(), path.suffix.lower())
    found = format_of_content(path) if path.is_file() else None
    if found == ".h5":
        raise ValueError(f"MODEL {str(path)!r} is HDF5: load it with Keras and save the model as a .keras file")
    if found is None and ending in PICKLES:
        raise ValueError(
            f"{str(path)!r} is a pickle, which may run any code as it is read: save scikit-learn's estimators by "
            f"skops.io.dump(estimator, 'net.skops'), or call hessorbit.inspect from Python"
        )
    if found is None and ending not in ENDINGS:
        known = ", ".join((*ENDINGS, *OTHER_ENDINGS))
        raise ValueError(f"MODEL {str(path)!r} must end in {known}; got {ending or 'no ending'}")
    return found or ending


def format_of_content(path: Path) -> str | None:
    """Return the usual ending of what wrote a file; None if its content does not tell, as that of ONNX."""
    with _files.opened(path, "MODEL") as file:
        start = file.read(len(TORCH_BEFORE_ZIP))
        try:
            members = ZipFile(file).namelist() if start.startswith(b"PK") else []
        except Exception:  # damage shows as anything
            members = []
    for end, kind in MEMBERS.items():
        if any(member.endswith(end) for member in members):
            return kind
    header = int.from_bytes(start[:8], "little")  # of safetensors, the length of JSON that follows
    if start[8:9] == b"{" and header <= path.stat().st_size:
        return ".safetensors"
    return {TORCH_BEFORE_ZIP: ".pt"}.get(start) or (".h5" if start.startswith(HDF5) else None)


def saved(path: Path) -> tuple[MLP, Array]:
    net, theta = load(path)
    if theta.ndim != 1:
        raise ValueError(
            f"{str(path)!r} holds a batch of {number_of(len(theta), 'parameter vector')}; inspect takes one"
        )
    return net, theta


def from_torch_file(path: Path, options: dict[str, Any], logits: bool) -> tuple[MLP, Array]:
    """Read a state dict, or a module of torch's own layers; weights_only unpickles nothing else."""
    import torch

    try:
        # torch warns of formats that it then refuses, or reads all the same.
        with torch.serialization.safe_globals(torch_layers()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{str(path)!r} holds more than tensors and torch's own layers, which only running its code would bring "
            f"back: save module.state_dict(), or export the module to ONNX"
        ) from None
    except Exception as error:  # of the zip reader, and of TorchScript
        if "TorchScript" in str(error):
            raise ValueError(
                f"{str(path)!r} is TorchScript, which is run as code: save module.state_dict(), or export to ONNX"
            ) from error
        reason = first_sentence(error)
        told = reason if any(map(str.isalpha, reason)) else "it is no zip archive"
        raise ValueError(f"{str(path)!r} is damaged or no file of torch.save: {told}") from error
    if isinstance(content, torch.nn.Module):
        if options:
            raise ValueError(
                "--activation and --layers are for state dicts; this file holds a module, which has its own activations"
            )
        return interop.from_torch(content.eval(), logits=logits)
    if not isinstance(content, Mapping):
        raise ValueError(f"{str(path)!r} must hold a state dict or a module; it holds a {type(content).__name__}")
    for name in STATES:
        if isinstance(content.get(name), Mapping):
            content = content[name]
            break
    return from_state(content, options, logits)


def from_state(state: Mapping[str, Any] | Path, options: dict[str, Any], logits: bool) -> tuple[MLP, Array]:
    """Read a state dict, or the file of safetensors that holds one, and say which options tell what it does not."""
    if logits:
        raise ValueError("--logits is for models that have a softmax to leave out; a state dict has none: omit it")
    try:
        read: Callable[..., Any] = interop.from_safetensors if isinstance(state, Path) else interop.from_torch
        net, theta = read(state, **options)
        return net, theta
    except ValueError as error:
        if "activation must be given" in str(error):
            raise ValueError(
                "a state dict does not tell activations: give --activation, once for all or once for each layer"
            ) from error
        reason, order, names = str(error).partition("name them in theirs, as layers=")
        if order:
            names = ",".join(ast.literal_eval(names))
            raise ValueError(f"{reason}name them in theirs, as --layers {names}") from error
        raise


def torch_layers() -> list[Any]:
    """Return the classes of torch that hold a network without code of its own."""
    from torch import nn

    names = ("Sequential", "Linear", "Flatten", "Dropout", "Softmax", "LogSoftmax", *OTHER_NAMES)
    return [getattr(nn, name) for name in names] + [set]


def from_keras_file(path: Path, logits: bool) -> tuple[MLP, Array]:
    if "KERAS_BACKEND" not in os.environ:  # Keras takes TensorFlow where nothing is said, installed or not
        backends = [name for name in BACKENDS if find_spec(name) is not None]
        os.environ["KERAS_BACKEND"] = next(iter(backends), "tensorflow")
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # keras raises many kinds
        raise ValueError(f"{str(path)!r} is no model that Keras reads safely: {first_sentence(error)}") from error
    return interop.from_keras(model, logits=logits)


def from_skops_file(path: Path) -> tuple[MLP, Array, list[Any] | None, str | None]:
    import skops.io

    try:
        unknown = skops.io.get_untrusted_types(file=path)
    except Exception as error:  # of zip and JSON
        raise ValueError(f"{str(path)!r} is damaged or no file of skops: {error}") from error
    known = [name for name in unknown if name.startswith(OPTIMISERS)]
    if len(known) < len(unknown):
        others = ", ".join(name for name in unknown if name not in known)
        raise ValueError(f"{str(path)!r} holds types that skops does not trust: {others}")
    estimator = skops.io.load(path, trusted=known)
    net, theta = interop.from_sklearn(estimator)
    classes = list(getattr(estimator, "classes_", []))
    # With several labels for each sample, the outputs are no classes that exclude each other.
    outputs = net.widths[-1]
    exclusive = outputs == 1 or getattr(estimator, "out_activation_", "") == "softmax"
    loss = "poisson" if getattr(estimator, "loss", "") == "poisson" else None
    return net, theta, classes if exclusive and len(classes) == max(outputs, 2) else None, loss


def first_sentence(error: Exception) -> str:
    """Return what is wrong, without the advice on how to run code after all."""
    return str(error).partition("\n")[0].partition(". ")[0]
