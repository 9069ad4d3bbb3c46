"""Reads untrusted YAML into plain mappings, lists and scalars, in bounded time and memory."""

from __future__ import annotations

import datetime
import io
import os
import stat
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tuner.base.errors import SpecError, UsageError
from tuner.base.secrets import without_credentials
from tuner.spec.space import cut, shown

MAX_SPEC_BYTES = 64 * 1024
MAX_VALUES = 10_000
"""The most keys and values of a document; each counts as often as aliases repeat it. The slowest such document takes
about half a second to read. The size in bytes limits everything else."""
MAX_DEPTH = 20
MAX_PROBLEMS = 50
"""The most lines of one error."""


def read_yaml(path: Path, version: tuple[int, int] = (1, 2)) -> dict[str, Any]:
    """Reads a YAML file that holds one mapping of plain values, without shared parts.

    Args:
        version: of YAML. In 1.1, which PyYAML reads, `yes`, `no`, `on` and `off` are true and false.

    Raises:
        UsageError: no such file, not YAML, or not a mapping.
        SpecError: it holds values that a spec cannot hold; one line each.
    """
    name = printable(str(path))
    return parsed_yaml(_read_text(path, name), name, version)


def parsed_yaml(text: str, name: str, version: tuple[int, int] = (1, 2)) -> dict[str, Any]:
    """As `read_yaml`, of a text; `name` is what errors call it."""
    written = _parse(text, f"{name}: must be YAML", version)
    if not isinstance(written, dict):
        raise UsageError(f"{name}: must hold a mapping such as `name: my-sweep`, but got {shown(written)}")
    plain: dict[str, Any] = _plain(written, name)
    return plain


def apply_override(written: dict[str, Any], override: str) -> None:
    """Applies `a.b=value` to a mapping; the value is read as YAML.

    Raises:
        UsageError: it has no `=`, or its path leads through something that is not a mapping.
        SpecError: a spec cannot hold the value.
    """
    path, separator, text = override.partition("=")
    name = f"--set {printable(override)}"
    keys = path.strip().split(".")
    if not separator or not all(keys) or len(keys) > MAX_DEPTH:
        raise UsageError(f"{name}: must be PATH=VALUE such as epochs.max=9")
    if len(text) > MAX_SPEC_BYTES:
        raise UsageError(f"{name}: the value must be smaller than {MAX_SPEC_BYTES // 1024} KiB")
    value = _plain(_parse(text, f"{name}: the value must be YAML"), name)
    tree = written
    for depth, key in enumerate(keys[:-1]):
        if tree.get(key) is None:
            tree[key] = {}
        if not isinstance(tree[key], dict):
            raise UsageError(f"{name}: {'.'.join(keys[: depth + 1])} is {shown(tree[key])}, not a mapping")
        tree = tree[key]
    tree[keys[-1]] = value


def dump_yaml(tree: Mapping[str, Any]) -> str:
    """A mapping as YAML; keys keep their order."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 2**20  # long text stays on one line: folding could change it
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(dict(tree), stream)
    return stream.getvalue()


def printable(text: str) -> str:
    """Escapes a file name or an argument for a message."""
    text = without_credentials(text[:4000])
    return cut(text if text.isprintable() else ascii(text)[1:-1], 300)


def _read_text(path: Path, name: str) -> str:
    """The text of a small regular file. A pipe or a device is refused, because reading it might never end."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise UsageError(
                f"{name}: must be a file, but is {'a folder' if stat.S_ISDIR(mode) else 'a pipe or a device'}"
            )
        with open(path, "rb", opener=lambda file, flags: os.open(file, flags | os.O_NONBLOCK)) as file:
            data = file.read(MAX_SPEC_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # such as a NUL in the name
        raise UsageError(f"{name}: cannot be read: {error}") from None
    if len(data) > MAX_SPEC_BYTES:
        raise UsageError(f"{name}: a spec must be smaller than {MAX_SPEC_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: must be UTF-8 text, but byte {error.start} is not") from None


def _parse(text: str, rule: str, version: tuple[int, int] = (1, 2)) -> Any:
    """Parses a YAML document; aliases become shared objects."""
    from tuner.spec.limits import LimitedYAML

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unusual numbers
            return LimitedYAML(MAX_VALUES, MAX_DEPTH, version).load(text)
    except Exception as error:  # ruamel.yaml raises KeyError, IndexError and others if a tag does not fit its value
        raise UsageError(f"{rule}, but {_yaml_problem(error)}") from None


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    if "integer string conversion" in str(error):
        return "a number in it has thousands of digits"
    if isinstance(error, LookupError | TypeError | AttributeError):
        return f"{where}a value in it does not fit its tag"
    problem = getattr(error, "problem", None) or (str(error) or type(error).__name__).splitlines()[0]
    if str(problem).startswith("but "):
        problem = f"{getattr(error, 'context', '')}, {problem}"
    return where + printable(" ".join(str(problem).split()))


def _plain(written: Any, source: str) -> Any:
    """A copy without shared parts.

    Raises:
        SpecError: it holds values that a spec cannot hold; one line each.
    """
    problems: list[str] = []
    plain = _copied(written, "", problems)
    if problems:
        raise SpecError(source, bounded(problems))
    return plain


def bounded(problems: Iterable[str], num_more: int = 0) -> list[str]:
    """The first lines of an error, and how many more there are."""
    lines = list(problems)
    num_more += len(lines[MAX_PROBLEMS:])
    return [*lines[:MAX_PROBLEMS], f"and {num_more} more problems"] if num_more else lines


def _copied(written: Any, path: str, problems: list[str]) -> Any:
    if isinstance(written, dict):
        for key in written:
            if not isinstance(key, str):
                problems.append(f"{printable(path) or 'spec'}: a key must be text, but got {shown(key)}")
        return {key: _copied(value, f"{path}.{key}".lstrip("."), problems) for key, value in written.items()}
    if isinstance(written, list):
        return [_copied(value, f"{path}[{index}]", problems) for index, value in enumerate(written)]
    if written is None or type(written) in (bool, int, float, str):
        return written
    rule = "must be a number, text, true, false or null"
    got = f"the date {written}" if isinstance(written, datetime.date) else shown(written)
    problems.append(f"{printable(path) or 'spec'}: {rule}, but got {got}; put text in quotes")
    return None
