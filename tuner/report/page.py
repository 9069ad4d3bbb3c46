"""A sweep's report: a single, self-contained HTML file."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tuner.analysis.curves import curve_axes, searched
from tuner.base.coupling import SCALED, Coupling, coupling_of, coupling_text, scaled_rate
from tuner.base.outcomes import SweepState
from tuner.base.text import duration_text, infeasible_text, metric_text, params_text
from tuner.base.words import Params
from tuner.report import figures
from tuner.spec import dump_yaml
from tuner.spec.feasible import infeasible_figures
from tuner.sweep import Sweep, Trial

TRIALS_SHOWN = 50
"""How many of the best trials are listed; `tuner trials` lists all."""


def report_page(sweep: Sweep, state: SweepState) -> str:
    """The report as HTML.

    Args:
        state: running, interrupted, paused, finished or stopped.
    """
    environment = Environment(
        loader=PackageLoader("tuner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        at=sweep.place,
        name=sweep.name,
        state=state,
        goal=f"the {'highest' if sweep.mode == 'max' else 'lowest'} {sweep.metric}",
        facts=_facts(sweep),
        best=_best(sweep),
        figures=[(title, about, _views(sweep, draw)) for title, about, draw in _figures(sweep)],
        metric=sweep.metric,
        trials=[_row(sweep, trial) for trial in sweep.ranked()[:TRIALS_SHOWN]],
        num_usable=len(sweep.ranked()),
        num_trials=len(sweep.trials),
        spec_yaml=dump_yaml(sweep.spec),
        versions=", ".join(f"{name} {version}" for name, version in sweep.versions.items()),
    )


def _infeasible(sweep: Sweep) -> str:
    num_trials = len(sweep.trials)
    return infeasible_text(infeasible_figures(sweep.spec, sweep.num_infeasible, num_trials), num_trials)


def _facts(sweep: Sweep) -> list[tuple[str, str]]:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sweep.outcomes().items() if count)
    started = datetime.fromtimestamp(sweep.spans[0].started_at, UTC)
    return [
        ("trainable", str(sweep.spec.get("trainable", ""))),
        ("started", started.strftime("%Y-%m-%d %H:%M UTC")),
        ("trials", f"{sweep.num_counted} of {sweep.num_trials}: {counts or 'none yet'}"),
        *([("infeasible", text)] if (text := _infeasible(sweep)) else []),
        *([("learning rate", coupling_text(coupling))] if (coupling := _coupling(sweep)) else []),
        ("epochs", str(sweep.num_epochs)),
        ("time", f"{duration_text(sweep.wall_s)} running, {duration_text(sweep.training_s)} of training"),
        ("slots", f"{sweep.slots}, {sweep.utilization:.0%} of their time training"),
        ("seed", str((sweep.spec.get("search") or {}).get("seed", "-"))),
    ]


def _best(sweep: Sweep) -> dict[str, Any] | None:
    trial = sweep.best
    if trial is None:
        return None
    tested = {name: metric_text(value) for name, value in trial.test_metrics.items() if value is not None}
    return {
        "trial": trial.number,
        "epoch": trial.best_epoch,
        "value": metric_text(trial.best_value),
        "params": {name: params_text({name: value}).partition("=")[2] for name, value in _params(sweep, trial).items()},
        "tested": {name if name.startswith("test_") else f"test_{name}": text for name, text in tested.items()},
    }


def _params(sweep: Sweep, trial: Trial) -> Params:
    """A trial's parameters, with the rate that it trained with where its batch size scales the rate."""
    rate = scaled_rate(sweep.spec.get("space") or {}, trial.params)
    return trial.params if rate is None else {**trial.params, SCALED: rate}


def _coupling(sweep: Sweep) -> Coupling | None:
    return coupling_of(sweep.spec.get("space") or {})


def _figures(sweep: Sweep) -> list[tuple[str, str, Any]]:
    """The figures that have something to show, as (title, caption, drawing function)."""
    if not sweep.num_epochs:
        return []
    dots = "One dot for each trial; darker ones were trained longer. The best one is ringed."
    bars = "When trials trained: completed (blue), stopped (grey), unfinished (orange), failed or diverged (red)."
    found = [
        ("Best so far", "The best value so far, over the epochs of all trials.", figures.best_figure),
        ("Learning curves", "One line for each trial; trials of a single epoch are dots.", figures.curves_figure),
        ("Parameters", dots, figures.parameters_figure),
        ("Slots", bars, figures.slots_figure),
    ]
    return found if searched(sweep) else [it for it in found if it[1] is not dots]


def _views(sweep: Sweep, draw: Any) -> list[tuple[str, str]]:
    """A figure as images, each with what a reader chooses it by; learning curves have one for each x axis."""
    if draw is not figures.curves_figure:
        return [("", _image(draw(sweep)))]
    return [(over, _image(figures.curves_figure(sweep, over))) for over in curve_axes(sweep)]


def _row(sweep: Sweep, trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "outcome": trial.state,
        "value": metric_text(trial.best_value),
        "epoch": f"{trial.best_epoch} of {trial.epochs_trained}",
        "params": params_text(_params(sweep, trial)),
        "origin": trial.origin,
    }


def _image(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
