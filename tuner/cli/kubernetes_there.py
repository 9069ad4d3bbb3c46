"""show, trials, logs, stop and resume of a sweep on Kubernetes: at its job server, or from its storage alone."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from tuner.base.errors import ServiceError, UsageError
from tuner.base.secrets import has_credentials
from tuner.cli.output import people, print_data
from tuner.storage.commands import ASKED_BY, program

if TYPE_CHECKING:
    from tuner.cluster.kubernetes.running import RunningJob


@dataclass(frozen=True)
class Pods:
    """Where kubectl finds the sweep's RayJob."""

    namespace: str | None

    @classmethod
    def asked(cls, kubernetes: bool, namespace: str | None, cluster: str | None, address: str | None) -> Pods | None:
        """What a command's options name; None if the sweep is not on Kubernetes.

        Raises:
            UsageError: another place is named, too.
        """
        if not kubernetes and namespace is None:
            return None
        for option, value in (("--cluster", cluster), ("--address", address)):
            if value is not None:
                raise UsageError(f"{option}: has no meaning with --kubernetes; give one of them")
        return cls(namespace)

    def answer(self, sweep: str, arguments: Sequence[str], storage: str | None) -> str:
        """Runs a command on the head of the sweep's cluster, and exits with its code.

        Returns:
            Where no cluster runs any more: the storage root, from which this machine can answer.
        """
        job = self._job(sweep, storage)
        if job is None or job.has_ended:
            return self._alone(sweep, job, storage)
        root = storage or job.storage
        words = [*arguments, *(["--storage", root] if root is not None else [])]
        columns = shutil.get_terminal_size((0, 0)).columns
        script = f"export COLUMNS={columns}; " if columns else ""
        script += f"export {shlex.quote(f'{ASKED_BY}={job.option}')}; "
        with job.shell() as shell:
            raise typer.Exit(shell.pass_on(f'{script}exec "$python" -m tuner.cli.main {shlex.join(words)}'))

    def logs(self, sweep: str, is_followed: bool, storage: str | None) -> str:
        """Prints the log of the sweep's driver, and exits; where neither cluster nor pod is left, as `answer`."""
        from tuner.cluster.jobs import SweepJobs
        from tuner.cluster.kubernetes.kubectl import kubectl

        job = self._job(sweep, storage)
        if job is None:
            return self._alone(sweep, job, storage)
        if job.has_ended:
            try:
                print_data(kubectl(["logs", f"job/{job.found['metadata']['name']}", *job.where, "--tail=-1"]))
            except ServiceError:  # its pod is gone, too
                return self._alone(sweep, job, storage)
            raise typer.Exit(0)
        with job.shell() as shell:
            if job.ray_job is None:
                raise ServiceError(f"sweep {sweep}: its driver has not been submitted yet; ask again later")
            jobs = SweepJobs(sweep, shell.client)
            if is_followed:
                raise typer.Exit(asyncio.run(jobs.follow(job.ray_job)))
            jobs.log(job.ray_job)
            raise typer.Exit(0)

    def resume(self, sweep: str, overrides: Sequence[str], options: Sequence[str]) -> None:
        """Makes the sweep's RayJob anew, as it was, to go on from storage; it runs on after this command."""
        from tuner.cluster.kubernetes.kubectl import apply
        from tuner.cluster.kubernetes.remade import remade

        if any(map(has_credentials, overrides)):
            raise UsageError("--set: holds a password, which the job would show; give it in a Secret (--secret)")
        job = self._job(sweep, None)
        if job is None:
            way_on = f"{program()} kubernetes SPEC --name {sweep} --apply"
            raise UsageError(f"sweep {sweep}: there is no RayJob of it{self._where}; go on from storage: {way_on}")
        if not job.has_ended:
            watch = f"{program()} logs {sweep} --follow {job.option}"
            raise UsageError(f"sweep {sweep}: its RayJob runs; `{watch}` watches")
        apply([remade(job, overrides, options)])
        people.print(f"sweep {sweep} goes on on Kubernetes as RayJob {job.found['metadata']['name']}", style="bold")
        for command in (f"show {sweep}", f"logs {sweep} --follow", f"stop {sweep}"):
            people.print(f"  {program()} {command} {job.option}")

    @property
    def _where(self) -> str:
        return f" in namespace {self.namespace}" if self.namespace is not None else " in kubectl's namespace"

    def _job(self, sweep: str, storage: str | None) -> RunningJob | None:
        from tuner.cluster.kubernetes.running import RunningJob

        try:
            return RunningJob.find(sweep, self.namespace)
        except ServiceError:
            if storage is None:
                raise
            return None

    def _alone(self, sweep: str, job: RunningJob | None, storage: str | None) -> str:
        """The storage root of a sweep that has no cluster any more."""
        root = storage or (job.storage if job is not None else None)
        if root is None:
            way_on = "name its storage, which has all: --storage ROOT"
            raise UsageError(f"sweep {sweep}: there is no RayJob of it{self._where}; {way_on}")
        if "://" not in root and not os.path.isdir(root):
            way_on = f"mount it here, or go on with the sweep: {program()} resume {sweep} --kubernetes"
            raise UsageError(f"sweep {sweep}: no cluster runs, and its storage {root} is a volume of pods; {way_on}")
        people.print(f"sweep {sweep}: no cluster of it runs on Kubernetes; this is what its storage has, {root}")
        return root
