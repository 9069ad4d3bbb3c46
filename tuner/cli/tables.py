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
"""The width where there is no terminal, so that each row is one line for grep. $COLUMNS overrides it."""


class _Tables(Console):
    def on_broken_pipe(self) -> None:
        """A reader that leaves is no error and does not change the exit code."""
        self.quiet = True


tables = _Tables(
    highlight=False,
    emoji=False,
    soft_wrap=not sys.stdout.isatty(),
    width=shutil.get_terminal_size((WIDE, 0)).columns,
)
"""Standard output: tables are data."""


def new_table(*columns: str) -> Table:
    """An empty table with these columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """Adds a row of plain text: without markup and control characters."""
    table.add_row(*(Text(harmless(str(cell))) for cell in cells))
