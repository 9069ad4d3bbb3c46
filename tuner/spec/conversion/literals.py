"""The values of plain Python expressions, without running anything: literals, constants of the file, arithmetic."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "exp": math.exp,
    "sqrt": math.sqrt,
}
_LARGEST = 1e15
_MOST_VALUES = 1000
_DEEPEST = 50


class NotPlain(Exception):
    """An expression whose value cannot be told without running the program."""


class Literals:
    """Evaluates expressions of one file; names are its constants: assigned once, to a plain expression."""

    def __init__(self, tree: ast.AST) -> None:
        assigned: dict[str, list[ast.expr | None]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                is_one = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
                for name in (each for target in node.targets for each in _names(target)):
                    assigned.setdefault(name, []).append(node.value if is_one else None)
            elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For | ast.NamedExpr):
                value = node.value if isinstance(node, ast.AnnAssign) else None
                for name in _names(node.target):
                    assigned.setdefault(name, []).append(value)
            elif isinstance(node, ast.arg):
                assigned.setdefault(node.arg, []).append(None)
        self._constants: Mapping[str, ast.expr] = {
            name: values[0] for name, values in assigned.items() if len(values) == 1 and values[0] is not None
        }

    def value(self, node: ast.expr, depth: int = 0) -> Any:
        """The value of an expression.

        Raises:
            NotPlain: it depends on what the program does.
        """
        if depth > _DEEPEST:
            raise NotPlain
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str()):
                return node.value
            case ast.List() | ast.Tuple() | ast.Set():
                return [self.value(each, depth + 1) for each in node.elts]
            case ast.Dict():
                return {self.value(key, depth + 1): self.value(value, depth + 1) for key, value in _items(node)}
            case ast.Name():
                if node.id not in self._constants:
                    raise NotPlain
                return self.value(self._constants[node.id], depth + 1)
            case ast.UnaryOp(op=ast.USub()):
                return -self._number(node.operand, depth)
            case ast.BinOp():
                return self._arithmetic(node, depth)
            case ast.Call():
                return self._called(node, depth)
        raise NotPlain

    def resolved(self, node: ast.expr) -> ast.expr:
        """The expression that a constant's name stands for; any other expression as it is."""
        for _ in range(_DEEPEST):
            if not (isinstance(node, ast.Name) and node.id in self._constants):
                break
            node = self._constants[node.id]
        return node

    def _number(self, node: ast.expr, depth: int) -> Any:
        value = self.value(node, depth + 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            raise NotPlain
        return value

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Any:
        left, right = self._number(node.left, depth), self._number(node.right, depth)
        apply = _OPERATORS.get(type(node.op))
        if apply is None or (apply is operator.pow and abs(right) > 100):
            raise NotPlain
        try:
            value = apply(left, right)
        except (ArithmeticError, ValueError):
            raise NotPlain from None
        if isinstance(value, complex) or not abs(value) <= _LARGEST:
            raise NotPlain
        return value

    def _called(self, node: ast.Call, depth: int) -> Any:
        """list, tuple, range, and functions of one number such as math.log and np.log."""
        name = called(node)
        if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            raise NotPlain
        if name in ("list", "tuple", "sorted") and len(node.args) == 1:
            value = self.value(node.args[0], depth + 1)
            if isinstance(value, list):
                return sorted(value) if name == "sorted" and all(type(v) is type(value[0]) for v in value) else value
        if name == "range" and 1 <= len(node.args) <= 3:
            bounds = [self._number(each, depth) for each in node.args]
            if all(isinstance(each, int) for each in bounds) and bounds[2:] != [0]:
                values = range(*bounds)
                if len(values) <= _MOST_VALUES:
                    return list(values)
        if name in _FUNCTIONS and len(node.args) == 1:
            try:
                return _FUNCTIONS[name](self._number(node.args[0], depth))
            except (ArithmeticError, ValueError):
                raise NotPlain from None
        if name in ("int", "float") and len(node.args) == 1:
            return {"int": int, "float": float}[name](self._number(node.args[0], depth))
        raise NotPlain


def called(node: ast.Call) -> str:
    """The last name of what is called: `f` of `a.b.f(…)`; empty for anything else."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def written(node: ast.AST) -> str:
    """Code as text, on one line and not too long."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _items(node: ast.Dict) -> list[tuple[ast.expr, ast.expr]]:
    if None in node.keys:
        raise NotPlain  # **other
    return [(key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None]


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
