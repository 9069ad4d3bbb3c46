"""Which files a trainable's code opens and which folders it lists, as Python's own audit events tell.

What TensorFlow or HDF5 read by themselves, in C++, raises no such event.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_LISTS = ("os.listdir", "os.scandir")
_MANY = 20_000
"""Paths that are remembered at most."""


class _Watch:
    """What the running process opens while it is watched; an audit hook cannot be taken away again."""

    def __init__(self) -> None:
        self.is_on = self.is_hooked = False
        self.read: dict[str, None] = {}
        self.written: set[str] = set()

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on or (event != "open" and event not in _LISTS):
            return
        path = arguments[0] if arguments else None
        if not isinstance(path, str | bytes | os.PathLike) or len(self.read) > _MANY:
            return
        try:
            place = os.path.abspath(os.fsdecode(path))
        except (OSError, ValueError):
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            self.written.add(place)
        else:
            self.read[place] = None


_watch = _Watch()


@contextmanager
def watched() -> Iterator[None]:
    """Within this the files that this process opens are remembered; `opened_files` tells them."""
    if not _watch.is_hooked:
        sys.addaudithook(_watch.hook)
        _watch.is_hooked = True
    _watch.is_on = True
    _watch.read.clear()
    _watch.written.clear()
    try:
        yield
    finally:
        _watch.is_on = False


def opened_files() -> list[str]:
    """The user's files and folders that were read so far: neither of Python, the system or caches, nor written here."""
    apart = _apart()
    looked_in = {os.path.abspath(path) for path in sys.path}  # where imports look for modules
    read = [place for place in list(_watch.read) if place not in _watch.written and place not in looked_in]
    return [place for place in read if not _is_apart(place, apart) and os.path.exists(place)]


def _apart() -> tuple[str, ...]:
    """Folders of Python, of this project and of the system."""
    own = Path(__file__).parents[1]
    python = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)}
    packages = {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    system = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/bin", "/run", "/snap")
    ours = (str(own), str(own.parent / "trainables"))
    folders = {*(os.path.realpath(path) for path in python | packages), *python, *packages, *system, *ours}
    return tuple(folder.rstrip("/") + "/" for folder in folders)


def _is_apart(place: str, apart: tuple[str, ...]) -> bool:
    if f"{place}/".startswith(apart) or "__pycache__" in place:
        return True
    home = os.path.expanduser("~")
    below = os.path.relpath(place, home) if place.startswith(f"{home}/") else ""
    return below.startswith(".") or place in ("/", home, "/tmp")
