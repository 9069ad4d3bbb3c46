"""Search spaces that are dictionaries in Python code: those of Ray Tune and Hyperopt, and W&B's sweep configuration."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.spec.conversion.calls import HYPEROPT, RAY, family, parameter_of
from tuner.spec.conversion.draft import Draft
from tuner.spec.conversion.literals import Literals, NotPlain, called, written
from tuner.spec.conversion.wandb import is_sweep


def wandb_sweep(tree: ast.AST, literals: Literals) -> Mapping[str, Any] | None:
    """The first dictionary that is a W&B sweep, if there is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and "parameters" in _keys(node):
            try:
                value: Mapping[str, Any] = literals.value(node)
            except NotPlain:
                continue
            if is_sweep(value):
                return value
    return None


def add_spaces(tree: ast.AST, draft: Draft, literals: Literals) -> int:
    """Adds the parameters of all dictionaries with calls of `tune` or `hp`; returns how many calls there are."""
    inner: set[ast.AST] = set()
    found = 0
    grids = []
    for node in ast.walk(tree):  # outer dictionaries come before inner ones
        if not isinstance(node, ast.Dict) or node in inner or not _calls(node):
            continue
        inner |= {each for each in ast.walk(node) if isinstance(each, ast.Dict)}
        found += len(_calls(node))
        grids += [called(call) == "grid_search" for call in _calls(node)]
        _add_dictionary(node, (), draft, literals)
    if any(grids):
        if all(grids):
            draft.algorithm = "grid"
        else:
            draft.note("tune.grid_search", "the other parameters are drawn, so all are: search.algorithm is not grid")
    return found


def _add_dictionary(node: ast.Dict, path: tuple[str, ...], draft: Draft, literals: Literals) -> None:
    for key, value in zip(node.keys, node.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            draft.note(f"line {value.lineno}", f"{written(value)}: its name cannot be told; left out")
            continue
        place = f"line {value.lineno}, {'.'.join((*path, key.value))}"
        value = literals.resolved(value)
        if isinstance(value, ast.Dict):
            draft.note(place, "there are no groups of parameters here; what is in it stands by itself")
            _add_dictionary(value, (*path, key.value), draft, literals)
            continue
        name = key.value if key.value not in draft.space else "_".join((*path, key.value))
        try:
            parameter, notes = _parameter(value, literals)
        except ValueError as error:
            draft.note(place, f"{error}; left out")
            continue
        draft.add(place, name, parameter, notes)


def _parameter(value: ast.expr, literals: Literals) -> tuple[Any, list[Any]]:
    if isinstance(value, ast.Call) and family(value) in (RAY, HYPEROPT):
        _, parameter, notes = parameter_of(value, literals)
        return parameter, notes
    try:
        return literals.value(value), []
    except NotPlain:
        raise ValueError(f"{written(value)} cannot be told without running the program") from None


def _calls(node: ast.Dict) -> list[ast.Call]:
    return [each for each in _inside(node) if isinstance(each, ast.Call) and family(each) in (RAY, HYPEROPT)]


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """What lies in a dictionary, as its values or those of dictionaries in it."""
    values = node.values if isinstance(node, ast.Dict) else []
    for value in values:
        yield value
        yield from _inside(value)


def _keys(node: ast.Dict) -> list[Any]:
    return [key.value for key in node.keys if isinstance(key, ast.Constant)]
