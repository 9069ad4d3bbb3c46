"""What Python files import and name, read from their text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from tuner.inspection.provenance.beside import parsed

_TEXT_CHARS_MAX = 200


def module_name(name: str) -> str:
    """The module of a file by its path relative to the folder that it is imported from."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported_modules(root: Path, code: Iterable[Path]) -> set[str]:
    """The modules below a folder that code there imports, by their whole names, and the packages that they lie in."""
    found: set[str] = set()
    for path in code:
        name = path.relative_to(root).as_posix()
        for module in _imports(path, name) if name.endswith(".py") else ():
            parts = module.split(".")
            found |= {".".join(parts[: length + 1]) for length in range(len(parts))}
    return found


def texts(path: Path) -> Iterator[str]:
    """The texts in a Python file that may name a file."""
    for node in _nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < _TEXT_CHARS_MAX:
            yield node.value


def _imports(path: Path, name: str) -> Iterator[str]:
    package = name.split("/")[:-1]
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _nodes(path: Path) -> Iterator[ast.AST]:
    tree = parsed(path)
    return iter(()) if tree is None else ast.walk(tree)
