"""Uploads artifacts in the background, so that an artifact store that hangs or refuses does not delay metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from tuner.recording.logged_files import Logged

Written = str | Logged
Content = Written | Callable[[], str] | Callable[[], Logged | None]
_log = logging.getLogger("tuner.recording")

RETRY_S = 1.0
RETRY_MAX_S = 30.0
PRODUCED_S = 60.0
"""How long the end waits for texts that are still produced, such as a report."""


class Uploads:
    """Uploads texts, and folders of files, in a daemon thread, and retries each until it succeeds."""

    def __init__(self, log: Callable[[str, Any, str], None], reason: Callable[[Exception], str]) -> None:
        """`log` uploads a text, or the files of a folder; `reason` describes its error in one line."""
        self._log, self._reason = log, reason
        self._waiting: dict[tuple[str, str], Content] = {}
        """(run, name) -> the newest, or the function that produces it."""
        self._is_producing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, run_id: str, text: Content, name: str) -> None:
        """Uploads a text or a folder's files, or what a function returns if that takes long to produce."""
        with self._changed:
            self._waiting[run_id, name] = text
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="tuner-artifacts")
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> list[str]:
        """Waits up to `timeout_s` until all are uploaded; returns the names of those that are not.

        The time in which one is produced is not counted, up to `PRODUCED_S`: a busy machine is no store that hangs.
        """
        left_s = {True: PRODUCED_S, False: timeout_s}
        with self._changed:
            while self._waiting and left_s[self._is_producing] > 0:
                kind, since = self._is_producing, time.monotonic()
                self._changed.wait(left_s[kind])
                left_s[kind] -= time.monotonic() - since
            return [name for _, name in self._waiting]

    def abandon(self) -> None:
        """Drops what has not been uploaded yet."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        delay_s, logged = RETRY_S, ""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                (run_id, name), text = next(iter(self._waiting.items()))
                self._is_producing = True
                self._changed.notify_all()
            written = _written(text, name)
            with self._changed:  # unless it was replaced meanwhile
                self._is_producing = False
                self._changed.notify_all()
                if written is not None and self._waiting.get((run_id, name)) is text:
                    self._waiting[run_id, name] = text = written
            try:
                if written is not None:
                    self._log(run_id, written, name)
                delay_s, logged = RETRY_S, ""
            except Exception as error:
                if logged != (logged := self._reason(error)):
                    _log.warning("artifact %s waits: %s", name, logged)
                time.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_MAX_S)
                continue
            with self._changed:
                if self._waiting.get((run_id, name)) is text:
                    del self._waiting[run_id, name]
                self._changed.notify_all()


def _written(content: Content, name: str) -> Written | None:
    """What is uploaded; None for nothing, with a line in the log if producing it fails."""
    try:
        return content() if callable(content) else content
    except Exception as error:
        _log.warning("artifact %s cannot be written: %s: %s", name, type(error).__name__, error)
        return None
