"""Commands with `--cluster FILE` or `--address URL`: they run on the head, which has the code, storage and driver."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.base.errors import ServiceError, SweepInterrupted, UsageError
from tuner.cli.output import people
from tuner.storage.commands import program

if TYPE_CHECKING:
    from tuner.cluster.launch import Head, Submitted


@dataclass(frozen=True)
class There:
    """The cluster on which a command is to run: by its launcher file, or by the address of its job server."""

    cluster: str | None
    address: str | None

    @classmethod
    def asked(cls, cluster: str | None, address: str | None) -> There | None:
        """The cluster that a command's options name; None if the command is to run on this machine."""
        return None if cluster is None and address is None else cls(cluster, address)

    def head(self, not_with: Mapping[str, object]) -> Head:
        """A connection to its head.

        Args:
            not_with: options, with their values, that have no meaning on a cluster.

        Raises:
            UsageError: one of them is given, or both --cluster and --address are, or there is no such file.
            ServiceError: the head does not answer.
        """
        mine = f"--{'address' if self.cluster is None else 'cluster'}"
        given = [option for option, value in not_with.items() if value]
        if self.cluster is not None and self.address is not None:
            given = ["--address"]
        if given:
            raise UsageError(f"{given[0]}: has no meaning with {mine}: there the sweep has what it was launched with")
        if self.cluster is None:
            from tuner.cluster.job_shell import JobShell

            return JobShell(str(self.address))
        path = cluster_path(self.cluster)
        from tuner.cluster.head_shell import HeadShell

        return HeadShell(path)


def ask_there(there: There, sweep: str, arguments: Sequence[str], not_with: Mapping[str, object]) -> int:
    """Runs a command on the cluster's head and gives its exit code; raises as `There.head`."""
    from tuner.cluster.launch import tuner_there

    head = there.head(not_with)
    with _way_on(f"ask again once it answers: {program()} {' '.join(arguments)} {head.option}"):
        return tuner_there(head, sweep, arguments)


def logs_there(there: There, sweep: str, is_followed: bool, not_with: Mapping[str, object]) -> int:
    """Prints the log of the sweep's newest driver; gives an exit code, and raises as `There.head`."""
    from tuner.cluster.launch import logs

    head = there.head(not_with)
    with _way_on(f"ask again once it answers: {program()} logs {sweep} {head.option}"):
        return logs(head, sweep, is_followed)


def resume_there(
    there: There, sweep: str, overrides: Sequence[str], not_with: Mapping[str, object], options: Sequence[str] = ()
) -> int:
    """Starts a driver on the cluster that resumes the sweep, and watches it; its exit code. Raises as `There.head`."""
    from tuner.cluster.launch import resume

    head = there.head(not_with)
    arguments = [*(word for override in overrides for word in ("--set", override)), *options]
    show = f"{program()} show {sweep} {head.option}"
    try:
        with _way_on(f"find out once it answers whether the sweep goes on: {show}"):
            submitted = resume(head, sweep, arguments)
    except KeyboardInterrupt:
        raise SweepInterrupted(f"interrupted before sweep {sweep} was known to go on; find out with: {show}") from None
    return watch(head, submitted)


@contextmanager
def _way_on(text: str) -> Iterator[None]:
    """Adds to the error of a lost connection what to do then."""
    try:
        yield
    except ServiceError as error:
        raise ServiceError(f"{error}; {text}") from error


def watch(head: Head, submitted: Submitted) -> int:
    """Shows the output of the sweep's driver until it ends, and how to come back; the driver's exit code."""
    from tuner.cluster.launch import follow

    name = submitted.sweep
    how = "runs already" if submitted.attached else "goes on" if submitted.goes_on else "is submitted"
    whose = f", launched by {submitted.owner}" if submitted.owner else ""
    people.print(f"sweep {name} {how} on cluster {head.name} as job {submitted.job}{whose}", style="bold")
    for command in (f"show {name}", f"logs {name} --follow", f"stop {name}", f"resume {name}"):
        people.print(f"  {program()} {command} {head.option}")
    again = f"watch it again: {program()} logs {name} --follow {head.option}"
    try:
        return follow(head, name, submitted.job)  # a driver that was stopped says how to go on
    except KeyboardInterrupt:
        raise SweepInterrupted(f"left sweep {name}, which goes on; {again}") from None
    except ServiceError as error:
        raise ServiceError(f"{error}. Sweep {name} goes on while its head lives; {again}") from error


def cluster_path(cluster: str) -> Path:
    """The cluster file.

    Raises:
        UsageError: there is none.
    """
    if not os.path.isfile(cluster):  # which also knows of names that are too long
        from tuner.spec.reading import printable

        rule = "must be a Ray cluster launcher file, but there is no such file"
        raise UsageError(f"--cluster {printable(cluster)}: {rule}")
    return Path(cluster)
