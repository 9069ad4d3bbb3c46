"""The pages of followed sweeps: made again only when their sweeps have changed, and a part of the time at most."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from tuner.analysis.advice import Advice
from tuner.analysis.importance_values import Importance, Unknown
from tuner.base.outcomes import SweepState
from tuner.live.followed import Followed
from tuner.report.charts import Tables
from tuner.report.page import page_of
from tuner.sweep import Sweep

SHARE = 0.1
"""Making one sweep's page takes up at most this share of a processor's time, also where a machine that trains makes it
slowly."""
PAUSE_S = 1.0
"""Seconds between two makings of a page at least."""
GROWTH = 1.1
"""What matters and advice are sought again once so many times the trials have ended."""
PAGES_MAX = 8
"""Pages that are kept; the one that was asked for longest ago is forgotten."""


@dataclass
class Page:
    """A page as of a place in the sweep's journal."""

    place: str = ""
    html: str = ""
    due_at: float = 0.0
    """When it may be made again."""
    known: tuple[Importance | Unknown, list[Advice]] | None = None
    """What matters and advice, as of when they were last sought."""
    num_known: int = 0
    """How many trials had ended then."""
    asked_at: float = 0.0
    making: threading.Lock = field(default_factory=threading.Lock)


class Pages:
    """Pages by sweep."""

    def __init__(self) -> None:
        self._pages: dict[Followed, Page] = {}
        self._lock = threading.Lock()
        self.num_made = 0
        """How many pages were made so far."""

    def page(self, one: Followed) -> Page | None:
        """A sweep's newest page; None if its journal cannot be read.

        While it is being made for somebody else, and until it is due again, this is the page before.
        """
        page = self._known(one)
        if not page.making.acquire(blocking=not page.place):
            return page
        try:
            with one.lock:
                sweep, state = one.opened(), one.state
                if sweep is None or state == "damaged":
                    return None
                if page.place == one.place or time.monotonic() < page.due_at:
                    return page
                began_s = time.thread_time()
                place, html = one.place, self._made(page, one, sweep, state)
            page.place, page.html = place, html
            took_s = time.thread_time() - began_s if self.num_made else 0.0  # the first one loads what draws figures
            page.due_at = time.monotonic() + max(PAUSE_S, took_s * (1 - SHARE) / SHARE)
            self.num_made += 1
            return page
        finally:
            page.making.release()

    def _made(self, page: Page, one: Followed, sweep: Sweep, state: SweepState) -> str:
        ended = len(sweep.ended_trials)
        if page.known is None or ended >= GROWTH * page.num_known or sweep.ended is not None:
            tables = Tables(sweep, folder=one.folder)
        else:
            tables = Tables(sweep, page.known[0], one.folder, page.known[1])
        html = page_of(tables, state)
        if tables.advised is None:
            page.known, page.num_known = (tables.weighed, tables.advice), ended
        return html

    def _known(self, one: Followed) -> Page:
        with self._lock:
            page = self._pages.setdefault(one, Page())
            page.asked_at = time.monotonic()
            if len(self._pages) > PAGES_MAX:
                del self._pages[min(self._pages, key=lambda other: self._pages[other].asked_at)]
            return page
