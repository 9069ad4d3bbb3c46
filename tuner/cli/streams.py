"""Standard output and standard error that never end a sweep because they cannot be written."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

from tuner.base.errors import ServiceError


class _People(io.FileIO):
    """For text for people: drops what cannot be written."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


class _Data(io.FileIO):
    """For data: reports the first failed write, and ignores later ones, such as the interpreter's own at its exit."""

    has_failed = False

    def write(self, data: Any) -> int:
        if self.has_failed:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:  # the reader has left
            self.has_failed = True
            raise
        except OSError as error:
            self.has_failed = True
            raise ServiceError(f"standard output cannot be written: {error.strerror}") from error


def prepare() -> None:
    """Replaces both streams if they are those of the process."""
    for number in range(3):
        _open(number)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(_Data(1, "w", closefd=False), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_People(2, "w", closefd=False), sys.stderr)


def _open(number: int) -> None:
    """Opens a closed stream: the next file, such as the journal, would get its number, and Ray would write there."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


def _text(file: io.FileIO, before: TextIO | None) -> TextIO:
    encoding = "utf-8" if before is None else before.encoding
    return io.TextIOWrapper(io.BufferedWriter(file), encoding, "backslashreplace", line_buffering=True)
