"""Standard output and standard error such that no sweep ends because they cannot be written."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

from tuner.base.errors import ServiceError


class _People(io.FileIO):
    """Text for people: what cannot be written is left out."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


class _Data(io.FileIO):
    """Data: the first write that fails is told. The interpreter would try what is left once more at its end."""

    has_failed = False

    def write(self, data: Any) -> int:
        if self.has_failed:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:  # the reader has seen enough
            self.has_failed = True
            raise
        except OSError as error:
            self.has_failed = True
            raise ServiceError(f"standard output cannot be written: {error.strerror}") from error


def prepare() -> None:
    """Takes both streams, where they are this process's own."""
    for number in range(3):
        _open(number)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(_Data(1, "w", closefd=False), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_People(2, "w", closefd=False), sys.stderr)


def _open(number: int) -> None:
    """The number of a closed one would go to the next file, such as the journal, and Ray would write there."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


def _text(file: io.FileIO, before: TextIO | None) -> TextIO:
    encoding = "utf-8" if before is None else before.encoding
    return io.TextIOWrapper(io.BufferedWriter(file), encoding, "backslashreplace", line_buffering=True)
