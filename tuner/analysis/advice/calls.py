"""The calls that do in Python what a command does, for a class of a notebook or a script, which no command can give."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from trainables.given import PREFIX
from tuner.spec.reading import apply_override
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.commands import next_name


def resume_call(spec: Mapping[str, Any], name: str, root: StorageRoot | None, overrides: Sequence[str]) -> str:
    """What resumes a sweep with these overrides."""
    changes = _keywords(spec, overrides)
    if "space" in changes:
        changed = {item.partition("=")[0].split(".")[1] for item in overrides if item.startswith("space.")}
        changes["space"] = {parameter: changes["space"][parameter] for parameter in sorted(changed)}
    return _call("resume", repr(name), {"trainable": _class_of(spec), **_written(changes), **_storage(root)})


def run_call(spec: Mapping[str, Any], name: str, folder: SweepFolder | None, overrides: Sequence[str]) -> str:
    """What runs a new sweep beside one of this name, by its spec with these overrides."""
    is_here = folder is not None and not folder.root.is_remote
    file = repr(str(folder.spec)) if folder is not None and is_here else "'sweep.yaml'"
    root = None if folder is None else folder.root
    named = {"trainable": _class_of(spec), "name": repr(next_name(name, root))}
    return _call("run", file, {**named, **_written(_keywords(spec, overrides)), **_storage(root)})


def _keywords(spec: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The fields that overrides change: of a section those that they name, the space as a whole."""
    changed = copy.deepcopy(dict(spec))
    found: dict[str, Any] = {}
    for item in overrides:
        apply_override(changed, item)
    for item in overrides:
        keys = item.partition("=")[0].split(".")
        value = changed[keys[0]]
        if keys[0] != "space" and len(keys) > 1:
            value = {**found.get(keys[0], {}), keys[1]: value[keys[1]]}
        found[keys[0]] = value
    return found


def _class_of(spec: Mapping[str, Any]) -> str:
    return str(spec["trainable"]).removeprefix(PREFIX)


def _written(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items()}


def _storage(root: StorageRoot | None) -> dict[str, str]:
    is_default = root is None or root.url == StorageRoot.resolve().url
    return {} if root is None or is_default else {"storage": repr(str(root.path))}


def _call(function: str, first: str, keywords: Mapping[str, str]) -> str:
    return f"tuner.{function}({', '.join([first, *(f'{name}={text}' for name, text in keywords.items())])})"
