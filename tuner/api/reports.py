"""Writes the report on a sweep."""

from __future__ import annotations

from pathlib import Path

from tuner.review import status
from tuner.storage import AnyPath, SweepFolder, write_atomically
from tuner.sweep import Sweep


def write_report(folder: SweepFolder, sweep: Sweep, target: Path | None) -> AnyPath:
    """Writes the page, by default into the folder of the sweep; its path."""
    from tuner.report import report_page

    page = report_page(sweep, status.state(folder, sweep), folder)
    chosen = folder.report if target is None else target
    write_atomically(chosen, page.encode(), folder.base if target is None else None)
    return chosen
