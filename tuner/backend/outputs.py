"""What trainables print: bounded while they run; of a local Ray, its end is kept in the sweep's folder.

Ray's own rotation is not used. It reads the output through a pipe in the worker itself, so that the last lines of a
worker that ends abruptly, such as the stacks of a hang, are lost, and an endless line fills the worker's memory.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tuner.base.secrets import redacted

FILE_BYTES = 8 << 20
"""Once a worker's output is larger, all but its end is dropped, while the worker runs."""
LOOK_EVERY_S = 0.25
LIVE_BYTES = 256 << 20
"""Outputs of ended workers are removed, the oldest first, while all outputs together are larger."""
KEPT_BYTES = 4 << 20
"""How much of the end of each worker's output is kept."""
ALL_KEPT_BYTES = 64 << 20
"""The oldest of a sweep's kept outputs are removed while all together are larger."""

_LOG = re.compile(r"worker-[0-9a-f]+-[0-9a-f]+-(\d+)\.(out|err)(?:\.(\d+))?")
_KEPT = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_worker-\d+\.(out|err)")
_MARKS = (":job_id:", ":actor_name:", ":task_name:", ":actor_class:")
"""How lines begin that Ray writes there for itself."""


def keep(logs: Path, into: Path) -> None:
    """Writes the end of what each worker printed to files of mode 600, without secrets; `logs` is Ray's folder of logs.

    Raises:
        OSError: the folder cannot be written, or is a link.
    """
    session = logs.parent.name.removeprefix("session_")[:19]
    parts: dict[tuple[str, str], list[tuple[int, Path]]] = defaultdict(list)
    for path in logs.iterdir():
        if found := _LOG.fullmatch(path.name):
            parts[found[1], found[2]].append((-int(found[3] or 0), path))
    texts = {f"{session}_worker-{pid}.{kind}": _end_of([p for _, p in sorted(of)]) for (pid, kind), of in parts.items()}
    if texts := {name: text for name, text in texts.items() if text}:
        with suppress(FileExistsError):
            into.mkdir(0o700)
        handle = os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for name, text in texts.items():
                with suppress(FileExistsError):  # kept before, by a driver that was killed then
                    _write(handle, name, text)
            _remove_oldest(handle)
        finally:
            os.close(handle)


def saved_outputs(into: Path) -> list[Path]:
    """The kept files, oldest first."""
    if into.is_symlink() or not into.is_dir():
        return []
    return [into / name for name in sorted(os.listdir(into)) if _KEPT.fullmatch(name)]


def bound_this_process() -> None:
    """From now on drops old output of this worker; does nothing if Ray does not write it to a file."""
    import ray

    worker: Any = ray._private.worker.global_worker
    paths = {1: worker.get_out_file_path(), 2: worker.get_err_file_path()}

    def look() -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            for handle, path in paths.items():
                with suppress(OSError):
                    drop_old(handle, Path(path))

    threading.Thread(target=look, name="outputs", daemon=True).start()


def drop_old(handle: int, path: Path) -> None:
    """Moves the end of a file that is too long to a file beside it, and empties it for its writer, who appends."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_size <= FILE_BYTES:
        return
    with open(path, "rb") as file:
        if not os.path.samestat(os.fstat(file.fileno()), found):
            return
        file.seek(-KEPT_BYTES, os.SEEK_END)
        end = file.read()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path.with_name(f"{path.name}.1"), flags, 0o600), "wb") as older:
        older.write(b"[what was printed before this was not kept]\n" + end)
    os.ftruncate(handle, 0)


def prune(logs: Path) -> None:
    """Removes outputs of ended workers, the oldest first, while all outputs together have more than LIVE_BYTES."""
    found = [(path.stat(), path, match) for path in logs.iterdir() if (match := _LOG.fullmatch(path.name))]
    excess = sum(entry.st_size for entry, _, _ in found) - LIVE_BYTES
    for entry, path, match in sorted(found, key=lambda item: item[0].st_mtime):
        if excess <= 0:
            return
        if not psutil.pid_exists(int(match[1])):
            path.unlink(missing_ok=True)
            excess -= entry.st_size


def _end_of(paths: list[Path]) -> str:
    """The last KEPT_BYTES of consecutive files."""
    chunks: list[bytes] = []
    missing, left = 0, KEPT_BYTES
    for path in reversed(paths):
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - left))
            chunks.insert(0, file.read(left))
        missing += max(0, size - left)
        left -= len(chunks[0])
    lines = b"".join(chunks).decode("utf-8", "replace").splitlines(keepends=True)
    text = redacted("".join(line for line in lines if not line.startswith(_MARKS)))
    return f"[{missing} bytes before this were not kept]\n{text}" if missing and text.strip() else text.strip() and text


def _write(folder: int, name: str, text: str) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)


def _remove_oldest(folder: int) -> None:
    names = sorted(name for name in os.listdir(folder) if _KEPT.fullmatch(name))
    sizes = {name: os.stat(name, dir_fd=folder, follow_symlinks=False).st_size for name in names}
    excess = sum(sizes.values()) - ALL_KEPT_BYTES
    for name in names:
        if excess <= 0:
            return
        os.unlink(name, dir_fd=folder)
        excess -= sizes[name]
