"""The drivers of a sweep as Ray jobs, on the head: `python -m tuner.cluster.jobs …`, which a laptop runs over ssh.

The first job of sweep NAME is NAME, later ones are NAME-2, NAME-3, …: Ray refuses an id that exists, so two launches at
the same time never start two drivers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.base.errors import NameTakenError
from tuner.base.user import are_others
from tuner.cluster.job_server import connected, tail
from tuner.cluster.launched import SPEC, Launched, launched_by
from tuner.storage.commands import ASKED_BY

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

SWEEP = "tuner.sweep"
"""The key in the metadata of a job that names its sweep."""
_WAYS_ON = {
    "follow": "; if Ray has ended there, launch the sweep again to resume it",
    "submit": "; launch the sweep again to resume it, or to watch it if it runs",
}
"""By request, what to do after the job server was lost."""
UNKNOWN_END = 4
"""The exit code for a driver that ended without one, such as by the loss of its node: that of ServiceError."""


class SweepJobs:
    """The jobs of one sweep."""

    def __init__(self, name: str, client: JobSubmissionClient) -> None:
        self._name, self._client = name, client

    def all(self) -> list[Any]:
        """The jobs of the sweep, oldest first."""
        jobs = [job for job in self._client.list_jobs() if (job.metadata or {}).get(SWEEP) == self._name]
        return sorted(jobs, key=lambda job: job.start_time or 0)

    def running(self) -> str | None:
        """The id of the job that runs or is about to run."""
        return next((job.submission_id for job in self.all() if not job.status.is_terminal()), None)

    def others_run(self) -> bool:
        """Whether other jobs run on the cluster."""
        jobs = [job for job in self._client.list_jobs() if not job.status.is_terminal()]
        return any((job.metadata or {}).get(SWEEP) != self._name for job in jobs)

    def submit(self, arguments: Sequence[str]) -> str:
        """Starts a driver with the arguments of a `tuner` command; the id of its job.

        Raises:
            RuntimeError: Ray refused the job.
        """
        launched = Launched(self._name)
        packages = launched.requirements()
        taken = {job.submission_id for job in self._client.list_jobs()}
        numbered = (f"{self._name}-{number}" for number in range(2, len(taken) + 3))
        free = next(one for one in (self._name, *numbered) if one not in taken)
        return str(
            self._client.submit_job(
                entrypoint=shlex.join(launched.command(*arguments, python="python" if packages else sys.executable)),
                submission_id=free,
                runtime_env={"working_dir": str(launched.project), **({"pip": packages} if packages else {})},
                metadata={SWEEP: self._name},
            )
        )

    async def follow(self, job: str) -> int:
        """Prints the output of a job's driver until it ends; its exit code."""
        last = ""
        with contextlib.suppress(RuntimeError):  # the connection broke; the status is asked below
            async with contextlib.aclosing(tail(self._client, job)) as texts:
                async for text in texts:
                    lines, end, last = (last + text).rpartition("\n")
                    self._say(lines + end)
        self._say(last)
        while not (info := self._client.get_job_info(job)).status.is_terminal():
            await asyncio.sleep(1)
        if info.driver_exit_code is None or info.driver_exit_code < 0:
            message = " ".join((info.message or "no message").split())[:300]
            print(f"job {job}: {info.status.value.lower()}: {message}")
            return UNKNOWN_END
        return int(info.driver_exit_code)

    def log(self, job: str) -> None:
        """Prints the output of a job's driver so far."""
        self._say(self._client.get_job_logs(job))

    def _say(self, lines: str) -> None:
        """Prints whole lines of the driver; commands in them get the option that leads from the reader to the sweep."""
        theirs, its_own = os.environ.get(ASKED_BY), Launched(self._name).option
        if theirs and its_own:
            lines = lines.replace(f"resume {self._name} {its_own}", f"resume {self._name} {theirs}")
        sys.stdout.write(lines)
        sys.stdout.flush()


def submit(jobs: SweepJobs, name: str, incoming: Path, or_resume: bool) -> dict[str, Any]:
    """Starts the driver of a sweep with the files of a launch, or finds the one that runs."""
    launched = Launched(name)
    try:
        running, owner, me = jobs.running(), launched.owner, launched_by(incoming / "environment")
        if are_others(owner, me) and (running is not None or not or_resume):
            raise NameTakenError(_taken(name, owner, running))
        if running is not None:
            return {"job": running, "attached": True, **({"owner": owner} if owner else {})}
        goes_on = or_resume or launched.exists()
        launched.install(incoming)
    finally:
        shutil.rmtree(incoming)
    arguments = ["run", SPEC, "--shipped", *(["--or-resume"] if goes_on else [])]
    try:
        return {"job": jobs.submit(arguments), "attached": False, "goes_on": goes_on}
    except RuntimeError:
        if (running := jobs.running()) is None:
            raise
        return {"job": running, "attached": True}  # another launch was faster


def _taken(name: str, owner: str, running: str | None) -> str:
    """What is told of a colleague's sweep of the same name."""
    way = os.environ.get(ASKED_BY, "--cluster FILE")
    watch = f"watch it with tuner logs {name} --follow {way}" if running else "continue it with --or-resume"
    state = f"runs as job {running}" if running else "has run here"
    return f"sweep {name} on this cluster is {owner}'s and {state}: choose another name (--name), or {watch}"


def main() -> None:
    """Answers one request of a laptop: data on standard output, or one line and an exit code."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(prog="tuner.cluster.jobs")
    parser.add_argument("request", choices=("submit", "resume", "follow", "logs", "others"))
    parser.add_argument("name")
    parser.add_argument("--incoming", type=Path)
    parser.add_argument("--or-resume", action="store_true")
    parser.add_argument("--job")
    parser.add_argument("rest", nargs="*")
    asked = parser.parse_args()
    try:
        sys.exit(_answer(asked, SweepJobs(asked.name, connected())))
    except NameTakenError as error:
        sys.exit(_refused(error.exit_code, str(error)))
    except BrokenPipeError:  # the reader has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (RuntimeError, OSError) as error:  # what requests raises is an OSError
        way_on = _WAYS_ON.get(asked.request, "")
        sys.exit(_refused(4, f"the head's job server: {' '.join(str(error).split())[:500]}{way_on}"))


def _answer(asked: argparse.Namespace, jobs: SweepJobs) -> int:
    if asked.request == "submit":
        print(json.dumps(submit(jobs, asked.name, asked.incoming, asked.or_resume)))
    elif asked.request == "resume":
        if (running := jobs.running()) is not None:
            watch = f"tuner logs {asked.name} --follow {os.environ.get(ASKED_BY, '')}".rstrip()
            return _refused(2, f"sweep {asked.name}: its job {running} runs; `{watch}` watches")
        print(json.dumps({"job": jobs.submit(["resume", asked.name, *asked.rest])}))
    elif asked.request == "others":
        print(json.dumps({"others": jobs.others_run()}))
    else:
        every = jobs.all()
        if not every:
            return _refused(2, f"sweep {asked.name}: no job of it has run on this cluster")
        last = asked.job or every[-1].submission_id
        if asked.request == "follow":
            return asyncio.run(jobs.follow(last))
        jobs.log(last)
    return 0


def _refused(code: int, line: str) -> int:
    print(line, file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
