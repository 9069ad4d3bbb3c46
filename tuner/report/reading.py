"""What a report says in words: the best trial, what matters, advice, and the facts of the sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tuner.analysis.advice import SHOWN_MAX, Advice
from tuner.analysis.importance_values import Importance, Unknown, matters_text
from tuner.base.coupling import SCALED, coupling_of, coupling_text, scaled_rate
from tuner.base.text import duration_text, infeasible_text, metric_text, params_text, short
from tuner.base.words import Params, cut
from tuner.report.charts.columns import printable
from tuner.spec.feasible import infeasible_figures
from tuner.sweep import Sweep, Trial

VALUE_CHARACTERS = 400


@dataclass(frozen=True)
class BestText:
    """The best trial: its number and epoch, and its value, parameters and test metrics as text."""

    trial: int
    epoch: int
    value: str
    params: dict[str, str]
    tested: dict[str, str] = field(default_factory=dict)


def best_text(sweep: Sweep) -> BestText | None:
    """The best trial in words; None before there is one."""
    trial = sweep.best
    if trial is None:
        return None
    tested = {name: metric_text(value) for name, value in trial.test_metrics.items() if value is not None}
    return BestText(
        trial.number,
        trial.best_epoch,
        metric_text(trial.best_value),
        {_cut(name): _cut(short(value)) for name, value in shown_params(sweep, trial).items()},
        {_cut(name if name.startswith("test_") else f"test_{name}"): text for name, text in tested.items()},
    )


def shown_params(sweep: Sweep, trial: Trial) -> Params:
    """A trial's parameters, and beside them the rate that it trained with where its batch size scales the rate."""
    rate = scaled_rate(sweep.spec.get("space") or {}, trial.params)
    return trial.params if rate is None else {**trial.params, SCALED: rate}


def params_line(sweep: Sweep, trial: Trial) -> str:
    """A trial's parameters on one line."""
    return _cut(params_text(shown_params(sweep, trial)))


def importance_text(known: Importance | Unknown) -> str:
    """What matters: `learning_rate 71% (64 to 80), units 12% (8 to 20)`; or why nothing can be said."""
    return printable(matters_text(known))


def shown_advice(pieces: Sequence[Advice]) -> list[Advice]:
    """The most useful pieces of advice, in text that a page can show."""
    return [replace(it, says=printable(it.says), command=printable(it.command)) for it in pieces[:SHOWN_MAX]]


def goal(sweep: Sweep) -> str:
    """What the sweep looks for."""
    return f"the {'highest' if sweep.mode == 'max' else 'lowest'} {printable(sweep.metric)}"


def facts(sweep: Sweep) -> list[tuple[str, str]]:
    """The sweep's figures, as (name, text)."""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sweep.outcomes().items() if count)
    started = datetime.fromtimestamp(sweep.spans[0].started_at, UTC)
    coupling = coupling_of(sweep.spec.get("space") or {})
    figures = infeasible_figures(sweep.spec, sweep.num_infeasible, len(sweep.trials))
    search: Mapping[str, object] = sweep.spec.get("search") or {}
    return [
        ("trainable", _cut(str(sweep.spec.get("trainable", "")))),
        ("started", started.strftime("%Y-%m-%d %H:%M UTC")),
        ("trials", f"{sweep.num_counted} of {sweep.num_trials}: {counts or 'none yet'}"),
        *([("infeasible", text)] if (text := infeasible_text(figures, len(sweep.trials))) else []),
        *([("learning rate", coupling_text(coupling))] if coupling else []),
        ("epochs", f"{sweep.num_epochs:,}"),
        ("time", f"{duration_text(sweep.wall_s)} running, {duration_text(sweep.training_s)} of training"),
        ("slots", f"{sweep.slots}, {sweep.utilization:.0%} of their time training"),
        ("seed", str(search.get("seed", "-"))),
    ]


def _cut(text: str) -> str:
    return cut(printable(text), VALUE_CHARACTERS)
