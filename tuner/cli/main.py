"""The `tuner` command as a process: its streams, its signals and how it leaves.

Imports little by itself, so that it is ready for a signal from the first moment.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from tuner.base.errors import SweepInterrupted
from tuner.cli import streams

INTERRUPTED = 128 + signal.SIGINT
"""What the command line, too, makes of a KeyboardInterrupt."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_is_leaving = False


def main() -> None:
    """Runs the command line; SIGTERM, and a terminal that goes, are as Ctrl-C.

    A sweep's driver has handlers of its own while it is under way.
    """
    global _is_leaving
    streams.prepare()
    ending = [number for number in ENDING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    for number in ending:  # nohup has SIGHUP ignored
        signal.signal(number, _interrupt)
    code: Any = INTERRUPTED
    try:
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
        signal.signal(number, signal.SIG_IGN)  # the interpreter takes functions away before its own end
    sys.exit(code)


def _interrupt(number: int, frame: Any) -> None:
    """While the process leaves there is nothing to interrupt but exit hooks, Ray's for one."""
    if not _is_leaving:
        raise KeyboardInterrupt


if __name__ == "__main__":
    main()
