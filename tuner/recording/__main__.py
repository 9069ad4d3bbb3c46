"""`python -m tuner.recording SWEEP_FOLDER`: the recorder of one sweep, a process beside its driver.

Works until its standard input ends, as it does when the driver dies, then records the rest and exits: 0 if MLflow has
everything, 4 if not.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import warnings
from pathlib import Path

from tuner.errors import ServiceError
from tuner.paths import SweepFolder
from tuner.recording.service import Shutdown, serve

NOT_RECORDED = ServiceError.exit_code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tuner.recording", description="Records a sweep in MLflow.")
    parser.add_argument("folder", type=Path, help="the sweep's folder")
    parser.add_argument("--drain-seconds", type=float, default=60.0, help="for the rest once standard input has ended")
    options = parser.parse_args()
    folder = SweepFolder(options.folder.absolute())
    shutdown = Shutdown(options.drain_seconds)
    _be_quiet_and_polite()
    _listen(shutdown)
    try:
        left = serve(folder, shutdown)
    except (ServiceError, OSError) as error:
        print(f"tuner: {error}", file=sys.stderr)
        return NOT_RECORDED
    if left:
        rest = f"tuner: {left} events of sweep {folder.name} are not recorded in MLflow"
        print(f"{rest}; `tuner record {folder.name}` finishes it", file=sys.stderr)
    return NOT_RECORDED if left else 0


def _be_quiet_and_polite() -> None:
    """Training comes first; and only what the recorder itself has to say is worth a line."""
    os.nice(5)
    warnings.simplefilter("ignore")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("tuner.recording")
    log.addHandler(handler)
    log.propagate = False


def _listen(shutdown: Shutdown) -> None:
    """Ends with the driver, which holds the other end of standard input. Ctrl-C is meant for the driver alone."""

    def wait_for_end() -> None:
        while os.read(0, 4096):
            pass
        shutdown.ask()

    threading.Thread(target=wait_for_end, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # In a thread, as a handler that takes a lock may interrupt the very code that holds it.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=shutdown.ask, daemon=True).start())


if __name__ == "__main__":
    sys.exit(main())
