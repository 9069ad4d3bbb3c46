"""The source of a class that a program gave: its own, and that of the functions and classes beside it that it uses."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from trainables.given import Given, NotGivenError, lookup
from trainables.kerastuner import HyperTrainable
from trainables.sources import Sources
from tuner.base.secrets import holds_secret
from tuner.inspection.provenance.code import FILE_BYTES, Code, digest_of, installed_package
from tuner.spec.space import Scalar

_TEXT_CHARS_MAX = 1 << 20
"""Of one cell or file that goes to the workers."""


@dataclass
class _Found:
    parts: dict[str, str] = field(default_factory=dict)
    """Source by name: what is used first comes last, as in a file."""
    modules: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)


def given_class(cls: type[Any]) -> Given:
    """A class as it goes to inspection and workers."""
    found = _look(cls)
    texts = {name: "".join(linecache.getlines(name)) for name in sorted(found.files)}
    return Given(cls, {name: text for name, text in texts.items() if text and len(text) <= _TEXT_CHARS_MAX})


def code_of_given(trainable: str) -> Code | None:
    """The source of the class that was given; None if none was, or Python has none, as of one typed at a prompt."""
    try:
        cls = lookup(trainable).trainable
    except NotGivenError:
        return None
    found = _look(cls)
    if cls.__name__ not in found.parts:
        return None
    name = f"{cls.__name__}.py"
    content = "\n\n".join(text.rstrip("\n") + "\n" for text in found.parts.values()).encode(errors="replace")
    entry: dict[str, Any] = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if len(content) > FILE_BYTES:
        entry["left_out"] = f"larger than {FILE_BYTES >> 20} MiB"
    elif holds_secret(name, content.decode(errors="replace")):
        entry["left_out"] = "may hold a secret"
    files = {name: entry}
    modules = {*found.modules, *(name for text in found.parts.values() for name in _imported(text))}
    modules -= {*sys.stdlib_module_names, "tuner", "trainables", ""}
    packages = dict(filter(None, map(installed_package, sorted(modules))))
    manifest = {"main": name, "digest": digest_of(files), "files": files, "packages": packages}
    kept, digests = ({}, {name: entry["sha256"]}) if "left_out" in entry else ({name: content}, {})
    return Code(manifest, Sources(name, kept, digests))


def _look(cls: type[Any]) -> _Found:
    found = _Found()
    written = cls.written.value if issubclass(cls, HyperTrainable) else cls
    _take(written, cls.__name__, cls.__module__, found)
    return found


def _take(value: Any, name: str, module: str, found: _Found) -> None:
    """Takes the source of a class or a function of this module, after what it uses of it."""
    if id(value) in found.seen:
        return
    found.seen.add(id(value))
    codes = list(_codes(value))
    if isinstance(value, type):
        for base in value.__bases__:
            if base.__module__ == module:
                _take(base, base.__name__, module, found)
            else:
                found.modules.add(base.__module__.partition(".")[0])
    space = vars(sys.modules[module]) if module in sys.modules else {}
    for used in dict.fromkeys(name for code in codes for name in _names(code)):
        if used in space:
            _take_global(space[used], used, module, found)
    found.files |= {code.co_filename for code in codes}
    if text := _source(value, codes):
        found.parts[name] = text


def _take_global(value: Any, name: str, module: str, found: _Found) -> None:
    if isinstance(value, ModuleType):
        found.modules.add(value.__name__.partition(".")[0])
    elif isinstance(value, type | FunctionType):
        if value.__module__ == module:
            _take(value, name, module, found)
        elif value.__module__:
            found.modules.add(value.__module__.partition(".")[0])
    elif isinstance(value, Scalar | tuple) and len(text := repr(value)) < 1000:
        found.parts.setdefault(name, f"{name} = {text}")


def _codes(value: Any) -> Iterator[CodeType]:
    """The code of a function, or of all functions of a class and of the classes in it."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    value = value.fget if isinstance(value, property) else inspect.unwrap(value) if callable(value) else value
    if isinstance(value, FunctionType):
        yield value.__code__
    elif isinstance(value, type):
        for member in vars(value).values():
            is_own = not isinstance(member, type) or member.__qualname__.startswith(f"{value.__qualname__}.")
            if is_own and (isinstance(member, type) or callable(member) or isinstance(member, property | classmethod)):
                yield from _codes(member)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _imported(text: str) -> Iterator[str]:
    """The packages that a function imports when it is called."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def _source(value: Any, codes: list[CodeType]) -> str:
    """The text of a class or a function; `inspect` does not find that of a class in a notebook's cell."""
    own = [code for code in codes if code.co_qualname.startswith(value.__qualname__)]
    for file in dict.fromkeys(code.co_filename for code in own):
        lines = {code.co_firstlineno for code in own if code.co_filename == file}
        for text, begins, ends in _definitions(file, value.__name__):
            if any(begins <= line <= ends for line in lines):
                return text
    if isinstance(value, type) and not own:  # it has attributes alone: the newest of its name
        for file in _files_of(value.__module__):
            if found := list(_definitions(file, value.__name__)):
                return found[-1][0]
    return ""


def _definitions(file: str, name: str) -> Iterator[tuple[str, int, int]]:
    """The definitions of a class or a function of this name: text, first and last line."""
    lines = linecache.getlines(file)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            begins = min([node.lineno, *(part.lineno for part in node.decorator_list)])
            ends = node.end_lineno or node.lineno
            yield inspect.cleandoc("\n" + "".join(lines[begins - 1 : ends])), begins, ends


def _files_of(module: str) -> Iterator[str]:
    """Where a module's text may be: its file, or a notebook's cells, the newest first."""
    if path := getattr(sys.modules.get(module), "__file__", None):
        yield path
    yield from (name for name in reversed(linecache.cache) if "ipykernel" in name or name.startswith("<ipython-input"))
