"""Artifacts are uploaded beside the metrics: an artifact store that hangs or refuses keeps no number waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("tuner.recording")

RETRY_S = 1.0
RETRY_MAX_S = 30.0


class Uploads:
    """Texts on their way to the artifact store, in a thread that ends with the process; each until it arrives."""

    def __init__(self, log_text: Callable[[str, str, str], None], reason: Callable[[Exception], str]) -> None:
        """`log_text` uploads; `reason` says in a line why it did not."""
        self._log_text, self._reason = log_text, reason
        self._waiting: dict[tuple[str, str], str | Callable[[], str]] = {}
        """The newest text, or what writes it, by run and name."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, run_id: str, text: str | Callable[[], str], name: str) -> None:
        """Uploads a text; one that takes long to write may be given as what writes it."""
        with self._changed:
            self._waiting[run_id, name] = text
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="tuner-artifacts")
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> list[str]:
        """Waits until all have arrived, but no longer than `timeout_s`; returns the names of those that have not."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, timeout_s)
            return [name for _, name in self._waiting]

    def abandon(self) -> None:
        """Forgets what waits; it is uploaded by another one, if at all."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        delay_s, logged = RETRY_S, ""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                (run_id, name), text = next(iter(self._waiting.items()))
            written = _written(text, name)
            with self._changed:  # as it is, it is sent again if need be
                if written is not None and self._waiting.get((run_id, name)) is text:
                    self._waiting[run_id, name] = text = written
            try:
                if written is not None:
                    self._log_text(run_id, written, name)
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


def _written(text: str | Callable[[], str], name: str) -> str | None:
    """The text itself; None, with a word in the log, if it cannot be written, now or later."""
    try:
        return text if isinstance(text, str) else text()
    except Exception as error:
        _log.warning("artifact %s cannot be written: %s: %s", name, type(error).__name__, error)
        return None
