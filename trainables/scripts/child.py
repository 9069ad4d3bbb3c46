"""The process of a trial of a training loop: `python -m trainables.scripts.child JOB`, where JOB is a pickled `Job`.

Or a fork of a process that has imported TensorFlow (see `forker`).
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import pickle
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from trainables.exceptions import infeasible_in, message_of
from trainables.scripts.job import Job
from trainables.scripts.params import ScriptParams
from trainables.scripts.report import Report

_REPORTS, _ANSWERS = 3, 4


def main() -> int:
    """Runs the loop to its end; its exit code. An exception is told before, as one more report."""
    with open(sys.argv[1], "rb") as file:
        job: Job = pickle.load(file)  # the trainer wrote it a moment ago
    for number in (_REPORTS, _ANSWERS):
        os.set_inheritable(number, False)
    signal.signal(signal.SIGTERM, _leave)
    with open(_REPORTS, "wb") as tells, open(_ANSWERS, "rb") as hears:
        try:
            _run(job, tells, hears)
            return 0
        except SystemExit as error:
            if error.code is None or isinstance(error.code, int):
                return error.code or 0
            return _failed(error, tells, str(error.code))
        except BaseException as error:
            cause = infeasible_in(error) or error
            return _failed(cause, tells, message_of(cause))
        finally:
            _flush()


def run_in_fork(job: str) -> NoReturn:
    """Runs a loop in this process, and ends it as Python ends one: after its threads, with its exit hooks."""
    code = 1
    try:
        sys.argv = [__file__, job]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, write_through=True)
        code = main()
    finally:
        try:
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            _flush()
        finally:
            os._exit(code)


def _run(job: Job, tells: IO[bytes], hears: IO[bytes]) -> None:
    sys.path += [path for path in job.paths if path not in sys.path]
    _seed(job.seed)
    loop = _loaded(job)
    _seed(job.seed)
    checkpoint = None if job.checkpoint is None else Path(job.checkpoint)
    report = Report(
        tells,
        hears,
        job.objective,
        epochs=job.epochs,
        trial=job.trial,
        seed=job.seed,
        checkpoint=checkpoint,
        epoch=job.epoch,
    )
    params = ScriptParams(job.params)
    loop.function(params, report, checkpoint) if loop.takes_checkpoint else loop.function(params, report)


def _loaded(job: Job) -> Any:
    from trainables.importable import is_importable, load_importable
    from trainables.registry import load_file

    if is_importable(job.trainable):
        return load_importable(job.trainable, job.sources)
    path, _, name = job.trainable.rpartition(":")
    return load_file(Path(path), name, job.sources)


def _seed(seed: int) -> None:
    """Seeds the random numbers of Python, and of what is imported."""
    random.seed(seed)
    seeds: dict[str, Callable[[Any], Any]] = {
        "numpy": lambda numpy: numpy.random.seed(seed % 2**32),
        "keras": lambda keras: keras.utils.set_random_seed(seed),
        "torch": lambda torch: torch.manual_seed(seed),
    }
    for name, seed_it in seeds.items():
        if name in sys.modules:
            seed_it(sys.modules[name])


def _failed(error: BaseException, tells: IO[bytes], message: str) -> int:
    """Tells the exception to the trainer, and people; the exit code."""
    text = "".join(traceback.format_exception(error))
    sys.stderr.write(text)
    told = {"failure": {"kind": type(error).__name__, "message": message, "traceback": text[-20_000:]}}
    with contextlib.suppress(OSError):
        tells.write(json.dumps(told).encode() + b"\n")
        tells.flush()
    return 1


def _leave(number: int, frame: FrameType | None) -> None:
    """SIGTERM is an exit, so that `finally` and exit hooks of the loop's are run."""
    signal.signal(number, signal.SIG_DFL)
    sys.exit(128 + number)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


if __name__ == "__main__":
    sys.exit(main())
