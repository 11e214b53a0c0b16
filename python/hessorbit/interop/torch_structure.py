"""The layers of a torch module in the order in which they act, by what it is made of.

A layer has the forward of torch's own class. A module around layers has either that of `nn.Sequential` or one of its
own, which `torch.fx` follows: from its output back to its input there are calls of what it contains, of torch's
activations, as functions or written out (torch_formulas.py), and changes of shape and type, each of the one before
alone. Whatever else a forward does is refused, as random inputs do not reach everything. Hooks, and a forward that was
put into one object, can do anything.
"""

from __future__ import annotations

import copy
import operator
import traceback
from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .agreement import defined_by
from .torch_activations import EXACT_THRESHOLD, OTHER_NAMES, activation_of, kind_of
from .torch_formulas import written_out

if TYPE_CHECKING:
    from torch import fx, nn

# Functions and methods of torch, without what they say of acting in place: the module that does the same, and the
# options of both in the order of the function's arguments.
FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "relu": ("ReLU", ()),
    "tanh": ("Tanh", ()),
    "sigmoid": ("Sigmoid", ()),
    "special_expit": ("Sigmoid", ()),
    "silu": ("SiLU", ()),
    "softsign": ("Softsign", ()),
    "selu": ("SELU", ()),
    "leaky_relu": ("LeakyReLU", ("negative_slope",)),
    "gelu": ("GELU", ("approximate",)),
    "softplus": ("Softplus", ("beta", "threshold")),
    "elu": ("ELU", ("alpha",)),
    "celu": ("CELU", ("alpha",)),
    "softmax": ("Softmax", ("dim",)),
    "log_softmax": ("LogSoftmax", ("dim",)),
    "dropout": ("Dropout", ("p", "training")),
    "alpha_dropout": ("AlphaDropout", ("p", "training")),
    "feature_alpha_dropout": ("FeatureAlphaDropout", ("p", "training")),
}
# Functions that torch has no module for: hessorbit's names, and those of powers by their exponents.
OTHER_NAMES_OF_FUNCTIONS = {"sin": "sin", "cos": "cos", "exp": "exp", "square": "square", "special_ndtr": "normal_cdf"}
OTHER_NAMES_OF_POWERS: dict[float, str] = {2: "square", 3: "cube"}
# What changes no more than shape and type, and what tells no more of a tensor; both as methods or functions.
HARMLESS = ("view", "reshape", "flatten", "squeeze", "unsqueeze", "contiguous", "clone", "detach", "to", "type",
            "float", "double", "half", "bfloat16", "cpu", "atleast_2d", "getitem", "getattr")  # fmt: skip
MEASURES = ("size", "dim", "numel")
MEASURED = ("shape", "ndim", "dtype", "device")  # attributes
IN_PLACE = ("iadd", "iand", "ifloordiv", "ilshift", "imatmul", "imod", "imul", "ior", "ipow", "irshift", "isub",
            "itruediv", "ixor")  # fmt: skip
CALLS = ("__call__", "_wrapped_call_impl", "_call_impl")  # what calls a forward
REMEDY = "pass a module whose forward calls its layers and does nothing else, such as an nn.Sequential"

# Where it is, and a module of torch's, or hessorbit's name of a function that torch has no module for.
Layer = tuple[str, "nn.Module | str"]


def layers_of(module: nn.Module, path: str = "") -> Iterator[Layer]:
    """Yields the modules of torch's own that a module calls one after the other, each behind its name in messages.

    Raises
    ------
    ValueError
        If the module may do anything else.
    """
    from torch import fx, jit, nn

    inside = held(module)
    if inside is not None:
        yield from layers_of(inside, path)
        return
    kind = type(module).__name__
    where = f"{kind} at {path!r}" if path else kind
    if isinstance(module, jit.ScriptModule):
        raise ValueError(f"{where} is TorchScript, which does not tell its layers: pass the module that it was made of")
    if nn.utils.parametrize.is_parametrized(module):
        raise ValueError(
            f"{where} computes its {', '.join(module.parametrizations)} from other parameters, and so has other "
            f"derivatives: torch.nn.utils.parametrize.remove_parametrizations makes parameters of what it computes"
        )
    if any(type(each).__name__.startswith("Uninitialized") for each in module._parameters.values()):
        raise ValueError(f"{where} has no weights yet: call the module once, so that it learns its inputs")
    if module._forward_hooks or module._forward_pre_hooks:
        raise ValueError(
            f"{where} has hooks, which may change what it computes: remove them first, as remove_weight_norm, "
            f"remove_spectral_norm and prune.remove of torch.nn.utils do with theirs"
        )
    if "forward" in vars(module):
        raise ValueError(
            f"{where} has a forward that is not torch's but its object's own, and may compute anything: {REMEDY}"
        )
    if any(defined_by(type(module), method) != "torch" for method in CALLS):
        raise ValueError(f"{where} is called in a way of its own, not by its forward alone: {REMEDY}")
    if defined_by(type(module), "forward") != "torch" or isinstance(module, fx.GraphModule):
        for node, written in chain(module, where):
            if written:
                yield f"{name_of(node)} in {where}", written
            elif node.op == "call_module":
                yield from layers_of(module.get_submodule(str(node.target)), joined(path, str(node.target)))
            elif name_of(node) in FUNCTIONS:
                yield f"{name_of(node)} in {where}", equal_module(node)
            elif plain := plain_function(node):
                yield f"{name_of(node)} in {where}", plain
    elif isinstance(module, nn.Sequential):
        # Not named_children, which leaves out what occurs a second time.
        for name, child in module._modules.items():
            if child is not None:
                yield from layers_of(child, joined(path, name))
    else:
        yield where, module


def held(module: nn.Module) -> nn.Module | None:
    """Returns the module that one of torch's own wrappers hands its inputs to: on several devices, or compiled."""
    from torch import nn

    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return module.module if defined_by(type(module), "forward") == "torch" else None
    kind = type(module)
    compiled = kind.__name__ == "OptimizedModule" and kind.__module__.partition(".")[0] == "torch"
    return module._modules["_orig_mod"] if compiled else None


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def chain(module: nn.Module, where: str) -> list[tuple[fx.Node, str]]:
    """Returns what a module's forward does, in order, if each step takes what the one before it gives alone.

    With the last node of an activation that is written out comes its name.
    """
    from torch import fx

    graph, root = graph_of(module, where)

    def activation(node: fx.Node) -> str | None:
        return activation_at(node, root, where)

    def constant(node: fx.Node) -> float | None:
        return constant_at(node, root)

    result = next(node for node in graph.nodes if node.op == "output").args[0]
    if not isinstance(result, fx.Node):
        raise ValueError(f"{where} returns {result!r}; expected one tensor: {REMEDY}")
    steps: list[tuple[fx.Node, str]] = []
    seen: set[fx.Node] = set()
    while result.op != "placeholder":
        before, nodes, name = source(result), [result], ""
        if before is None:
            written = written_out(result, name_of, activation, constant)
            if written is None:
                raise refusal(where, result)
            before, nodes, name = written
        steps.append((result, name))
        seen.update(nodes)
        result = before
    for node in graph.nodes:
        if node not in seen and (node.op == "call_module" or writes(node)):
            raise refusal(where, node, ", which its outputs do not come from")
    return steps[::-1]


def activation_at(node: fx.Node, root: nn.Module, where: str) -> str | None:
    """Returns the activation that a node calls alone, not in place; None if it does something else."""
    if writes(node) or len(node.all_input_nodes) != 1:
        return None
    if node.op == "call_module":
        at = str(node.target)
        layers = list(layers_of(root.get_submodule(at), at))
        if len(layers) != 1:
            return None
        layer = layers[0][1]
    elif name_of(node) in FUNCTIONS:
        layer = equal_module(node)
    else:
        return plain_function(node) or None
    if isinstance(layer, str):
        return layer
    kind = kind_of(layer)
    cut = getattr(layer, "threshold", EXACT_THRESHOLD) < EXACT_THRESHOLD
    if kind not in OTHER_NAMES or getattr(layer, "inplace", False) or cut:
        return None
    return activation_of(layer, kind, f"{name_of(node)} in {where}")


def constant_at(node: fx.Node, root: nn.Module) -> float | None:
    """Returns the number that a forward or its module holds as a tensor, and trains not."""
    from torch import nn

    if node.op != "get_attr":
        return None
    owner, _, name = str(node.target).rpartition(".")
    found: Any = getattr(root.get_submodule(owner), name, None)
    plain = found is not None and not isinstance(found, nn.Parameter) and found.numel() == 1 and found.dim() < 2
    return float(found) if plain else None


def refusal(where: str, node: fx.Node, more: str = "") -> ValueError:
    call = ", ".join([*map(str, node.args), *(f"{name}={value}" for name, value in node.kwargs.items())])
    what = f"read {node.target}" if node.op == "get_attr" else f"{name_of(node)}({call})"
    return ValueError(
        f"{where} does more than call torch's layers and activations one after the other, such as {what}{more}: "
        f"{REMEDY}"
    )


def source(node: fx.Node) -> fx.Node | None:
    """Returns the tensor that a step of a chain takes; None if the node is no such step."""
    from torch import fx

    first = node.args[0] if node.args else node.kwargs.get("input")
    if not isinstance(first, fx.Node):
        return None
    others = [each for each in node.all_input_nodes if each is not first]
    if node.op == "call_module":
        known = len(node.args) + len(node.kwargs) == 1
    elif name_of(node) in FUNCTIONS or plain_function(node):
        known = not others
    else:
        known = name_of(node) in HARMLESS and all(value_free(each) for each in others)
    return first if known else None


def name_of(node: fx.Node) -> str:
    """Returns the name of a function or method of torch or of operators, and of a module as it is called."""
    target: Any = node.target
    if isinstance(target, str):
        return target.removesuffix("_") if node.op == "call_method" and is_activation(target) else target
    name = str(getattr(target, "__name__", target))
    package = str(getattr(target, "__module__", None)).partition(".")[0]
    if package not in ("None", "torch", "builtins", "_operator"):
        return f"{package}.{name}"
    return name.removesuffix("_") if is_activation(name) else name


def is_activation(name: str) -> bool:
    return name.removesuffix("_") in {**FUNCTIONS, **OTHER_NAMES_OF_FUNCTIONS, "pow": ""}


def plain_function(node: fx.Node) -> str:
    """Returns hessorbit's name of a function that torch has no module for; empty if it is none."""
    if name_of(node) == "pow":
        exponent = node.args[1] if len(node.args) == 2 else node.kwargs.get("exponent")
        return OTHER_NAMES_OF_POWERS.get(exponent, "") if isinstance(exponent, int | float) else ""
    return OTHER_NAMES_OF_FUNCTIONS.get(name_of(node), "")


def value_free(node: fx.Node) -> bool:
    """Whether a node depends on shapes and types only, not on values."""
    if node.op not in ("call_method", "call_function"):
        return False
    if name_of(node) in MEASURES or (name_of(node) == "getattr" and node.args[1] in MEASURED):
        return True
    operators = getattr(node.target, "__module__", None) == "_operator"
    return operators and all(value_free(each) for each in node.all_input_nodes)


def writes(node: fx.Node) -> bool:
    """Whether a node may change a tensor in place, as torch tells by names and options, and `graph_of` by operators."""
    target: Any = node.target
    if node.op not in ("call_method", "call_function"):
        return False
    if getattr(target, "__module__", None) == "_operator" and not value_free(node):
        name = name_of(node).rstrip("_")
        return name == "setitem" or name in IN_PLACE or f"i{name}" in IN_PLACE
    name = target if isinstance(target, str) else str(getattr(target, "__name__", target))
    others = "." in name_of(node)  # a function of another package
    return others or name.endswith("_") or "out" in node.kwargs or bool(node.kwargs.get("inplace"))


def equal_module(node: fx.Node) -> nn.Module:
    """Returns the module that does what a call of one of the functions does."""
    from torch import nn

    kind, names = FUNCTIONS[name_of(node)]
    given: dict[str, Any] = {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}
    training = given.pop("training", given.get("train", False))
    module: nn.Module = getattr(nn, kind)(**{name: given[name] for name in names if name in given})
    return module.train(training)


def graph_of(module: nn.Module, where: str) -> tuple[fx.Graph, nn.Module]:
    """Returns what a module's forward does with one argument, what it contains being called as a whole.

    Beside it comes the module in which the graph's names are found.
    """
    from torch import fx

    def in_place(name: str) -> Any:
        def write(self: fx.Proxy, other: Any) -> Any:
            return self.tracer.create_proxy("call_function", getattr(operator, name), (self, other), {})

        return write

    # To torch's own proxies, += is +.
    Proxy = type("Proxy", (fx.Proxy,), {f"__{name}__": in_place(name) for name in IN_PLACE})

    class Tracer(fx.Tracer):  # type: ignore[misc]
        def proxy(self, node: fx.Node) -> fx.Proxy:
            return Proxy(node, self)

        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return True

    given = {each.name: each.default for each in list(signature(type(module).forward).parameters.values())[2:]
             if each.default is not Parameter.empty}  # fmt: skip
    root = copy.copy(module)  # as a forward may keep what it computed in an attribute
    try:
        return Tracer().trace(root, concrete_args=given), root
    except Exception as error:  # whatever a forward raises without numbers
        reason = str(error).partition("\n")[0].partition(". ")[0]
        lines = [each.line for each in traceback.extract_tb(error.__traceback__)[1:] if not of_torch(each.filename)]
        line = f" in its line {lines[-1]!r}" if lines and lines[-1] else ""
        raise ValueError(f"{where} has a forward that torch.fx cannot follow{line} ({reason}): {REMEDY}") from error


def of_torch(file: str) -> bool:
    import torch

    return Path(file).is_relative_to(Path(torch.__file__).parent)
