"""What `--cluster FILE` does: the command runs on the head, where code, storage and driver are, and we pass it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from tuner.cli.output import people
from tuner.errors import SweepInterrupted, UsageError
from tuner.program import program

if TYPE_CHECKING:
    from tuner.cluster.head_shell import HeadShell
    from tuner.cluster.launch import Submitted


def ask_there(cluster: str, sweep: str, arguments: Sequence[str], not_with: Mapping[str, object]) -> NoReturn:
    """Runs a command on the cluster's head, and ends as it ends.

    Args:
        not_with: options, with their values, that have no meaning there.

    Raises:
        UsageError: one of them is given, or there is no such file.
        ServiceError: the head does not answer.
    """
    from tuner.cluster.launch import tuner_there

    raise typer.Exit(tuner_there(_head(cluster, not_with), sweep, arguments))


def logs_there(cluster: str, sweep: str, is_followed: bool, not_with: Mapping[str, object]) -> NoReturn:
    """Prints the log of the sweep's newest driver; raises as `ask_there`."""
    from tuner.cluster.launch import logs

    raise typer.Exit(logs(_head(cluster, not_with), sweep, is_followed))


def resume_there(cluster: str, sweep: str, overrides: Sequence[str], not_with: Mapping[str, object]) -> NoReturn:
    """Starts a driver on the cluster that goes on with the sweep, and watches it; raises as `ask_there`."""
    from tuner.cluster.launch import resume

    head = _head(cluster, not_with)
    arguments = [word for override in overrides for word in ("--set", override)]
    raise typer.Exit(watch(head, resume(head, sweep, arguments)))


def watch(head: HeadShell, submitted: Submitted) -> int:
    """Shows what the sweep's driver says until it ends, and how to come back; its exit code."""
    from tuner.cluster.launch import follow

    name, file = submitted.sweep, head.cluster_file
    how = "runs already" if submitted.attached else "goes on" if submitted.goes_on else "is submitted"
    people.print(f"sweep {name} {how} on cluster {head.name} as job {submitted.job}", style="bold", markup=False)
    for command in (f"show {name}", f"logs {name} --follow", f"stop {name}", f"resume {name}"):
        people.print(f"  {program()} {command} --cluster {file}", markup=False)
    try:
        code = follow(head, name, submitted.job)
    except KeyboardInterrupt:
        back = f"{program()} logs {name} --follow --cluster {file}"
        raise SweepInterrupted(f"left sweep {name}, which goes on; watch it again: {back}") from None
    if code == SweepInterrupted.exit_code:
        people.print(f"go on with it: {program()} resume {name} --cluster {file}", style="yellow", markup=False)
    return code


def cluster_path(cluster: str) -> Path:
    """The cluster file.

    Raises:
        UsageError: there is none.
    """
    path = Path(cluster)
    if not path.is_file():
        raise UsageError(f"--cluster {cluster}: must be a Ray cluster launcher file, but there is no such file")
    return path


def _head(cluster: str, not_with: Mapping[str, object]) -> HeadShell:
    given = [option for option, value in not_with.items() if value]
    if given:
        raise UsageError(f"{given[0]}: has no meaning with --cluster, where the sweep keeps what it was launched with")
    path = cluster_path(cluster)
    from tuner.cluster.head_shell import HeadShell

    return HeadShell(path)
