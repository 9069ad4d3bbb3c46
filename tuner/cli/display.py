"""The progress display of `tuner run` and `tuner resume`, on the console of the command line."""

from __future__ import annotations

from collections.abc import Callable

from tuner.api.progress import Snapshot, line
from tuner.api.terminal import Terminal, panel
from tuner.cli.output import people
from tuner.storage import SweepFolder

__all__ = ["Display", "Snapshot", "line", "panel"]


class Display(Terminal):
    """Watches a driver; use as a context manager."""

    def __init__(self, folder: SweepFolder, at_loss: Callable[[], None] = lambda: None) -> None:
        super().__init__(folder, people, at_loss)
