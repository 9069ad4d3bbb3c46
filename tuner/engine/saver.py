"""Checkpoints on their way to storage, in a thread beside the training."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tuner.engine.messages import SavedCheckpoint
from tuner.errors import StorageError, TunerError
from tuner.paths import AnyPath, SweepFolder, delete, write_atomically

KEPT = {"full": 3, "best": 1}
"""Of a running trial, by kind: the newest full one may not be journalled yet, and the one before may be damaged."""


class Snapshot(Protocol):
    """A training at the end of an epoch, as `trainables.training` takes it."""

    def to_bytes(self) -> bytes: ...


class CheckpointSaver:
    """Writes one checkpoint after another. What was written is told by `taken`, so that it can be journalled.

    Attributes:
        write_s: seconds that the last write of a full one took, in its thread.
    """

    def __init__(self, folder: SweepFolder, write: Callable[[AnyPath, bytes], None] = write_atomically) -> None:
        self._folder, self._write = folder, write
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._under_way: list[Future[SavedCheckpoint]] = []
        self._written: dict[str, list[AnyPath]] = {kind: [] for kind in KEPT}
        self.write_s = 0.0

    @property
    def is_busy(self) -> bool:
        return any(not future.done() for future in self._under_way)

    def begin_trial(self) -> None:
        """Another trial, or attempt: files of those before are not this one's to delete."""
        self._written = {kind: [] for kind in KEPT}

    def save(self, saved: SavedCheckpoint, snapshot: Snapshot) -> None:
        """Begins to write; returns at once."""
        self._under_way.append(self._thread.submit(self._save, saved, snapshot, self._written[saved.kind]))

    def taken(self, wait_s: float | None = 0.0) -> list[SavedCheckpoint]:
        """The checkpoints that reached storage since the last call, after waiting so long for those under way.

        None waits until all have arrived.

        Raises:
            StorageError: one could not be written.
        """
        until = None if wait_s is None else time.monotonic() + wait_s
        done: list[SavedCheckpoint] = []
        while self._under_way:
            wait([self._under_way[0]], until and max(0.0, until - time.monotonic()))
            if not self._under_way[0].done():
                break
            if done and self._under_way[0].exception() is not None:
                break  # what has arrived is told first
            try:
                done.append(self._under_way.pop(0).result())
            except OSError as error:
                raise StorageError(f"{self._folder.url}: a checkpoint cannot be written: {error}") from error
        return done

    def _save(self, saved: SavedCheckpoint, snapshot: Snapshot, written: list[AnyPath]) -> SavedCheckpoint:
        started_s = time.monotonic()
        path = self._folder.path / saved.path
        if isinstance(path, Path):
            path.parent.mkdir(exist_ok=True)  # not the folders above: a sweep that was removed is not begun anew
        self._write(path, snapshot.to_bytes())
        write_s = time.monotonic() - started_s
        if saved.kind == "full":
            self.write_s = write_s
        written.append(path)
        while len(written) > KEPT[saved.kind]:
            with contextlib.suppress(TunerError):  # it costs room, no more
                delete(written.pop(0))
        return replace(saved, write_s=write_s)
