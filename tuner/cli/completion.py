"""What a shell completes besides commands and options: sweeps, specs, topics."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import typer

from tuner.base.errors import TunerError

SPECS = (".yaml", ".yml")


def sweep_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of sweeps in the storage root; no journal is read."""
    from tuner.storage import StorageRoot

    with suppress(TunerError, OSError):
        names = [folder.name for folder in StorageRoot.resolve(ctx.params.get("storage")).sweeps()]
        return [name for name in names if name.startswith(incomplete)]
    return []


def specs(incomplete: str) -> list[str]:
    """Shipped trainables, and YAML files and folders."""
    from trainables import registry

    names = [name for name in registry.names() if name.startswith(incomplete)]
    with suppress(OSError):
        names += sorted(_files(incomplete))
    return names


def _files(incomplete: str) -> Iterator[str]:
    folder, start = os.path.split(incomplete)
    for entry in os.scandir(folder or "."):
        if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
            path = os.path.join(folder, entry.name)
            if entry.is_dir():
                yield f"{path}/"
            elif entry.name.endswith(SPECS):
                yield path
