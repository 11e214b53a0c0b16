"""`save` keeps a network and its parameters in NumPy's npz with the description as JSON; nothing in it runs code.

format    "hessorbit network 1"
network   JSON object of widths, activations (of every neuron, by layer), biases and parametrization
theta     float64, or longdouble in the layout of the platform
"""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _files
from ._checks import Array
from .network import MLP, restore

FORMAT = "hessorbit network 1"
ENTRIES = ("format", "network", "theta")
FIELDS = ("widths", "activations", "biases", "parametrization")


def save(path: str | os.PathLike[str], net: MLP, theta: ArrayLike) -> None:
    """Saves a network and its parameters as one file.

    Parameters
    ----------
    path : path-like
        Where; by custom it ends in ``.npz``. A file that is there is replaced, at once and as a whole: the new one is
        written beside it and renamed.
    net : MLP
    theta : array_like, shape (P,) or (B, P)
        float64, or longdouble, which only platforms with the same longdouble can load.

    Raises
    ------
    TypeError, ValueError
        If net is not an MLP, or theta has the wrong type or shape or is not finite.
    OSError
        If the file cannot be written.

    See Also
    --------
    load

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([2, 3, 1], "relu")
    >>> theta = net.init(np.random.default_rng(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "net.npz")
    ...     ho.save(path, net, theta)
    ...     again, theta_again = ho.load(path)
    >>> again
    MLP([2, 3, 1], 'relu')
    >>> np.array_equal(theta_again, theta)
    True
    """
    place = _files.path_of(path)
    _checks.instance(net, MLP, "net")
    at = _checks.parameters(theta, net.num_parameters)
    description = json.dumps({name: getattr(net, name) for name in FIELDS})
    with _files.replacing(place) as file:
        np.savez(file, format=FORMAT, network=description, theta=at)


def load(path: str | os.PathLike[str]) -> tuple[MLP, Array]:
    """Returns the network and the parameters of a file that `save` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    net : MLP
    theta : ndarray, shape (P,) or (B, P)
        The same numbers, bit by bit.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is damaged, or not a file of `save`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import hessorbit as ho
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ho.save(Path(folder, "net.npz"), ho.MLP([1, 1], bias=False), [0.5])
    ...     net, theta = ho.load(Path(folder, "net.npz"))
    >>> net, theta
    (MLP([1, 1], bias=False), array([0.5]))
    """
    place = _files.path_of(path)
    with _files.opened(place) as file:
        try:
            entries = read(file)
            net = network_of(str(entries["network"]))
            return net, _checks.parameters(entries["theta"], net.num_parameters)
        except Exception as error:  # damage shows as anything: zlib, zip, JSON, array headers, shapes
            raise ValueError(f"{place} is damaged or not a file written by hessorbit.save: {error}") from error


def read(file: Any) -> dict[str, Array]:
    """Returns the entries of a file, which must have the right names and kinds."""
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no npz file")
    with np.load(file, allow_pickle=False) as stored:
        if sorted(stored.files) != sorted(ENTRIES):
            raise ValueError(f"it holds {', '.join(stored.files)}; expected {', '.join(ENTRIES)}")
        entries = {name: stored[name] for name in ENTRIES}
    if str(entries["format"]) != FORMAT:
        raise ValueError(f"its format is {str(entries['format'])!r}; this version reads {FORMAT!r}")
    if entries["theta"].dtype.type not in (np.float64, np.longdouble):
        raise ValueError(f"its theta is {entries['theta'].dtype}; expected float64, or longdouble as on this platform")
    return entries


def network_of(description: str) -> MLP:
    """Returns the network of a JSON description."""
    fields = json.loads(description)
    if not isinstance(fields, dict) or sorted(fields) != sorted(FIELDS):
        raise ValueError(f"its network must have the fields {', '.join(FIELDS)}")
    return restore(*(fields[name] for name in FIELDS))
