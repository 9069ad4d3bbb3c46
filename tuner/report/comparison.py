"""Sweeps side by side: a page like the report, or Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from altair.utils import schemapi
from markupsafe import Markup

from tuner.base.text import duration_text, listed, metric_text, short
from tuner.report import theme
from tuner.report.charts.columns import label_of, printable
from tuner.report.charts.compared import best_curves, importances, intervals
from tuner.report.charts.figure import Drawn
from tuner.report.drawing import Drawing, embedded, placed
from tuner.report.markdown import plain
from tuner.report.templates import render

NONE = "-"


def comparison_page(data: Mapping[str, Any]) -> str:
    """A comparison as HTML.

    Args:
        data: what `tuner.analysis.comparison.compare` gives.
    """
    labels = _labels(data)
    with schemapi.debug_mode(False):  # as in `draw_all`
        drawing = _drawing(data, labels)
    title = listed(labels)
    report = {
        "name": title, "tables": drawing.tables, "charts": drawing.charts(), "columns": [],
        "config": {scheme: theme.config(scheme) for scheme in ("light", "dark")},
    }  # fmt: skip
    return render(
        "comparison.html.j2",
        title=title,
        goal=f"the {'highest' if data['mode'] == 'max' else 'lowest'} {printable(data['metric'])}",
        names=labels,
        pairs=[printable(pair["text"]) for pair in data["pairs"]],
        figures=[figure for figures in drawing.sections.values() for figure in figures],
        tables=sections(data),
        data=Markup(embedded(report)),
    )


def comparison_markdown(data: Mapping[str, Any]) -> str:
    """A comparison as Markdown, for a pull request."""
    labels = _labels(data)
    parts = [f"## {' against '.join(map(plain, labels))}", *(f"- {plain(pair['text'])}" for pair in data["pairs"])]
    for section, rows in sections(data).items():
        if rows:
            head = f"| |{''.join(f' {plain(label)} |' for label in labels)}"
            lines = [
                f"| {plain(row['name'])} |{''.join(f' {plain(value)} |' for value in row['values'])}" for row in rows
            ]
            parts += ["", f"### {section}", "", head, f"|---|{'---|' * len(labels)}", *lines]
    return "\n".join(parts) + "\n"


def sections(data: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The tables of a comparison: rows with a name, a text for each sweep, and whether the texts differ."""
    rows = data["sweeps"]
    bests = [row["best"] or {} for row in rows]
    names = list(dict.fromkeys(name for best in bests for name in best.get("params", {})))
    return {
        "Sweeps": [
            _row("trials", [str(row["trials"]) for row in rows]),
            _row("epochs", [f"{row['epochs']:,}" for row in rows]),
            _row("at work", [duration_text(row["wall_s"]) for row in rows]),
            _row("training", [duration_text(row["training_s"]) for row in rows]),
            _row(f"best {data['metric']}", [metric_text(best["value"]) if best else NONE for best in bests]),
            *(
                _row(f"after {epochs:,} epochs", [_value(row["after"][place]) for row in rows])
                for place, epochs in enumerate(data["epochs"])
            ),
            *(
                [_row(f"epochs to {metric_text(data['bar'])}", [_count(row["to_reach"]) for row in rows])]
                if data["bar"] is not None
                else []
            ),
        ],
        "Best configurations": [
            *([_row("trial", [str(best.get("trial", NONE)) for best in bests])] if any(bests) else []),
            *(
                _row(name, [short(best["params"][name]) if name in best.get("params", {}) else NONE for best in bests])
                for name in names
            ),
        ],
        "Differences of the specs": [
            _row(path, [NONE if value is None else short(value) for value in values])
            for path, values in data["differences"].items()
        ],
    }


def _row(name: str, values: Sequence[str]) -> dict[str, Any]:
    shown = [label_of(value) for value in values]
    return {"name": label_of(name), "values": shown, "differs": len(set(values)) > 1}


def _count(epochs: int | None) -> str:
    return NONE if epochs is None else f"{epochs:,}"


def _value(value: float | None) -> str:
    return NONE if value is None else metric_text(value)


def _labels(data: Mapping[str, Any]) -> list[str]:
    """The sweeps' names, which two storage roots may both have, so that no two are equal."""
    labels: list[str] = []
    for row in data["sweeps"]:
        name = label_of(row["sweep"])
        number = 1 + sum(other == name or other.startswith(f"{name} (") for other in labels)
        labels.append(name if number == 1 else f"{name} ({number})")
    return labels


def _drawing(data: Mapping[str, Any], labels: Sequence[str]) -> Drawing:
    drawn: list[tuple[str, str, Drawn | None]] = [
        ("best-epochs", "Best so far, over epochs", best_curves(data, labels, "epochs")),
        ("best-seconds", "Best so far, over time", best_curves(data, labels, "seconds")),
        ("importances", "What matters", importances(data, labels)),
        ("intervals", "Differences", intervals(data, labels)),
    ]
    figures = [(name, title, found) for name, title, found in drawn if found is not None]
    tables = {name: table for _, _, found in figures for name, table in found.data.items()}
    return Drawing({"Figures": [placed(name, title, found) for name, title, found in figures]}, tables)
