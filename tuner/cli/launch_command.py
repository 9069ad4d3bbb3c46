"""launch: a sweep on a cluster of one's own, from a laptop."""

from __future__ import annotations

from typing import Annotated

import typer

from tuner.cli.cluster_command import cluster_path, watch
from tuner.cli.output import Overrides, SpecFile, Storage, people, spec_path


def launch(
    spec: SpecFile,
    cluster: Annotated[str, typer.Option("--cluster", metavar="FILE", help="A Ray cluster launcher file.")],
    name: Annotated[str | None, typer.Option("--name", help="The sweep's name, instead of the spec's.")] = None,
    or_resume: Annotated[bool, typer.Option("--or-resume", help="Go on with the sweep if storage has it.")] = False,
    overrides: Overrides = None,
    storage: Storage = None,
    down_when_done: Annotated[
        bool, typer.Option("--down-when-done", help="Release the cluster once the sweep's driver has ended.")
    ] = False,
) -> None:
    """Launch a sweep on a cluster; it goes on when you leave, and a second launch goes on with it."""
    from tuner.cluster.check import judge
    from tuner.cluster.launch import bring_down, bring_up, submit, works_for_others

    file = cluster_path(cluster)
    judged = judge(spec_path(spec), overrides or [], name, storage, file)
    checked = judged.spec
    for warning in judged.cluster.warnings:
        people.print(f"warning: {warning}", style="yellow", markup=False)
    head = bring_up(file)
    submitted = submit(head, checked, or_resume)
    code = watch(head, submitted)
    if down_when_done:
        if works_for_others(head, checked.name):
            people.print(f"cluster {head.name} works for others too, so it stays up", style="yellow", markup=False)
        else:
            bring_down(file)
    raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    app.command()(launch)
