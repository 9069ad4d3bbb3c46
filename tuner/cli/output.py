"""Where output goes, options that many commands share, and how values are shown to people."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, TextIO

import typer

from tuner.api.places import spec_path as spec_path
from tuner.api.terminal import error_console
from tuner.base.text import harmless as harmless

people = error_console()
"""For people's text: standard error. Brackets and colons in it are what they are."""

SweepName = Annotated[str, typer.Argument(metavar="SWEEP", help="The sweep's name.", show_default=False)]
SpecFile = Annotated[
    str, typer.Argument(metavar="SPEC", help="A YAML file, or a shipped trainable's name.", show_default=False)
]
Storage = Annotated[
    str | None,
    typer.Option("--storage", metavar="ROOT", help="The storage root. [default: $TUNER_STORAGE or ./sweeps]"),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field, such as epochs.max=9.")
]
Address = Annotated[
    str | None,
    typer.Option("--address", help="A Ray cluster to join. [default: $RAY_ADDRESS, else Ray on this machine]"),
]
ClusterFile = Annotated[
    str | None,
    typer.Option("--cluster", metavar="FILE", help="Ask the cluster of this launcher file, where it was launched."),
]
JobServer = Annotated[
    str | None,
    typer.Option("--address", metavar="URL", help="Ask the cluster whose job server this is: http://127.0.0.1:8265."),
]
ChangedCode = Annotated[
    bool,
    typer.Option("--with-changed-code", help="Take the trainable's files of today, not those that were trained with."),
]
ChangedData = Annotated[
    bool, typer.Option("--with-changed-data", help="Go on although the data are not those that were trained with.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Searched parameters that change nothing are errors, not warnings.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data, alone, on standard output.")]


def print_json(data: Any, out: TextIO | None = None) -> None:
    """JSON by `print_data`."""
    print_data(json.dumps(data, indent=2, allow_nan=False) + "\n", out)


def print_data(text: str, out: TextIO | None = None) -> bool:
    """Data, alone, on standard output (or `out`); False if its reader has left, which changes no exit code."""
    out = out or sys.stdout
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        return False
    return True
