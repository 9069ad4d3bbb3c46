"""A process that trains, from its begin: it is told of trials through a connection, and reports what it did."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from trainables.scripts.forker import Forker
from tuner.processes import wire
from tuner.processes.shared import read_shared
from tuner.worker.training import Place, Training

WORK = f"{__name__}:main"
"""As `tuner.processes` calls it."""


def main(connection: socket.socket, kept: dict[str, int]) -> None:
    """Answers each assignment with a report, and each None, which means going on, too; until the connection closes.

    Args:
        kept: one file, which holds the sweep's `WorkerSettings` and its data, or None where they are loaded here.
    """
    [file] = kept.values()
    settings, data = read_shared(file)
    os.close(file)
    is_ready = settings.is_script and not settings.command and "tensorflow" in sys.modules
    forker = Forker([connection]) if is_ready else None
    training = Training(settings, data, Place(**_received(connection)), forker)
    while True:
        try:
            assignment = _received(connection)
        except EOFError:
            return
        if assignment is not None:
            training.take(assignment)
        wire.send(connection, training.step())


def _received(connection: socket.socket) -> Any:
    return wire.receive(connection)[0]
