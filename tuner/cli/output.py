"""Where output goes, and the arguments and options that several commands share."""

from __future__ import annotations

import json
import select
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer

from tuner.base.text import harmless as harmless
from tuner.cli.completion import specs, sweep_names

if TYPE_CHECKING:
    from rich.console import Console


class _Lazy:
    """A console that is made when it is first used, as many commands print nothing on it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_console(), name)


@cache
def _console() -> Console:
    from tuner.api.console import error_console

    return error_console()


people = cast("Console", _Lazy())
"""Standard error, for text that people read. Brackets and colons are printed as they are."""

_PLACE = "Location"
"""The group of options that say where sweeps and clusters are, on each command's help page."""
_INPUTS = "Changed inputs"

SweepName = Annotated[
    str,
    typer.Argument(metavar="SWEEP", help="The name of the sweep.", show_default=False, autocompletion=sweep_names),
]
SpecFile = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A YAML file, or the name of a trainable that comes with Tuner.",
        show_default=False,
        autocompletion=specs,
    ),
]
NewName = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Name the sweep NAME instead of the spec's name.")
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="ROOT",
        help="Folder or bucket of the sweeps. [default: $TUNER_STORAGE or ./sweeps]",
        rich_help_panel=_PLACE,
    ),
]
SpecStorage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="ROOT",
        help="Folder or bucket of the sweeps. [default: the spec's, $TUNER_STORAGE or ./sweeps]",
        rich_help_panel=_PLACE,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a field of the spec, such as epochs.max=9."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Ray cluster to use. [default: $RAY_ADDRESS, else a Ray started on this machine]",
        rich_help_panel=_PLACE,
    ),
]
AnyAddress = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT|URL",
        help="Ray cluster to use, or the job server of the cluster to resume it on. [default: as for run]",
        rich_help_panel=_PLACE,
    ),
]
ClusterFile = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="FILE",
        help="Run the command on the cluster of this launcher file.",
        rich_help_panel=_PLACE,
    ),
]
JobServer = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="URL",
        help="Run the command on the cluster with this job server, such as http://127.0.0.1:8265.",
        rich_help_panel=_PLACE,
    ),
]
OnKubernetes = Annotated[
    bool,
    typer.Option("--kubernetes", help="The sweep runs on Kubernetes; kubectl knows the way.", rich_help_panel=_PLACE),
]
KubeNamespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        metavar="NAME",
        help="Namespace of the sweep's RayJob, with --kubernetes. [default: kubectl's]",
        rich_help_panel=_PLACE,
    ),
]
ChangedCode = Annotated[
    bool,
    typer.Option(
        "--with-changed-code",
        help="Use the trainable's current files, not those that the sweep was trained with.",
        rich_help_panel=_INPUTS,
    ),
]
ChangedData = Annotated[
    bool,
    typer.Option(
        "--with-changed-data",
        help="Continue although the data have changed since the sweep started.",
        rich_help_panel=_INPUTS,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Fail if a searched parameter changes nothing. By default that is a warning.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include", metavar="PATH", help="Ship this file or folder, too; it lies beside the trainable or the spec."
    ),
]


def spec_path(spec: str) -> Path:
    """As `tuner.api.places.spec_path`."""
    from tuner.api.places import spec_path as path_of

    return path_of(spec)


def print_json(data: Any, out: TextIO | None = None) -> None:
    """Prints JSON as `print_data` does."""
    print_data(json.dumps(data, indent=2, allow_nan=False) + "\n", out)


def print_data(text: str, out: TextIO | None = None) -> bool:
    """Prints data to `out`, by default standard output; False if the reader has gone, which is no error."""
    out = out or sys.stdout
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        return False
    return True


def has_reader() -> bool:
    """Whether somebody may still read standard output, as nobody does once an ssh connection is closed."""
    look = select.poll()
    try:
        look.register(sys.stdout, 0)
    except (OSError, ValueError):  # it is no file
        return True
    return not look.poll(0)
