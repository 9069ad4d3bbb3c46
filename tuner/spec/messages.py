"""Turns pydantic's errors into messages: `path: rule, but got what`, one line for each problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from tuner.base.meant import fix, meant
from tuner.spec.foreign_parameters import Advice
from tuner.spec.models import SweepSpec
from tuner.spec.reading import printable
from tuner.spec.space import KINDS, nearest, shown

_LIKENESS = 0.6
"""How similar an unknown key must be to a known one to be taken for a typing error."""


def lines(items: Iterable[Any], words: Advice) -> Iterator[str]:
    """Each problem as `path: rule, but got what`; where another tool's word stands, only what to write instead."""
    left = dict(words.rules)
    for item in items:
        location = _location(item)
        if (place := tuple(location)) in words.rules:
            if place in left:
                yield f"{_path(location)}: {printable(left.pop(place))}"
        elif not words.is_covered(place):
            yield line(item)
    yield from (f"{_path(list(place))}: {printable(rule)}" for place, rule in left.items())


def line(item: Any) -> str:
    """One problem as `path: rule, but got what`."""
    location = _location(item)
    return f"{_path(location)}: {_rule(item, location)}"


def _location(item: Any) -> list[Any]:
    location = _without_tags(list(item["loc"]))
    context = item.get("ctx", {})
    return [*location, context["field"]] if "field" in context else location


def _path(location: list[Any]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    return printable(path) or "spec"


def _rule(item: Any, location: list[Any]) -> str:
    kind, received, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "rule":
        is_none = isinstance(received, str) and (found := meant(received)) is not None and found[0] == "null"
        return f"{item['msg']}{fix(received) if is_none else ''}"
    if kind == "too_long":
        return f"must have at most {context['max_length']} parameters, but got {len(received)}"
    if kind == "missing":
        return "is required, but is missing"
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(item['loc'][-1]), _known_keys(location[:-1], item), _LIKENESS)}"
    if kind == "literal_error":
        hint = nearest(received, literals(context)) if isinstance(received, str) else ""
        return f"must be {context['expected']}, but got {shown(received)}{hint if 'mean' in hint else ''}"
    if kind == "string_pattern_mismatch":
        return f"must be letters, digits, dots, dashes and underscores, 100 at most, but got {shown(received)}"
    rules = {
        "greater_than": "must be greater than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than": "must be less than {lt}",
        "less_than_equal": "must be at most {le}",
        "finite_number": "must be a finite number",
        "string_unicode": "must be printable text",
        "too_short": "must not be empty",
        "string_too_long": "must have at most {max_length} characters",
        "model_type": "must be a mapping",
        "dict_type": "must be a mapping",
    }
    types = {"float": "a number", "int": "a whole number", "string": "text", "bool": "true or false", "list": "a list"}
    what = kind.removesuffix("_type").removesuffix("_parsing")
    rule = rules.get(kind) or (f"must be {types[what]}" if what in types else _lower_first(item["msg"]))
    return f"{rule.format(**context)}, but got {shown(received)}{fix(received, _MEANT.get(what, 'null'))}"


_MEANT = {"float": "number", "int": "number", "bool": "bool", "list": "list"}
"""A type of pydantic's -> the kind of value that a text in its place may be meant as."""


def literals(context: Mapping[str, Any]) -> list[str]:
    """The expected values, parsed from pydantic's text."""
    return [part.strip(" '") for part in str(context["expected"]).replace(" or ", ",").split(",")]


def _without_tags(location: list[Any]) -> list[Any]:
    """Removes the names of union members, which pydantic adds to a path."""
    if location[:1] == ["space"] and len(location) > 2 and location[2] in KINDS:
        if location.pop(2) == "repeated" and location[2:3] == ["element"]:
            del location[2:4]
        if len(location) > 3 and location[2] == "when":
            del location[4:]
    *parents, last = location or [""]
    return [part for part in parents if not str(part).startswith("function-")] + ([last] if last != "[key]" else [])


def _known_keys(location: list[Any], item: Any) -> list[str]:
    """The valid keys at the place of an unknown one."""
    if location[:1] == ["space"]:
        kind = item["loc"][2]
        return [*KINDS[item["loc"][4] if kind == "repeated" else kind].model_fields, "repeat"]
    model: type[BaseModel] = SweepSpec
    for part in location:
        model = next(m for m in _models(model.model_fields[part].annotation))
    return list(model.model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if get_origin(annotation) in (Union, UnionType):
        return [model for part in get_args(annotation) for model in _models(part)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
