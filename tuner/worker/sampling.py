"""What a node does while its trials train: processors, memory, disk, network and the trial's cards, now and then.

The names, units and meaning are those of MLflow's own system metrics.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
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
        is_gone = threading.Event()
        weakref.finalize(self, is_gone.set)
        work = (weakref.ref(self), is_gone)
        threading.Thread(target=_work, args=work, daemon=True, name="tuner-sampling").start()

    def begin_trial(self) -> None:
        """Forgets the trial before."""
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        self._taken, self._has_any, self._period_s = [], False, self._every_s
        self._due_at = time.monotonic() + self._every_s
        self._begun = _Counters()

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

    def sample_if_due(self) -> float:
        """Takes a sample if it is time; returns the seconds until the next look."""
        if time.monotonic() >= self._due_at:
            self._sample()
        return max(0.001, min(self._due_at - time.monotonic(), self._every_s))

    def _sample(self) -> None:
        cards = _figures_of_cards(card_use(self._cards)) if self._cards else {}
        with self._lock:
            sample = {**self._begun.figures(), **_memory(), **_disk(), **cards}
            self._taken.append((time.monotonic(), {name: round(value, 1) for name, value in sample.items()}))
            self._has_any = True
            if len(self._taken) >= SAMPLES_MAX:
                self._taken, self._period_s = self._taken[1::2], 2 * self._period_s
            self._due_at = time.monotonic() + self._period_s


def _work(sampler: weakref.ref[Sampler], is_gone: threading.Event) -> None:
    """What the thread does until nobody has its sampler."""
    wait_s = 0.0
    while not is_gone.wait(wait_s):
        if (found := sampler()) is None:
            return
        wait_s = found.sample_if_due()
        del found  # so that it can go meanwhile


class _Counters:
    """Counts of the node's processors and network, and what they have grown by: not every system tells both.

    psutil's own `cpu_percent` counts for each thread from that thread's last call, so one of two threads says 0.
    """

    def __init__(self) -> None:
        self._cpu, self._network = _told(_cpu_seconds), _told(psutil.net_io_counters)

    def figures(self) -> Sample:
        """The share of the processors used since the last call, and the traffic since the start."""
        before, self._cpu = self._cpu, _told(_cpu_seconds)
        sample: Sample = {}
        if before and self._cpu:
            busy_s, all_s = self._cpu[0] - before[0], self._cpu[1] - before[1]
            sample["cpu_utilization_percentage"] = min(100.0, max(0.0, 100 * busy_s / all_s)) if all_s > 0 else 0.0
        if self._network and (now := _told(psutil.net_io_counters)):
            sample["network_receive_megabytes"] = (now.bytes_recv - self._network.bytes_recv) / _MEGABYTE
            sample["network_transmit_megabytes"] = (now.bytes_sent - self._network.bytes_sent) / _MEGABYTE
        return sample


def _told(ask: Callable[[], Any]) -> Any:
    """What the system says; None where it does not tell."""
    with suppress(OSError, psutil.Error, AttributeError):
        return ask()
    return None


def _cpu_seconds() -> tuple[float, float]:
    """The seconds in which the node's processors were busy, and all of theirs."""
    times = psutil.cpu_times()._asdict()
    total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)  # within user and nice
    return total - times["idle"] - times.get("iowait", 0.0), total


def _memory() -> Sample:
    if not (memory := _told(psutil.virtual_memory)):
        return {}
    return {
        "system_memory_usage_megabytes": memory.used / _MEGABYTE,
        "system_memory_usage_percentage": memory.used / max(memory.total, 1) * 100,
    }


def _disk() -> Sample:
    if not (disk := _told(lambda: psutil.disk_usage(os.sep))):
        return {}
    return {
        "disk_usage_percentage": disk.percent,
        "disk_usage_megabytes": disk.used / _MEGABYTE,
        "disk_available_megabytes": disk.free / _MEGABYTE,
    }


def _figures_of_cards(uses: Sequence[CardUse]) -> Sample:
    """Cards are numbered from 0 within the trial."""
    found: Sample = {}
    for number, use in enumerate(uses):
        named = {
            "utilization_percentage": use.busy_percent,
            "memory_usage_megabytes": None if use.used_bytes is None else use.used_bytes / _MEGABYTE,
            "memory_usage_percentage": use.used_percent,
            "power_usage_watts": use.watts,
        }
        found |= {f"gpu_{number}_{name}": value for name, value in named.items() if value is not None}
    return found
