"""The lease: at most one driver runs a sweep, and a dead one can be replaced.

The holder writes a beat every 5 s. On the same machine, a dead holder's lease is taken at once. On another machine, a
process that wants it watches, by its own clock, for 20 s whether the beat changes. A holder that could not renew for
15 s checks, before and after each append, that it is still the holder.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace

from tuner.base.errors import StorageError, SweepHeldError
from tuner.storage import AnyPath, SweepFolder
from tuner.storage.journal.holder import Holder
from tuner.storage.journal.lease_files import LeaseFiles, Seen, Taken
from tuner.storage.journal.lease_objects import LeaseObjects

BEAT_S = 5.0
"""Seconds between two beats of a holder."""
TAKEOVER_S = 20.0
"""A holder on another machine counts as dead once its beat has not changed for this long."""
FENCE_S = 15.0
"""A holder that has not renewed for this long checks that it is still the holder; less than TAKEOVER_S."""


class Lease:
    """The exclusive right to write to a sweep."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._store = LeaseObjects(folder) if folder.is_remote else LeaseFiles(folder)
        self._holder: Holder | None = None
        self._lost: SweepHeldError | None = None
        self._renewed_at = (0.0, 0.0)
        self._renewing = threading.Lock()
        self._stop = threading.Event()

    def acquire(self, on_wait: Callable[[str], None] | None = None) -> None:
        """Takes the lease; waits up to TAKEOVER_S for a holder on another machine that may have died.

        Args:
            on_wait: called once, with a sentence, if this waits.

        Raises:
            SweepHeldError: another driver holds it; the message says which.
            StorageError: the lease cannot be read or written.
        """
        holder = Holder.this_process().holding(self._folder)
        try:
            self._store.lock()
            try:
                seen = self._store.look()
                if seen is not None and not seen.is_free and not self._store.is_dead(seen):
                    if self._store.is_alive(seen, TAKEOVER_S):
                        raise Taken(seen.holder)
                    seen = self._outwait(seen, on_wait)
                now = _now()
                self._store.take(replace(holder, beat=time.time()), seen)
            except BaseException:
                self._store.unlock()
                raise
        except Taken as taken:
            raise self._held(taken.holder) from None
        self._holder, self._renewed_at = holder, now
        threading.Thread(target=_beat, args=(weakref.ref(self), self._stop), name="lease", daemon=True).start()

    def confirm(self) -> None:
        """Checks, before and after a write, that no other driver has taken the lease.

        Raises:
            SweepHeldError: another driver has.
            StorageError: this cannot be determined.
        """
        if self._lost is None and _elapsed_s(self._renewed_at) > FENCE_S:
            try:
                self._renew()
            except StorageError:  # such as a full disk, which can still be read
                self._find_out(lambda holder: self._store.verify(holder))
        if self._lost is not None:
            raise self._lost.with_traceback(None)

    def moved(self, folder: SweepFolder) -> None:
        """Tells the lease that the folder was renamed."""
        with self._renewing:
            self._folder = folder
            self._store.moved(folder)
            if self._holder is not None:
                self._holder = self._holder.holding(folder)

    def release(self) -> None:
        """Releases the sweep. May be called twice."""
        self._stop.set()
        with self._renewing:
            if self._holder is not None:
                if self._lost is None:
                    self._store.release(self._holder)
                self._holder = None
                self._store.unlock()

    def _outwait(self, seen: Seen, on_wait: Callable[[str], None] | None) -> Seen | None:
        """Watches another machine's lease until its holder must be dead; returns the lease to replace.

        Raises:
            Taken: the beat changed, so the holder lives.
        """
        if on_wait is not None:
            who = seen.holder or "a driver of another version"
            on_wait(f"waiting up to {TAKEOVER_S:.0f} s for {who}, which may have died")
        until = time.monotonic() + TAKEOVER_S
        while True:
            time.sleep(min(self._store.look_s, TAKEOVER_S / 4))
            is_over = time.monotonic() >= until
            now = self._store.look()
            if now is None or now.is_free:
                return now
            if now.data != seen.data:
                raise Taken(now.holder)
            if is_over:
                return now

    def _renew(self) -> None:
        """Writes a beat; its age counts from before the write."""
        now = _now()
        if self._find_out(lambda holder: self._store.renew(replace(holder, beat=time.time()))):
            self._renewed_at = now

    def _find_out(self, look: Callable[[Holder], None]) -> bool:
        with self._renewing:
            if self._holder is None or self._lost is not None:
                return False
            try:
                look(self._holder)
            except Taken as taken:
                self._lost = self._held(taken.holder)
        return self._lost is None

    def _held(self, holder: Holder | None) -> SweepHeldError:
        who = str(holder) if holder else "another process"
        return SweepHeldError(
            f"sweep {self._folder.name}: another driver is running it ({who});"
            f" wait for it, or stop it with Ctrl-C there"
        )


def read_holder(where: SweepFolder | AnyPath) -> Holder | None:
    """The driver that currently holds a sweep; None if there is none. Quick, and never disturbs a holder.

    A driver on another machine counts as the holder if its last beat is at most a minute old, as clocks may differ.

    Args:
        where: the sweep's folder, or its lease.

    Raises:
        StorageError: the lease cannot be read.
    """
    folder = where if isinstance(where, SweepFolder) else SweepFolder.at(str(where.parent))
    return (LeaseObjects(folder) if folder.is_remote else LeaseFiles(folder)).live_holder()


def _beat(reference: weakref.ref[Lease], stop: threading.Event) -> None:
    """Renews until the lease is released, lost or garbage collected."""
    while not stop.wait(BEAT_S):
        lease = reference()
        if lease is None or lease._lost is not None:
            return
        with contextlib.suppress(StorageError):
            lease._renew()
        del lease


def _now() -> tuple[float, float]:
    """Two clocks: one that cannot be set (and, if possible, counts while the machine sleeps), and the wall clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic() if boot is None else time.clock_gettime(boot), time.time())


def _elapsed_s(since: tuple[float, float]) -> float:
    """Elapsed seconds, by whichever clock advanced more."""
    return max(now - then for now, then in zip(_now(), since, strict=True))
