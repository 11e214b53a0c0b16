"""NumPy as it is where long double is double, as on Apple silicon: it calls float64 and longdouble equal.

`install()` before hessorbit is imported rewrites each comparison of the package (==, !=, in, not in) so that both
dtypes are equal, and has conversions from longdouble to float64 leave the array in the dtype it had: NumPy may, where
dtypes are equal. (It may in the other direction too; the compiled modules take either there, but not here.) Told
apart are the scalar types alone, and dtypes by `is`.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

import numpy as np

SAME = {np.float64, np.longdouble}


def equal(a: Any, b: Any) -> Any:
    if isinstance(a, np.dtype) or isinstance(b, np.dtype):
        try:
            return a == b or {np.dtype(a).type, np.dtype(b).type} <= SAME
        except TypeError:
            return False
    return a == b


def among(a: Any, group: Any) -> bool:
    if isinstance(a, np.dtype) and not isinstance(group, str):
        return any(equal(a, each) for each in group)
    return a in group


def kept(before: Any, after: Any) -> Any:
    """The numbers of a conversion to float64 in the dtype from before it, if that was longdouble."""
    if isinstance(before, np.ndarray) and before.dtype.type is np.longdouble and after.dtype.type is np.float64:
        return after.astype(before.dtype)
    return after


def astype(array: Any, *arguments: Any, **keywords: Any) -> Any:
    return kept(array, array.astype(*arguments, **keywords))


class Numpy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if name in ("asarray", "ascontiguousarray", "asanyarray", "require"):
            return lambda array, *arguments, **keywords: kept(array, found(array, *arguments, **keywords))
        return found


class Rewrite(ast.NodeTransformer):
    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) > 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            return node
        function = {ast.Eq: "_equal", ast.NotEq: "_unequal"}.get(type(node.ops[0]), "_among")
        call: ast.expr = ast.Call(ast.Name(function, ast.Load()), [node.left, node.comparators[0]], [])
        if isinstance(node.ops[0], ast.NotIn):
            call = ast.UnaryOp(ast.Not(), call)
        return ast.copy_location(call, node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        lazy = any(word.arg == "copy" for word in node.keywords)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "astype" and lazy:
            node.args.insert(0, node.func.value)
            node.func = ast.copy_location(ast.Name("_astype", ast.Load()), node.func)
        return node


class Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data: Any, path: Any, **_: Any) -> Any:
        return compile(ast.fix_missing_locations(Rewrite().visit(ast.parse(data))), path, "exec", dont_inherit=True)

    def get_code(self, fullname: str) -> Any:  # not from the cache of compiled files, nor into it
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if getattr(module, "np", None) is np:
            vars(module)["np"] = Numpy("numpy")


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name.partition(".")[0] != "hessorbit":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def unequal(a: Any, b: Any) -> Any:
    if isinstance(a, np.dtype) or isinstance(b, np.dtype):
        return not equal(a, b)
    return a != b


def install() -> None:
    vars(builtins).update(_equal=equal, _unequal=unequal, _among=among, _astype=astype)
    sys.meta_path.insert(0, Finder())
