"""launch: a sweep on a cluster of one's own, from a laptop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.cluster_command import cluster_path, watch
from tuner.cli.output import Overrides, SpecFile, Storage, people, spec_path
from tuner.errors import SpecError
from tuner.paths import StorageRoot

if TYPE_CHECKING:
    from tuner.spec import SweepSpec


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
    from tuner.cluster.launch import bring_down, bring_up, submit, works_for_others

    file = cluster_path(cluster)
    checked = _checked(spec, overrides or [], name, storage, file)
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


def _checked(spec: str, overrides: list[str], name: str | None, storage: str | None, cluster: Path) -> SweepSpec:
    """The spec, held against its trainable and the cluster file as far as that goes here.

    Raises:
        SpecError: all that is wrong with them. The data may be at hand on the cluster alone, and is judged there.
        UsageError: a file cannot be read.
    """
    from tuner.cluster import shared
    from tuner.inspection import Inspection, load_checked
    from tuner.spec.reading import read_yaml

    path = spec_path(spec)
    loaded = load_checked(path, overrides, name)
    root = StorageRoot.resolve(storage, loaded.storage)
    loaded = loaded.model_copy(update={"storage": root.url})
    found = Inspection(loaded).result().problems
    problems = [problem for problem in found if not problem.startswith(("data:", "trainable: load_data must work"))]
    problems += shared.problems(loaded, read_yaml(cluster))
    if problems:
        raise SpecError(str(path), problems)
    return loaded
