"""What a forward writes out with elementary functions, such as x * torch.sigmoid(x), as formulas (formulas.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import formulas
from .formulas import Formula, Unknown

if TYPE_CHECKING:
    from torch import fx

# Functions and methods of torch and of operators, by their names, and the names of the arguments after the first.
OPERATIONS: dict[str, tuple[Callable[..., Formula], tuple[str, ...]]] = {
    "add": (lambda x, y: x + y, ("other",)),
    "sub": (lambda x, y: x - y, ("other",)),
    "rsub": (lambda x, y: y - x, ("other",)),
    "mul": (lambda x, y: x * y, ("other",)),
    "div": (lambda x, y: x / y, ("other",)),
    "neg": (lambda x: -x, ()),
    "reciprocal": (lambda x: 1.0 / x, ()),
    "pow": (formulas.power, ("exponent",)),
    "square": (lambda x: formulas.power(x, 2), ()),
    "abs": (formulas.absolute, ()),
    "exp": (formulas.exp, ()),
    "expm1": (lambda x: formulas.exp(x) - 1.0, ()),
    "log": (formulas.log, ()),
    "log1p": (lambda x: formulas.log(1.0 + x), ()),
    "logaddexp": (lambda x, y: formulas.log(formulas.exp(x) + formulas.exp(y)), ("other",)),
    "logsigmoid": (lambda x: formulas.log(formulas.sigmoid(x)), ()),
    "erf": (formulas.erf, ()),
    "maximum": (formulas.maximum, ("other",)),
    "minimum": (formulas.minimum, ("other",)),
    "clamp": (formulas.clip, ("min", "max")),
    "clamp_min": (formulas.maximum, ("min",)),
    "clamp_max": (formulas.minimum, ("max",)),
    "where": (formulas.choice, ("input", "other")),
    "gt": (formulas.above, ("other",)),
    "ge": (formulas.above, ("other",)),
    "lt": (lambda x, y: formulas.above(y, x), ("other",)),
    "le": (lambda x, y: formulas.above(y, x), ("other",)),
    "zeros_like": (lambda x: 0.0 * x, ()),
    "ones_like": (lambda x: 0.0 * x + 1.0, ()),
    "float": (lambda x: x, ()),
    "double": (lambda x: x, ()),
}
OTHER_NAMES = {
    "truediv": "div", "divide": "div", "true_divide": "div", "multiply": "mul", "subtract": "sub", "negative": "neg",
    "absolute": "abs", "special_expm1": "expm1", "special_log1p": "log1p", "log_sigmoid": "logsigmoid",
    "special_erf": "erf", "max": "maximum", "min": "minimum", "clip": "clamp", "greater": "gt", "greater_equal": "ge",
    "less": "lt", "less_equal": "le",
}  # fmt: skip


class Writing:
    """What a node and those before it compute of one tensor, with elementary functions and activations alone.

    Parameters
    ----------
    name : callable
        Names the function of a node.
    activation : callable
        Returns the activation that a node calls, None if it is none.
    constant : callable
        Returns the number that a node holds, None if it is none.
    """

    def __init__(
        self,
        name: Callable[[fx.Node], str],
        activation: Callable[[fx.Node], str | None],
        constant: Callable[[fx.Node], float | None],
    ) -> None:
        self.name, self.activation, self.constant = name, activation, constant
        self.base: fx.Node | None = None
        self.known: dict[fx.Node, Formula | float] = {}

    def formula(self, node: Any) -> Any:
        """Returns the formula of a node, or a number as it is. The first that is no formula is z, and the only one."""
        from torch import fx

        if not isinstance(node, fx.Node):
            if isinstance(node, int | float):
                return node
            raise Unknown
        if node not in self.known:
            self.known[node] = self.made(node)
        return self.known[node]

    def made(self, node: fx.Node) -> Formula | float:
        value = self.constant(node)
        if value is not None:
            return value
        activation = self.activation(node)
        if activation is not None:
            return formulas.formula_of(activation, self.formula(node.args[0] if node.args else node.kwargs["input"]))
        called = self.called(node)
        if called is not None:
            function, arguments = called
            return function(*map(self.formula, arguments))
        if self.base not in (None, node):
            raise Unknown
        self.base = node
        return Formula.variable()

    def called(self, node: fx.Node) -> tuple[Callable[..., Formula], list[Any]] | None:
        name = self.name(node)
        function, names = OPERATIONS.get(OTHER_NAMES.get(name, name), (None, ()))
        if function is None or node.op not in ("call_function", "call_method"):
            return None
        given = {**dict(zip(("first", *names), node.args, strict=False)), **node.kwargs}
        first = given.pop("first", given.pop("input", None) if "input" not in names else None)
        if first is None or set(given) - set(names) or len(node.args) > 1 + len(names):
            raise Unknown
        if node.op == "call_method" and name == "where":
            raise Unknown
        arguments = [given.get(each) for each in names]
        while arguments and arguments[-1] is None:
            arguments.pop()
        return function, [first, *arguments]


def written_out(last: fx.Node, *tell: Any) -> tuple[fx.Node, list[fx.Node], str] | None:
    """Returns the tensor that an activation is of, its nodes and its name, where it is written out up to `last`."""
    writing = Writing(*tell)
    try:
        found = writing.formula(last)
        name = formulas.named(found) if isinstance(found, Formula) else None
    except (Unknown, TypeError, RecursionError):
        return None
    if name is None or writing.base is None or writing.base is last:
        return None
    return writing.base, [node for node in writing.known if node is not writing.base], name
