"""Networks from the parameters of Flax, of its older interface, linen, and its newer one, nnx.

Parameters tell neither activations nor, by themselves, the order of layers, and a kernel that is square looks the same
when it is transposed. So activations are told beside them, layers are ordered as layers.py says, and `apply` lets the
outcome be compared with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import _checks
from .._checks import Array
from ..network import DEFAULT_OUTPUT, MLP
from .agreement import check_outputs
from .layers import Affine, affine, assemble, chain_of, given_activations


def from_flax(
    params: Mapping[str, Any] | Any,
    *,
    activation: str | Sequence[str] | None = None,
    output_activation: str = DEFAULT_OUTPUT,
    layers: Sequence[str] | None = None,
    apply: Callable[[Array], Any] | None = None,
) -> tuple[MLP, Array]:
    """Returns the network and the parameters of a Flax model.

    Parameters
    ----------
    params : mapping, nnx.State or nnx.Module
        Parameters of linen, with or without their collection ``"params"``, or of nnx: kernels (in, out) and biases of
        ``Dense`` or ``Linear`` layers, and nothing else.
    activation, output_activation : str or list of str
        As in `MLP`. Flax's ``nn.gelu`` is approximate by default, and so not ``"gelu"``.
    layers : sequence of str, optional
        Names of the layers in their order. By default that of the numbers at their ends, or the only one in which their
        shapes fit together.
    apply : callable, optional
        The model as a function of samples, (N, inputs) to (N, K), such as ``lambda x: model.apply(variables, x)``:
        then outputs are compared on random inputs, up to rounding. An nnx.Module brings its own.

    Returns
    -------
    net : MLP
    theta : ndarray, shape (P,)
        Exact in float64.

    Raises
    ------
    TypeError, ValueError
        If there are other parameters, which the message names, the order of layers is not clear, or outputs differ.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> params = {"Dense_0": {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}, "Dense_1": {"kernel": np.ones((3, 1))}}
    >>> net, theta = ho.interop.from_flax({"params": params}, activation="tanh")
    >>> net
    MLP([2, 3, 1], 'tanh', bias=[True, False])
    """
    tree, apply = taken_apart(params, apply)
    found: dict[str, Affine] = {}
    collect(tree, "", found)
    if not found:
        raise ValueError("params must hold kernels of dense layers; there are none")
    maps = chain_of(found, layers, "the parameters")
    net, theta, _ = assemble(given_activations(maps, activation, output_activation), "the model")
    if apply is not None:
        run = apply
        check_outputs(net, theta, lambda x: np.asarray(run(x.astype(np.float32))), "the model")
    return net, theta


def taken_apart(params: Any, apply: Callable[[Array], Any] | None) -> tuple[Mapping[Any, Any], Any]:
    """Returns nested mappings of arrays, and the function that computes outputs if there is one."""
    if isinstance(params, Mapping):
        inner = params.get("params")
        return (inner if isinstance(inner, Mapping) else params), apply
    kind = type(params)
    if kind.__module__.partition(".")[0] == "flax" or any(b.__module__.startswith("flax.nnx") for b in kind.__mro__):
        from flax import nnx

        if isinstance(params, nnx.Module):
            return nnx.to_pure_dict(nnx.state(params, nnx.Param)), apply or params
        if isinstance(params, nnx.State):
            return nnx.to_pure_dict(params), apply
    got = _checks.with_article(kind)
    raise TypeError(f"params must be a mapping of parameters, an nnx.State or an nnx.Module; got {got}")


def collect(tree: Mapping[Any, Any], path: str, found: dict[str, Affine]) -> None:
    """Puts the dense layers of nested mappings into `found`, by their paths."""
    here = path or "the parameters"
    leaves = {str(name): numbers(leaf) for name, leaf in tree.items() if not isinstance(leaf, Mapping)}
    if leaves:
        kernel, bias = leaves.pop("kernel", None), leaves.pop("bias", None)
        if leaves or kernel is None or kernel.ndim != 2 or (bias is not None and bias.ndim != 1):
            shapes = {**leaves, "kernel": kernel, "bias": bias}
            held = ", ".join(f"{name} {each.shape}" for name, each in shapes.items() if each is not None)
            raise ValueError(
                f"{here} must be a dense layer, with a kernel (in, out) and perhaps a bias (out,); it holds {held}"
            )
        found[path] = affine(kernel.T, bias, here)
    for name, inner in tree.items():
        if isinstance(inner, Mapping):
            collect(inner, f"{path}.{name}" if path else str(name), found)


def numbers(leaf: Any) -> Array:
    """Returns the array of a leaf, which may be boxed."""
    for unboxed in ("get_value", "unbox"):
        if callable(getattr(leaf, unboxed, None)):
            leaf = getattr(leaf, unboxed)()
            break
    return np.asanyarray(leaf)  # masked arrays stay so
