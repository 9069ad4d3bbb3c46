"""Merges a journal's many small objects into a few large ones, in the background.

Sizes grow in steps (16 kB, 256 kB, 4 MB): 16 objects below a step become one at or above it. Each event is thus written
about four times in total, and half a million events end up in a few dozen objects.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuner.base.errors import StorageError
from tuner.storage.objectstore import attempt, put_new, read_many

if TYPE_CHECKING:
    from upath import UPath

STEPS_BYTES = (16 << 10, 256 << 10, 4 << 20)
FAN_IN = 16
_GIVE_UP_S = 5.0
"""Merging can wait: a request that takes longer is given up and repeated after the next append."""


@dataclass(frozen=True)
class Segment:
    """An object of the journal that holds events `first` to `last`."""

    name: str
    first: int
    last: int
    size: int


def choose(sizes: Sequence[int], fan_in: int = FAN_IN) -> tuple[int, int] | None:
    """Which objects to merge next, as (start, stop); None if there are few enough.

    Objects at the end that are smaller than a step, but not smaller than the step before, are merged once there are
    `fan_in` of them. The oldest of them become one object that is not smaller than the step.
    """
    least = 0
    for step in STEPS_BYTES:
        start = len(sizes)
        while start > 0 and sizes[start - 1] < step:
            start -= 1
        grown = [at for at in range(start, len(sizes)) if sizes[at] >= least]
        if len(grown) >= fan_in:
            stop, total = start, 0
            while stop <= grown[-1] and (total < step or stop - start < 2):
                total += sizes[stop]
                stop += 1
            return start, stop
        least = step
    return None


class Merger:
    """Merges the objects of one journal in a thread that runs while there is something to do."""

    def __init__(self, folder: UPath, segments: Sequence[Segment]) -> None:
        self._folder = folder
        self._segments = list(segments)
        self._fresh: dict[str, bytes] = {}
        """The content of small objects that this driver wrote, so that it need not be read again."""
        self._changed = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False

    def add(self, segment: Segment, data: bytes) -> None:
        """Adds a new object at the end."""
        with self._changed:
            self._segments.append(segment)
            if segment.size < STEPS_BYTES[0]:
                self._fresh[segment.name] = data
            if self._thread is None and self._chosen() is not None:
                self._thread = threading.Thread(target=self._work, name="merging", daemon=True)
                self._thread.start()

    def delete(self, names: Sequence[str]) -> None:
        """Deletes objects whose events are in other objects. Those that cannot be deleted do no harm."""
        paths = [f"{self._folder.path}/{name}" for name in names]
        if paths:
            with contextlib.suppress(StorageError, FileNotFoundError):
                attempt(self._folder, "deleted", lambda fs: fs.rm(paths), _GIVE_UP_S)

    def close(self) -> None:
        """Ends the thread, and merges the small objects at the end into one."""
        self._closing = True
        thread = self._thread  # the thread resets this when there is nothing left to do
        if thread is not None:
            thread.join()
        start = len(self._segments)
        while start > 0 and self._segments[start - 1].size < STEPS_BYTES[-1]:
            start -= 1
        if len(self._segments) - start > 1:
            with contextlib.suppress(StorageError):
                self._merge(self._segments[start:])

    def _chosen(self) -> list[Segment] | None:
        chosen = choose([segment.size for segment in self._segments])
        return self._segments[slice(*chosen)] if chosen else None

    def _work(self) -> None:
        try:
            while not self._closing:
                with self._changed:
                    group = self._chosen()
                    if group is None:
                        self._thread = None
                        return
                self._merge(group)
        except StorageError:
            with self._changed:
                self._thread = None

    def _merge(self, group: list[Segment]) -> None:
        """Creates an object that holds a run of others, and then deletes those.

        Raises:
            StorageError: the store refused, or another driver interfered; no event is lost.
        """
        first, last = group[0].first, group[-1].last
        data = b"".join(self._contents(group))
        if data.count(b"\n") != last - first + 1:
            raise StorageError(f"{self._folder}: the objects of seq {first} to {last} do not hold these events")
        name = f"{first:012d}-{last:012d}.jsonl"
        with contextlib.suppress(FileExistsError):
            put_new(self._folder / name, data, _GIVE_UP_S)
        with self._changed:
            at = self._segments.index(group[0])
            self._segments[at : at + len(group)] = [Segment(name, first, last, len(data))]
            for segment in group:
                self._fresh.pop(segment.name, None)
        self.delete([segment.name for segment in group])

    def _contents(self, group: list[Segment]) -> list[bytes]:
        with self._changed:
            contents = {segment.name: self._fresh[segment.name] for segment in group if segment.name in self._fresh}
        others = [segment.name for segment in group if segment.name not in contents]
        contents |= read_many(self._folder, others, _GIVE_UP_S)
        if len(contents) < len(group):
            raise StorageError(f"{self._folder}: another driver merged objects of this journal")
        return [contents[segment.name] for segment in group]
