"""Commands whose whole tree of processes is watched: its processor time and its private memory. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 30.0
_OWN, _WITH_CHILDREN, _BEGAN = slice(11, 13), slice(11, 15), 19
"""Fields of /proc/PID/stat, counted from the third: processor time, and the time at which the process began."""


class CommandFailed(Exception):
    """A measured command ended with an error; the message has its last lines."""


def adopt_orphans() -> None:
    """From now on, processes whose parent has ended become children of this one, so that none leaves the tree."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


class Command:
    """A running command; its times are Unix seconds."""

    def __init__(self, command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self._out = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `finish`)
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        self.command = list(command)
        environment = {**os.environ, **(env or {})}
        self._spent_s: dict[tuple[int, str], float] = {}
        self._before = set(_parents())
        self.started_at = time.time()
        self.process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=self._out, stderr=self._err)
        self.ended_at = 0.0

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def pids(self) -> list[int]:
        """The command's process, and all that came from it, the dead ones that nobody has reaped included."""
        return sorted(descendants(os.getpid(), without=self._before))

    def cpu_s(self) -> float:
        """Processor time, user and system, of the tree until now.

        Of a process that has ended it counts what the last call saw: call it often, such as five times a second.
        """
        for pid in self.pids():
            if fields := _stat(pid):
                self._spent_s[pid, fields[_BEGAN]] = sum(map(int, fields[_OWN])) / _TICKS_PER_S
        return sum(self._spent_s.values())

    def finish(self, timeout_s: float = 3600) -> str:
        """Waits for its end and that of its tree; what it printed.

        Raises:
            CommandFailed: it ended with an error.
        """
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
            code = None
        self.ended_at = time.time()
        _reap(self.pids)
        with self._out as out, self._err as err:
            out.seek(0)
            err.seek(0)
            text, errors = out.read().decode(errors="replace"), err.read().decode(errors="replace")
        if code != 0:
            how = f"took more than {timeout_s:.0f} s" if code is None else f"ended with {code}"
            raise CommandFailed(f"{' '.join(self.command)[:300]}: {how}\n{errors[-3000:]}")
        return text


def run(command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> tuple[str, float]:
    """Runs a command to its end; what it printed, and its seconds."""
    running = Command(command, cwd, env)
    text = running.finish()
    return text, running.ended_at - running.started_at


def cpu_s(pid: int) -> float:
    """A process's processor time, with that of its children that it has reaped; 0 if it is gone."""
    fields = _stat(pid)
    return sum(map(int, fields[_WITH_CHILDREN])) / _TICKS_PER_S if fields else 0.0


def private_mib(pid: int) -> float:
    """The memory that is a process's alone, in MiB; 0 if it is gone."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
    return 0.0


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def descendants(pid: int, without: Container[int] = ()) -> set[int]:
    """All processes that came from one, but for those of `without` and what came from them."""
    children = defaultdict(list)
    for child, parent in _parents().items():
        children[parent].append(child)
    found: set[int] = set()
    ahead = [pid]
    while ahead:
        new = [child for child in children[ahead.pop()] if child not in without and child not in found]
        found.update(new)
        ahead += new
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on, which is the third."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _parents() -> dict[int, int]:
    """Each process's parent."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return {pid: int(fields[1]) for pid in pids if (fields := _stat(pid))}


def _reap(pids: Callable[[], list[int]]) -> None:
    """Waits until nothing of the tree is left."""
    ends_at = time.monotonic() + _PATIENCE_S
    while left := pids():
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        if time.monotonic() > ends_at:
            raise CommandFailed(f"processes are left: {', '.join(f'{pid} ({command_line(pid)[:80]})' for pid in left)}")
        time.sleep(0.05)
