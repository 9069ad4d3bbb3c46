"""Checks a cluster file against Ray's own schema and rules; one line for each problem."""

from __future__ import annotations

import contextlib
import copy
import difflib
import io
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.base.secrets import redacted
from tuner.spec.reading import read_yaml
from tuner.spec.space import nearest, shown

COMMAND_LISTS = (
    "initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands",
    "head_start_ray_commands", "worker_start_ray_commands",
)  # fmt: skip
"""The keys of a cluster file, and of its node types, that hold shell commands."""
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_LOGGED = re.compile(r"[\d-]+ [\d:,]+\s+\w+ \S+ -- ")
"""The prefix of a line of Ray's launcher: 2026-01-01 00:00:00,000 PANIC config.py:73 -- Please supply …"""


def read_cluster(path: Path) -> dict[str, Any]:
    """A cluster file as Ray reads it: YAML 1.1, in which `no` is false.

    Raises:
        UsageError: no such file, not YAML, or not a mapping.
        SpecError: a date, or another value that such a file cannot hold.
    """
    return read_yaml(path, version=(1, 1))


def with_defaults(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """A cluster file with Ray's defaults filled in; unchanged if Ray does not know its provider."""
    from ray.autoscaler._private.providers import _get_default_config

    try:
        return {**_get_default_config(cluster["provider"]), **cluster}
    except (ImportError, KeyError, TypeError, NotImplementedError, OSError):  # its wheel lacks the file of some
        return dict(cluster)


def has_provider(cluster: Mapping[str, Any]) -> bool:
    """Whether it names a provider: without one, nothing else can be checked."""
    return isinstance(cluster.get("provider"), Mapping) and "type" in cluster["provider"]


def schema_problems(cluster: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """What Ray's schema refuses, and a copy of the file without it, so that the rest can be checked too."""
    import ray.autoscaler
    from jsonschema import Draft7Validator

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    provider = cluster.get("provider")
    if isinstance(provider, dict) and provider.get("type") == "local":  # Ray removes it before it checks the schema
        schema["properties"]["min_workers"] = schema["properties"]["max_workers"]
    sound = copy.deepcopy(dict(cluster))
    problems: list[str] = []
    for error in Draft7Validator(schema).iter_errors(cluster):
        problems += _lines(error)
        _take_out(sound, list(error.absolute_path), error)
    return sorted(problems), sound


def _take_out(tree: Any, path: list[Any], error: Any) -> None:
    """Removes what is wrong; in a list, an empty text takes its place."""
    if error.validator == "required":
        return
    unknown = set(_unknown_keys(error)) if error.validator == "additionalProperties" else None
    *parents, last = path if unknown is None else [*path, None]
    for part in parents:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):  # removed together with its parent
            return
    if unknown is not None and isinstance(tree, dict):
        for key in unknown:
            tree.pop(key, None)
    elif isinstance(tree, list):
        tree[last] = ""
    elif isinstance(tree, dict):
        tree.pop(last, None)


def _unknown_keys(error: Any) -> Iterator[str]:
    patterns = error.schema.get("patternProperties", {})
    for key in error.instance:
        if key not in error.schema.get("properties", {}) and not any(re.search(pattern, key) for pattern in patterns):
            yield key


def dotted(path: Sequence[Any]) -> str:
    """A place in a file: available_node_types.gpu.node_config, setup_commands[1]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _lines(error: Any) -> Iterator[str]:
    where, received = list(error.absolute_path), error.instance
    if error.validator == "additionalProperties":
        for key in _unknown_keys(error):
            yield f"{dotted([*where, key])}: unknown key{nearest(key, error.schema.get('properties', {}))}"
        return
    if error.validator == "required":
        for key in error.validator_value:
            if key not in received:
                near = difflib.get_close_matches(key, set(received) - set(error.schema.get("properties", {})), n=1)
                hint = f"; did you mean it by {near[0]}?" if near else ""
                yield f"{dotted([*where, key])}: is required, but is missing{hint}"
        return
    rules = {"minimum": "must be at least {}", "enum": "must be one of {}", "const": "must be {}"}
    value = error.validator_value
    if error.validator == "type":
        names = [value] if isinstance(value, str) else value
        rule = "must be " + " or ".join(_TYPES.get(name, name) for name in names)
    else:
        rule = rules.get(error.validator, error.message).format(value)
    yield f"{dotted(where) or 'the file'}: {rule}, but got {shown(received)}"


def launcher_problems(cluster: Mapping[str, Any]) -> list[str]:
    """What Ray's launcher refuses before it starts a machine, in an otherwise valid file."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    said = io.StringIO()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            validate_config(prepare_config(copy.deepcopy(dict(cluster))))
    except (Exception, SystemExit) as error:  # the launcher exits if the keys of a provider are wrong
        lines = re.sub(r"\x1b\[[0-9;]*m", "", said.getvalue()).splitlines()
        told = [_LOGGED.sub("", line) for line in lines if line.strip() and "WARN" not in line.split()[2:3]]
        text = str(error) if isinstance(error, ValueError | RuntimeError) else " ".join(told) or repr(error)
        return [f"the file: Ray refuses it: {' '.join(text.split())[:300]}"]
    finally:
        logging.disable(level)
    return []


def one_line(text: str) -> str:
    """A message on one line, without passwords; special characters, such as line ends in keys, are escaped."""
    text = redacted(text)
    return text if text.isprintable() else ascii(text)[1:-1]
