"""The process between a trainer and a script: it ends the script, and all that the script started, with the trainer.

Run as a file, by a Python that imports nothing else: `python -I -S warden.py CONTROL STATUS REPORTS ANSWERS GRACE_S
SCRATCH PROGRAM …`, where the first four are open files by number. The script has REPORTS as file 3 and ANSWERS as file
4. SCRATCH is a folder that is removed at the end.

A byte `T` on CONTROL asks the script to end (SIGTERM), `K` kills it. When CONTROL closes, which it does whatever
becomes of the trainer, the script gets GRACE_S to end by itself, SIGTERM, GRACE_S again, and SIGKILL. The last words on
STATUS are a line of JSON: `{"code": …}` as of subprocess, or `{"error": …}` if the program cannot be started.

A fork calls `main` with a function in place of a program (see `forker`).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence

_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36
"""Linux's PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER."""
_LEFT_OVER_S = 1.0
"""How long what a script leaves running has to end after SIGTERM."""


def main(
    control: int,
    status: int,
    reports: int,
    answers: int,
    grace_s: float,
    command: list[str] | Callable[[], None],
    others: Sequence[int] = (),
) -> None:
    """Runs the command to its end.

    Args:
        command: a program and its arguments, or a function that never returns.
        others: further open files that are not the script's.
    """
    _prctl(_SET_CHILD_SUBREAPER, 1)
    for number in (control, status, reports, answers):
        os.set_inheritable(number, False)
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    script, error = _started(command, reports, answers, (control, status, woken, wakes, *others))
    for end in (reports, answers):
        os.close(end)
    if error:
        _tell(status, {"error": error})
        return
    code = _waited(script, control, woken, grace_s)
    _end_left_over(script, code)
    _tell(status, {"code": code})


def _started(
    command: list[str] | Callable[[], None], reports: int, answers: int, own: Sequence[int]
) -> tuple[int, str]:
    """The process of the command; or why there is none. `own` are this process's alone."""
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.set_wakeup_fd(-1)
            here = (tells, reports, answers)
            tells, reports, answers = map(_above, here)
            for number in (told, *here, *own):
                os.close(number)
            _become(command, reports, answers, tells)
        except OSError as failure:
            os.write(tells, (failure.strerror or str(failure)).encode())
        os._exit(127)
    os.close(tells)
    with open(told, "rb") as file:
        error = file.read().decode()
    if error:
        os.waitpid(child, 0)
    return child, error


def _above(number: int) -> int:
    """The same open file by another number that is none of the script's own; closed when a program begins."""
    made = [os.dup(number)]
    while made[-1] <= 4:
        made.append(os.dup(number))
    for low in made[:-1]:
        os.close(low)
    return made[-1]


def _become(command: list[str] | Callable[[], None], reports: int, answers: int, tells: int) -> None:
    os.setsid()
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for file, place in ((reports, 3), (answers, 4)):
        os.dup2(file, place)
        os.close(file)
    if not callable(command):
        os.execvp(command[0], command)
    os.close(tells)
    command()


def _waited(script: int, control: int, woken: int, grace_s: float) -> int:
    """The code of the script once it has ended, as `subprocess` gives it; negative for a signal."""
    is_alone, due = False, [float("inf"), float("inf")]
    while True:
        while True:
            try:
                pid, found = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid == script:
                return os.waitstatus_to_exitcode(found)
            if pid == 0:
                break
        now = time.monotonic()
        for place, number in enumerate((signal.SIGTERM, signal.SIGKILL)):
            if now >= due[place]:
                _signal_group(script, number)
                due[place] = float("inf")
        wait_s = min(due) - now
        watched = [woken] if is_alone else [control, woken]
        ready, _, _ = select.select(watched, [], [], None if wait_s == float("inf") else max(0.0, wait_s))
        if woken in ready:
            os.read(woken, 4096)
        if control in ready:
            asked = os.read(control, 1)
            if not asked:
                is_alone, due = True, [now + grace_s, now + 2 * grace_s]
            elif asked == b"T":
                due[0] = now
            elif asked == b"K":
                due[1] = now


def _signal_group(script: int, number: int) -> None:
    with contextlib.suppress(OSError):  # it has ended just now
        os.killpg(script, number)


def _end_left_over(script: int, code: int) -> None:
    """Ends what the script has started and left behind: its process group, and what has left that.

    With a script that had to be killed, what it started has had its time, too.
    """
    until = time.monotonic() + (0.0 if code == -signal.SIGKILL else _LEFT_OVER_S)
    number = signal.SIGTERM
    while _reaped():
        if time.monotonic() >= until:
            number = signal.SIGKILL
        _signal_group(script, number)
        for child in _children():
            with contextlib.suppress(OSError):
                os.kill(child, number)
        time.sleep(0.01)


def _reaped() -> bool:
    """Whether children are left once those that have ended were waited for."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _tell(status: int, what: dict[str, object]) -> None:
    with contextlib.suppress(OSError):  # the trainer is gone
        os.write(status, json.dumps(what).encode() + b"\n")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    try:
        control, status, reports, answers = map(int, sys.argv[1:5])
        main(control, status, reports, answers, float(sys.argv[5]), sys.argv[7:])
    finally:
        shutil.rmtree(sys.argv[6], ignore_errors=True)
