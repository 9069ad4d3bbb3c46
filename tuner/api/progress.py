"""The progress of a running sweep: snapshots, taken in a thread beside the driver, for any display."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tuner.base.outcomes import num_ended
from tuner.base.secrets import redacted
from tuner.base.text import duration_text, harmless, metric_text, params_text
from tuner.recording import Cursor, read_cursor
from tuner.storage import SweepFolder

if TYPE_CHECKING:
    from tuner.engine.coordinator import Coordinator

LIVE_EVERY_S = 0.5
LINE_EVERY_S = 10.0
TOLD_AFTER_S = 2.0
"""Once a trial trains, what another waits for is told only if it takes longer than this."""


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
    """Why MLflow accepts nothing now; empty while it does."""
    doing: str = ""
    """What workers do that do not train yet; empty if they all train."""
    stages: frozenset[str] = frozenset()
    """The kinds of it."""

    @property
    def recorded(self) -> str:
        """How far MLflow is behind, and why."""
        why = f": {harmless(self.trouble)}" if self.trouble else ""
        return f"{self.backlog} events behind{why}" if self.backlog else "up to date"

    @property
    def ended(self) -> int:
        return num_ended(self.outcomes)

    @property
    def counts(self) -> str:
        shown = {name: count for name, count in self.outcomes.items() if name != "unfinished"}
        shown["running"] = min(self.busy, self.outcomes.get("unfinished", 0))
        shown["waiting"] = self.outcomes.get("unfinished", 0) - shown["running"]
        return ", ".join(f"{count} {name}" for name, count in shown.items() if count) or "none yet"

    @property
    def left(self) -> str:
        return "" if self.left_s is None else f", about {duration_text(self.left_s)} left"


class Progress:
    """Watches a driver and shows nothing; subclasses display what it reports. Use as a context manager.

    Args:
        folder: the folder of the sweep.
        at_loss: called when Ray's head is lost, before the process ends.
    """

    def __init__(self, folder: SweepFolder, at_loss: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._at_loss = at_loss
        self._coordinator: Coordinator | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._cursor, self._cursor_at = Cursor(), -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.trained()

    @property
    def coordinator(self) -> Coordinator | None:
        """That of the running sweep; None while no trial runs."""
        return self._coordinator

    def say(self, text: str) -> None:
        """Shows a line."""

    def warn(self, text: str) -> None:
        """Shows a warning."""
        self.say(text)

    def show(self, now: Snapshot) -> None:
        """Shows the state of the sweep, twice a second."""

    def ended(self, text: str) -> None:
        """Shows the last line of a sweep that has ended."""
        self.say(text)

    def phase(self, text: str) -> None:
        """Shows what the driver does while no trial runs."""
        self.say(text)

    def note(self, text: str) -> None:
        """Shows a problem that does not end the sweep."""
        self.warn(harmless(redacted(text)))

    def training(self, coordinator: Coordinator) -> None:
        """Starts watching: trials run from now on."""
        self._coordinator = coordinator
        self._epochs_before = coordinator.sweep.num_epochs
        self._ended_before = num_ended(coordinator.sweep.outcomes())
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="display", daemon=True)
        self._thread.start()

    def trained(self) -> None:
        """Stops watching: no trial runs any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._coordinator = None

    def lost(self, text: str) -> None:
        """Shows that Ray's head is lost; the process ends next."""
        self.note(text)
        self._at_loss()

    def _watch(self) -> None:
        trouble = ""
        started_at = time.monotonic()
        while not self._stop.wait(LIVE_EVERY_S):
            now = self._snapshot()
            if time.monotonic() - started_at >= LINE_EVERY_S:  # by then it is not that of an earlier driver
                if now.trouble and not trouble:
                    self.note(f"MLflow accepts nothing now; the sweep continues: {now.trouble}")
                trouble = now.trouble
            self.show(now)

    def _snapshot(self) -> Snapshot:
        assert self._coordinator is not None
        stages = self._coordinator.stages
        with self._coordinator.lock:
            sweep = self._coordinator.sweep
            outcomes, best = sweep.outcomes(), sweep.best
            best_text = ""
            if best is not None:
                at = f"{sweep.metric} {metric_text(best.best_value)}"
                best_text = f"{at}, trial {best.number}, epoch {best.best_epoch}: {params_text(best.params)}"
            epochs, num_events = sweep.num_epochs, sweep.num_events
            wall_s, busy, slots = self._coordinator.wall_s(), self._coordinator.busy, self._coordinator.slots
            first_epoch_at, now = sweep.spans[-1].first_epoch_at, self._coordinator.journal.clock.now()
        here_s = max(now - first_epoch_at, 1e-6) if first_epoch_at is not None else 1e-6
        ended = num_ended(outcomes)
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
            trouble=self._cursor.trouble,
            doing=stages.text(0.0 if first_epoch_at is None else TOLD_AFTER_S),
            stages=stages.kinds if first_epoch_at is None else frozenset(),
        )

    def _backlog(self, num_events: int) -> int:
        """Events that are not in MLflow yet; looked up less often if that takes a request."""
        if not self._folder.is_remote or time.monotonic() - self._cursor_at >= LINE_EVERY_S:
            self._cursor = read_cursor(self._folder)
            self._cursor_at = time.monotonic()
        return self._cursor.backlog(num_events)


class Lines(Progress):
    """Prints a line on standard error now and then, where there is no terminal."""

    _best, _told_at = "", -math.inf
    _stages: frozenset[str] = frozenset()

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def training(self, coordinator: Coordinator) -> None:
        self._best, self._told_at = "", time.monotonic()
        super().training(coordinator)

    def show(self, now: Snapshot) -> None:
        is_new = now.best != self._best or now.stages != self._stages
        if is_new or time.monotonic() - self._told_at >= LINE_EVERY_S:
            self.say(line(now))
            self._best, self._told_at, self._stages = now.best, time.monotonic(), now.stages


def line(now: Snapshot) -> str:
    """A snapshot on one line."""
    if now.doing and now.stages:
        return f"{duration_text(now.elapsed_s)}: {now.doing}"
    doing = f" ({now.doing})" if now.doing else ""
    return (
        f"{duration_text(now.elapsed_s)}: {now.ended} of {now.num_trials} trials ({now.counts}), {now.epochs} epochs,"
        f" {now.busy} of {now.slots} slots busy{doing}{now.left}; best {now.best or 'none yet'}"
    )
