"""Sweeps side by side: a page like the report, or Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from altair.utils import schemapi
from markupsafe import Markup

from tuner.base.text import duration_text, metric_text, short
from tuner.report import theme
from tuner.report.bundle import vega_script
from tuner.report.charts.columns import label_of, printable
from tuner.report.charts.compared import best_curves, importances, intervals
from tuner.report.charts.figure import Drawn, spec_of
from tuner.report.drawing import Drawing, Placed, embedded
from tuner.report.page import _template, _text

NONE = "-"


def comparison_page(data: Mapping[str, Any]) -> str:
    """A comparison as HTML.

    Args:
        data: what `tuner.analysis.comparison.compare` gives.
    """
    labels = _labels(data)
    drawing = _drawing(data, labels)
    title = " and ".join(labels) if len(labels) < 3 else f"{', '.join(labels[:-1])} and {labels[-1]}"
    report = {
        "name": title, "tables": drawing.tables, "charts": drawing.charts(), "columns": [],
        "config": {scheme: theme.config(scheme) for scheme in ("light", "dark")},
    }  # fmt: skip
    return str(
        _template("comparison.html.j2").render(
            title=title,
            goal=f"the {'highest' if data['mode'] == 'max' else 'lowest'} {printable(data['metric'])}",
            names=labels,
            pairs=[printable(pair["text"]) for pair in data["pairs"]],
            figures=[figure for figures in drawing.sections.values() for figure in figures],
            tables=sections(data),
            data=Markup(embedded(report)),
            css=Markup(_text("page.css")),
            colors={scheme: Markup(theme.variables(scheme)) for scheme in ("light", "dark")},
            vega=Markup(vega_script()),
            script=Markup(_text("page.js")),
        )
    )


def comparison_markdown(data: Mapping[str, Any]) -> str:
    """A comparison as Markdown, for a pull request."""
    labels = _labels(data)
    parts = [f"## {' against '.join(map(_cell, labels))}", *(f"- {_cell(pair['text'])}" for pair in data["pairs"])]
    for section, rows in sections(data).items():
        if rows:
            head = f"| |{''.join(f' {_cell(label)} |' for label in labels)}"
            lines = [
                f"| {_cell(row['name'])} |{''.join(f' {_cell(value)} |' for value in row['values'])}" for row in rows
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
    with schemapi.debug_mode(False):
        drawn: list[tuple[str, str, Drawn | None]] = [
            ("best-epochs", "Best so far, over epochs", best_curves(data, labels, "epochs")),
            ("best-seconds", "Best so far, over time", best_curves(data, labels, "seconds")),
            ("importances", "What matters", importances(data, labels)),
            ("intervals", "Differences", intervals(data, labels)),
        ]
        drawing = Drawing({"Figures": []})
        for name, title, found in drawn:
            if found is not None:
                drawing.tables.update(found.data)
                spec = {**spec_of(found.chart), "description": f"{title}. {found.caption}"}
                drawing.sections["Figures"].append(Placed(name, title, found.caption, [spec]))
    return drawing


def _cell(text: str) -> str:
    """Text in a cell of a Markdown table."""
    shown = printable(text)
    for special in "\\`*_[]<>|":
        shown = shown.replace(special, f"\\{special}")
    return shown
