"""What a trial printed, in its sweep's folder: the first MiB in one file, the last MiB of the rest in another."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tuner.base.secrets import redacted
from tuner.storage import nofollow
from tuner.storage.files import AnyPath, exists, make_folder, open_log, read_bytes, write_atomically
from tuner.storage.folders import SweepFolder

PART_BYTES = 1 << 20
"""Of the beginning, and of the end."""
EVERY_S = 5.0
"""How often a file is written as a whole: that of the end, and any in an object store."""


class PrintedFile:
    """Adds to what a trial printed, in this attempt or an earlier one.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: SweepFolder, trial: int) -> None:
        self._folder = folder
        self._first, self._last = folder.printed(trial), folder.printed(trial, is_end=True)
        make_folder(self._first.parent, folder.base)
        self._begin = _read(folder, self._first)
        self._end = _read(folder, self._last)
        self._new = b""
        self._is_changed = False
        self._written_at = 0.0

    def add(self, text: bytes) -> None:
        """Takes more, of which secrets are left out."""
        text = redacted(text.decode("utf-8", "replace")).encode("utf-8", "replace")
        room = PART_BYTES - len(self._begin)
        self._begin += text[:room]
        self._new += text[:room]
        if text[room:]:
            self._end = (self._end + text[room:])[-PART_BYTES:]
            self._is_changed = True

    def write(self, *, is_last: bool = False) -> None:
        """Writes what is new; whole files seldom, unless it is the last time.

        Raises:
            OSError, StorageError: it cannot be written.
        """
        is_due = is_last or time.monotonic() - self._written_at >= EVERY_S
        if self._new and isinstance(self._first, Path):
            with open_log(self._first, self._folder.base) as file:
                os.fchmod(file.fileno(), 0o600)  # who knows what a trainable prints
                file.write(self._new)
            self._new = b""
        elif self._new and is_due:
            write_atomically(self._first, self._begin)
            self._new, self._written_at = b"", time.monotonic()
        if self._is_changed and is_due:
            _replace(self._folder, self._last, self._end)
            self._is_changed, self._written_at = False, time.monotonic()


def printed_text(folder: SweepFolder, trial: int) -> str | None:
    """What a trial printed, as far as it is kept; None if nothing is.

    Raises:
        StorageError: it cannot be read.
    """
    begin, end = _read(folder, folder.printed(trial)), _read(folder, folder.printed(trial, is_end=True))
    if not begin:
        return None
    text = begin.decode("utf-8", "replace")
    cut = "\n[of what follows, only the end was kept]\n" if len(end) >= PART_BYTES else ""
    return text + cut + end.decode("utf-8", "replace")


def _replace(folder: SweepFolder, path: AnyPath, content: bytes) -> None:
    if not isinstance(path, Path):
        write_atomically(path, content)
        return
    with open(nofollow.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, folder.base), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


def _read(folder: SweepFolder, path: AnyPath) -> bytes:
    if not exists(path, folder.base):
        return b""
    return read_bytes(path, folder.base, bytes_max=4 * PART_BYTES)
