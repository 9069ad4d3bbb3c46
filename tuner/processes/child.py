"""What a process does before its work: it takes the environment, folder, files and memory rank of who wanted it."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tuner.processes.generated import remove_generated

if TYPE_CHECKING:
    from tuner.processes.server import Wanted

_FIRST_TO_GO = "1000"
"""When the kernel is out of memory it takes a process that trains, as Ray's workers ask it to, and not their parent."""


def run(wanted: Wanted, files: list[int], kept: dict[str, int]) -> NoReturn:
    """Does the work in this process, a fork, and ends it."""
    _take_over(wanted, files)
    sys.path[:] = [*wanted.paths] or sys.path
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # else every fork draws the same
    work(wanted.work, files[0], kept)


def replace(wanted: Wanted, files: list[int], kept: dict[str, int]) -> NoReturn:
    """Does the work in a plain process in place of this one."""
    _take_over(wanted, files)
    for file in (files[0], *kept.values()):
        os.set_inheritable(file, True)
    told = json.dumps({"work": wanted.work, "paths": wanted.paths, "connection": files[0], "kept": kept})
    os.execve(sys.executable, [sys.executable, "-P", "-m", "tuner.processes", "--work", told], wanted.environment)


def work(name: str, connection: int, kept: dict[str, int]) -> NoReturn:
    """Calls module:function with a connection and kept files, and ends the process at once."""
    code = 1
    try:
        module, _, function = name.partition(":")
        getattr(importlib.import_module(module), function)(socket.socket(fileno=connection), kept)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        remove_generated()
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _take_over(wanted: Wanted, files: list[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), *zip(files[1:], (1, 2), strict=False)):
        os.dup2(file, number)
        if file != number:
            os.close(file)
    os.environ.clear()
    os.environ.update(wanted.environment)
    if wanted.folder:
        with contextlib.suppress(OSError):
            os.chdir(wanted.folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver
    os.nice(max(0, wanted.niceness - os.nice(0)))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
