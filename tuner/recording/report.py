"""The report in MLflow: the page that the sweep's driver writes to the sweep's folder, or one of the recorder's own.

Drawing a page takes as long as recording a small sweep, so a recorder beside its driver waits for the driver's.
"""

from __future__ import annotations

import html
import time

from tuner.base.errors import TunerError
from tuner.base.outcomes import SweepState
from tuner.storage import SweepFolder, read_bytes
from tuner.sweep import Sweep

PAGE_BYTES_MAX = 64 << 20
LOOK_EVERY_S = 0.05


def report(sweep: Sweep, state: SweepState, folder: SweepFolder | None = None) -> str:
    """The HTML page that `tuner report` writes."""
    from tuner.report import report_page  # imports Altair

    return report_page(sweep, state, folder)


class Reports:
    """The reports of one sweep.

    Args:
        folder: the sweep's folder.
        waits_s: how long to wait for the driver's page. On an object store, where a look is a request, it is not
            waited for.
    """

    def __init__(self, folder: SweepFolder, waits_s: float) -> None:
        self._folder = folder
        self._waits_s = 0.0 if folder.is_remote else waits_s

    def text(self, sweep: Sweep, state: SweepState) -> str:
        """The report of the sweep as it is folded now."""
        until = time.monotonic() + self._waits_s
        while (page := self._written(sweep)) is None and sweep.ended is not None and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
        return page or report(sweep, state, self._folder)

    def _written(self, sweep: Sweep) -> str | None:
        """The page in the sweep's folder, if it is of this place in the journal."""
        try:
            page = read_bytes(self._folder.report, self._folder.base, bytes_max=PAGE_BYTES_MAX).decode()
        except (OSError, TunerError, UnicodeDecodeError):
            return None
        mark = f'<meta name="tuner-journal" content="{html.escape(sweep.place)}">'
        return page if mark in page[: page.find("</head>")] else None
