"""Networks from weights by name: state dicts of torch, and files of safetensors.

Names end in `weight` (out, in) and `bias` (out,), and what stands before that names the layer. They tell no activation.
torch keeps a state dict in the order in which a module stores its layers, weights before biases; whoever sorts it by
name, as safetensors does, puts layer 10 before layer 2. So the order that is found is kept only if it can be torch's.

The format of safetensors (https://github.com/huggingface/safetensors#format): 8 bytes for the length of the header, in
little-endian order; the header in JSON, {name: {"dtype", "shape", "data_offsets": [begin, end]}}; the numbers, row by
row and little-endian, at offsets from the end of the header.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import _files
from .._checks import Array
from ..network import DEFAULT_OUTPUT, MLP
from .layers import Affine, affine, assemble, chain_of, given_activations, split_name

# Formats of safetensors that float64 holds, and NumPy's; bfloat16 is the upper half of a float32.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
LONGEST_HEADER = 100_000_000  # bytes, as safetensors has it


def from_safetensors(
    path: str | os.PathLike[str],
    *,
    activation: str | list[str] | None = None,
    output_activation: str = DEFAULT_OUTPUT,
    layers: Sequence[str] | None = None,
) -> tuple[MLP, Array]:
    """Returns the network and the parameters in a file of safetensors, as ``safetensors.torch.save_file`` writes it.

    Parameters
    ----------
    path : path-like
        A file that holds the state dict of a torch module: weights (out, in) and biases of ``Linear`` layers, and
        nothing else. The package safetensors is not needed.
    activation, output_activation : str or list of str
        As in `MLP`.
    layers : sequence of str, optional
        Names of the layers in their order, which the file does not keep. By default the only one in which their shapes
        fit together, where names that differ in their numbers alone are in the order of these.

    Returns
    -------
    net : MLP
    theta : ndarray, shape (P,)
        Exact in float64, layer by layer. Nothing can be compared.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError, ValueError
        If it is damaged, holds something else, which the message names, or the order of layers is not clear.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> entries = {"0.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}}
    >>> header = json.dumps(entries).encode()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "net.safetensors")
    ...     numbers = np.array([1.0, 2.0], "<f4").tobytes()
    ...     _ = path.write_bytes(len(header).to_bytes(8, "little") + header + numbers)
    ...     ho.interop.from_safetensors(path)
    (MLP([2, 1], bias=False), array([1., 2.]))
    """
    place = _files.path_of(path)
    what = f"the file {place.name}"
    maps = layers_by_name(stored(place), affine, layers, what)
    net, theta, _ = assemble(given_activations(maps, activation, output_activation), what)
    return net, theta


def layers_by_name(
    state: Mapping[str, Any], made: Callable[[Any, Any, str], Affine], layers: Sequence[str] | None, what: str
) -> list[Affine]:
    """Returns the affine maps of a state dict in their order; `made` makes one of a weight, a bias and a name."""
    found: dict[str, dict[str, Any]] = {}
    for name, tensor in state.items():
        layer, _, part = str(name).rpartition(".")
        if part not in ("weight", "bias") or tensor.ndim != 1 + (part == "weight"):
            raise ValueError(
                f"{what} has an entry {name!r} {tuple(tensor.shape)} that is not the weight (out, in) or the bias "
                f"(out,) of a linear layer"
            )
        found.setdefault(layer, {})[part] = tensor
    lonely = [layer for layer, parts in found.items() if "weight" not in parts]
    if lonely:
        raise ValueError(f"{what} has no weight for the bias of {lonely[0]!r}")
    maps = {layer: made(parts["weight"], parts.get("bias"), repr(layer)) for layer, parts in found.items()}
    return list(maps.values()) if layers is None and in_order(state, found) else chain_of(maps, layers, what)


def in_order(state: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a mapping can be in the order of a module: torch says so, or weights come before biases."""
    last: dict[str, list[int]] = {}
    for text, numbers in map(split_name, found):
        if last.get(text, []) > numbers:
            return False
        last[text] = numbers
    biased = [list(parts) for parts in found.values() if len(parts) == 2]
    return hasattr(state, "_metadata") or (bool(biased) and all(parts[0] == "weight" for parts in biased))


def stored(path: Path) -> dict[str, Array]:
    """Returns the arrays of a file of safetensors by name."""
    with _files.opened(path, "path") as file:
        content = file.read()
    try:
        return arrays_of(content)
    except Exception as error:  # damage shows as anything
        reason = " ".join(str(error).split())
        raise ValueError(f"path {str(path)!r} is damaged or no file of safetensors: {reason}") from error


def arrays_of(content: bytes) -> dict[str, Array]:
    """Returns arrays of views of a file's bytes, or raises whatever says what is wrong with them."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= length <= min(LONGEST_HEADER, len(content) - 8):
        raise ValueError(f"its {len(content)} bytes are fewer than its header needs")
    header = json.loads(content[8 : 8 + length])
    numbers = content[8 + length :]
    arrays: dict[str, Array] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{name!r} is {entry['dtype']}; expected one of {', '.join(DTYPES)}")
        dtype, shape = np.dtype(DTYPES[entry["dtype"]]), entry["shape"]
        if not 0 <= begin <= end <= len(numbers) or end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"the bytes {begin} to {end} of {len(numbers)} are not those of {name!r}, {shape}")
        array = np.frombuffer(numbers[begin:end], dtype).reshape(shape)
        arrays[name] = as_bfloat16(array) if entry["dtype"] == "BF16" else array
    return arrays


def as_bfloat16(halves: Array) -> Array:
    """Returns numbers of bfloat16 in float32, whose upper halves they are."""
    return np.asarray((halves.astype(np.uint32) << 16).view(np.float32))
