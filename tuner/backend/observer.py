"""Who watches a driver: mostly the terminal."""

from __future__ import annotations

from typing import Protocol

from tuner.engine.coordinator import Coordinator


class Observer(Protocol):
    """Is told what a driver does, from the driver's threads."""

    def phase(self, text: str) -> None:
        """What the driver does before trials run, or after."""

    def note(self, text: str) -> None:
        """Something went wrong, and the sweep continues."""

    def training(self, coordinator: Coordinator) -> None:
        """Trials run from now on; take the coordinator's lock to look at it."""

    def trained(self) -> None:
        """No trial runs any more."""

    def lost(self, text: str) -> None:
        """Ray is gone. The process ends when this returns."""
