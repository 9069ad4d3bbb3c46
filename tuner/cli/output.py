"""Where output goes, options that many commands share, and how values are shown to people."""

from __future__ import annotations

import difflib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console

from tuner.errors import UsageError

people = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
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


def spec_path(spec: str) -> Path:
    """The file that SPEC means: a path, or the default sweep of a shipped trainable.

    Raises:
        UsageError: it is neither, and near a trainable's name.
    """
    from trainables import registry
    from tuner.spec.reading import printable

    if spec in registry.names() and not os.path.isfile(spec):
        return registry.default_sweep(spec)
    if os.path.exists(spec):
        return Path(spec)
    if near := difflib.get_close_matches(spec[:100], registry.names(), n=1):
        rule = "must be a YAML file or a shipped trainable's name, but there is neither"
        raise UsageError(f"{printable(spec)}: {rule}; did you mean {near[0]}?")
    return Path(spec)


def harmless(text: str) -> str:
    """Text of a user's code for a terminal: what would steer it is written as an escape."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)
