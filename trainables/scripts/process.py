"""A script at work: its process, what it reports, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainables.scripts.forker import ForkedWarden, Forker, Wanted
from trainables.scripts.lines import LINE_BYTES_MAX, ScriptError

GRACE_S = 10.0
"""How long a script has to end once it was told to, before SIGTERM, and again before SIGKILL."""
_WARDEN = Path(__file__).with_name("warden.py")


class ScriptProcess:
    """A script, begun at once.

    Args:
        scratch: a folder of its own, which is removed with it.
        forker: forks a process for the command's last argument, the file of a job, in place of the command.
    """

    def __init__(
        self,
        command: Sequence[str],
        work_folder: str,
        environment: Mapping[str, str],
        scratch: Path,
        forker: Forker | None = None,
    ) -> None:
        self._reports, reports = os.pipe()
        answers, self._answers = os.pipe()
        control, self._control = os.pipe()
        self._status, status = os.pipe()
        os.set_blocking(self._answers, False)
        passed = (control, status, reports, answers)
        wanted = Wanted(command[-1], work_folder, dict(environment), str(scratch), GRACE_S)
        try:
            self._warden: ForkedWarden | subprocess.Popen[bytes]
            self._warden = _forked(forker, wanted, passed) or _plain(command, wanted, passed)
        finally:
            for number in passed:
                os.close(number)
        self._command = command
        self._unread = b""
        self._said = b""
        self._is_open = True
        self._end: dict[str, Any] | None = None

    def next_line(self, also: int | None = None) -> bytes | None:
        """The next line that it writes; None once it has ended and everything is read.

        Args:
            also: another open file to wait for: an empty line is returned when that can be read.

        Raises:
            ScriptError: the line is too long.
        """
        while True:
            line, found, rest = self._unread.partition(b"\n")
            if found:
                self._unread = rest
                if line.strip():
                    return line
                continue
            if len(self._unread) > LINE_BYTES_MAX:
                raise ScriptError(f"a report must have at most {LINE_BYTES_MAX} bytes in a line, but has more")
            watched = [*([self._reports] if self._is_open else []), *([] if also is None else [also])]
            if self._end is None:
                ready, _, _ = select.select([*watched, self._status], [], [])
            else:  # what it left running may hold the pipe, but is not listened to
                ready, _, _ = select.select(watched, [], [], 0)
            if self._reports in ready:
                self._read()
            elif also in ready:
                return b""
            elif self._status in ready:
                self._hear_end()
            elif self._end is not None:
                line, self._unread = self._unread, b""
                return line if line.strip() else None

    def _read(self) -> None:
        read = os.read(self._reports, 1 << 16)
        self._unread += read
        self._is_open = bool(read)

    def _hear_end(self) -> None:
        read = os.read(self._status, 1 << 16)
        self._said += read
        if read and b"\n" not in self._said:
            return
        try:
            self._end = json.loads(self._said)
        except ValueError:  # the warden was killed, and the script with it
            self._end = {"code": -signal.SIGKILL}

    def answer(self, continues: bool) -> None:
        """Answers a report. A script that does not listen is not waited for."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._answers, b"continue\n" if continues else b"stop\n")

    @property
    def code(self) -> int:
        """The exit code of a script that has ended; negative for a signal.

        Raises:
            ScriptError: it was never started.
        """
        assert self._end is not None
        if error := self._end.get("error"):
            raise ScriptError(f"{self._command[0]}: cannot be started: {error}")
        return int(self._end["code"])

    def terminate(self) -> None:
        """Sends SIGTERM to it."""
        self._ask(b"T")

    def kill(self) -> None:
        """Sends SIGKILL to it and all that it has started."""
        self._ask(b"K")

    def _ask(self, what: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended
            os.write(self._control, what)

    def wait(self, seconds: float, *, is_patient: bool = True) -> bool:
        """Waits for its end, and drops what it writes meanwhile; whether it has ended.

        Args:
            is_patient: whether it waits on if the script reports once more.
        """
        until = time.monotonic() + seconds
        while self._end is None:
            left_s = until - time.monotonic()
            if left_s <= 0:
                return False
            watched = [self._status, *([self._reports] if self._is_open else [])]
            ready, _, _ = select.select(watched, [], [], left_s)
            if self._reports in ready:
                self._read()
                if b"\n" in self._unread and not is_patient:
                    return False
                self._unread = b""
            if self._status in ready:
                self._hear_end()
        return True

    def end(self, grace_s: float) -> None:
        """Ends it: after `grace_s`, or when it reports once more, by SIGTERM; GRACE_S later by SIGKILL."""
        if not self.wait(grace_s, is_patient=False):
            self.terminate()
            if not self.wait(GRACE_S):
                self.kill()
                self.wait(GRACE_S)
        self.close()

    def close(self) -> None:
        """Closes what leads to it; where it still runs, its warden ends it."""
        for number in (self._reports, self._answers, self._control, self._status):
            if number >= 0:
                os.close(number)
        self._reports = self._answers = self._control = self._status = -1
        if self._end is not None:
            try:
                self._warden.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._warden.kill()
                self._warden.wait()
        if isinstance(self._warden, ForkedWarden):
            self._warden.forget()


def _forked(forker: Forker | None, wanted: Wanted, files: Sequence[int]) -> ForkedWarden | None:
    """None without a process that forks, or if it is gone."""
    with contextlib.suppress(OSError):
        return None if forker is None else forker.start(wanted, files)
    return None


def _plain(command: Sequence[str], wanted: Wanted, files: Sequence[int]) -> subprocess.Popen[bytes]:
    told = (*map(str, files), str(wanted.grace_s), wanted.scratch)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_WARDEN), *told, *command],
        pass_fds=files,
        stdin=subprocess.DEVNULL,
        cwd=wanted.work_folder,
        env=wanted.environment,
        start_new_session=True,
    )
