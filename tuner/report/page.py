"""A sweep's report as a page: one HTML file that needs no network."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from tuner.analysis.outcomes import endings
from tuner.base.outcomes import SweepState
from tuner.report import theme
from tuner.report.charts import Tables
from tuner.report.charts.columns import printable
from tuner.report.drawing import Drawing, draw_all, embedded
from tuner.report.reading import best_text, facts, goal, importance_text, params_line, shown_advice
from tuner.report.templates import render
from tuner.spec import dump_yaml
from tuner.storage import SweepFolder
from tuner.sweep import Sweep

PLAIN_ROWS = 10
"""The best trials that stand in the page where no script runs."""
SPEC_CHARACTERS = 100_000


def report_page(sweep: Sweep, state: SweepState, folder: SweepFolder | None = None) -> str:
    """The report as HTML.

    Args:
        state: running, interrupted, paused, finished or stopped.
        folder: the sweep's folder, which commands in the page name.
    """
    return page_of(Tables(sweep, folder=folder), state)


def page_of(tables: Tables, state: SweepState) -> str:
    """The report as HTML, from tables that may know the sweep's importance already."""
    sweep = tables.sweep
    drawing = draw_all(tables)
    return render(
        "page.html.j2",
        at=sweep.place,
        name=printable(sweep.name),
        state=state,
        goal=goal(sweep),
        metric=printable(sweep.metric),
        facts=facts(sweep),
        best=best_text(sweep),
        importance=importance_text(tables.weighed) if sweep.num_epochs else None,
        advice=shown_advice(tables.advice),
        sections=drawing.sections,
        reasons=[(it.outcome, it.trials, [(printable(text), n) for text, n in it.reasons]) for it in endings(sweep)],
        trials=_plain_rows(sweep),
        num_shown=len(tables.shown),
        num_trials=len(sweep.trials),
        spec_yaml=printable_block(dump_yaml(sweep.spec)),
        versions=", ".join(f"{name} {version}" for name, version in sweep.versions.items()),
        data=Markup(embedded(page_data(tables, drawing))),
    )


def page_data(tables: Tables, drawing: Drawing) -> dict[str, Any]:
    """What the page's script draws: tables, charts, and the columns of the table of trials."""
    fixed = {"t": "trial", "v": tables.metric, "b": "at epoch", "e": "epochs", "o": "outcome", "s": "seconds"}
    columns = [*fixed.items(), *((column.field, column.label) for column in tables.by_importance)]
    return {
        "name": printable(tables.sweep.name),
        "mode": tables.sweep.mode,
        "best": tables.best,
        "columns": [{"field": field, "label": label} for field, label in columns],
        "tables": drawing.tables,
        "charts": drawing.charts(),
        "config": {scheme: theme.config(scheme) for scheme in ("light", "dark")},
    }


def printable_block(text: str) -> str:
    """Text of several lines that a page can show."""
    shown = "\n".join(map(printable, text.splitlines()))
    return shown if len(shown) <= SPEC_CHARACTERS else f"{shown[:SPEC_CHARACTERS]}\n…"


def _plain_rows(sweep: Sweep) -> list[dict[str, Any]]:
    return [
        {
            "trial": trial.number,
            "value": f"{trial.best_value:.6g}",
            "epoch": f"{trial.best_epoch} of {trial.epochs_trained}",
            "outcome": trial.state,
            "params": params_line(sweep, trial),
        }
        for trial in sweep.ranked()[:PLAIN_ROWS]
    ]
