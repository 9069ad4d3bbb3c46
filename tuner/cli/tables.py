"""Tables on standard output: for people on a terminal, for grep elsewhere."""

from __future__ import annotations

import shutil
import sys

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.cli.output import harmless

WIDE = 10_000
"""Columns of what is no terminal: there a row is a line, for grep and the like. $COLUMNS counts all the same."""


class _Tables(Console):
    def on_broken_pipe(self) -> None:
        """A reader that leaves has seen enough, and changes no exit code."""
        self.quiet = True


tables = _Tables(
    highlight=False,
    emoji=False,
    soft_wrap=not sys.stdout.isatty(),
    width=shutil.get_terminal_size((WIDE, 0)).columns,
)
"""Tables are data: standard output."""


def new_table(*columns: str) -> Table:
    """An empty table with these columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """A row of plain text: brackets in a reason or a value are no markup, and nothing steers the terminal."""
    table.add_row(*(Text(harmless(str(cell))) for cell in cells))
