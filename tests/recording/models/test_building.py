"""How long a model is waited for, and that nothing is left of the process that builds it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.processes.test_server import gone, plain
from tests.servers import wait_until
from tuner.inspection.trained import Written
from tuner.processes import Server, wire
from tuner.recording.models import building
from tuner.recording.models.building import Builder, NotBuiltError
from tuner.recording.models.wanted import WantedModel
from tuner.storage import write_atomically

__all__ = ["plain"]  # a fixture


def work(connection: socket.socket, kept: dict[str, int]) -> None:
    """Stands in for what builds a model: it says that it is written, or does not, and hangs."""
    folder, is_written = wire.receive(connection)[0].target
    write_atomically(Path(folder, "pid"), str(os.getpid()).encode())
    if is_written:
        wire.send(connection, Written(has_example=False))
    time.sleep(600)


@pytest.fixture
def built(plain: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Builds a model with the stand-in; takes whether it is written, and the limit for it."""
    monkeypatch.setattr(building, "WORK", f"{__name__}:work")
    monkeypatch.setattr(building, "may_fork", lambda: False)
    monkeypatch.setattr(building, "node_server", lambda token, is_forked: plain)
    monkeypatch.setattr(building, "find_module", lambda *args: None)
    monkeypatch.setattr(building, "exists", lambda *args: True)
    folder: Any = SimpleNamespace(named=lambda name: name, base=tmp_path)
    sweep: Any = SimpleNamespace(spec={}, work_folder="", trials={0: None})

    def build(is_written: bool, limit_s: float) -> Path:
        asked = SimpleNamespace(target=(str(tmp_path), is_written), work_folder="")
        monkeypatch.setattr(building, "asked_model", lambda *args: asked)
        wanted = WantedModel(0, 1, "model", "weights", is_best=True)
        builders.append(Builder(folder, limit_s=limit_s))
        return builders[-1].build(sweep, wanted, lambda: wait_until(lambda: (tmp_path / "pid").exists()))

    builders: list[Builder] = []
    yield build
    for builder in builders:
        builder.close()


def test_a_model_that_takes_too_long_is_given_up_and_its_process_ended(built: Any, tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="not built within") as caught:
        built(is_written=False, limit_s=1.0)
    assert caught.value.is_late
    assert gone(int((tmp_path / "pid").read_text()))


def test_an_example_that_takes_too_long_leaves_the_model(
    built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "EXAMPLE_S", 0.1)
    assert built(is_written=True, limit_s=600.0).is_dir()
    assert gone(int((tmp_path / "pid").read_text()))
