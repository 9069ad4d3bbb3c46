"""All sweeps of a storage root, followed: new ones appear, deleted and renamed ones disappear."""

from __future__ import annotations

import threading
import time
from typing import Any

from tuner.live.followed import LOOK_S, REMOTE_LOOK_S, Followed
from tuner.storage import StorageRoot

BUDGET_S = 1.0
"""A request for the list reads journals for so long; the next request reads on."""


class FollowedRoot:
    """The sweeps of a root by the names of their folders."""

    def __init__(self, root: StorageRoot) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._followed: dict[str, Followed] = {}
        self._listed_at = -REMOTE_LOOK_S

    def sweep(self, name: str) -> Followed | None:
        """A sweep that exists; None if there is none of this name.

        Raises:
            StorageError: this cannot be determined.
        """
        if not self.root.can_hold(name) or not (folder := self.root.sweep(name)).exists():
            with self._lock:
                self._followed.pop(name, None)
            return None
        with self._lock:
            return self._followed.setdefault(name, Followed(folder))

    def rows(self) -> list[dict[str, Any]]:
        """The sweeps as `tuner list --json` prints them, newest first, each with an `error`.

        A sweep whose journal has not been read yet has the state `reading`.

        Raises:
            StorageError: the root cannot be listed.
        """
        self._list()
        with self._lock:
            known = list(self._followed.values())
        began = time.monotonic()
        for one in sorted(known, key=lambda one: one.summary is not None):  # what was never read comes first
            if time.monotonic() - began < BUDGET_S:
                one.look()
        return sorted(map(_row, known), key=lambda row: (-(row["started_at"] or 0.0), row["sweep"]))

    def _list(self) -> None:
        if time.monotonic() - self._listed_at < (REMOTE_LOOK_S if self.root.is_remote else LOOK_S):
            return
        self._listed_at = time.monotonic()
        folders = {folder.name: folder for folder in self.root.sweeps()}
        with self._lock:
            self._followed = {name: self._followed.get(name) or Followed(folder) for name, folder in folders.items()}


def _row(one: Followed) -> dict[str, Any]:
    if one.summary is None:
        return {
            "sweep": one.folder.name, "state": "reading", "trials": 0, "num_trials": 0, "epochs": 0, "metric": "",
            "best": None, "started_at": None, "error": "",
        }  # fmt: skip
    return {**one.summary, "error": one.error}
