"""copy: a second sweep with the same events and checkpoints, independent of the first."""

from __future__ import annotations

from typing import Annotated

import typer

from tuner.cli.output import AsJson, Storage, SweepName, people, print_json
from tuner.cli.pages import add
from tuner.storage import StorageRoot
from tuner.storage.commands import program, storage_option

CopyName = Annotated[str, typer.Argument(metavar="NEW", help="The name of the copy.", show_default=False)]
OtherRoot = Annotated[
    str | None,
    typer.Option("--to", metavar="ROOT", help="Storage root of the copy. [default: the original's]"),
]


def copy(
    sweep: SweepName, new: CopyName, storage: Storage = None, to: OtherRoot = None, as_json: AsJson = False
) -> None:
    """Copy a sweep, running or not.

    The copy has its events and checkpoints, its own MLflow runs, and can be resumed without the original.
    """
    from tuner.engine.copying import copy_sweep
    from tuner.review import status

    root = StorageRoot.resolve(storage)
    old, _ = status.find_sweep(root, sweep)
    copied = copy_sweep(old, root if to is None else StorageRoot.resolve(to), new, people.print)
    folder, folded = copied.folder, copied.sweep
    state = status.state(folder, folded)
    if as_json:
        print_json(
            {
                "sweep": new,
                "sweep_id": folded.sweep_id,
                "copied_from": folded.copied_from,
                "state": state,
                "checkpoints": copied.checkpoints,
                "missing_checkpoints": list(copied.missing),
                "folder": folder.url,
            }
        )
    where = storage_option(folder.root)
    people.print(f"sweep {new} is a copy of {sweep}: {folded.num_events} events, {copied.checkpoints} checkpoints")
    if copied.missing:
        people.print(f"  not in the folder of {sweep}, though its journal names them: {', '.join(copied.missing)}")
    record = f"{program()} record {new}{where}"
    if state == "finished":
        people.print(f"  its own MLflow runs are made by: {record}")
    else:
        people.print(f"  go on with it: {program()} resume {new}{where}")
        people.print(f"  its own MLflow runs are made then, or at once by: {record}")


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        copy,
        """
        tuner copy first second
        tuner copy first second --to s3://bucket/sweeps
        """,
    )
