"""advise: what a sweep's trials say about the next step, with commands that can be pasted."""

from __future__ import annotations

import typer
from rich.text import Text

from tuner.api.looking import load
from tuner.cli.output import AsJson, Storage, SweepName, harmless, people, print_json
from tuner.cli.pages import add
from tuner.cli.tables import tables


def advise(sweep: SweepName, storage: Storage = None, as_json: AsJson = False) -> None:
    """Advise on the next step: ranges, trials, epochs.

    Says what the trials tell, with figures, and the command for the next step. Silent where chance may explain it.
    """
    from tuner.analysis.advice import SHOWN_MAX, advice_data, why_silent

    opened = load(sweep, storage=storage)
    found = opened.advise()
    if as_json:
        print_json(advice_data(found))
        return
    if not found:
        people.print(f"nothing to advise yet: {why_silent(opened.show()['outcomes'])}", soft_wrap=True)
        return
    for index, piece in enumerate(found[:SHOWN_MAX]):
        tables.print(Text(harmless(piece.says if index == 0 else f"\n{piece.says}")))
        if piece.command:  # on one line, so that it can be pasted
            tables.print(Text(harmless(f"  {piece.command}")), soft_wrap=True)
    if len(found) > SHOWN_MAX:
        people.print(f"{len(found) - SHOWN_MAX} more with --json")


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        advise,
        """
        tuner advise first
        tuner advise first --json
        """,
    )
