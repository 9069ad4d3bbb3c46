"""Commands on a cluster's head through its job server, for who has an address of that rather than the launcher's file.

The address is a tunnel's end, mostly (`ray dashboard cluster.yaml` makes one). Each command is a short job of its own.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.cluster.head_shell import PYTHON
from tuner.errors import ServiceError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_ASK_EVERY_S = 0.5
_ANNOUNCED_WITHIN_S = 5


class JobShell:
    """The way to the head of the cluster whose job server listens at an address."""

    def __init__(self, address: str) -> None:
        """Looks for it.

        Raises:
            ServiceError: nothing answers there, or it asks for a token that we do not have.
        """
        self.name, self.option = address, f"--address {shlex.quote(address)}"
        if (Path.home() / ".ray" / "auth_token").exists():
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        self._client = self._connected()

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Runs a shell script there; its two outputs come as one."""
        code, printed = asyncio.run(self._done(script, is_shown=False))
        return subprocess.CompletedProcess(script, code, printed, printed)

    def pass_on(self, script: str, to_people: bool = False) -> int:
        """Runs a shell script there, whose output goes where ours goes; its exit code."""
        return asyncio.run(self._done(script, is_shown=True, to_people=to_people))[0]

    async def _done(self, script: str, is_shown: bool, to_people: bool = False) -> tuple[int, str]:
        mark = f"tuner-asks-{uuid.uuid4().hex[:12]}"
        try:
            job = self._client.submit_job(entrypoint=marked(mark, PYTHON + script), submission_id=mark)
            printed, code = "", None
            async for text in self._client.tail_job_logs(job):
                before, printed = printed, printed + text
                (shown, _), (output, code) = between(mark, before), between(mark, printed)
                if is_shown:
                    out = sys.stderr if to_people else sys.stdout
                    out.write(output[len(shown) :])
                    out.flush()
                if code is not None:  # Ray would tell it seconds later
                    return code, output
            while not (info := self._client.get_job_info(job)).status.is_terminal():
                await asyncio.sleep(_ASK_EVERY_S)
        except (RuntimeError, OSError) as error:
            raise ServiceError(f"{self.name}: {' '.join(str(error).split())[:300]}") from error
        if info.driver_exit_code is None:
            raise ServiceError(f"{self.name}: {' '.join((info.message or 'the job ended').split())[:300]}")
        return int(info.driver_exit_code), between(mark, printed)[0]

    def _connected(self) -> JobSubmissionClient:
        from ray.job_submission import JobSubmissionClient

        try:
            return JobSubmissionClient(self.name)
        except (RuntimeError, OSError, ValueError) as error:
            raise ServiceError(f"--address {self.name}: {' '.join(str(error).split())[:300]}") from error


def marked(mark: str, script: str) -> str:
    """A job's command that prints a line with the mark before the script's output, and mark and exit code after it.

    Ray announces a job by a line with its name, the mark, in the same file, but writes that out after it started the
    job (`JobSupervisor._exec_entrypoint`, a buffered file): the job waits for it, or the announcement would stand
    amidst the output.
    """
    announced = f'grep -q {mark} "/proc/$$/fd/1" 2> /dev/null'
    waiting = f"for _ in $(seq {10 * _ANNOUNCED_WITHIN_S}); do ! {announced} || break; sleep 0.1; done"
    ending = f'code=$?; echo "{mark} $code"; exit $code'
    return f"bash -c {shlex.quote(f'{waiting}; echo {mark}; ({script}); {ending}')}"


def between(mark: str, printed: str) -> tuple[str, int | None]:
    """The script's output so far, and its exit code once it has ended."""
    output, ended, code = f"\n{printed}".partition(f"\n{mark}\n")[2].partition(f"{mark} ")
    return output, int(code) if ended and code.endswith("\n") else None
