"""Artifacts of a script whose trial has no folder that outlives this machine: MLflow's client sends them by HTTP.

They are written to a folder of the trial's, from which they can be read again, and each is kept elsewhere before the
client hears that it is logged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import Any

URI = "mlflow-artifacts:/run"
"""Where MLflow's client finds them: at the server that it logs to."""
PREFIX = "/api/2.0/mlflow-artifacts/artifacts"
FILES_MAX = 1000
BYTES_MAX = 1 << 30
"""Of a trial."""
_PART_BYTES = 1 << 20
_ROOT = "run"

Keep = Callable[[int, str, Path], None]
"""Keeps a file as the artifact of a trial with this number, by this name."""


class KeptArtifacts:
    """Takes a trial's artifacts; what cannot be kept costs the script nothing, and is told.

    Args:
        folder: which need not exist yet.
        keep: may raise anything.
        tell: takes a line for people.
    """

    def __init__(self, trial: int, folder: Path, keep: Keep, tell: Callable[[str], None]) -> None:
        self._trial, self._folder, self._keep, self._tell = trial, folder, keep, tell
        self._sizes: dict[str, int] = {}
        self._is_full = False
        self._lock = threading.Lock()

    def put(self, path: str, body: Iterator[bytes]) -> None:
        """Takes a file.

        Raises:
            KeyError: it cannot be an artifact's path.
        """
        name = _name(path)
        target = self._folder / name
        with self._lock:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "wb") as file:
                for part in body:
                    file.write(part)
            if not self._has_room(name, target.stat().st_size):
                return
            try:
                self._keep(self._trial, name, target)
            except Exception as error:
                self._tell(f"the artifact {name} of its script is not kept: {error}")

    def _has_room(self, name: str, size_bytes: int) -> bool:
        sizes = {**self._sizes, name: size_bytes}
        if len(sizes) <= FILES_MAX and sum(sizes.values()) <= BYTES_MAX:
            self._sizes = sizes
            return True
        if not self._is_full:
            self._is_full = True
            most = f"at most {FILES_MAX} files and {BYTES_MAX >> 20} MiB of a trial are"
            self._tell(f"the artifact {name} of its script is not kept, nor are larger ones after it: {most}")
        return False

    def listed(self, path: str) -> dict[str, Any]:
        """The files in a folder, as MLflow's server lists them; the file itself if it is one.

        Raises:
            KeyError: it cannot be an artifact's path.
        """
        found = self._folder / _name(path) if path.strip("/") != _ROOT else self._folder
        inside = sorted(found.iterdir()) if found.is_dir() else [found] if found.is_file() else []
        files = [
            {"path": one.name, "is_dir": one.is_dir(), **({} if one.is_dir() else {"file_size": one.stat().st_size})}
            for one in inside
        ]
        return {"files": files}

    def read(self, path: str) -> bytes:
        """A file that the script has logged.

        Raises:
            KeyError: there is none.
        """
        found = self._folder / _name(path)
        if not found.is_file():
            raise KeyError(path)
        return found.read_bytes()


def body_of(file: BufferedIOBase, length: str | None, encoding: str | None) -> Iterator[bytes]:
    """The parts of a request's body; requests sends an empty file in chunks."""
    if "chunked" not in (encoding or ""):
        yield from _parts(file, int(length or 0))
        return
    while size := int(file.readline(1024).partition(b";")[0], 16):
        yield from _parts(file, size)
        file.readline(1024)
    while file.readline(1024).strip():
        pass


def _parts(file: BufferedIOBase, left: int) -> Iterator[bytes]:
    while left > 0:
        part = file.read(min(left, _PART_BYTES))
        if not part:
            raise ConnectionError("the request ended early")
        left -= len(part)
        yield part


def _name(path: str) -> str:
    """The name below the run of an artifact's path.

    Raises:
        KeyError: it leads elsewhere.
    """
    parts = PurePosixPath(path.strip("/")).parts
    if len(parts) < 2 or parts[0] != _ROOT or ".." in parts or "\0" in path:
        raise KeyError(path)
    return "/".join(parts[1:])
