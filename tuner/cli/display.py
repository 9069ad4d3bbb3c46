"""What people see while a sweep runs: a live panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.cli.output import harmless, people
from tuner.paths import SweepFolder
from tuner.recording import read_cursor
from tuner.secrets import redacted
from tuner.text import duration_text, metric_text, params_text

if TYPE_CHECKING:
    from tuner.engine.coordinator import Coordinator

LIVE_EVERY_S = 0.5
LINE_EVERY_S = 10.0


@dataclass(frozen=True)
class Snapshot:
    """A running sweep at one moment."""

    name: str
    outcomes: dict[str, int]
    num_trials: int
    epochs: int
    epochs_per_s: float
    busy: int
    slots: int
    best: str
    elapsed_s: float
    left_s: float | None
    backlog: int
    trouble: str = ""
    """Why MLflow takes nothing now; empty while all is well."""

    @property
    def recorded(self) -> str:
        """How far MLflow is, and what keeps it."""
        why = f": {harmless(self.trouble)}" if self.trouble else ""
        return f"{self.backlog} events behind{why}" if self.backlog else "up to date"

    @property
    def ended(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if outcome != "unfinished")

    @property
    def counts(self) -> str:
        shown = {name: count for name, count in self.outcomes.items() if name != "unfinished"}
        shown["running"] = min(self.busy, self.outcomes.get("unfinished", 0))
        shown["waiting"] = self.outcomes.get("unfinished", 0) - shown["running"]
        return ", ".join(f"{count} {name}" for name, count in shown.items() if count) or "none yet"

    @property
    def left(self) -> str:
        return "" if self.left_s is None else f", about {duration_text(self.left_s)} left"


class Display:
    """Watches a driver; use as a context manager.

    Args:
        folder: the sweep's.
        at_loss: what is left to do when Ray's head is lost, and the process ends.
    """

    def __init__(self, folder: SweepFolder, at_loss: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._at_loss = at_loss
        self._coordinator: Coordinator | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None
        self._recorded, self._trouble, self._cursor_at = 0, "", -math.inf
        self._status = people.status("") if people.is_terminal else None

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.trained()
        if self._status is not None:
            self._status.stop()

    def phase(self, text: str) -> None:
        """What the driver does while no trial runs."""
        if self._live is not None:
            self._live.console.print(text)
        elif self._status is not None:
            self._status.update(text)
            self._status.start()
        else:
            people.print(text)

    def note(self, text: str) -> None:
        """Something went otherwise than it should, and the sweep goes on."""
        people.print(harmless(redacted(text)), style="yellow")

    def training(self, coordinator: Coordinator) -> None:
        """Trials run from now on."""
        self._coordinator = coordinator
        self._epochs_before = coordinator.sweep.epochs
        self._ended_before = len(coordinator.sweep.trials) - sum(1 for _ in coordinator.sweep.unfinished)
        if self._status is not None:
            self._status.stop()
            self._live = Live(console=people, refresh_per_second=4, transient=True)
            self._live.start()
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="display", daemon=True)
        self._thread.start()

    def trained(self) -> None:
        """No trial runs any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    def lost(self, text: str) -> None:
        """Ray's head is gone, and the process ends."""
        self.note(text)
        self._at_loss()

    def _watch(self) -> None:
        best = trouble = ""
        started_at = told_at = time.monotonic()
        while not self._stop.wait(LIVE_EVERY_S):
            now = self._snapshot()
            if time.monotonic() - started_at >= LINE_EVERY_S:  # by then it is no longer the last driver's
                if now.trouble and not trouble:
                    self.note(f"MLflow takes nothing now, and the sweep goes on: {now.trouble}")
                trouble = now.trouble
            if self._live is not None:
                self._live.update(panel(now))
            elif now.best != best or time.monotonic() - told_at >= LINE_EVERY_S:
                people.print(line(now))
                best, told_at = now.best, time.monotonic()

    def _snapshot(self) -> Snapshot:
        assert self._coordinator is not None
        with self._coordinator.lock:
            sweep = self._coordinator.sweep
            outcomes, best = sweep.outcomes(), sweep.best
            best_text = ""
            if best is not None:
                at = f"{sweep.metric} {metric_text(best.best_value)}"
                best_text = f"{at}, trial {best.number}, epoch {best.best_epoch}: {params_text(best.params)}"
            epochs, num_events = sweep.epochs, sweep.num_events
            wall_s, busy, slots = self._coordinator.wall_s(), self._coordinator.busy, self._coordinator.slots
            first_epoch_at, now = sweep.spans[-1].first_epoch_at, self._coordinator.journal.clock.now()
        here_s = max(now - first_epoch_at, 1e-6) if first_epoch_at is not None else 1e-6
        ended = sum(outcomes.values()) - outcomes["unfinished"]
        ended_here = ended - self._ended_before
        is_telling = first_epoch_at is not None and ended_here > 2
        left_s = here_s / ended_here * (sweep.num_trials - ended) if is_telling else None
        return Snapshot(
            name=sweep.name,
            outcomes=outcomes,
            num_trials=sweep.num_trials,
            epochs=epochs,
            epochs_per_s=(epochs - self._epochs_before) / here_s,
            busy=busy,
            slots=slots,
            best=best_text,
            elapsed_s=wall_s,
            left_s=left_s,
            backlog=self._backlog(num_events),
            trouble=self._trouble,
        )

    def _backlog(self, num_events: int) -> int:
        """Events that are not in MLflow, looked up less often where that takes a request."""
        if not self._folder.is_remote or time.monotonic() - self._cursor_at >= LINE_EVERY_S:
            cursor = read_cursor(self._folder)
            self._recorded, self._trouble = cursor.seq, cursor.trouble
            self._cursor_at = time.monotonic()
        return max(0, num_events - self._recorded)


def panel(now: Snapshot) -> RenderableType:
    """The live panel of a terminal."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("", ProgressBar(total=now.num_trials, completed=now.ended, width=60))
    table.add_row("trials", Text(f"{now.ended} of {now.num_trials}: {now.counts}"))
    table.add_row("best", Text(now.best or "no epoch yet"))
    table.add_row("epochs", f"{now.epochs}, {now.epochs_per_s:.1f} a second")
    table.add_row("slots", f"{now.busy} of {now.slots} busy")
    table.add_row("time", f"{duration_text(now.elapsed_s)}{now.left}")
    table.add_row("MLflow", Text(now.recorded))
    return Group(Text(now.name, style="bold"), table)


def line(now: Snapshot) -> str:
    """The same on one line."""
    return (
        f"{duration_text(now.elapsed_s)}: {now.ended} of {now.num_trials} trials ({now.counts}), {now.epochs} epochs,"
        f" {now.busy} of {now.slots} slots busy{now.left}; best {now.best or 'none yet'}"
    )
