"""Writes the report on a sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.base.errors import UsageError
from tuner.review import status
from tuner.storage import AnyPath, SweepFolder, write_atomically
from tuner.sweep import Sweep

if TYPE_CHECKING:
    from tuner.api.formats import Format


def write_report(folder: SweepFolder, sweep: Sweep, target: Path | None, form: Format = "html") -> AnyPath:
    """Writes a report; its path.

    Without a target, the page goes into the sweep's folder, and other formats into the working directory. Figures of
    Markdown are written beside it, as TARGET-FIGURE.png.

    Raises:
        UsageError: there is nothing to draw yet.
    """
    if form == "html":
        chosen: AnyPath = folder.report if target is None else target
        write_atomically(chosen, report_text(folder, sweep, form).encode(), folder.base if target is None else None)
        return chosen
    chosen = Path(f"{folder.name}.{form}") if target is None else target
    if form == "md":
        _write_markdown(folder, sweep, chosen)
    else:
        data = _picture(folder, sweep) if form == "png" else report_text(folder, sweep, form).encode()
        write_atomically(chosen, data)
    return chosen


def report_text(folder: SweepFolder, sweep: Sweep, form: Format) -> str:
    """The report as text: a page, Markdown without figures, or JSON.

    Raises:
        UsageError: the format is an image.
    """
    from tuner.report.charts import Tables
    from tuner.report.markdown import report_markdown
    from tuner.report.numbers import report_data
    from tuner.report.page import page_of

    tables, state = Tables(sweep, folder=folder), status.state(folder, sweep)
    match form:
        case "html":
            return page_of(tables, state)
        case "md":
            return report_markdown(tables, state)
        case "json":
            return json.dumps(report_data(tables, state), indent=2, allow_nan=False) + "\n"
    raise UsageError("an image cannot be written to standard output; name a file that ends in .png")


def _picture(folder: SweepFolder, sweep: Sweep) -> bytes:
    from tuner.report.charts import Tables
    from tuner.report.picture import picture

    image = picture(Tables(sweep, folder=folder))
    if image is None:
        raise UsageError(f"sweep {sweep.name} has nothing to draw yet")
    return image


def _write_markdown(folder: SweepFolder, sweep: Sweep, target: Path) -> None:
    from tuner.report.charts import Tables
    from tuner.report.markdown import report_markdown
    from tuner.report.picture import images

    tables = Tables(sweep, folder=folder)
    figures = {}
    for name, (title, caption, image) in images(tables).items():
        file = f"{target.stem}-{name.replace('_', '-')}.png"
        write_atomically(target.with_name(file), image)
        figures[file] = (title, caption)
    write_atomically(target, report_markdown(tables, status.state(folder, sweep), figures).encode())
