"""The log of a sweep's drivers: what went wrong, in full."""

from __future__ import annotations

import time
from collections.abc import Callable

from tuner.base.errors import StorageError
from tuner.base.secrets import redacted
from tuner.storage import SweepFolder, open_log


class DriverLog:
    """Appends lines to a sweep's log. A log that cannot be written stops nothing.

    Args:
        note: is told, once, that nothing is logged because the log is not a file of the sweep's own.
    """

    def __init__(self, folder: SweepFolder, note: Callable[[str], None]) -> None:
        self._folder, self._note = folder, note
        self._is_refused = False

    def write(self, line: str) -> None:
        """Adds a line with the time of day, without secrets."""
        try:
            with open_log(self._folder.driver_log, self._folder.base) as file:
                text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {redacted(line.rstrip())}\n"
                file.write(text.encode("utf-8", errors="backslashreplace"))
        except OSError:
            pass  # mostly a full disk, which the journal or a checkpoint also meets and reports
        except StorageError as error:  # a link that was put there since the driver's start
            if not self._is_refused:
                self._is_refused = True
                self._note(f"nothing is logged: {error}")
