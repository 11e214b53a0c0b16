"""Reads networks from files, by their ending, and never a pickle that could run code."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from .. import interop
from .._checks import Array
from .._words import number_of
from ..network import DEFAULT_OUTPUT, MLP
from ..saving import load
from .options import check_readable

# Under which names training scripts keep a state dict among other things.
STATES = ("state_dict", "model_state_dict", "model")
# What a file needs, and the extra that brings it.
LIBRARIES = {".pt": "torch", ".pth": "torch", ".onnx": "onnx", ".keras": "keras", ".skops": "skops"}
# Of scikit-learn's estimators, beside the types that skops knows.
OPTIMISERS = "sklearn.neural_network._stochastic_optimizers."
BACKENDS = ("tensorflow", "jax", "torch")
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".p")
ENDINGS = (".npz", *LIBRARIES)


class Model(NamedTuple):
    """A network, its parameters, and where the file tells, the classes of its outputs in their order, and its loss."""

    net: MLP
    theta: Array
    classes: list[Any] | None = None
    loss: str | None = None


def read_model(path: Path, *, activation: list[str] | None, output_activation: str | None, logits: bool) -> Model:
    """Return what a file holds."""
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise ValueError(
            f"{str(path)!r} is a pickle, which may run any code as it is read: save scikit-learn's estimators by "
            f"skops.io.dump(estimator, 'net.skops'), or call hessorbit.inspect from Python"
        )
    if ending not in ENDINGS:
        raise ValueError(f"MODEL {str(path)!r} must end in {', '.join(ENDINGS)}; got {ending or 'no ending'}")
    check_readable(path, "MODEL")
    needed = LIBRARIES.get(ending)
    if needed and find_spec(needed) is None:
        raise ValueError(
            f'reading {ending} needs {needed}, which is not installed: pip install "hessorbit[{extra(needed)}]"'
        )
    if (activation or output_activation) and ending not in (".pt", ".pth"):
        raise ValueError(f"--activation is for state dicts of torch; a file {ending} has its own activations")
    readers: dict[str, Callable[[], tuple[Any, ...]]] = {
        ".npz": lambda: saved(path),
        ".pt": lambda: from_torch_file(path, activation, output_activation, logits),
        ".pth": lambda: from_torch_file(path, activation, output_activation, logits),
        ".onnx": lambda: interop.from_onnx(path, logits=logits),
        ".keras": lambda: from_keras_file(path, logits),
        ".skops": lambda: from_skops_file(path),
    }
    return Model(*readers[ending]())


def extra(library: str) -> str:
    return "sklearn" if library == "skops" else library


def saved(path: Path) -> tuple[MLP, Array]:
    net, theta = load(path)
    if theta.ndim != 1:
        raise ValueError(
            f"{str(path)!r} holds a batch of {number_of(len(theta), 'parameter vector')}; inspect takes one"
        )
    return net, theta


def from_torch_file(
    path: Path, activation: list[str] | None, output_activation: str | None, logits: bool
) -> tuple[MLP, Array]:
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
        if activation or output_activation:
            raise ValueError("--activation is for state dicts; this file holds a module, which has its own activations")
        return interop.from_torch(content.eval(), logits=logits)
    if not isinstance(content, Mapping):
        raise ValueError(f"{str(path)!r} must hold a state dict or a module; it holds a {type(content).__name__}")
    for name in STATES:
        if isinstance(content.get(name), Mapping):
            content = content[name]
            break
    try:
        return interop.from_torch(
            content,
            activation=activation[0] if activation and len(activation) == 1 else activation,
            output_activation=output_activation or DEFAULT_OUTPUT,
        )
    except ValueError as error:
        if "activation must be given" in str(error):
            raise ValueError(
                "a state dict does not tell activations: give --activation, once for all or once for each layer"
            ) from error
        raise


def torch_layers() -> list[Any]:
    """Return the classes of torch that hold a network without code of its own."""
    from torch import nn

    names = ("Sequential", "Linear", "Flatten", "Dropout", "Softmax", "LogSoftmax", *interop.torch.OTHER_NAMES)
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
