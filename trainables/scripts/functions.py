"""Training loops: functions of a user's file that take (params, report), whatever they are called."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Loop:
    """A training loop, `main(params, report)` or `main(params, report, checkpoint)`."""

    name: str
    function: Callable[..., Any]

    @property
    def takes_checkpoint(self) -> bool:
        """Whether it has a third argument, for the folder of the newest checkpoint, or None."""
        return len(_positional(self.function)) > 2


def loop_of(module: ModuleType, name: str) -> Loop | None:
    """The training loop of this name; None if what the module calls so takes other arguments, or is no function."""
    found = getattr(module, name, None)
    is_plain = callable(found) and not inspect.isclass(found)
    return Loop(name, found) if found is not None and is_plain and is_loop(found) else None


def mistake_in(loop: Loop) -> str:
    """What is plainly wrong with a loop before it is called; empty for nothing."""
    function = loop.function
    if [one.name for one in _positional(function)[:2]] == ["report", "params"]:
        return f"{loop.name} must take (params, report), in this order, but it takes (report, params)"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return f"{loop.name} must be a plain function, but is an async one, which nothing would run"
    if inspect.isgeneratorfunction(function):
        return f"{loop.name} must call report(epoch, metrics), but has a yield, so nothing would run it"
    return ""


def is_loop(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with (params, report), and is not one of `hp`, which KerasTuner calls."""
    parameters = _positional(function)
    if not parameters:
        return False
    needed = [one for one in parameters if one.default is one.empty]
    only_by_name = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.kind is one.KEYWORD_ONLY and one.default is one.empty
    ]
    return len(parameters) >= 2 and 2 <= len(needed) <= 3 and not only_by_name and parameters[0].name != "hp"


def names_of_loops(module: ModuleType) -> list[str]:
    """The functions of a module that are plainly loops: their second argument is called `report`."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and is_loop(value)
        and _positional(value)[1].name == "report"
    ]


def looks_like_loop(source: bytes, name: str) -> bool:
    """Whether a file's text has a loop of this name. For a guess without an import, which may take long."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            arguments = [*node.args.posonlyargs, *node.args.args]
            return 2 <= len(arguments) - len(node.args.defaults) <= 3 and arguments[0].arg != "hp"
    return False


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of compiled code
        return []
    return [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
