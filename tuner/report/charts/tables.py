"""The data of a report's charts, as named tables that the charts share: each number stands in a page once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuner.analysis.advice import Advice, advice
from tuner.analysis.curves import curve_axes, learning_curve, searched, shown_range
from tuner.analysis.importance_cache import weighed
from tuner.analysis.importance_values import Importance, Unknown
from tuner.analysis.thinning import evenly, length_max, shown_trials
from tuner.report.charts.columns import Column, columns_of, label_of, rounded, values_of
from tuner.storage import SweepFolder
from tuner.sweep import Sweep, Trial

TRIALS_MAX = 2_000
"""More trials than this are drawn in part."""
CELLS_MAX = 60_000
"""Of the table of trials. With many parameters fewer trials are drawn, so that a page stays small."""
POINTS_MAX = 18_000
"""Of all learning curves together."""
PARAMETERS_MAX = 40
"""More parameters than this have no column."""
_FIXED_COLUMNS = 6

Table = dict[str, list[Any]]
"""Columns by the name of their field, all of the same length."""


@dataclass
class Tables:
    """The tables of one sweep, each made when it is first asked for.

    Attributes:
        known: what is known of importance; where it is None, it is weighed when it is asked for.
        advised: advice that is known; where it is None, it is sought when it is asked for.
        folder: the sweep's folder, if there is one, which commands name.
    """

    sweep: Sweep
    known: Importance | Unknown | None = None
    folder: SweepFolder | None = None
    advised: list[Advice] | None = None

    @cached_property
    def columns(self) -> list[Column]:
        """The searched parameters, in the order of the spec."""
        return columns_of(self.sweep)[:PARAMETERS_MAX]

    @cached_property
    def weighed(self) -> Importance | Unknown:
        return self.known if self.known is not None else weighed(self.sweep)

    @property
    def importance(self) -> Importance | None:
        return self.weighed if isinstance(self.weighed, Importance) else None

    @cached_property
    def advice(self) -> list[Advice]:
        """What to do next, the most useful first."""
        return self.advised if self.advised is not None else advice(self.sweep, self.weighed, self.folder)

    @cached_property
    def by_importance(self) -> list[Column]:
        """The columns, what matters most first; in the order of the spec where that is not known."""
        known = self.importance
        order = list(known.parameters) if known else []
        places = {name: place for place, name in enumerate(order)}
        return sorted(self.columns, key=lambda column: places.get(column.name, len(places)))

    @cached_property
    def shown(self) -> list[Trial]:
        """The trials that are drawn, by number."""
        per_trial = _FIXED_COLUMNS + len(self.columns)
        return shown_trials(self.sweep, min(TRIALS_MAX, CELLS_MAX // per_trial))

    @property
    def of_all(self) -> str:
        """What a caption adds where not all trials are drawn."""
        drawn, having = len(self.shown), len(self.sweep.trials)
        return (
            "" if drawn == having else f" {drawn:,} of {having:,} trials are drawn, the best and the newest among them."
        )

    @property
    def metric(self) -> str:
        return label_of(self.sweep.metric)

    @property
    def best(self) -> int:
        """The number of the best trial; -2 if there is none."""
        return -2 if self.sweep.best is None else self.sweep.best.number

    @cached_property
    def domain(self) -> list[float] | None:
        """The objective's range that axes show: the best, and all but the worst tenth."""
        limits = shown_range([trial.best_value for trial in self.shown if trial.usable], self.sweep.mode)
        return None if limits is None else [rounded(limits[0]) or 0.0, rounded(limits[1]) or 0.0]

    @cached_property
    def trials(self) -> Table:
        """t: number, v: best value, e: epochs trained, b: best epoch, o: outcome, s: training seconds; parameters."""
        rows = [values_of(self.sweep, trial, self.columns) for trial in self.shown]
        return {
            "t": [trial.number for trial in self.shown],
            "v": [rounded(trial.best_value) if trial.usable else None for trial in self.shown],
            "e": [trial.epochs_trained for trial in self.shown],
            "b": [trial.best_epoch for trial in self.shown],
            "o": [trial.state for trial in self.shown],
            "s": [round(trial.training_s, 2) for trial in self.shown],
            **{column.field: [row[column.field] for row in rows] for column in self.columns},
        }

    @cached_property
    def axes(self) -> list[str]:
        """What curves can be drawn over."""
        return curve_axes(self.sweep)

    @cached_property
    def curves(self) -> Table:
        """t: number, y: value, and where it was reached: epochs, and if they are known, steps and samples."""
        curves = {trial.number: list(_points(self.sweep, trial, self.axes)) for trial in self.shown}
        total = POINTS_MAX // (1 if len(self.axes) == 1 else 2)
        longest = length_max([len(curve) for curve in curves.values()], total)
        rows = [(number, *point) for number, curve in curves.items() for point in evenly(curve, longest)]
        names = ("t", "y", *self.axes)
        return {name: [row[place] for row in rows] for place, name in enumerate(names)}

    @property
    def is_thinned(self) -> bool:
        """Whether some points of curves are left out."""
        finite = sum(1 for trial in self.shown for _ in learning_curve(self.sweep, trial))
        return finite > len(self.curves["t"])

    @property
    def is_searched(self) -> bool:
        return bool(searched(self.sweep)) and any(trial.usable for trial in self.shown)


def _points(sweep: Sweep, trial: Trial, axes: list[str]) -> list[tuple[Any, ...]]:
    """(value, place on each axis) for each epoch with a finite value."""
    over = [learning_curve(sweep, trial, axis) for axis in axes]
    return [(rounded(points[0][1]), *(rounded(place) for place, _ in points)) for points in zip(*over, strict=False)]


def rows_of(table: Table) -> list[dict[str, Any]]:
    """A table as a list of rows."""
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
