"""Sweeps side by side: `tuner.compare`'s result, and the files that `tuner compare --output` writes."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.api.formats import Format, chosen_format
from tuner.base.errors import UsageError
from tuner.base.hints import option
from tuner.storage import write_atomically


class Comparison(dict[str, Any]):
    """What `tuner compare --json` prints, which a notebook shows as tables."""

    def _repr_html_(self) -> str:
        from tuner.report.comparison import sections

        pairs = "".join(f"<li>{html.escape(pair['text'])}</li>" for pair in self["pairs"])
        names = [row["sweep"] for row in self["sweeps"]]
        tables = (_table(section, names, rows) for section, rows in sections(self).items() if rows)
        return f"<ul>{pairs}</ul>{''.join(tables)}"


def comparison_format(named: str | None, output: str | None) -> Format:
    """The format to write, as `tuner.api.formats.chosen_format` tells it.

    Raises:
        UsageError: it is none of a comparison, contradicts the file, or needs a file.
    """
    chosen = chosen_format(named, output, "comparison", ("html", "md", "json"))
    if chosen == "html" and output is None:
        raise UsageError(f"{option('format')} html: needs {option('output')} FILE, or - for standard output")
    return chosen


def comparison_text(data: Mapping[str, Any], form: Format) -> str:
    """A comparison in a format."""
    from tuner.report.comparison import comparison_markdown, comparison_page

    if form == "html":
        return comparison_page(data)
    if form == "md":
        return comparison_markdown(data)
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def write_comparison(data: Mapping[str, Any], form: Format, output: str) -> Path:
    """Writes a comparison to a file; its path.

    Raises:
        UsageError, StorageError: the file cannot be written.
    """
    from tuner.api.models import chosen_file

    target = chosen_file(output)
    write_atomically(target, comparison_text(data, form).encode())
    return target


def _table(title: str, names: list[str], rows: list[dict[str, Any]]) -> str:
    head = _cells("th", ["", *names])
    body = "".join(f"<tr>{_cells('td', [row['name'], *row['values']])}</tr>" for row in rows)
    return f"<h4>{html.escape(title)}</h4><table><tr>{head}</tr>{body}</table>"


def _cells(tag: str, texts: list[str]) -> str:
    return "".join(f'<{tag} style="text-align: left">{html.escape(text)}</{tag}>' for text in texts)
