"""From a spec and keywords in Python code to a SweepSpec; every problem names the path of its keyword."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from trainables.given import Given, giving
from tuner.api.classes import named
from tuner.api.places import spec_path
from tuner.base.errors import UsageError
from tuner.inspection import checked
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.spec.loading import folder_of, is_beside
from tuner.spec.reading import printable, read_yaml
from tuner.spec.space import shown

AnySpec = str | os.PathLike[str] | Mapping[str, Any] | SweepSpec


@dataclass(frozen=True)
class Asked:
    """A valid spec, its source, and the class of its trainable if a program passed one by value."""

    spec: SweepSpec
    source: str
    given: Given | None


def asked(spec: AnySpec | None, keywords: Mapping[str, Any], function: str, *, is_new: bool = True) -> Asked:
    """The sweep that a program wants.

    Args:
        spec: a YAML file, the name of a shipped trainable, a mapping or a SweepSpec; None if keywords say everything.
        keywords: fields that override the spec's, sections field by field, `space` as a whole; None changes nothing.
        function: the name of the caller, for messages.
        is_new: see `spec_from_mapping`.

    Raises:
        SpecError: the spec is wrong; one line for each problem.
        UsageError: the file cannot be read.
    """
    written, source, folder = _base(spec, function)
    given: Given | None = None
    for name, value in keywords.items():
        if value is None:
            continue
        if name == "trainable":
            value, given = named(value)
        written[name] = _over(written.get(name), _field(name, value), name)
    if given is None and not isinstance(written.get("trainable"), str | None):
        written["trainable"], given = named(written["trainable"])
    load = partial(spec_from_mapping, written, source, folder, is_new=is_new)
    with giving(given):
        return Asked(checked(load, around=folder), source, given)


def _base(spec: AnySpec | None, function: str) -> tuple[dict[str, Any], str, Path]:
    """The spec without keywords, its source, and the folder of its relative paths."""
    here = Path.cwd()
    match spec:
        case None:
            return {}, function, here
        case SweepSpec():
            return spec.resolved(), function, here
        case Mapping():
            return {str(name): _field(str(name), value) for name, value in spec.items()}, function, here
        case str() | os.PathLike():
            path = spec_path(os.fspath(spec))
            return read_yaml(path), printable(str(path)), folder_of(path)
    rule = "must be a YAML file, a shipped trainable's name, a mapping or a SweepSpec"
    raise UsageError(f"{function}: spec: {rule}, but got {shown(spec)}")


def _field(name: str, value: Any) -> Any:
    """The value of a field as YAML would have it."""
    if name == "trainable":
        return value if not isinstance(value, str) else _absolute(value)
    if name == "epochs" and isinstance(value, tuple | list) and len(value) == 2:
        return {"min": spec_value(value[0]), "max": spec_value(value[1])}
    if name == "epochs" and not isinstance(value, Mapping | BaseModel):
        return {"max": spec_value(value)}
    if name == "data" and isinstance(value := spec_value(value), str) and is_beside(Path.cwd(), value):
        return os.path.abspath(value)
    return spec_value(value)


def _absolute(trainable: str) -> str:
    file, separator, name = trainable.rpartition(":")
    return f"{os.path.abspath(file)}:{name}" if separator and file.endswith(".py") else trainable


def _over(below: Any, value: Any, name: str) -> Any:
    """The value of a keyword over that of the spec: sections field by field."""
    is_section = isinstance(below, dict) and isinstance(value, dict) and name != "space"
    return {**below, **value} if is_section else value


def over(below: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping of a spec with the changes of a resume; other parameters of the space stay."""
    for name, value in changes.items():
        field = _field(name, value)
        is_section = isinstance(below.get(name), dict) and isinstance(field, dict)
        below[name] = {**below[name], **field} if is_section else field
    return below


def spec_value(value: Any) -> Any:
    """A value of Python code as a spec holds it: no tuples, no scalars of NumPy, no paths, no objects of ours."""
    if hasattr(value, "written"):
        value = value.written()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict):
        return type(value)({name: spec_value(item) for name, item in value.items()})
    if isinstance(value, Mapping):
        return {name: spec_value(item) for name, item in value.items()}
    if isinstance(value, str | bytes | bool | int | float) and type(value).__module__ == "builtins":
        return value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [spec_value(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value).__module__ == "numpy" and hasattr(value, "item") and not getattr(value, "shape", ()):
        return value.item()
    return value
