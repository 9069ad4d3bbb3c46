"""Commands on the head of a cluster through its job server, for those without the launcher's file.

The address is usually the end of a tunnel (`ray dashboard cluster.yaml` makes one). Each command is a short job.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

from tuner.backend.address import has_token
from tuner.base.errors import ServiceError, TunerError, UsageError
from tuner.cluster.head_shell import PYTHON
from tuner.cluster.job_server import connected, tail
from tuner.spec.reading import printable
from tuner.spec.space import shown
from tuner.spec.uris import has_host

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_ASK_EVERY_S = 0.5
_ANNOUNCED_WITHIN_S = 5
_ITS_ADDRESS = "RAY_API_SERVER_ADDRESS"
"""Ray's variable that overrides $RAY_ADDRESS, which in turn overrides the address that a client is given."""


class JobShell:
    """A connection to the head of the cluster whose job server has this address."""

    def __init__(self, address: str) -> None:
        """Connects to the job server.

        Raises:
            UsageError: the address is not the URL of a job server.
            ServiceError: no job server answers there, or it requires a token that this machine lacks.
        """
        if not _is_url(address):
            rule = "must be the URL of a cluster's job server, such as http://127.0.0.1:8265"
            raise UsageError(f"--address: {rule}, but got {shown(printable(address))}")
        self.name, self.option = address, f"--address {shlex.quote(address)}"
        if has_token():
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        self._client = self._connected()

    @property
    def client(self) -> JobSubmissionClient:
        """The client of its job server."""
        return self._client

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Runs a shell script there and captures both outputs as one."""
        code, printed = asyncio.run(self._done(script, is_shown=False))
        return subprocess.CompletedProcess(script, code, printed, printed)

    def pass_on(self, script: str, to_people: bool = False) -> int:
        """Runs a shell script there and passes its output on.

        Returns:
            The exit code of the script; 0 if the reader of our output has left.

        Raises:
            ServiceError: the job server no longer answers, or our output cannot be written.
        """
        try:
            return asyncio.run(self._done(script, is_shown=True, to_people=to_people))[0]
        except BrokenPipeError:
            return 0

    async def _done(self, script: str, is_shown: bool, to_people: bool = False) -> tuple[int, str]:
        mark = job = f"tuner-asks-{uuid.uuid4().hex[:12]}"
        try:
            job = self._client.submit_job(entrypoint=marked(mark, PYTHON + script), submission_id=mark)
            printed, code = "", None
            async with contextlib.aclosing(tail(self._client, job)) as texts:
                async for text in texts:
                    before, printed = printed, printed + text
                    (shown, _), (output, code) = between(mark, before), between(mark, printed)
                    if is_shown:
                        out = sys.stderr if to_people else sys.stdout
                        out.write(output[len(shown) :])
                        out.flush()
                    if code is not None:  # Ray reports it seconds later
                        return code, output
            while not (info := self._client.get_job_info(job)).status.is_terminal():
                await asyncio.sleep(_ASK_EVERY_S)
        except (KeyboardInterrupt, asyncio.CancelledError, BrokenPipeError, TunerError):
            # else a command that follows a sweep would run until the sweep ends
            with contextlib.suppress(Exception):
                self._client.stop_job(job)
            raise
        except Exception as error:
            raise self._refusal(error) from error
        if info.driver_exit_code is None:
            raise ServiceError(f"{self.name}: {' '.join((info.message or 'the job ended').split())[:300]}")
        return int(info.driver_exit_code), between(mark, printed)[0]

    def _connected(self) -> JobSubmissionClient:
        before = os.environ.get(_ITS_ADDRESS)
        os.environ[_ITS_ADDRESS] = url = self.name.rstrip("/")
        try:
            return connected(url)
        except Exception as error:
            raise self._refusal(error) from error
        finally:
            del os.environ[_ITS_ADDRESS]
            os.environ.update({} if before is None else {_ITS_ADDRESS: before})

    def _refusal(self, error: Exception) -> ServiceError:
        """Any failure in one line: any kind of server may listen there."""
        from ray.exceptions import AuthenticationError

        what = " ".join(str(error).split())[:300]
        if isinstance(error, AuthenticationError):
            said = " ".join(error.message.partition("\n")[0].split())[:100]
            way_on = "the token in ~/.ray/auth_token of the cluster's head must be in that file here, too"
            what = f"{said}; {way_on}, or in $RAY_AUTH_TOKEN"
        elif not isinstance(error, RuntimeError | OSError):
            what = f"what answers is not a Ray job server ({type(error).__name__}: {what})"
        return ServiceError(f"--address {self.name}: {what}")


def _is_url(address: str) -> bool:
    return address.startswith(("http://", "https://")) and "?" not in address and has_host(address)


def marked(mark: str, script: str) -> str:
    """A job command that prints a line with the mark before the output of the script, and mark and exit code after it.

    Ray announces a job with a line that holds its name, the mark, in the same file. As it writes that line after it has
    started the job (`JobSupervisor._exec_entrypoint`, a buffered file), the job waits for it; otherwise the line would
    end up inside the output.
    """
    announced = f'grep -q {mark} "/proc/$$/fd/1" 2> /dev/null'
    waiting = f"for _ in $(seq {10 * _ANNOUNCED_WITHIN_S}); do ! {announced} || break; sleep 0.1; done"
    ending = f'code=$?; echo "{mark} $code"; exit $code'
    return f"bash -c {shlex.quote(f'{waiting}; echo {mark}; ({script}); {ending}')}"


def between(mark: str, printed: str) -> tuple[str, int | None]:
    """The output of the script so far, and its exit code once it has ended."""
    output, ended, code = f"\n{printed}".partition(f"\n{mark}\n")[2].partition(f"{mark} ")
    return output, int(code) if ended and code.endswith("\n") else None
