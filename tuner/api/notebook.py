"""The progress of a running sweep in a notebook: one output that is rewritten, without widgets."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable
from typing import Any

from tuner.api.progress import Progress, Snapshot
from tuner.base.text import duration_text
from tuner.storage import SweepFolder

NOTES_SHOWN = 12
"""Lines that stay below the table."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which shows HTML."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Notebook(Progress):
    """Watches a driver in a cell; arguments as for `Progress`."""

    def __init__(self, folder: SweepFolder, at_loss: Callable[[], None] = lambda: None) -> None:
        super().__init__(folder, at_loss)
        self._notes: list[str] = []
        self._phase = ""
        self._now: Snapshot | None = None
        self._handle: Any = None

    def say(self, text: str) -> None:
        self._phase = text
        self._draw()

    def warn(self, text: str) -> None:
        self._notes.append(text)
        self._draw()

    def show(self, now: Snapshot) -> None:
        self._now = now
        self._draw()

    def ended(self, text: str) -> None:
        self._now = None
        self.say(text)

    def _draw(self) -> None:
        from IPython import display

        page = display.HTML(page_of(self._folder.name, self._phase, self._now, self._notes))
        if self._handle is None:
            self._handle = display.display(page, display_id=True)
        else:
            self._handle.update(page)


def page_of(name: str, phase: str, now: Snapshot | None, notes: list[str]) -> str:
    """The output as HTML."""
    rows = [("", phase)]
    bar = ""
    if now is not None:
        bar = f'<progress value="{now.ended}" max="{now.num_trials}" style="width: 30em"></progress>'
        rows = [
            ("trials", f"{now.ended} of {now.num_trials}: {now.counts}"),
            ("best", now.best or "no epoch yet"),
            ("epochs", f"{now.epochs}, {now.epochs_per_s:.1f} a second"),
            ("slots", f"{now.busy} of {now.slots} busy"),
            ("time", f"{duration_text(now.elapsed_s)}{now.left}"),
            ("MLflow", now.recorded),
        ]
    cells = "".join(
        f'<tr><td style="text-align: left">{html.escape(key)}</td>'
        f'<td style="text-align: left">{html.escape(text)}</td></tr>'
        for key, text in rows
        if text
    )
    more = "".join(f"<div>{html.escape(note)}</div>" for note in notes[-NOTES_SHOWN:])
    return f"<b>{html.escape(name)}</b> {bar}<table>{cells}</table>{more}"
