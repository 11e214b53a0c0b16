"""Networks from torch and to it.

A module is taken apart into the layers that its forward calls (torch_structure.py), and the network put together of
them is then compared with the module on random inputs. All of it happens in float64, which holds float32 exactly; a
forward that asks for another type is evaluated in its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _extras, activations
from .._checks import Array
from .._words import number_of
from ..network import DEFAULT_OUTPUT, MLP
from .agreement import check_outputs
from .layers import Affine, Elementwise, Link, Part, affine, assemble, given_activations
from .multipliers import standard_layers, uniform_activations
from .state_dict import layers_by_name
from .torch_activations import EXACT_THRESHOLD, LEAST_THRESHOLD, OTHER_NAMES, activation_of, kind_of
from .torch_structure import REMEDY, Layer, held, layers_of

if TYPE_CHECKING:
    from torch import nn

LINK_NAMES = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}
DROPOUTS = ("Dropout", "AlphaDropout", "FeatureAlphaDropout", "Dropout1d", "Dropout2d", "Dropout3d")


def from_torch(
    module: nn.Module | Mapping[str, Any],
    *,
    logits: bool = False,
    activation: str | list[str] | None = None,
    output_activation: str = DEFAULT_OUTPUT,
    layers: Sequence[str] | None = None,
) -> tuple[MLP, Array]:
    """Returns the network and the parameters of a torch module.

    Parameters
    ----------
    module : torch.nn.Module or state dict
        An ``nn.Sequential`` of ``Linear``, activations, ``Flatten``, ``Identity`` and ``Dropout`` in evaluation mode,
        nested or not; or a module whose forward calls such layers, or activations of ``torch`` and
        ``torch.nn.functional``, one after the other, and does nothing else; activations may be written out, such as
        ``x * torch.sigmoid(x)``. Or the state dict of such a module, which
        does not tell activations.
    logits : bool
        Whether to leave out a softmax, log-softmax, sigmoid or exponential on the outputs, as the losses here take
        logits and logarithms of rates.
    activation, output_activation : str or list of str
        Of a state dict: as in `MLP`.
    layers : sequence of str, optional
        Of a state dict: names of the layers in their order. By default they act in the order of its entries, as torch
        makes them; where they were sorted, as safetensors does, in the only order in which their shapes fit together,
        names that differ in their numbers alone being in the order of these.

    Returns
    -------
    net : MLP
    theta : ndarray, shape (P,)
        Exact in float64, in the order in which layers act: that of ``torch.nn.utils.parameters_to_vector``, unless a
        module stores its layers in another order than its forward calls them.

    Raises
    ------
    TypeError, ValueError
        If the module contains something else, which the message names, or computes something else than its layers do
        one after the other. With a state dict nothing can be compared.

    Notes
    -----
    Outputs are compared on 64 random inputs, up to rounding. Beyond these, layers must have the forward of torch's own
    classes, without hooks, and modules around them one that ``torch.fx`` can follow from its output to its input, each
    step taking what the one before it gives alone: layers, activations, and changes of shape and type. Arithmetic, a
    clamp and the like have to be an activation by their formula, in exact arithmetic. A residual connection and all
    else are refused by name, whether or not random inputs show them.

    A layer that is called twice, or whose weights another one has too, is refused: θ would have them twice, and
    derivatives by it would not be those by torch's parameters.

    Examples
    --------
    >>> import torch
    >>> import hessorbit as ho
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    >>> net, theta = ho.interop.from_torch(module)
    >>> net
    MLP([2, 3, 1], 'tanh')
    >>> x = torch.rand(5, 2)
    >>> bool((abs(net(theta, x.numpy()) - module(x).detach().numpy()) < 1e-6).all())
    True
    """
    _extras.need("torch", "from_torch")
    import torch

    if isinstance(module, Mapping):
        return from_state_dict(module, activation, output_activation, layers, logits=logits)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module or a state dict; got {_checks.with_article(type(module))}")
    if activation is not None or output_activation != DEFAULT_OUTPUT or layers is not None:
        raise ValueError("activation, output_activation and layers are for state dicts; a module has its own")
    while (inside := held(module)) is not None:
        module = inside
    what = f"the module {type(module).__name__}"
    called = list(layers_of(module))
    parts = [part for where, layer in called if (part := part_of(layer, where)) is not None]
    net, theta, link = assemble(parts, what, logits=logits)
    check_parameters(module, called, net.num_parameters, what)
    slack = np.exp(-LEAST_THRESHOLD) if any(isinstance(layer, torch.nn.Softplus) for _, layer in called) else 0.0
    check_outputs(net, theta, evaluation(module), what, link=link, activation_error=slack)
    return net, theta


def evaluation(module: nn.Module) -> Any:
    """Returns the module as a function of samples, on the CPU and in float64, or else its own type, unchanged."""
    import torch

    own = next((each.dtype for each in module.parameters()), torch.float64)

    def evaluated(x: Array, dtype: torch.dtype) -> Array:
        tensors = [*module.named_parameters(), *module.named_buffers()]
        state = {name: each.detach().to("cpu", dtype if each.is_floating_point() else None) for name, each in tensors}
        with torch.no_grad(), uncompiled():
            return np.asarray(torch.func.functional_call(module, state, (torch.from_numpy(x).to(dtype),)).cpu())

    def answer(x: Array) -> Array:
        try:
            return evaluated(x, torch.float64)
        except RuntimeError:
            return evaluated(x, own)

    return answer


def uncompiled() -> AbstractContextManager[Any]:
    """Lets modules that torch.compile made, which a module may contain, run without being compiled."""
    import torch

    loaded = "torch._dynamo" in sys.modules  # else there are none, and it takes seconds to load
    return torch.compiler.set_stance("force_eager") if loaded else nullcontext()


def check_parameters(module: nn.Module, layers: Sequence[Layer], count: int, what: str) -> None:
    """Refuses layers that have parameters in common, and parameters that are none of the layers' weights and biases."""
    owners: dict[int, str] = {}
    for where, layer in layers:
        for each in () if isinstance(layer, str) else layer.parameters():
            if id(each) in owners:
                other = owners[id(each)]
                both = f"{where} is called twice" if where == other else f"{other} and {where} have the same parameters"
                raise ValueError(f"{both}: layers here share none; give each its own, as copy.deepcopy does")
            owners[id(each)] = where
    unused = [name for name, each in module.named_parameters() if id(each) not in owners]
    if unused:
        raise ValueError(f"{what} has parameters that no layer it calls has, {', '.join(unused)}: delete them first")
    stored = sum(each.numel() for each in module.parameters())
    if stored != count:
        raise ValueError(
            f"{what} has {number_of(stored, 'parameter')}, its layers of weights {count}: layers here have no others; "
            f"torch.nn.utils.parametrize.remove_parametrizations undoes weight_norm and the like"
        )


def part_of(layer: nn.Module | str, where: str) -> Part | None:
    """Returns what a layer of torch's own does; None if that is nothing."""
    from torch import nn

    if isinstance(layer, str):
        return Elementwise(layer, where)
    kind = kind_of(layer)
    if getattr(type(layer), "forward", None) is nn.Linear.forward:
        stored = layer._parameters
        if any(stored.get(name) is not getattr(layer, name) for name in ("weight", "bias")):
            raise ValueError(f"{where} computes its weight or bias, or keeps it as no parameter: {REMEDY}")
        return linear(layer.weight, layer.bias, where)
    if kind in DROPOUTS and layer.training and layer.p:
        raise ValueError(
            f"{where} is in training mode, where it is random: call module.eval() first, and give functions "
            f"training=self.training"
        )
    if kind in DROPOUTS or (isinstance(layer, nn.Flatten) and layer.start_dim == 1 and layer.end_dim == -1):
        return None
    if kind in LINK_NAMES and layer.dim in (-1, 1, None):
        return Link(LINK_NAMES[kind], where)
    if kind in OTHER_NAMES:
        return Elementwise(activation_of(layer, kind, where), where)
    if kind.startswith("BatchNorm"):
        raise ValueError(
            f"{where} is no layer that hessorbit has; after a Linear, and in evaluation, "
            f"torch.nn.utils.fusion.fuse_linear_bn_eval puts it into the weights"
        )
    known = f"nn.Linear, nn.Flatten, nn.Dropout, nn.{', nn.'.join(OTHER_NAMES)}"
    raise ValueError(f"{where} is no layer that hessorbit has; it has {known}")


def linear(weight: Any, bias: Any, where: str) -> Affine:
    for tensor in (weight, bias):
        if tensor is not None and (not tensor.is_floating_point() or tensor.is_meta):
            raise TypeError(f"{where} must have weights of real numbers; got {tensor.dtype} on {tensor.device}")
        if tensor is not None and str(tensor.layout) != "torch.strided":
            raise TypeError(f"{where} must have dense weights; got {tensor.layout}: make them so by to_dense()")
    return affine(numbers(weight), numbers(bias), where)


def numbers(tensor: Any) -> Any:
    """Returns a tensor in float64 as an array, None as it is."""
    import torch

    return None if tensor is None else tensor.detach().to("cpu", torch.float64).numpy()


def from_state_dict(
    state: Mapping[str, Any],
    activation: Any,
    output_activation: str,
    layers: Sequence[str] | None,
    *,
    logits: bool,
) -> tuple[MLP, Array]:
    """Returns network and parameters of weights by name, whose activations are told beside them."""
    import torch

    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor):
            got = _checks.with_article(type(tensor))
            raise ValueError(
                f"the state dict has an entry {name!r} ({got}); expected weights and biases, each a tensor of torch"
            )
    maps = layers_by_name(state, linear, layers, "the state dict")
    if logits:
        raise ValueError("logits is for modules; a state dict does not tell what makes probabilities of the outputs")
    net, theta, _ = assemble(given_activations(maps, activation, output_activation), "the state dict")
    return net, theta


def to_torch(net: MLP, theta: ArrayLike) -> nn.Sequential:
    """Returns an ``nn.Sequential`` in float64 that computes what a network does.

    Parameters
    ----------
    net : MLP
        With one activation per layer, among those that torch has as modules.
    theta : array_like, shape (P,)

    Returns
    -------
    torch.nn.Sequential
        Of ``Linear`` layers and activations; ``.float()`` rounds it to torch's usual precision. The multipliers of a
        parametrization are in its weights.

    Raises
    ------
    TypeError, ValueError
        If net is not an MLP, theta is not one finite parameter vector in float64, or torch has no module for an
        activation or for layers whose neurons differ in theirs.

    Examples
    --------
    >>> import hessorbit as ho
    >>> ho.interop.to_torch(ho.MLP([1, 2, 1], "gelu"), [1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 5.0])
    Sequential(
      (0): Linear(in_features=1, out_features=2, bias=True)
      (1): GELU(approximate='none')
      (2): Linear(in_features=2, out_features=1, bias=True)
    )
    """
    _checks.instance(net, MLP, "net")
    names = [module_name(name) for name in uniform_activations(net, "torch")]
    _extras.need("torch", "to_torch")
    from torch import nn

    modules: list[nn.Module] = []
    for (weights, biases), (kind, options) in zip(standard_layers(net, theta), names, strict=True):
        modules += [linear_module(weights, biases), getattr(nn, kind)(**options)]
    if isinstance(modules[-1], nn.Identity):
        modules.pop()
    result = nn.Sequential(*modules)
    check_outputs(net, np.asarray(theta, np.float64), evaluation(result), "the module made")
    return result


def linear_module(weights: Array, biases: Array | None) -> nn.Module:
    import torch

    layer = torch.nn.Linear(weights.shape[1], len(weights), bias=biases is not None, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        if biases is not None:
            layer.bias.copy_(torch.from_numpy(biases))
    return layer


def module_name(activation: str) -> tuple[str, dict[str, float]]:
    """Returns torch's module for an activation, and its options."""
    kind, parameter = activations.split(activation)
    for module, ours in OTHER_NAMES.items():
        if ours == kind:
            options = {"threshold": EXACT_THRESHOLD} if module == "Softplus" else {}
            return module, {"negative_slope": parameter} if activations.defaults()[kind] is not None else options
    known = ", ".join(dict.fromkeys(OTHER_NAMES.values()))
    raise ValueError(f"torch has no module for the activation {activation!r}; it has them for {known}")
