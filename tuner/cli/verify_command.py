"""verify: checks a sweep's journal, MLflow runs and checkpoints against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from tuner.api.data import verification_data
from tuner.base.errors import ServiceError
from tuner.cli.output import AsJson, Storage, SweepName, harmless, people, print_json
from tuner.cli.pages import add
from tuner.cli.tables import tables
from tuner.storage import StorageRoot

if TYPE_CHECKING:
    from tuner.review.verification import Verification

VIOLATED = ServiceError.exit_code

_COUNTED = {
    "events": ("events",),
    "trials": ("trials", "attempts"),
    "decisions": ("decisions", "decisions_not_recomputed"),
    "policy": ("observations",),
    "best": ("epochs",),
    "rework": ("epochs_trained_twice",),
    "mlflow": ("runs", "metric_rows"),
    "checkpoints": ("checkpoints",),
    "code": ("code_files",),
}


def verify(sweep: SweepName, storage: Storage = None, as_json: AsJson = False) -> None:
    """Verify that journal, MLflow runs and checkpoints agree.

    Also recomputes the decisions of the search from the journal. Exits with 4 if anything is lost or wrong.
    """
    from tuner.review.status import open_history
    from tuner.review.verification import verify_sweep

    root = StorageRoot.resolve(storage)
    try:
        history = open_history(root, sweep)
        folder, events = history.folder, history.events
    except ServiceError:
        folder, events = root.sweep(sweep), None  # a damaged journal is a finding
    people.print(f"sweep {sweep}: reading its journal, checkpoints, code and MLflow runs")
    verified = verify_sweep(folder, events=events)
    if as_json:
        print_json(verification_data(sweep, verified))
    else:
        _print(verified)
    if not verified.ok:
        num = sum(finding.times for finding in verified.findings)
        people.print(f"sweep {sweep}: {num} violation{'s' if num > 1 else ''}", style="red")
        raise typer.Exit(VIOLATED)
    people.print(f"sweep {sweep}: all that was looked at holds")


def _print(verified: Verification) -> None:
    from tuner.review.verification import INVARIANTS

    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("invariant", "result", "counted", "what must hold"):
        rows.add_column(column, overflow="fold")
    for name, promise in INVARIANTS.items():
        num = sum(finding.times for finding in verified.findings if finding.invariant == name)
        result = f"{num} violated" if num else "skipped" if name in verified.skipped else "holds"
        if result == "holds" and name == "decisions" and verified.counts.get("decisions_not_recomputed"):
            result = "holds in part"
        result = "not known" if name == "code" and not verified.counts.get("code_files") and not num else result
        counted = [
            f"{verified.counts[key]} {key.replace('_', ' ')}" for key in _COUNTED[name] if key in verified.counts
        ]
        rows.add_row(*(Text(cell) for cell in (name, result, ", ".join(counted) or "-", promise)))
    tables.print(rows)
    for name, why in verified.skipped.items():
        tables.print(Text(f"{name}: skipped, as {why}"))
    for note in verified.notes:
        tables.print(Text(harmless(f"note: {note}")))
    for finding in verified.findings:
        tables.print(Text(harmless(str(finding))))


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        verify,
        """
        tuner verify first
        tuner verify first --json
        """,
    )
