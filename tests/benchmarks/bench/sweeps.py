"""Sweeps of the command line, of this checkout or another one, and what their journals say."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.bench.processes import Command

Event = dict[str, Any]
ROOT = Path(__file__).parents[3]
NAME = "bench"
_PERIOD_S, _MEANWHILE_S = 0.02, 0.2


@dataclass(frozen=True)
class Checkout:
    """A version of this project: its folder, and the Python that runs it."""

    folder: Path
    python: str

    @classmethod
    def this(cls) -> Checkout:
        return cls(ROOT, sys.executable)

    @classmethod
    def at(cls, folder: str) -> Checkout:
        """Another checkout, with its own environment if it has one."""
        path = Path(folder).resolve()
        own = path / ".venv" / "bin" / "python"
        return cls(path, str(own) if own.exists() else sys.executable)


class Sweep:
    """A running `tuner run`."""

    def __init__(self, checkout: Checkout, spec: Mapping[str, Any], folder: Path) -> None:
        file = folder / "sweep.yaml"
        file.write_text(json.dumps({"name": NAME, **spec}))  # JSON is YAML
        command = [checkout.python, "-m", "tuner.cli.main", "run", str(file), "--storage", str(folder), "--json"]
        search = os.pathsep.join(filter(None, [str(checkout.folder), os.environ.get("PYTHONPATH")]))
        self.command = Command(command, checkout.folder, {"PYTHONPATH": search})
        self._journal = folder / NAME / "journal.jsonl"
        self._read = 0
        self.events: list[Event] = []
        self.shown: dict[str, Any] = {}

    def wait_for(
        self, is_reached: Callable[[list[Event]], bool], meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        """Waits until the journal says so; `meanwhile` is called five times a second.

        Raises:
            AssertionError: the sweep ended before.
        """
        next_at = time.monotonic()
        while self.command.is_running:
            self._follow()
            if time.monotonic() >= next_at:
                meanwhile()
                next_at = time.monotonic() + _MEANWHILE_S
            if is_reached(self.events):
                return
            time.sleep(_PERIOD_S)
        self._follow()
        if not is_reached(self.events):
            self.finish()
            raise AssertionError("the sweep ended before it got there")

    def finish(self) -> None:
        """Waits for its end, and reads the rest of its journal and what it printed."""
        self.shown = json.loads(self.command.finish())
        self._follow()

    def _follow(self) -> None:
        if not self._journal.exists():
            return
        with self._journal.open("rb") as file:
            file.seek(self._read)
            written = file.read().partition(b"\0")[0]  # zeros are room ahead, or a write under way
        whole = written.rpartition(b"\n")[0]
        if whole:
            self._read += len(whole) + 1
            self.events += map(json.loads, whole.splitlines())


@contextmanager
def sweep(checkout: Checkout, spec: Mapping[str, Any]) -> Iterator[Sweep]:
    """A sweep in a folder of its own, which is gone afterwards; waits for its end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        running = Sweep(checkout, spec, Path(folder))
        try:
            yield running
            if not running.shown:
                running.finish()
        finally:
            if running.command.is_running:
                running.command.process.terminate()
                running.command.process.wait()


def of_kind(events: Iterable[Event], kind: str) -> list[Event]:
    return [event for event in events if event["event"] == kind]


def num_epochs(events: Iterable[Event]) -> int:
    return len(of_kind(events, "epoch_reported"))


def num_ended(events: Iterable[Event]) -> int:
    return len(of_kind(events, "trial_ended"))


def gaps_s(events: Iterable[Event]) -> list[float]:
    """Seconds in which a worker's process trained nothing between two of its trials, by what the driver heard.

    A trial begins when its first report came less the seconds of its epochs until then, and ends with its last.
    """
    process: dict[tuple[int, int], tuple[str, int]] = {}
    spans: dict[tuple[int, int], list[float]] = {}
    trained_s: dict[tuple[int, int], float] = defaultdict(float)
    for event in events:
        key = (event.get("trial", -1), event.get("attempt", -1))
        if event["event"] == "trial_started":
            process[key] = (event["node"], event["pid"])
        elif event["event"] == "epoch_reported":
            trained_s[key] += event["epoch_s"]
            began_at = event["at"] - trained_s[key]
            known = spans.setdefault(key, [began_at, event["at"]])
            spans[key] = [min(known[0], began_at), event["at"]]
    of_process: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    for key, span in spans.items():
        if key in process:
            of_process[process[key]].append(span)
    return [
        after[0] - before[1]
        for of_one in of_process.values()
        for before, after in zip(sorted(of_one), sorted(of_one)[1:], strict=False)
    ]


def median_epoch_s(events: Iterable[Event]) -> float:
    """Of all epochs but each trial's first, in which the process may still trace."""
    return statistics.median(event["epoch_s"] for event in of_kind(events, "epoch_reported") if event["epoch"] > 1)
