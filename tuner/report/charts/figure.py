"""What a figure is: a function of a sweep's tables that gives a chart and one sentence about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import altair as alt

from tuner.report import theme
from tuner.report.charts.tables import Table, Tables, rows_of
from tuner.sweep import Sweep

Chart = alt.Chart | alt.LayerChart | alt.ConcatChart | alt.FacetChart
TOOLTIP_PARAMETERS_MAX = 12


@dataclass(frozen=True)
class Drawn:
    """A chart whose data are tables by name.

    Attributes:
        caption: one sentence on what it shows, also for those who cannot see it.
        data: the tables of this chart alone; `trials` and `curves` are those of its `Tables`.
    """

    chart: Chart
    caption: str
    data: dict[str, Table] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A figure of a report. Called with a sweep, it gives a chart that is complete, for a notebook or an image."""

    name: str
    title: str
    draw: Callable[[Tables], Drawn | None]

    def __call__(self, sweep: Sweep) -> Chart | None:
        """The chart with its data; None if there is nothing to show."""
        tables = Tables(sweep)
        drawn = self.draw(tables)
        return None if drawn is None else complete(drawn, tables)


def figure(title: str) -> Callable[[Callable[[Tables], Drawn | None]], Figure]:
    """Makes a figure of a function; its name is the function's."""
    return lambda draw: Figure(draw.__name__, title, draw)


def complete(drawn: Drawn, tables: Tables, scheme: str = "light") -> Chart:
    """A chart with its data and colors."""
    used = drawn.data | {name: getattr(tables, name) for name in ("trials", "curves") if _names(drawn.chart, name)}
    data = {name: rows_of(table) for name, table in used.items()}
    whole: Chart = drawn.chart.properties(datasets=data, background=theme.paper(scheme))
    configured: Chart = whole.configure(**theme.config(scheme))
    return configured


def spec_of(chart: Chart) -> dict[str, Any]:
    """A chart as Vega-Lite, without data and colors."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return {key: value for key, value in spec.items() if key not in ("config", "$schema", "datasets")}


def _names(chart: Chart, table: str) -> bool:
    """Whether a chart uses a table."""
    return f"'name': '{table}'" in repr(spec_of(chart))


def named(table: str) -> alt.NamedData:
    """A chart's data, by the name of their table."""
    return alt.NamedData(name=table)


def picked() -> alt.Parameter:
    """The number of the trial that is highlighted in all charts of a page; -1 for none."""
    return alt.param(name="picked", value=-1)


def objective(tables: Tables, channel: type[alt.Y] | type[alt.X] = alt.Y, field: str = "v") -> Any:
    """The objective on an axis. What lies beyond the axis is drawn at its end."""
    scale = alt.Scale(domain=tables.domain or alt.Undefined, zero=False, clamp=True, nice=False)
    return channel(field, type="quantitative", title=tables.metric, scale=scale)


def shade(tables: Tables, title: str | None = None) -> alt.Color:
    """The objective as a color: the better, the stronger."""
    scale = alt.Scale(domain=tables.domain or alt.Undefined, clamp=True, reverse=tables.sweep.mode == "min")
    legend = alt.Legend(title=title or tables.metric, orient="top", gradientLength=140, tickCount=3)
    return alt.Color("v", type="quantitative", scale=scale, legend=legend)


def tooltip(tables: Tables) -> list[alt.Tooltip]:
    """What is said of a trial beside the pointer."""
    first = [
        alt.Tooltip("t:Q", title="trial"),
        alt.Tooltip("v:Q", title=tables.metric, format=".5~g"),
        alt.Tooltip("b:Q", title="at epoch"),
        alt.Tooltip("e:Q", title="epochs trained"),
        alt.Tooltip("o:N", title="outcome"),
    ]
    chosen = tables.by_importance[:TOOLTIP_PARAMETERS_MAX]
    return first + [
        alt.Tooltip(
            column.field, type=column.kind, title=column.label, format=alt.Undefined if column.choices else ".4~g"
        )
        for column in chosen
    ]


def marked(base: alt.Chart, tables: Tables, mark: str = "point") -> list[alt.Chart]:
    """The same marks for the best and the picked trial alone, to lie above all others."""
    style = "_dot" if mark == "point" else ""
    best = base.transform_filter(f"datum.t === {tables.best}")
    chosen = base.transform_filter("datum.t === picked")
    pairs = ((best, f"best{style}"), (chosen, f"picked{style}"))
    return [_with_mark(layer, mark, style=name) for layer, name in pairs]


def _with_mark(chart: alt.Chart, mark: str, **changes: Any) -> alt.Chart:
    made: alt.Chart = getattr(chart, f"mark_{mark}")(**changes)
    return made
