"""A lease on an object store: numbered objects. The highest is the holder's; only one process can create the next."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tuner.base.errors import StorageError, TooLargeError
from tuner.storage import SweepFolder, read_bytes
from tuner.storage.journal.holder import Holder
from tuner.storage.journal.lease_files import BYTES_MAX, Seen, Taken
from tuner.storage.objectstore import attempt, objects_in, put, put_new

if TYPE_CHECKING:
    from upath import UPath

_NAME = re.compile(r"(?:[0-9]{12}|[1-9][0-9]{12,})\.json")
"""The names that `_path` returns; objects with other names are ignored."""

RENEW_S = 5.0
"""A renewal or release that takes longer is given up; the next beat tries again."""


class LeaseObjects:
    """The lease of a sweep on an object store: `lease/<generation>.json`.

    Generations only increase. A driver that was taken for dead and wakes up can neither renew nor retake the lease,
    because nobody reads its generation any more.
    """

    look_s = 1.0
    """Seconds between two looks at another machine's lease."""

    def __init__(self, folder: SweepFolder) -> None:
        self._sweep = folder
        self._folder: UPath = folder.path / "lease"  # type: ignore[assignment]
        self._generation = 0

    def lock(self) -> None:
        """Does nothing: there are no kernel locks on an object store."""

    def unlock(self) -> None:
        """Does nothing: there are no kernel locks on an object store."""

    def look(self) -> Seen | None:
        """The newest lease; None if there never was one."""
        while generations := self._generations():
            path = self._path(generations[-1])
            try:
                data = read_bytes(path, bytes_max=BYTES_MAX)
            except FileNotFoundError:
                continue  # a newer one has replaced it
            except TooLargeError:
                data = b""  # unreadable: wait until it counts as dead
            return Seen(data, Holder.from_bytes(data), generations[-1])
        return None

    def is_dead(self, seen: Seen) -> bool:
        """Whether its holder is known to be dead: a process of this machine that no longer runs."""
        holder = seen.holder
        return holder is not None and holder.sees_this_process and not holder.has_process

    def is_alive(self, seen: Seen, beat_s: float) -> bool:
        """Whether its holder is known to be alive: a process of this machine whose beat is at most `beat_s` old."""
        holder = seen.holder
        return holder is not None and holder.sees_this_process and 0 <= time.time() - holder.beat < beat_s

    def take(self, holder: Holder, seen: Seen | None) -> None:
        """Creates the generation after the one that was seen.

        Raises:
            Taken: another driver was faster.
        """
        generation = seen.generation + 1 if seen else 1
        try:
            put_new(self._path(generation), holder.to_bytes())
        except FileExistsError:
            now = self.look()
            raise Taken(now.holder if now else None) from None
        self._generation = generation
        self.verify(holder)
        old = [self._path(number).path for number in self._generations() if number < generation]
        if old:
            with contextlib.suppress(StorageError, FileNotFoundError):
                attempt(self._folder, "deleted", lambda fs: fs.rm(old), RENEW_S)

    def verify(self, holder: Holder) -> None:
        """Checks that the lease is still this holder's.

        Raises:
            Taken: another process has it.
        """
        generations = self._generations()
        if generations and generations[-1] > self._generation:
            now = self.look()
            raise Taken(now.holder if now else None)

    def renew(self, holder: Holder) -> None:
        """Writes a new beat.

        Raises:
            Taken: another process has the lease.
            StorageError: it could not be written.
        """
        self._put(holder)
        self.verify(holder)

    def moved(self, folder: SweepFolder) -> None:
        """Does nothing: nothing is renamed on an object store."""

    def release(self, holder: Holder) -> None:
        """Marks the sweep as free. The object stays, so that its generation is not used again."""
        with contextlib.suppress(StorageError, FileNotFoundError):
            self._put(replace(holder, released=True))

    def live_holder(self) -> Holder | None:
        """The current holder, if it is alive."""
        if (seen := self.look()) is None or seen.is_free:
            return None
        holder = seen.holder or Holder("unknown", 0, 0.0)
        if not holder.is_of(self._sweep):
            return None
        if holder.sees_this_process:
            return holder if holder.has_process else None
        return holder if holder.beats else None

    def _put(self, holder: Holder) -> None:
        put(self._path(self._generation), holder.to_bytes(), RENEW_S)

    def _path(self, generation: int) -> UPath:
        return self._folder / f"{generation:012d}.json"

    def _generations(self) -> list[int]:
        return sorted(int(name.removesuffix(".json")) for name in objects_in(self._folder) if _NAME.fullmatch(name))
