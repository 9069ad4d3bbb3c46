"""What a notebook shows of a sweep: its state, its best trials, what matters, advice, and the main figures."""

from __future__ import annotations

import html
from collections.abc import Iterable

from tuner.base.outcomes import SweepState, num_ended
from tuner.base.text import duration_text, metric_text, params_text
from tuner.storage import SweepFolder
from tuner.sweep import Sweep, Trial

TRIALS_SHOWN = 10


def sweep_page(sweep: Sweep, state: SweepState, folder: SweepFolder | None = None) -> str:
    """A sweep as HTML for the cell of a notebook: tables that are there in any case, and figures where scripts run.

    Args:
        folder: the sweep's folder, which commands in the advice name.
    """
    ended = num_ended(sweep.outcomes())
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sweep.outcomes().items() if count)
    at_work, training = duration_text(sweep.wall_s), duration_text(sweep.training_s)
    facts = [
        ("sweep", f"{sweep.name} ({state})"),
        ("trials", f"{ended} of {sweep.num_trials}: {counts or 'none yet'}"),
        ("best", _best(sweep)),
        ("epochs", str(sweep.num_epochs)),
        ("time", f"{at_work} at work, {training} of training"),
    ]
    rows = "".join(f"<tr>{_cells('th', [key])}{_cells('td', [text])}</tr>" for key, text in facts)
    page = f"<table>{rows}</table>"
    best = sweep.ranked()[:TRIALS_SHOWN]
    if not best:
        return page
    head = _row("th", ["trial", sweep.metric, "epoch", "outcome", "parameters"])
    table = f"<table>{head}{''.join(_row('td', _trial(trial)) for trial in best)}</table>"
    return f"{page}{_reading(sweep, folder)}{table}{_figures(sweep)}"


def _reading(sweep: Sweep, folder: SweepFolder | None) -> str:
    """What matters, and advice."""
    from tuner.analysis.advice import SHOWN_MAX, advice
    from tuner.analysis.importance_cache import weighed
    from tuner.report.reading import importance_text

    known = weighed(sweep)
    matters = f"<p><strong>what matters</strong> {html.escape(importance_text(known))}</p>"
    told = "".join(f"<li>{html.escape(piece.text)}</li>" for piece in advice(sweep, known, folder)[:SHOWN_MAX])
    return f"{matters}<strong>advice</strong><ul>{told}</ul>" if told else matters


def _figures(sweep: Sweep) -> str:
    from tuner.report.notebook import core_figures

    return core_figures(sweep)


def _best(sweep: Sweep) -> str:
    best = sweep.best
    if best is None:
        return "none yet"
    at = f"{sweep.metric} {metric_text(best.best_value)}, trial {best.number}, epoch {best.best_epoch}"
    return f"{at}: {params_text(best.params)}"


def _trial(trial: Trial) -> list[str]:
    value, outcome = metric_text(trial.best_value), trial.state
    return [
        str(trial.number),
        value,
        f"{trial.best_epoch} of {trial.epochs_trained}",
        outcome,
        params_text(trial.params),
    ]


def _row(tag: str, texts: Iterable[str]) -> str:
    return f"<tr>{_cells(tag, texts)}</tr>"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f'<{tag} style="text-align: left">{html.escape(text)}</{tag}>' for text in texts)
