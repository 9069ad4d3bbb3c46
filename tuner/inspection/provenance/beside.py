"""Which files belong to a trainable: what its file or package, and all that it imports, imports from beside it."""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

_IGNORE_LISTS = (".gitignore", ".rayignore")
"""Ray leaves out of a job's working directory what these name, generated code and vocabularies among it."""


def imported_beside(file: Path) -> set[Path]:
    """The files below a Python file's folder that it needs: itself, and what it and those import from there.

    Of a package all files come along, as its code may read them.
    """
    return {file} | imported_from(file.parent, [file])


def package_files(folder: Path, top: str) -> set[Path]:
    """The files of a top package or module in a folder, and of those that it imports from there."""
    package = folder / top
    own = set(files_below(package)) if package.is_dir() else {package.with_suffix(".py")}
    return own | imported_from(folder, [path for path in own if path.suffix == ".py"])


def imported_from(folder: Path, importers: Iterable[Path]) -> set[Path]:
    """What Python files, and all that they import, import from a folder."""
    todo, found = list(importers), set(importers)
    while todo:
        importer = todo.pop()
        for name in imported(importer, is_in_package=importer.parent != folder):
            first = name.split(".")[0]
            if first in (*sys.stdlib_module_names, "tuner", "trainables") or not first.isidentifier():
                continue
            top = folder / first
            module = top.with_suffix(".py")
            if (top / "__init__.py").is_file() or (not module.is_file() and top.is_dir()):
                new = set(files_below(top))
            else:
                new = {module} if module.is_file() else set()
            todo += [path for path in new - found if path.suffix == ".py"]
            found |= new
    return found


def imported(file: Path, *, is_in_package: bool = False) -> Iterator[str]:
    """The modules that a file imports anywhere in it; none of one that cannot be read, which its import will say.

    Relative ones without their dots, and only outside of packages, of which all files come along in any case.
    """
    tree = parsed(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not (node.level and is_in_package):
            yield from [node.module] if node.module else (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _imported_by_name(node)):
            yield name


def parsed(file: Path) -> ast.Module | None:
    """A Python file's program; None of one that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash that should be two: its import says so
            return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported_by_name(call: ast.Call) -> str:
    """The module of `importlib.import_module("…")` and `__import__("…")`; empty if the call is none of these."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
    if function not in ("import_module", "__import__") or not named or not isinstance(named[0], ast.Constant):
        return ""
    return named[0].value.lstrip(".") if isinstance(named[0].value, str) else ""


def files_below(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """A package's files, also behind links to other folders, as Python finds them; a link back leads to nothing new."""
    real = os.path.realpath(folder)
    try:
        inside = list(folder.iterdir()) if real not in above else []
    except OSError:  # nobody may look: an import from there says so
        return
    for path in inside:
        if path.is_dir():
            yield from files_below(path, above | {real}) if path.name != "__pycache__" else ()
        elif path.is_file() and path.name not in _IGNORE_LISTS:
            yield path
