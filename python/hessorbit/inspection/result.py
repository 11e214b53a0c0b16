"""An `Inspection` holds what `inspect` found, and writes it as a dictionary, or as a page."""

from __future__ import annotations

import os
from typing import Any

from .. import _files
from .as_dict import as_dict
from .findings import Findings
from .page import render, summary


class Inspection(Findings):
    """An inspection holds what there is to say about a network at θ; made by `inspect`.

    Attributes
    ----------
    objective : str
        Network, data and loss in words.
    net : MLP
    theta, gradient : ndarray, shape (P,)
    loss : float
    parts : dict of str to float
        What the loss is the sum of: the data's part and weight decay.
    point : CriticalPoint
        What `classify` says.
    certificate : Certificate or None
        What `certify` proves, if it was asked.
    hessian, gauss_newton : Spectrum
        Of these two matrices; that of the Hessian has vectors.
    condition_numbers : tuple of (str, ConditionNumber)
        Of the matrix named, by every convention.
    zero_modes : ZeroModes
        With their causes, and how well the Hessian annihilates each.
    symmetries : SymmetryGroup
    blocks : tuple of Block
        The Hessian's blocks by layer and neuron.
    leading, negative : tuple of Direction
        Eigenvectors of the largest eigenvalues, and of the negative ones that are resolved; at most five of each.
    best : dict of str to BestConditioned or str
        The best-conditioned points of the orbit and of widenings to twice the width, by matrix; or why there is none.
    canonical : CanonicalForm
        The network reduced to what its function needs, at the representative of its orbit.
    neurons : tuple of NeuronNote
        Hidden neurons that are dead, constant or duplicates, and what samples show of rectifiers.
    slices : tuple of Slice
        The loss along leading and smallest eigenvectors.
    seconds : float
        How long it took.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, np.tanh(2 * x))
    >>> found = ho.inspect(obj, [2.0, 1.0])
    >>> found.point.kind, found.as_dict()["hessian"]["num_negative"]
    ('minimum', 0)
    """

    def as_dict(self) -> dict[str, Any]:
        """Returns what was found as numbers, strings, lists and dicts, for JSON; what is not finite is None.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), [[1.0], [2.0]], [1.0, 0.5])
        >>> found = ho.inspect(obj, [1.0, 1.0])
        >>> found.as_dict()["blocks"][0]["name"]
        'layer 1, incoming'
        """
        return as_dict(self)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Writes one HTML page that needs nothing else.

        Parameters
        ----------
        path : path-like
            A file that is there is replaced, at once and as a whole.

        Raises
        ------
        OSError
            If it cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), [[1.0], [2.0]], [1.0, 0.5])
        >>> found = ho.inspect(obj, [1.0, 1.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "page.html")
        ...     found.report(path)
        ...     path.read_text("utf-8")[:15]
        '<!DOCTYPE html>'
        """
        with _files.replacing(_files.path_of(path)) as file:
            file.write(render(self).encode())

    def _repr_html_(self) -> str:
        return summary(self)
