"""The progress of a running sweep on a terminal, as a live panel; without a terminal, as lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.api.progress import Lines, Snapshot
from tuner.base.text import duration_text
from tuner.storage import SweepFolder

if TYPE_CHECKING:
    from tuner.engine.coordinator import Coordinator


class Terminal(Lines):
    """Watches a driver on a console; arguments as for `Progress`."""

    def __init__(self, folder: SweepFolder, console: Console, at_loss: Callable[[], None] = lambda: None) -> None:
        super().__init__(folder, at_loss)
        self._console = console
        self._live: Live | None = None
        self._status = console.status("") if console.is_terminal else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.trained()
        if self._status is not None:
            self._status.stop()

    def say(self, text: str) -> None:
        self._console.print(text)

    def warn(self, text: str) -> None:
        self._console.print(text, style="yellow")

    def ended(self, text: str) -> None:
        if self._status is not None:
            self._status.stop()
        self._console.print(text, style="bold")

    def phase(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text)
        elif self._status is not None:
            self._status.update(Timed(text))
            self._status.start()
        else:
            self.say(text)

    def training(self, coordinator: Coordinator) -> None:
        if self._status is not None:
            self._status.stop()
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        super().training(coordinator)

    def trained(self) -> None:
        super().trained()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, now: Snapshot) -> None:
        if self._live is not None:
            self._live.update(panel(now))
        else:
            super().show(now)


class Timed:
    """A text with the seconds since it is shown, once there are some."""

    def __init__(self, text: str) -> None:
        self._text, self._since = text, time.monotonic()

    def __rich__(self) -> Text:
        seconds = int(time.monotonic() - self._since)
        return Text(f"{self._text} ({seconds} s)" if seconds else self._text)


def panel(now: Snapshot) -> RenderableType:
    """A snapshot as a panel."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("", ProgressBar(total=now.num_trials, completed=now.ended, width=60))
    table.add_row("trials", Text(f"{now.ended} of {now.num_trials}: {now.counts}"))
    table.add_row("best", Text(now.best or "no epoch yet"))
    table.add_row("epochs", f"{now.epochs}, {now.epochs_per_s:.1f} a second")
    table.add_row("slots", f"{now.busy} of {now.slots} busy")
    if now.doing:
        table.add_row("now", Text(now.doing))
    table.add_row("time", f"{duration_text(now.elapsed_s)}{now.left}")
    table.add_row("MLflow", Text(now.recorded))
    return Group(Text(now.name, style="bold"), table)
