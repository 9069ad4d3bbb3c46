"""What workers get, and what the driver's own process that forks others keeps of it."""

from __future__ import annotations

import os

import pytest

from tuner.backend import handover
from tuner.engine.settings import Slot, WorkerSettings
from tuner.processes import data_name
from tuner.processes.shared import read_shared


class KeepingServer:
    """Keeps what it is given, as the driver's own server does."""

    token = "t"

    def __init__(self) -> None:
        self.kept: dict[str, WorkerSettings] = {}

    def keep_soon(self, name: str, file: int) -> None:
        self.kept[name] = read_shared(os.dup(file))[0]


@pytest.mark.parametrize("gpus", [0, 2])  # with several cards, workers are plain processes
def test_the_drivers_process_keeps_what_builds_the_best_model(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    server = KeepingServer()
    monkeypatch.setattr(handover, "own_server", lambda: server)
    monkeypatch.setattr(handover.local_ray, "is_running", lambda: True)
    settings = WorkerSettings("digits", None, "val_loss", "min", "float32", "", Slot(cpus=1, gpus=gpus))
    with handover.handed_over(settings, None) as common:
        assert bool(common.why_plain) == (gpus > 1)
        assert server.kept == {data_name("t"): settings} and common.name == data_name("t")
