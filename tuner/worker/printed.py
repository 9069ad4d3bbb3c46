"""What a trial prints: the bytes that its process, and its script, add to the worker's output while it trains.

The worker's output is a file, of which each trial's part is copied as it grows. Where it is none, nothing is kept. What
a process that is gone has printed last is copied by who shares its outputs.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from tuner.base.errors import TunerError
from tuner.storage import SweepFolder
from tuner.storage.printed import PrintedFile
from tuner.worker.warned import WARNINGS_MAX, warnings_in

LOOK_EVERY_S = 0.5
_MARK_BYTES = 8192
_MARKS = (b":job_id:", b":actor_name:", b":task_name:", b":actor_class:")
"""How lines begin that Ray writes there for itself."""


@dataclass
class _Stream:
    """One of the process's outputs, and how far it was read."""

    number: int
    at: int = 0
    rest: bytes = b""
    """The beginning of a line whose end has not come yet."""

    def skip(self) -> None:
        """What was printed so far is nobody's."""
        self.at, self.rest = self._size(), b""

    def news(self, *, is_last: bool = False) -> bytes:
        """The lines that are new."""
        size = self._size()
        if size < self.at:  # it became too long, and was emptied
            self.at = 0
        parts = [self.rest]
        while self.at < size:
            with open(f"/proc/self/fd/{self.number}", "rb") as file:
                part = os.pread(file.fileno(), min(size - self.at, 1 << 20), self.at)
            if not part:
                break
            self.at += len(part)
            parts.append(part)
        text = b"".join(parts)
        end = len(text) if is_last or len(text) > 1 << 16 else text.rfind(b"\n") + 1
        text, self.rest = text[:end], text[end:]
        return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(_MARKS))

    @property
    def copied(self) -> int:
        """How many bytes were taken as lines."""
        return self.at - len(self.rest)

    def _size(self) -> int:
        with suppress(OSError):
            found = os.fstat(self.number)
            return found.st_size if stat.S_ISREG(found.st_mode) else 0
        return 0


class Mark:
    """How far the outputs of a process were copied, in memory that outlives it."""

    def __init__(self) -> None:
        self._file = os.memfd_create("tuner-printed")
        self.path = f"/proc/{os.getpid()}/fd/{self._file}"
        """Where the process opens it."""

    def keep_rest(self) -> None:
        """Copies what the process, which is gone, has printed since it copied last.

        Its outputs must be those of this one.
        """
        with suppress(OSError, TunerError, ValueError, TypeError):  # nothing is marked, or nothing can be written
            found = json.loads(os.pread(self._file, _MARK_BYTES, 0))
            os.ftruncate(self._file, 0)
            file = PrintedFile(SweepFolder.at(found["sweep"]), found["trial"])
            for number, copied in found["copied"]:
                file.add(_Stream(number, copied).news(is_last=True))
            file.write(is_last=True)


@dataclass
class Printed:
    """Copies what each trial in turn prints to the sweep's folder. What cannot be written is not kept.

    Attributes:
        mark: the path of a `Mark`; empty for none.
    """

    folder: SweepFolder
    mark: str = ""
    _streams: tuple[_Stream, ...] = (_Stream(1), _Stream(2))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _file: PrintedFile | None = None
    _thread: threading.Thread | None = None
    _trial: int = 0
    _warned: dict[str, None] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def begin(self, trial: int) -> None:
        """From now on it is this trial that prints."""
        self.end()
        with self._lock:
            for stream in self._streams:
                stream.skip()
            with suppress(OSError, TunerError):
                self._file = PrintedFile(self.folder, trial)
            self._trial = trial
            self._note()
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="printed", daemon=True)
            self._thread.start()

    def copy(self, *, is_last: bool = False) -> None:
        """Copies what is new."""
        for output in (sys.stdout, sys.stderr):
            with suppress(Exception):
                output.flush()
        with self._lock:
            if self._file is None:
                return
            with suppress(OSError, TunerError):
                for stream in self._streams:
                    news = stream.news(is_last=is_last)
                    self._warned.update(dict.fromkeys(warnings_in(news)))
                    self._file.add(news)
                self._file.write(is_last=is_last)
            self._note()

    def take_warnings(self) -> tuple[str, ...]:
        """Warnings of Keras and TensorFlow that this process has not printed before, since the last call."""
        with self._lock:
            new = [text for text in self._warned if text not in self._told]
            new = new[: WARNINGS_MAX - len(self._told)]
            self._told.update(new)
            self._warned.clear()
            return tuple(new)

    def end(self) -> None:
        """The trial prints no more."""
        self.copy(is_last=True)
        with self._lock:
            self._file = None
            self._note()

    def _note(self) -> None:
        """Marks how far it came; nothing is left to copy between two trials."""
        if not self.mark:
            return
        copied = [(stream.number, stream.copied) for stream in self._streams]
        told = {"sweep": self.folder.url, "trial": self._trial, "copied": copied} if self._file else None
        with suppress(OSError), open(self.mark, "r+b", buffering=0) as file:
            file.write(json.dumps(told).encode().ljust(_MARK_BYTES))

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            self.copy()
