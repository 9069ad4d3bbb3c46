"""Figures of how the objective went: each trial's learning curve, and the best value so far."""

from __future__ import annotations

from typing import Any

import altair as alt

from tuner.analysis.curves import improvements
from tuner.report.charts.columns import rounded
from tuner.report.charts.figure import Drawn, figure, marked, named, objective, picked, tooltip
from tuner.report.charts.tables import Table, Tables

X_TITLES = {"epochs": "epoch", "steps": "optimizer steps", "samples": "examples seen"}
_HEIGHT = 300


@figure("Learning curves")
def curves(tables: Tables) -> Drawn | None:
    """The learning curve of every trial over epochs, steps or samples, with the best one on top."""
    if not tables.curves["t"]:
        return None
    fields = ["v", "b", "e", "o", *(column.field for column in tables.columns)]
    base = (
        alt.Chart(named("curves"))
        .transform_lookup(lookup="t", from_=alt.LookupData(data=named("trials"), key="t", fields=fields))
        .encode(y=objective(tables, field="y"), detail="t:N", tooltip=tooltip(tables))
    )
    axis: dict[str, Any] = {"title": X_TITLES[tables.axes[0]], "grid": False, "tickMinStep": 1, "tickCount": 10}
    x: Any = "epochs"
    params = [picked()]
    if len(tables.axes) > 1:
        labels = [X_TITLES[axis] for axis in tables.axes]
        choice = alt.binding_radio(options=tables.axes, labels=labels, name="over")
        params.append(alt.param(name="over", value="epochs", bind=choice))
        base = base.transform_calculate(x="datum[over]")
        x, axis["title"] = "x", None
    base = base.encode(x=alt.X(x, type="quantitative", axis=alt.Axis(**axis), scale=alt.Scale(nice=False)))
    lines = base.mark_line(style="trial", clip=True)
    alone = base.transform_joinaggregate(points="count()", groupby=["t"]).transform_filter("datum.points === 1")
    single = alone.mark_point(style="quiet", size=18, opacity=0.6)
    chart = alt.layer(lines, single, *marked(base, tables, "line")).add_params(*params)
    caption = "A line for each trial; trials of a single epoch are dots. The best trial is marked."
    if tables.is_thinned:
        caption += " Of long curves some points are left out."
    return Drawn(chart.properties(width="container", height=_HEIGHT), caption + tables.of_all)


@figure("Best so far")
def best_so_far(tables: Tables) -> Drawn | None:
    """The best objective value over the epochs of all trials."""
    steps = improvements(tables.sweep)
    if not steps:
        return None
    ends = [*steps, (tables.sweep.num_epochs, *steps[-1][1:])]
    table: Table = {
        "n": [trained for trained, _, _ in ends],
        "v": [rounded(value) for _, _, value in ends],
        "t": [trial for _, trial, _ in ends],
    }
    base = alt.Chart(named("best")).encode(
        x=alt.X("n:Q", title="epochs of training, all trials", axis=alt.Axis(grid=False, tickCount=8)),
        y=alt.Y("v:Q", title=f"best {tables.metric}", scale=alt.Scale(zero=False, nice=True)),
        tooltip=[
            alt.Tooltip("n:Q", title="epochs of all trials"),
            alt.Tooltip("v:Q", title=tables.metric, format=".5~g"),
            alt.Tooltip("t:Q", title="trial"),
        ],
    )
    line = base.mark_line(interpolate="step-after", strokeWidth=2)
    dots = base.mark_point(size=36)
    chosen = base.transform_filter("datum.t === picked").mark_point(style="picked_dot")
    chart = alt.layer(line, dots, chosen).add_params(picked()).properties(width="container", height=220)
    caption = "The best value so far, over the epochs of all trials; a dot for each trial that improved it."
    return Drawn(chart, caption, {"best": table})
