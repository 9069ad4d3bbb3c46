"""Expressions over named values, such as `val_loss + 0.1 * latency_ms`: a small grammar, which runs no code.

It has numbers, names, + - * / // % **, parentheses, min, max, abs, log, log10, exp and sqrt. A condition also has
comparisons, `in`, and, or, not, text, true, false and null; of a list sum, len, min, max and a value such as units[0].
Names with other characters than letters, digits and
underscores stand in backticks.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

CHARS_MAX = 500
"""Of a text: so its parts cannot be nested too deeply."""

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.In: lambda value, values: value in values, ast.NotIn: lambda value, values: value not in values,
}  # fmt: skip
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int | None]] = {
    "min": (min, None), "max": (max, None), "abs": (abs, 1), "log": (math.log, 1), "log10": (math.log10, 1),
    "exp": (math.exp, 1), "sqrt": (math.sqrt, 1),
}  # fmt: skip
"""By name: what is computed, and the number of arguments; None for two or more."""
_OF_LISTS: dict[str, Callable[..., Any]] = {"sum": sum, "len": len, "min": min, "max": max}
"""In conditions: what is computed of one list."""
_CONSTANTS = {"true": True, "false": False, "null": None}
_QUOTED = re.compile(r"`([^`]*)`")
_SPACE = " \t\r\n"


class ExpressionError(ValueError):
    """A text is no expression; the message says what is wrong, and where."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: as it is written, with one space around operators.
        names: the names in it, in the order in which they stand.
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)
    _quoted: Mapping[str, str] = field(repr=False, compare=False)

    @property
    def is_name(self) -> bool:
        """Whether it is a name and nothing else."""
        return isinstance(self._tree, ast.Name) and bool(self.names)

    def value(self, values: Mapping[str, Any]) -> Any:
        """The expression's value for these values of its names.

        Raises:
            KeyError: a name has no value.
            ArithmeticError, ValueError, TypeError: it has no value, such as 1 / 0 or the logarithm of 0.
        """
        return _Evaluator(values, self._quoted).of(self._tree)

    def number(self, values: Mapping[str, Any]) -> float:
        """The value as a number; NaN where it has none, such as 1 / 0, or where a name's value is null.

        Raises:
            KeyError: a name has no value.
        """
        missing = [name for name in self.names if name not in values]
        if missing:
            raise KeyError(missing[0])
        try:
            found = self.value({name: _number(values[name]) for name in self.names})
            return math.nan if isinstance(found, complex) else float(found)
        except (ArithmeticError, ValueError, TypeError):
            return math.nan


@lru_cache(256)
def parse(text: str, *, is_condition: bool = False) -> Expression:
    """Parses an expression of numbers; with `is_condition`, one that may compare them.

    Raises:
        ExpressionError: it is none.
    """
    if len(text) > CHARS_MAX:
        raise ExpressionError(f"must have at most {CHARS_MAX} characters, but got {len(text)}")
    tree, quoted = _tree(text)
    names: dict[str, None] = {}
    for node in _checked(tree, is_condition, quoted, _Places(text, quoted)):
        names[node] = None
    written = ast.unparse(tree)
    for placeholder, name in quoted.items():
        written = written.replace(placeholder, f"`{name}`")
    return Expression(written, tuple(names), tree, quoted)


def as_expression(text: str) -> Expression | None:
    """The expression of numbers that a text is; None for a name alone, and for what is no expression."""
    try:
        found = parse(text)
    except ExpressionError:
        return None
    return None if text.strip() in found.names or not found.names else found


def with_value_of(text: str, metrics: dict[str, Any]) -> dict[str, Any]:
    """An epoch's metrics, with an expression of them under its own text.

    The same metrics where the text is the name of one, no expression, or names what is not among them.
    """
    if text in metrics:
        return metrics
    expression = as_expression(text)
    if expression is None or any(name not in metrics for name in expression.names):
        return metrics
    return {**metrics, text: expression.number(metrics)}


def _tree(text: str) -> tuple[ast.expr, dict[str, str]]:
    """The syntax tree, with placeholders for names in backticks."""
    quoted: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        if not match[1].strip():
            raise ExpressionError(f"must have a name in backticks, but got none{_at(text, match.start())}")
        name = next((known for known, given in quoted.items() if given == match[1]), f"quoted_{len(quoted)}_")
        while name not in quoted and name in text:
            name += "_"
        quoted[name] = match[1]
        return name

    written = _QUOTED.sub(placeholder, text)
    if "`" in written:
        raise ExpressionError(f"must have a second backtick after a name{_at(text, text.rindex('`'))}")
    begins = len(written) - len(written.lstrip(_SPACE))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(written.strip(_SPACE).replace("\n", " "), mode="eval").body, quoted
    except SyntaxError as error:
        found = error.offset - 1 if error.offset else len(written)  # Python has no place for the end
        place = _at(text, _Places(text, quoted).of(begins + found))
        raise ExpressionError(f"must be an expression, but its syntax is wrong{place}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError("must be an expression, but cannot be read") from None


class _Places:
    """From places in the text with placeholders to those in the text as it was written."""

    def __init__(self, text: str, quoted: Mapping[str, str]) -> None:
        self._text = text
        names = {name: placeholder for placeholder, name in quoted.items()}
        self._spans = [(m.start(), m.end(), len(names.get(m[1], m[0]))) for m in _QUOTED.finditer(text)]

    def of(self, place: int) -> int:
        more = 0
        for start, end, length in self._spans:
            if place + more < start + length:
                break
            more += end - start - length
        return min(place + more, len(self._text))

    def told(self, node: ast.AST) -> str:
        begins = len(self._text) - len(self._text.lstrip(_SPACE))
        return _at(self._text, self.of(begins + getattr(node, "col_offset", 0)))


def _at(text: str, place: int) -> str:
    """Where something is wrong: the character, from 1, and what begins there."""
    rest = text[place : place + 20].strip()
    return f" at character {place + 1}" + (f" ({rest!r})" if rest else " (the end)")


def _checked(node: ast.expr, is_condition: bool, quoted: Mapping[str, str], places: _Places) -> Iterator[str]:
    """Refuses all that is not in the grammar; yields the names."""

    def of(part: ast.expr) -> Iterator[str]:
        return _checked(part, is_condition, quoted, places)

    match node:
        case ast.Constant(value=bool() | None | str()) if is_condition:
            return
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name(id=name):
            if not (is_condition and name in _CONSTANTS):
                yield quoted.get(name, name)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            yield from of(left)
            yield from of(right)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            yield from of(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand) if is_condition:
            yield from of(operand)
        case ast.BoolOp(values=values) if is_condition:
            for value in values:
                yield from of(value)
        case ast.Compare(left=left, ops=ops, comparators=others) if is_condition and all(
            type(op) in _OPERATORS for op in ops
        ):
            for value in (left, *others):
                yield from of(value)
        case ast.List(elts=values) | ast.Tuple(elts=values) if is_condition:
            for value in values:
                yield from of(value)
        case ast.Subscript(value=ast.Name() as value, slice=ast.Constant(value=int())) if is_condition:
            yield from of(value)
        case ast.Call(func=ast.Name(id=name), args=[value], keywords=[]) if is_condition and name in _OF_LISTS:
            yield from of(value)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            _check_call(name, arguments, places.told(node))
            for value in arguments:
                yield from of(value)
        case _:
            is_power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor)
            hint = "; write ** for a power" if is_power else ""
            raise ExpressionError(
                f"must be made of {_grammar(is_condition)}, but has something else{places.told(node)}{hint}"
            )


def _check_call(name: str, arguments: list[ast.expr], place: str) -> None:
    if name not in _FUNCTIONS:
        raise ExpressionError(f"must have no functions but {', '.join(_FUNCTIONS)}, but got {name}{place}")
    count = _FUNCTIONS[name][1]
    if len(arguments) < 2 if count is None else len(arguments) != count:
        wanted = "two or more arguments" if count is None else "one argument"
        raise ExpressionError(f"must give {name} {wanted}, but got {len(arguments)}{place}")


def _grammar(is_condition: bool) -> str:
    functions = f"the functions {', '.join(_FUNCTIONS)}"
    more = ", comparisons, and, or, not, text, sum and len of a list, units[0]" if is_condition else ""
    return f"names, numbers, + - * / // % **, parentheses, {functions}{more}"


class _Evaluator:
    """Computes a checked tree."""

    def __init__(self, values: Mapping[str, Any], quoted: Mapping[str, str]) -> None:
        self._values, self._quoted = values, quoted

    def of(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return float(value) if type(value) is int and abs(value) > 2**53 else value
            case ast.Name(id=name):
                if name in self._quoted or name in self._values or name not in _CONSTANTS:
                    return self._values[self._quoted.get(name, name)]
                return _CONSTANTS[name]
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return float(self.of(left)) ** float(self.of(right))  # of whole numbers it could take for ever
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](_operand(self.of(left)), _operand(self.of(right)))
            case ast.UnaryOp(op=op, operand=operand):
                return _OPERATORS[type(op)](self.of(operand))
            case ast.BoolOp(op=ast.And(), values=values):
                return all(self.of(value) for value in values)
            case ast.BoolOp(values=values):
                return any(self.of(value) for value in values)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._holds(left, ops, others)
            case ast.List(elts=values) | ast.Tuple(elts=values):
                return [self.of(value) for value in values]
            case ast.Subscript(value=value, slice=ast.Constant(value=index)):
                return _listed(self.of(value))[index]  # type: ignore[index]
            case ast.Call(func=ast.Name(id=name), args=[value]) if name in _OF_LISTS:
                return _OF_LISTS[name](_listed(self.of(value)))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _call(name, [self.of(value) for value in arguments])
        raise AssertionError(node)

    def _holds(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> bool:
        before = self.of(left)
        for op, other in zip(ops, others, strict=True):
            after = self.of(other)
            if not _OPERATORS[type(op)](before, after):
                return False
            before = after
        return True


def _call(name: str, arguments: list[Any]) -> Any:
    if name in ("min", "max") and any(isinstance(value, float) and math.isnan(value) for value in arguments):
        return math.nan  # whatever the order
    return _FUNCTIONS[name][0](*arguments)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"must be a list, but got {value!r}")
    return value


def _operand(value: Any) -> Any:
    """A number; text times a number would be text."""
    if not isinstance(value, int | float):
        raise TypeError(f"must be a number, but got {value!r}")
    return value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
