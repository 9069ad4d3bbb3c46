"""Artifacts are uploaded beside the metrics: an artifact store that hangs or refuses keeps no number waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tuner.recording.target import without_credentials

_log = logging.getLogger("tuner.recording")


class Uploads:
    """Texts on their way to the artifact store, each in a thread that ends with the process."""

    def __init__(self, log_text: Callable[[str, str, str], None]) -> None:
        self._log_text = log_text
        self._threads: list[threading.Thread] = []

    def start(self, run_id: str, text: str, name: str) -> None:
        thread = threading.Thread(target=self._upload, args=(run_id, text, name), daemon=True)
        thread.start()
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), thread]

    def wait(self, timeout_s: float) -> None:
        """Waits until all have arrived or failed, but no longer than `timeout_s`."""
        ends_at = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _upload(self, run_id: str, text: str, name: str) -> None:
        try:
            self._log_text(run_id, text, name)
        except Exception as error:
            reason = " ".join(str(error).split())[:400]
            _log.warning("artifact %s: %s", name, without_credentials(f"{type(error).__name__}: {reason}"))
