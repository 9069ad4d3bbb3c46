"""The `tuner` command as a process: its streams, its signals and its exit.

Imports little, so that it handles signals from the first moment.
"""

from __future__ import annotations

import gc
import signal
import sys
from typing import Any

from tuner.base.errors import SweepInterrupted
from tuner.cli import streams

INTERRUPTED = 128 + signal.SIGINT
"""The exit code after a KeyboardInterrupt, also of typer."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_is_leaving = False


def main() -> None:
    """Runs the command line; SIGTERM and the loss of the terminal are handled as Ctrl-C.

    The driver of a sweep has its own handlers while it runs.
    """
    global _is_leaving
    streams.prepare()
    ending = [number for number in ENDING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    for number in ending:  # nohup ignores SIGHUP
        signal.signal(number, _interrupt)
    code: Any = INTERRUPTED
    try:
        _import_tensorflow_beside()
        from tuner.cli.app import run_command

        run_command()
    except KeyboardInterrupt:
        _is_leaving = True
    except SystemExit as left:
        _is_leaving = True
        code = left.code
    if code == INTERRUPTED and sys.argv[1:2] in (["run"], ["resume"]):
        sys.stderr.write("interrupted before the sweep was under way\n")
        code = SweepInterrupted.exit_code
    for number in ending:
        signal.signal(number, signal.SIG_IGN)  # at its exit the interpreter removes functions first
    gc.freeze()  # at its exit the interpreter collects garbage, up to a second of it
    sys.exit(code)


def _import_tensorflow_beside() -> None:
    """Begins it first of all where a sweep is to train on this machine, as nothing else takes as long."""
    given = sys.argv[1:]
    if given[:1] not in (["run"], ["resume"], ["probe"]) or len(given) < 2 or "--help" in given or "--cluster" in given:
        return
    address = next((given[at + 1 : at + 2] for at, word in enumerate(given) if word == "--address"), [])
    address += [word.partition("=")[2] for word in given if word.startswith("--address=")]

    from tuner.processes import begin_own, trains_here

    if trains_here(address[0] if address else None):
        begin_own()


def _interrupt(number: int, frame: Any) -> None:
    """During the exit there is nothing to interrupt but exit hooks, such as Ray's."""
    if not _is_leaving:
        raise KeyboardInterrupt


if __name__ == "__main__":
    main()
