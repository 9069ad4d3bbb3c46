"""What a node does while its trials train: processors, memory, disk, network and the trial's cards, now and then.

The names, units and meaning are those of MLflow's own system metrics.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import psutil

from trainables.cards import CardUse, card_use

SAMPLE_EVERY_S = 10.0
SAMPLES_MAX = 100
"""Of one report. An epoch that takes longer has fewer samples a minute."""
_MEGABYTE = 1e6

Sample = dict[str, float]
"""`ago_s`, the seconds since it was taken, and the figures by name."""


class Sampler:
    """Takes a sample every SAMPLE_EVERY_S while a trial trains, in a thread; nothing that fails there fails a trial.

    A short trial has one sample, of its whole time.
    """

    def __init__(self, cards: Sequence[str], every_s: float = SAMPLE_EVERY_S) -> None:
        """`cards` are the numbers or UUIDs of the trial's GPUs."""
        self._cards, self._every_s = tuple(cards), every_s
        self._lock = threading.Lock()
        self._taken: list[tuple[float, Sample]] = []
        self._has_any = False
        self._begin()
        threading.Thread(target=self._work, daemon=True, name="tuner-sampling").start()

    def begin_trial(self) -> None:
        """Forgets the trial before."""
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        self._taken, self._has_any, self._period_s = [], False, self._every_s
        self._due_at = time.monotonic() + self._every_s
        self._network = psutil.net_io_counters()
        psutil.cpu_percent()  # the next call says what was used since

    def taken(self, may_be_last: bool) -> tuple[Sample, ...]:
        """The samples since the last call.

        Args:
            may_be_last: whether the trial may be over, so that it must have a sample by now.
        """
        if may_be_last and not self._has_any:
            self._sample()
        now = time.monotonic()
        with self._lock:
            taken, self._taken, self._period_s = self._taken, [], self._every_s
        return tuple({"ago_s": round(max(0.0, now - at), 3), **sample} for at, sample in taken)

    def _work(self) -> None:
        while True:
            time.sleep(max(0.001, min(self._due_at - time.monotonic(), self._every_s)))
            if time.monotonic() >= self._due_at:
                self._sample()

    def _sample(self) -> None:
        cards = _figures_of_cards(card_use(self._cards)) if self._cards else {}
        with self._lock:
            try:
                sample = {**_figures(self._network), **cards}
            except (OSError, psutil.Error, AttributeError):  # not every system tells everything
                sample = cards
            self._taken.append((time.monotonic(), {name: round(value, 1) for name, value in sample.items()}))
            self._has_any = True
            if len(self._taken) >= SAMPLES_MAX:
                self._taken, self._period_s = self._taken[1::2], 2 * self._period_s
            self._due_at = time.monotonic() + self._period_s


def _figures(network: Any) -> Sample:
    memory, disk, now = psutil.virtual_memory(), psutil.disk_usage(os.sep), psutil.net_io_counters()
    return {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": memory.used / _MEGABYTE,
        "system_memory_usage_percentage": memory.used / memory.total * 100,
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": disk.used / _MEGABYTE,
        "disk_available_megabytes": disk.free / _MEGABYTE,
        "network_receive_megabytes": (now.bytes_recv - network.bytes_recv) / _MEGABYTE,
        "network_transmit_megabytes": (now.bytes_sent - network.bytes_sent) / _MEGABYTE,
    }


def _figures_of_cards(uses: Sequence[CardUse]) -> Sample:
    """Cards are numbered from 0 within the trial."""
    found: Sample = {}
    for number, use in enumerate(uses):
        found[f"gpu_{number}_utilization_percentage"] = use.busy_percent
        found[f"gpu_{number}_memory_usage_megabytes"] = use.used_bytes / _MEGABYTE
        found[f"gpu_{number}_memory_usage_percentage"] = use.used_bytes / use.memory_bytes * 100
        if use.watts is not None:
            found[f"gpu_{number}_power_usage_watts"] = use.watts
    return found
