"""`python -m tuner.recording SWEEP_FOLDER`: the recorder of one sweep, a process beside its driver.

It runs until its standard input ends, which also happens when the driver dies. Then it records the rest, gives up if
MLflow accepts nothing for a while, and exits: 0 if everything is in MLflow, 4 if not, 2 if the folder is a copy.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import warnings

from tuner.base.errors import MisplacedError, ServiceError, TunerError
from tuner.recording.attempt import HangingError
from tuner.recording.line import RecorderEnd
from tuner.recording.polite import NICENESS, lower_priority
from tuner.recording.service import DRAIN_PATIENCE_S, Shutdown, serve
from tuner.storage import SweepFolder

NOT_RECORDED = ServiceError.exit_code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tuner.recording", description="Records a sweep in MLflow.")
    parser.add_argument("folder", help="the sweep's folder, a path or a URL")
    parser.add_argument(
        "--patience-seconds",
        type=float,
        default=DRAIN_PATIENCE_S,
        help="seconds without progress after which it gives up, once standard input has ended",
    )
    parser.add_argument("--restarts", type=int, default=0, help="how many recorders this driver started before")
    parser.add_argument("--line", type=int, help="the inherited pipe to the driver")
    parser.add_argument("--token", default="", help="of the driver's own process that forks others")
    options = parser.parse_args()
    shutdown = Shutdown(options.patience_seconds)
    line = RecorderEnd(options.line)
    _be_quiet_and_polite()
    _listen(shutdown)
    try:
        serve(SweepFolder.at(options.folder), shutdown, options.restarts, line.tell, options.token)
    except HangingError as error:
        _say(f"{error}: starting anew")
        os.execv(sys.executable, [sys.executable, "-P", "-m", "tuner.recording", *sys.argv[1:]])
    except (TunerError, OSError) as error:
        _say(str(error))
        return error.exit_code if isinstance(error, MisplacedError) else NOT_RECORDED
    return 0


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # the disk of the log may be full or gone
        print(f"tuner: {line}", file=sys.stderr, flush=True)


def _be_quiet_and_polite() -> None:
    """Lowers the priority, because training comes first, and silences libraries."""
    lower_priority(NICENESS)
    warnings.simplefilter("ignore")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("tuner.recording")
    log.addHandler(handler)
    log.propagate = False
    logging.raiseExceptions = False  # for a log on a full disk


def _listen(shutdown: Shutdown) -> None:
    """Asks for shutdown when standard input ends, which the driver holds. Ctrl-C is for the driver only."""

    def wait_for_end() -> None:
        while os.read(0, 4096):
            pass
        shutdown.ask()

    threading.Thread(target=wait_for_end, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # In a thread, because a signal handler that takes a lock may interrupt the code that holds it.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=shutdown.ask, daemon=True).start())


if __name__ == "__main__":
    code = main()
    gc.freeze()  # at its exit the interpreter collects garbage, half a second of it with MLflow
    sys.exit(code)
