"""The project around a folder, and where its own packages are imported from: its root, `src/`, or what it says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg")
"""A folder with one of these files is the root of a project."""


def import_folders(start: Path) -> list[Path]:
    """The folders from which code in a project can import its packages, nearest first.

    Args:
        start: a folder of the project; by itself one such folder.
    """
    start = start.resolve()
    found = [start]
    for folder in (start, *start.parents):
        if any((folder / mark).is_file() for mark in _MARKS):
            found += [*_written(folder), folder / "src", folder]
    return [folder for folder in dict.fromkeys(found) if folder.is_dir()]


def holding(module: str, start: Path) -> Path | None:
    """The folder of a project that holds a module's top package or file; None if there is none."""
    top = module.partition(".")[0]
    return next(
        (folder for folder in import_folders(start) if (folder / top).is_dir() or (folder / f"{top}.py").is_file()),
        None,
    )


def _written(root: Path) -> Iterator[Path]:
    """Where setuptools, Hatch, Poetry or pytest are told in `pyproject.toml` that the packages lie."""
    try:
        tool = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return
    setuptools = _get(tool, "setuptools")
    where = _get(setuptools, "packages", "find", "where") or []
    package_dir = _get(setuptools, "package-dir", "")
    hatch = _get(tool, "hatch", "build", "targets", "wheel", "packages") or []
    poetry = _get(tool, "poetry", "packages") or []
    pytest = _get(tool, "pytest", "ini_options", "pythonpath") or []
    written = [
        *(where if isinstance(where, list) else []),
        package_dir,
        *(str(Path(package).parent) for package in hatch if isinstance(package, str)),
        *(package.get("from") for package in poetry if isinstance(package, dict)),
        *(pytest if isinstance(pytest, list) else [pytest]),
    ]
    yield from (root / place for place in written if isinstance(place, str) and place)


def _get(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def module_in_package(file: Path) -> str:
    """The name by which a file of a package is imported, such as `package.models.dense`; empty outside of packages."""
    parts = [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) if len(parts) > 1 and all(part.isidentifier() for part in parts) else ""
