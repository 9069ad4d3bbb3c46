"""Figures of the searched space: all parameters at once, two at a time, one at a time."""

from __future__ import annotations

import json

import altair as alt

from tuner.report.charts.columns import Column, labels_expression
from tuner.report.charts.figure import Chart, Drawn, figure, marked, named, objective, picked, shade, tooltip
from tuner.report.charts.tables import Table, Tables

AXES_MAX = 10
DOTS_MAX = 12
"""Figures of one parameter each."""
_INACTIVE = -0.12
"""Where a trial passes an axis of a parameter that it does not have."""


@figure("Parallel coordinates")
def parallel_coordinates(tables: Tables) -> Drawn | None:
    """A line for each trial through its parameters to its value, colored by the value."""
    if not tables.is_searched:
        return None
    columns = tables.by_importance[:AXES_MAX]
    fields = [column.field for column in columns]
    names = {column.field: column.label for column in columns} | {"v": tables.metric}
    base = (
        alt.Chart(named("trials"))
        .transform_filter("isValid(datum.v)")
        .transform_fold([*fields, "v"], as_=["axis", "value"])
        .transform_calculate(place=_place_expression(tables, columns))
        .encode(
            x=alt.X(
                "axis:N",
                sort=[*fields, "v"],
                title=None,
                scale=alt.Scale(type="point", padding=0.25),
                axis=alt.Axis(labelExpr=labels_expression(names), labelAngle=-25, domain=False, ticks=False, grid=True,
                              labelLimit=120, labelFontSize=12),
            ),
            y=alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[_INACTIVE, 1.08], nice=False)),
            detail="t:N",
            tooltip=tooltip(tables),
        )
    )  # fmt: skip
    lines = base.mark_line(strokeWidth=1.2, opacity=0.55, interpolate="linear").encode(
        color=shade(tables), order=alt.Order("v:Q", sort="ascending")
    )
    ends = alt.Chart(named("ends")).encode(x=alt.X("axis:N", sort=[*fields, "v"]), y="place:Q", text="text:N")
    text = ends.mark_text(style="quiet", fontSize=10)
    chart = alt.layer(lines, *marked(base, tables, "line"), text).add_params(picked())
    caption = "A line for each trial, stronger for better ones; the best is marked."
    if any(value is None for field in fields for value in tables.trials[field]):
        caption += " A line dips below the axis of a parameter that its trial does not have."
    return Drawn(
        chart.properties(width="container", height=300), caption + tables.of_all, {"ends": _ends(tables, columns)}
    )


def _place_expression(tables: Tables, columns: list[Column]) -> str:
    """A Vega expression for where a trial passes an axis, from 0 to 1."""
    low, high = tables.domain or [0.0, 1.0]
    cases = [f"datum.axis === 'v' ? clamp((datum.value - ({low!r})) / ({high - low!r}), 0, 1)"]
    for column in columns:
        if column.choices:
            last = max(1, len(column.choices) - 1)
            at = f"indexof({_texts(column)}, datum.value) / {last}"
        elif column.scale == "log":
            span = f"(log({column.high!r}) - log({column.low!r}))"
            at = f"(log(datum.value) - log({column.low!r})) / {span}" if column.high > column.low else "0.5"
        else:
            span = f"({column.high - column.low!r})"
            at = f"(datum.value - ({column.low!r})) / {span}" if column.high > column.low else "0.5"
        cases.append(f"datum.axis === '{column.field}' ? {at}")
    return f"!isValid(datum.value) ? {_INACTIVE} : {' : '.join(cases)} : 0"


def _texts(column: Column) -> str:
    return json.dumps(list(column.choices))


def _ends(tables: Tables, columns: list[Column]) -> Table:
    """The values at both ends of each axis."""
    low, high = tables.domain or [0.0, 1.0]
    rows = []
    for column in columns:
        ends = (
            (column.choices[0], column.choices[-1]) if column.choices else (f"{column.low:.3g}", f"{column.high:.3g}")
        )
        rows += [(column.field, -0.06, ends[0]), (column.field, 1.06, ends[1])]
    rows += [("v", -0.06, f"{low:.4g}"), ("v", 1.06, f"{high:.4g}")]
    return {name: [row[place] for row in rows] for place, name in enumerate(("axis", "place", "text"))}


@figure("Map")
def map(tables: Tables) -> Drawn | None:
    """The trials over learning rate and batch size, or the first two parameters, colored by their values."""
    chosen = _pair(tables)
    if chosen is None or not tables.is_searched:
        return None
    across, up = chosen
    base = (
        alt.Chart(named("trials"))
        .transform_filter(f"isValid(datum.v) && isValid(datum.{across.field}) && isValid(datum.{up.field})")
        .transform_calculate(jitter="(datum.t * 0.618034) % 1")
        .encode(
            x=across.across(),
            y=up.up(),
            tooltip=tooltip(tables),
        )
    )
    if up.choices:
        base = base.encode(yOffset=alt.YOffset("jitter:Q", scale=alt.Scale(domain=[-0.25, 1.25])))
    dots = base.mark_point(size=60, opacity=0.9).encode(color=shade(tables), order=alt.Order("v:Q"))
    chart = alt.layer(dots, *marked(base, tables)).add_params(picked()).properties(width="container", height=280)
    caption = (
        f"A dot for each trial at its {across.label} and {up.label}, stronger for better values; the best is ringed."
    )
    return Drawn(chart, caption + tables.of_all)


def _pair(tables: Tables) -> tuple[Column, Column] | None:
    """Learning rate and batch size; where they are not searched, the two that matter most."""
    named_so = {column.name: column for column in tables.columns}
    if "learning_rate" in named_so and "batch_size" in named_so:
        return named_so["learning_rate"], named_so["batch_size"]
    first = tables.by_importance[:2]
    return (first[0], first[1]) if len(first) == 2 else None


@figure("Parameters")
def parameters(tables: Tables) -> Drawn | None:
    """Every trial's best value over each searched parameter."""
    if not tables.is_searched:
        return None
    charts = [_dots(tables, column) for column in tables.by_importance[:DOTS_MAX]]
    chart = alt.concat(*charts, columns=2).add_params(picked())
    caption = "A dot for each trial, larger and stronger ones were trained longer; the best is ringed."
    return Drawn(chart, caption + tables.of_all)


def _dots(tables: Tables, column: Column) -> Chart:
    most = max([1, *tables.trials["e"]])
    base = (
        alt.Chart(named("trials"))
        .transform_filter(f"isValid(datum.v) && isValid(datum.{column.field})")
        .transform_calculate(jitter="(datum.t * 0.618034) % 1")
        .encode(
            x=column.across(),
            y=objective(tables),
            tooltip=tooltip(tables),
        )
    )
    if column.choices:
        base = base.encode(xOffset=alt.XOffset("jitter:Q", scale=alt.Scale(domain=[-0.5, 1.5])))
    scale = alt.Scale(type="log", domain=[1, most + 1])
    dots = base.mark_point(opacity=0.85).encode(
        color=alt.Color("e:Q", scale=scale, legend=None),
        size=alt.Size("e:Q", scale=alt.Scale(type="sqrt", domain=[1, most + 1], range=[14, 90]), legend=None),
    )
    return alt.layer(dots, *marked(base, tables)).properties(width=260, height=190)
