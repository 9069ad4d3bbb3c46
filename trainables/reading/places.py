"""Files and folders that a user names: a path, a pattern, a list, or a URL in a bucket, as files of this machine."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trainables import remote
from trainables.contract import DataError

Named = tuple[str, Path]
"""What messages call a file, and where it lies on this machine."""


def files(given: Any, suffixes: tuple[str, ...]) -> list[Named]:
    """The files that a path, a URL, a pattern with `*` or a list of them names, in alphabetical order.

    Args:
        suffixes: of the files of a folder that count.

    Raises:
        DataError: there are none, or one is empty.
    """
    parts = list(given) if isinstance(given, list | tuple) else [given]
    found = [named for part in parts for named in _files(part, suffixes)]
    if not found:
        raise DataError(f"{given}: must name at least one file, but names none")
    for name, path in found:
        if path.stat().st_size == 0:
            raise DataError(f"{name}: must hold data, but is empty")
    return found


def folder(given: Any) -> Named:
    """A folder, downloaded if it lies in a bucket.

    Raises:
        DataError: it does not exist, or is no folder.
    """
    name = _text(given)
    path = remote.local_copy(name) if remote.is_url(name) else Path(os.path.expanduser(name))
    if not path.exists():
        raise DataError(f"{name}: must be a folder, but there is none{near(path)}")
    if not path.is_dir():
        raise DataError(f"{name}: must be a folder, but is a file")
    return name, path


def stamp(path: Path, name: str = "") -> tuple[str, int, int]:
    """Changes when the file does: its name, size and time."""
    status = path.stat()
    return name or str(path.resolve()), status.st_size, status.st_mtime_ns


def walk(root: Path) -> Iterator[Path]:
    """The files below a folder, in alphabetical order, without hidden ones."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(place, name) for name in sorted(names) if not is_hidden(name))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: macOS packs `__MACOSX` into archives beside the folders."""
    return name.startswith(".") or name == "__MACOSX"


def _files(given: Any, suffixes: tuple[str, ...]) -> list[Named]:
    name = _text(given)
    if remote.is_url(name):
        path = remote.local_copy(name)
        return [(name, path)] if path.is_file() else _of_folder(name, path, suffixes)
    path = Path(os.path.expanduser(name))
    if path.is_dir():
        return _of_folder(name, path, suffixes)
    if path.is_file():
        return [(name, path)]
    matches = sorted(found for found in glob.glob(os.path.expanduser(name), recursive=True) if os.path.isfile(found))
    if not matches:
        what = "a pattern that files match" if glob.has_magic(name) else "a file"
        raise DataError(f"{name}: must be {what}, but there is none{near(path)}")
    return [(match, Path(match)) for match in matches]


def _of_folder(name: str, path: Path, suffixes: tuple[str, ...]) -> list[Named]:
    found = [file for file in walk(path) if file.name.lower().endswith(suffixes)]
    if not found:
        raise DataError(f"{name}: must hold {' or '.join(suffixes)} files, but holds none")
    return [(f"{name.rstrip('/')}/{file.relative_to(path)}", file) for file in found]


def _text(given: Any) -> str:
    if not isinstance(given, str | os.PathLike) or not str(given):
        raise DataError(
            f"the data must be a path, but got {given!r}" + ("; name it as the spec's data" if given is None else "")
        )
    return str(given)


def near(path: Path, names: Sequence[str] = ()) -> str:
    """What ends a message about a path that there is not: the nearest file or name, or where it was looked for."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either (relative paths begin in {os.getcwd()})"
    found = difflib.get_close_matches(path.name, sorted([*(other.name for other in path.parent.iterdir()), *names]), 1)
    return f"; did you mean {found[0]}?" if found else f" (relative paths begin in {os.getcwd()})"
