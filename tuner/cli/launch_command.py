"""launch: a sweep on a cluster that Ray's cluster launcher starts, from a laptop."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.base.errors import ServiceError, SweepInterrupted, UsageError
from tuner.cli.cluster_command import cluster_path, watch
from tuner.cli.output import Include, NewName, Overrides, SpecFile, SpecStorage, people, spec_path
from tuner.cli.pages import add

if TYPE_CHECKING:
    from tuner.cluster.check import Judged
    from tuner.cluster.launch import Head, Submitted


def launch(
    spec: SpecFile,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="FILE", help="The Ray cluster launcher file (required).", show_default=False),
    ] = None,
    name: NewName = None,
    or_resume: Annotated[bool, typer.Option("--or-resume", help="Continue the sweep if it exists.")] = False,
    overrides: Overrides = None,
    storage: SpecStorage = None,
    include: Include = None,
    down_when_done: Annotated[
        bool, typer.Option("--down-when-done", help="Shut the cluster down once the sweep has ended.")
    ] = False,
) -> None:
    """Run a sweep on a cluster of Ray's cluster launcher.

    Starts the cluster if it is not running, ships the spec and your code, and shows the progress of the sweep. Ctrl-C
    leaves the sweep running. Launch it again to watch it again.
    """
    if cluster is None:
        raise UsageError("launch: needs --cluster FILE, a file of Ray's launcher; on Kubernetes: tuner kubernetes SPEC")
    from tuner.cluster.check import judge

    file = cluster_path(cluster)
    judged = judge(spec_path(spec), overrides or [], name, storage, file, include or [])
    _warn(judged)
    head, submitted = _submit(file, judged, or_resume)
    code = watch(head, submitted)
    if down_when_done:
        _bring_down(file, head, judged.spec.name)
    raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        launch,
        """
        tuner check sweep.yaml --cluster cluster.yaml    does it fit the cluster?
        tuner launch sweep.yaml --cluster cluster.yaml
        tuner show NAME --cluster cluster.yaml           how is it doing?
        """,
    )


def _warn(judged: Judged) -> None:
    for line in judged.parcel.told():
        people.print(line)
    for warning in judged.cluster.warnings:
        people.print(f"warning: {warning}", style="yellow")
    if os.environ.get("AWS_SESSION_TOKEN"):
        people.print(
            "warning: the cluster gets your temporary AWS keys, and the sweep stops when they expire; give its nodes a"
            " role instead",
            style="yellow",
        )


def _submit(file: Path, judged: Judged, or_resume: bool) -> tuple[Head, Submitted]:
    """Starts the cluster and the sweep's driver on it, or finds the driver that runs."""
    from tuner.cluster.launch import bring_up, submit

    try:
        head = bring_up(file)
        return head, submit(head, judged.spec, or_resume, judged.parcel)
    except KeyboardInterrupt:
        raise SweepInterrupted(
            f"interrupted before sweep {judged.spec.name} was known to run on the cluster of {file}, which may be half"
            f" started: launch again to continue, or release its machines with `ray down {shlex.quote(str(file))}`"
        ) from None


def _bring_down(file: Path, head: Head, sweep: str) -> None:
    """Shuts the cluster down unless somebody else uses it."""
    from tuner.cluster.launch import bring_down, works_for_others

    try:
        is_shared = works_for_others(head, sweep)
    except ServiceError as error:
        way_on = f"the cluster is still up; shut it down with `ray down {shlex.quote(str(file))}`"
        raise ServiceError(f"{error}; {way_on}") from error
    if is_shared:
        people.print(f"cluster {head.name} also runs other jobs, so it stays up", style="yellow")
    else:
        bring_down(file)
