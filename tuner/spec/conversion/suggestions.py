"""An Optuna objective in our words: what it suggests, and under which conditions."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import Any

from tuner.base.words import same
from tuner.spec.conversion.calls import OPTUNA, family, parameter_of
from tuner.spec.conversion.draft import Draft
from tuner.spec.conversion.literals import Literals, NotPlain, called, written

When = dict[str, Any]


class Suggestions(ast.NodeVisitor):
    """Adds the parameters of all `trial.suggest_…` calls of a file to a draft, in the order of the code."""

    def __init__(self, draft: Draft, literals: Literals) -> None:
        self._draft, self._literals = draft, literals
        self._named: dict[str, str] = {}
        """Variables that hold a suggested value -> its parameter."""
        self._when: When | None = {}
        """The conditions of the code that is being read; None if they are no plain ones."""
        self._loops: dict[str, str | int] = {}
        """Variables of the loops around -> how often they run: a number, or the parameter that says it."""
        self.found = 0

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if family(node) is not OPTUNA:
            return
        self.found += 1
        place = f"line {node.lineno}"
        call, repeat = self._without_index(node)
        try:
            name, parameter, notes = parameter_of(call, self._literals)
        except ValueError as error:
            self._draft.note(place, f"{written(node)}: {error}; left out")
            return
        if name is None:
            self._draft.note(place, f"{written(node)}: has no name; left out")
            return
        if repeat is not None:
            if not isinstance(parameter, dict):
                self._draft.note(place, f"{written(node)}: always {parameter}; left out")
                return
            parameter = {**parameter, "repeat": repeat}
            notes = [*notes, ("", f"is one list here: {name}[0], {name}[1], …")]
        place = f"{place}, {name}"
        if self._when is None:
            self._draft.note(place, "its condition has no counterpart; it is searched in all trials")
        if name in self._draft.space:
            if not self._is_same(name, parameter):
                self._draft.note(place, "is suggested twice; the first one counts")
            return
        self._draft.add(place, name, parameter, notes, self._when)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        target, value = node.targets[0], node.value
        label = _label(value) if isinstance(value, ast.Call) and family(value) is OPTUNA else None
        if isinstance(target, ast.Name) and label is not None:
            self._named[target.id] = label

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        count = self._count(node.iter)
        before = dict(self._loops)
        if isinstance(node.target, ast.Name) and count is not None:
            self._loops[node.target.id] = count
        for each in [*node.body, *node.orelse]:
            self.visit(each)
        self._loops = before

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node.generators, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node.generators, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node.generators, [node.key, node.value])

    def _visit_comprehension(self, generators: list[ast.comprehension], made: list[ast.expr]) -> None:
        """As a loop; with a condition (`if`), nothing tells how often it runs."""
        before = dict(self._loops)
        for each in generators:
            self.visit(each.iter)
            count = None if each.ifs else self._count(each.iter)
            if isinstance(each.target, ast.Name) and count is not None:
                self._loops[each.target.id] = count
        for part in made:
            self.visit(part)
        self._loops = before

    def _count(self, iterated: ast.expr) -> str | int | None:
        """How often `range(n)` or `range(1, n + 1)` runs: a number, or the suggested parameter that says it."""
        if not (isinstance(iterated, ast.Call) and called(iterated) == "range" and 1 <= len(iterated.args) <= 2):
            return None
        with suppress(NotPlain):
            return len(self._literals.value(iterated))
        end = iterated.args[-1]
        if len(iterated.args) == 2:
            is_from_one = ast.unparse(iterated.args[0]) == "1"
            if not (is_from_one and isinstance(end, ast.BinOp) and isinstance(end.op, ast.Add)):
                return None
            if ast.unparse(end.right) != "1":
                return None
            end = end.left
        return self._parameter(end)

    def _without_index(self, node: ast.Call) -> tuple[ast.Call, str | int | None]:
        """`suggest_int(f"units_{i}", …)` in a loop over i as a call with the name `units`, and how often it runs."""
        label = node.args[0] if node.args else None
        text, variable = _indexed(label)
        if label is None or variable not in self._loops:
            return node, None
        named = ast.copy_location(ast.Constant(text.strip("_-. ") or "values"), label)
        call = ast.copy_location(ast.Call(node.func, [named, *node.args[1:]], node.keywords), node)
        return call, self._loops[variable]

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        before, condition = self._when, self._condition(node.test)
        self._when = _both(before, condition)
        for each in node.body:
            self.visit(each)
        self._when = _both(before, self._otherwise(condition))
        for each in node.orelse:
            self.visit(each)
        self._when = before

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        before, condition = self._when, self._condition(node.test)
        self._when = _both(before, condition)
        self.visit(node.body)
        self._when = _both(before, self._otherwise(condition))
        self.visit(node.orelse)
        self._when = before

    def _condition(self, test: ast.expr) -> When | None:
        """`x == "a"`, `x in ["a", "b"]` and their `and`, where x is a suggested value; None for anything else."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            found: When | None = {}
            for each in test.values:
                found = _both(found, self._condition(each))
            return found
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            name = self._parameter(test.left)
            try:
                value = self._literals.value(test.comparators[0])
            except NotPlain:
                return None
            if name is None:
                return None
            if isinstance(test.ops[0], ast.Eq):
                return {name: value}
            if isinstance(test.ops[0], ast.In) and isinstance(value, list):
                return {name: value}
            if isinstance(test.ops[0], ast.NotEq):
                return self._otherwise({name: value})
            return None
        name = self._parameter(test)
        is_flag = name is not None and self._choices(name) in ([True, False], [False, True])
        return {name: True} if name is not None and is_flag else None

    def _otherwise(self, condition: When | None) -> When | None:
        """The opposite of a condition on one choice."""
        if condition is None or len(condition) != 1:
            return None
        [(name, wanted)] = condition.items()
        values = _listed(wanted)
        rest = [choice for choice in self._choices(name) if not any(same(choice, value) for value in values)]
        return {name: rest[0] if len(rest) == 1 else rest} if rest else None

    def _choices(self, name: str) -> list[Any]:
        parameter = self._draft.space.get(name)
        return list(parameter.get("choices", [])) if isinstance(parameter, dict) else []

    def _parameter(self, node: ast.expr) -> str | None:
        """The parameter whose value an expression is: a variable, or params["name"]."""
        name = None
        if isinstance(node, ast.Name):
            name = self._named.get(node.id)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            name = str(node.slice.value)
        elif isinstance(node, ast.Call) and family(node) is OPTUNA:
            name = _label(node)
        return name if name in self._draft.space else None

    def _is_same(self, name: str, parameter: Any) -> bool:
        known = self._draft.space[name]
        if isinstance(known, dict):
            known = {key: value for key, value in known.items() if key != "when"}
        return bool(parameter == known)


def _label(call: ast.Call) -> str | None:
    """The name that a suggested value has."""
    named = [each.value for each in call.keywords if each.arg == "name"]
    label = call.args[0] if call.args else named[0] if named else None
    return label.value if isinstance(label, ast.Constant) and isinstance(label.value, str) else None


def _both(before: When | None, condition: When | None) -> When | None:
    """Both conditions; None if one of them is unknown, or they exclude each other."""
    if before is None or condition is None:
        return None
    found = {**before, **condition}
    for name in before.keys() & condition.keys():
        one, other = _listed(before[name]), _listed(condition[name])
        values = [value for value in one if any(same(value, each) for each in other)]
        if not values:
            return None
        found[name] = values[0] if len(values) == 1 else values
    return found


def _listed(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


def _indexed(label: ast.expr | None) -> tuple[str, str]:
    """The text and the variable of f"units_{i}", "units_{}".format(i), "units_" + str(i) and "units_%d" % i."""
    match label:
        case ast.JoinedStr(values=parts):
            variables = [each.value for each in parts if isinstance(each, ast.FormattedValue)]
            text = "".join(str(each.value) for each in parts if isinstance(each, ast.Constant))
            if [type(each) for each in variables] == [ast.Name]:
                return text, getattr(variables[0], "id", "")
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=[ast.Name(id=name)]):
            return re.sub(r"\{0?(:[^}]*)?\}", "", text), name
        case ast.BinOp(
            left=ast.Constant(value=str(text)),
            op=ast.Add(),
            right=ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]),
        ):
            return text, name
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=ast.Name(id=name)):
            return re.sub(r"%0?\d*[dis]", "", text), name
    return "", ""
