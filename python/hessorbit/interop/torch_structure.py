"""Whether a torch module does nothing but its layers, by what it is made of: random inputs do not reach everything.

A layer has the forward of torch's own class. A module around layers may have its own, which `torch.fx` follows: between
its input and its output there is one call of what it contains, and changes of shape and type, whose effect does not
depend on values. Hooks, and a forward that was put into one object, can do anything.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from .agreement import defined_by

if TYPE_CHECKING:
    from torch import fx, nn

METHODS = ("view", "reshape", "flatten", "squeeze", "unsqueeze", "size", "dim", "contiguous", "clone", "detach",
           "to", "type", "float", "double", "half", "bfloat16", "cpu")  # fmt: skip
FUNCTIONS = ("flatten", "squeeze", "unsqueeze", "reshape", "clone", "detach")
REMEDY = "put what it does into one nn.Sequential of layers, and pass that"


def check_only_layers(chain: Iterable[tuple[str, nn.Module, str | None]]) -> None:
    """Refuses modules that may do more than their layers.

    Parameters
    ----------
    chain : iterable of (str, torch.nn.Module, str or None)
        The modules that act, each in words; of one around layers with a forward of its own also the name of the only
        one that it contains.

    Raises
    ------
    ValueError
    """
    for where, module, name in chain:
        if module._forward_hooks or module._forward_pre_hooks:
            raise ValueError(f"{where} has hooks, which may change what it computes: remove them first")
        if "forward" in vars(module) or (name is None and defined_by(type(module), "forward") != "torch"):
            raise ValueError(
                f"{where} has a forward that is not torch's, and may compute something else than its layers: {REMEDY}"
            )
        if name is not None and (more := next(others_than(module, name, where), None)):
            raise ValueError(f"{where} does more than call its {name!r}, such as {more}: {REMEDY}")


def others_than(module: nn.Module, name: str, where: str) -> Iterator[str]:
    """Yields what a module's outputs are made by beside one call of what it contains, and changes of shape and type."""
    output = next(node for node in graph_of(module, where).nodes if node.op == "output")
    left, seen, calls = list(output.all_input_nodes), set(), 0
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        left += node.all_input_nodes
        calls += node.op == "call_module" and node.target == name
        if not (node.op == "placeholder" or (node.op == "call_module" and node.target == name) or harmless(node)):
            yield getattr(node.target, "__name__", str(node.target))
    if calls != 1:
        yield f"to call it {calls} times"


def harmless(node: fx.Node) -> bool:
    """Whether a node changes no more than shape and type."""
    if node.op == "call_method":
        return node.target in METHODS
    if node.op != "call_function":
        return False
    function: Any = node.target
    return function in (operator.getitem, getattr) or (
        getattr(function, "__name__", "") in FUNCTIONS and str(getattr(function, "__module__", "")) in ("None", "torch")
    )


def graph_of(module: nn.Module, where: str) -> fx.Graph:
    """Returns what a module's forward does with one argument, what it contains being called as a whole."""
    from torch import fx

    class Tracer(fx.Tracer):  # type: ignore[misc]
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return True

    given = {each.name: each.default for each in list(signature(type(module).forward).parameters.values())[2:]
             if each.default is not Parameter.empty}  # fmt: skip
    try:
        return Tracer().trace(module, concrete_args=given)
    except Exception as error:  # whatever a forward raises without numbers
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{where} has a forward that torch.fx cannot follow ({reason}): {REMEDY}") from error
