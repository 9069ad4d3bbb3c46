"""A process that trains, from its begin: it is told of trials through a connection, and reports what it did."""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
from contextlib import suppress
from typing import Any

from trainables.scripts.forker import Forker
from tuner.processes import wire
from tuner.processes.generated import remove_generated
from tuner.processes.shared import read_shared
from tuner.worker.training import Place, Training


def main(connection: socket.socket, kept: dict[str, int]) -> None:
    """Answers each assignment with a report, and each None, which means going on, too; until the connection closes.

    Args:
        kept: one file, which holds the sweep's `WorkerSettings` and its data, or None where they are loaded here.
    """
    _print_at_once()
    [file] = kept.values()
    settings, data = read_shared(file)
    os.close(file)
    is_ready = settings.is_script and not settings.command and "tensorflow" in sys.modules
    forker = Forker([connection]) if is_ready else None
    training = Training(settings, data, Place(**_received(connection)), forker)
    while True:
        try:
            assignment = _received(connection)
            if assignment is not None:
                training.take(assignment)
            report = training.step()
            remove_generated()
            wire.send(connection, report)
        except (EOFError, ConnectionError):  # the worker wants it no more
            return


def _print_at_once() -> None:
    """What is printed is not lost in a buffer when the process crashes; a crash prints where it was."""
    for output in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # what else a user has put there
            output.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with suppress(OSError, ValueError):
        faulthandler.enable(all_threads=False)


def _received(connection: socket.socket) -> Any:
    return wire.receive(connection)[0]
