"""Writes checkpoints in a thread beside the training."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import Protocol

from tuner.base.errors import StorageError, TunerError
from tuner.engine.messages import SavedCheckpoint
from tuner.storage import AnyPath, SweepFolder, delete, make_folder, write_atomically
from tuner.sweep.events import Metrics

KEPT = {"full": 3, "best": 1}
"""How many a running trial keeps, by kind. Of full ones, the newest may not be journalled yet, and the one before may
be damaged."""


class Snapshot(Protocol):
    """A training at the end of an epoch, as `trainables.training` takes it."""

    def to_bytes(self) -> bytes: ...


class CheckpointSaver:
    """Writes one checkpoint after another. `taken` gives those that were written, to be journalled.

    Attributes:
        write_s: seconds that the last write of a full checkpoint took, in the thread.
    """

    def __init__(self, folder: SweepFolder, write: Callable[[AnyPath, bytes], None] | None = None) -> None:
        self._folder = folder
        self._write = write or partial(write_atomically, base=folder.base)
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._under_way: list[Future[SavedCheckpoint]] = []
        self._tests: dict[str, Metrics] = {}
        """Test metrics of checkpoints that are being written, by path."""
        self._written: dict[str, list[AnyPath]] = {kind: [] for kind in KEPT}
        self.write_s = 0.0

    @property
    def is_busy(self) -> bool:
        return any(not future.done() for future in self._under_way)

    def begin_trial(self) -> None:
        """Another trial or attempt begins, which must not delete files of earlier ones."""
        self._written = {kind: [] for kind in KEPT}

    def save(self, saved: SavedCheckpoint, snapshot: Snapshot) -> None:
        """Starts to write a checkpoint; returns at once."""
        self._under_way.append(self._thread.submit(self._save, saved, snapshot, self._written[saved.kind]))

    def add_test(self, saved: SavedCheckpoint, test: Metrics) -> None:
        """Adds test metrics to a checkpoint, which were measured while it was written."""
        self._tests[saved.path] = test

    def taken(self, wait_s: float | None = 0.0) -> list[SavedCheckpoint]:
        """The checkpoints that reached storage since the last call.

        Args:
            wait_s: how long to wait for those being written; None waits for all. With None, an error comes before
                checkpoints that have arrived, because the report may be the trial's last; else after them.

        Raises:
            StorageError: one could not be written.
        """
        until = None if wait_s is None else time.monotonic() + wait_s
        num_done = 0
        for future in self._under_way:
            wait([future], until and max(0.0, until - time.monotonic()))
            if not future.done():
                break
            if (error := future.exception()) is not None:
                if num_done and until is not None:
                    break
                self._under_way.remove(future)
                if isinstance(error, OSError):
                    raise StorageError(f"{self._folder.url}: a checkpoint cannot be written: {error}") from error
                raise error
            num_done += 1
        done, self._under_way = self._under_way[:num_done], self._under_way[num_done:]
        return [self._with_test(future.result()) for future in done]

    def _with_test(self, saved: SavedCheckpoint) -> SavedCheckpoint:
        test = self._tests.pop(saved.path, None)
        return saved if test is None else replace(saved, test=test)

    def _save(self, saved: SavedCheckpoint, snapshot: Snapshot, written: list[AnyPath]) -> SavedCheckpoint:
        started_s = time.monotonic()
        path = self._folder.named(saved.path)
        make_folder(path.parent, self._folder.base)  # without its parents: a removed sweep is not made again
        self._write(path, snapshot.to_bytes())
        write_s = time.monotonic() - started_s
        if saved.kind == "full":
            self.write_s = write_s
        written.append(path)
        while len(written) > KEPT[saved.kind]:
            with contextlib.suppress(TunerError):  # it only costs disk space
                delete(written.pop(0), self._folder.base)
        return replace(saved, write_s=write_s)
