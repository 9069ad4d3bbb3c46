"""What workers do before the first epoch of a trial, for people who wait."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Literal

from tuner.base.text import duration_text

Stage = Literal["starting", "importing", "loading", "tracing"]
"""A worker starts; its process imports TensorFlow and loads the data, or only loads them; a trial's model is built and
its graphs traced."""

_TOLD: dict[Stage, tuple[str, str]] = {
    "starting": ("{count} worker starts", "{count} workers start"),
    "importing": (
        "{count} worker imports TensorFlow and loads data",
        "{count} workers import TensorFlow and load data",
    ),
    "loading": ("{count} worker loads data", "{count} workers load data"),
    "tracing": ("tracing trial {trials}", "tracing trials {trials}"),
}
_READY = ("{count} worker gets ready", "{count} workers get ready")
_TOLD_OF_SCRIPTS = _TOLD | {
    "importing": _READY,
    "loading": _READY,
    "tracing": ("waiting for the first report of trial {trials}", "waiting for the first reports of trials {trials}"),
}
"""Scripts import and load what they need themselves, after the worker has started their process."""
_NAMED_MAX = 4
"""How many trials are named."""


class Stages:
    """The stage of each live trial that has no epoch yet in this attempt, and since when it is there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stages: dict[int, tuple[Stage, float]] = {}
        self.are_of_scripts = False
        """Whether trials are processes of scripts, which neither import TensorFlow for Tuner nor trace."""

    def enter(self, trial: int, stage: Stage) -> None:
        """The trial's worker has come to a stage; in one that it is in already it stays since then."""
        before = self._stages.get(trial)
        if before is None or before[0] != stage:
            self._stages[trial] = (stage, self._clock())

    def leave(self, trial: int) -> None:
        """It trains, or has left its worker."""
        self._stages.pop(trial, None)

    def __len__(self) -> int:
        return len(self._stages)

    @property
    def kinds(self) -> frozenset[Stage]:
        return frozenset(stage for stage, _ in dict(self._stages).values())

    def text(self, longer_than_s: float = 0.0) -> str:
        """All that take longer than this, with the seconds of the one that takes longest; empty if there is none."""
        now, groups = self._clock(), defaultdict[Stage, list[tuple[int, float]]](list)
        for trial, (stage, since) in sorted(dict(self._stages).items()):
            if now - since >= longer_than_s:
                groups[stage].append((trial, now - since))
        texts = _TOLD_OF_SCRIPTS if self.are_of_scripts else _TOLD
        return "; ".join(_told(texts[stage], groups[stage]) for stage in texts if stage in groups)


def _told(texts: tuple[str, str], found: list[tuple[int, float]]) -> str:
    names = [str(trial) for trial, _ in found]
    trials = ", ".join(names[:_NAMED_MAX]) + (f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else "")
    text = texts[len(found) > 1].format(count=len(found), trials=trials)
    return f"{text}, {duration_text(max(seconds for _, seconds in found))}"
