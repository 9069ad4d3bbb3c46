"""Figures of what matters: importance, and the expected objective along the parameters that matter most."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import altair as alt

from tuner.analysis.importance_values import Importance, Marginal, Surface
from tuner.base.words import unquoted
from tuner.report.charts.columns import Column, rounded
from tuner.report.charts.figure import Chart, Drawn, figure, marked, named, objective, picked, tooltip
from tuner.report.charts.tables import Table, Tables

SLICES_MAX = 6
CONTOURS_MAX = 3
BARS_MAX = 20
_BAR_STEP = 26
_TALL, _SMALL = 260, 200


@figure("Importance")
def importance(tables: Tables) -> Drawn | None:
    """A bar for each parameter with its interval, and one for each interaction that matters."""
    known = tables.importance
    if known is None:
        return None
    labels = {column.name: column.label for column in tables.columns}
    shares = [(labels.get(name, name), share) for name, share in known.parameters.items()][:BARS_MAX]
    table: Table = {
        "n": [label for label, _ in shares],
        "v": [rounded(share.value) for _, share in shares],
        "l": [rounded(share.low) for _, share in shares],
        "h": [rounded(share.high) for _, share in shares],
    }
    base = alt.Chart(named("importance")).encode(
        y=alt.Y("n:N", sort=table["n"], title=None, axis=alt.Axis(labelLimit=180, domain=False, ticks=False)),
        tooltip=[
            alt.Tooltip("n:N", title="parameter"),
            alt.Tooltip("v:Q", title="importance", format=".0%"),
            alt.Tooltip("l:Q", title="80% interval, from", format=".0%"),
            alt.Tooltip("h:Q", title="to", format=".0%"),
        ],
    )
    axis = alt.Axis(format="%", title="share of the explained differences", tickCount=5)
    bars = base.mark_bar(height={"band": 0.62}).encode(x=alt.X("v:Q", axis=axis, scale=alt.Scale(domain=[0, 1])))
    whiskers = base.mark_rule(style="whisker").encode(x="l:Q", x2="h:Q")
    chart = alt.layer(bars, whiskers).properties(width="container", height=_BAR_STEP * len(shares) + 10)
    caption = (
        f"How much of the differences between trials each parameter explains, with 80% intervals. It rests on "
        f"{known.num_trials} trials; of trials that it has not seen, the forest predicts {max(0.0, known.quality):.0%} "
        f"of the differences.{_interactions(known, labels)}"
    )
    return Drawn(chart, caption, {"importance": table})


def _interactions(known: Importance, labels: dict[str, str]) -> str:
    told = [
        f"{labels.get(first, first)} with {labels.get(second, second)} {share.value:.0%}"
        for (first, second), share in known.pairs.items()
        if share.low > 0.01
    ][:3]
    return f" Interactions: {', '.join(told)}." if told else ""


@figure("Slices")
def slices(tables: Tables) -> Drawn | None:
    """The expected objective along each of the parameters that matter most, over the trials' values."""
    known = tables.importance
    if known is None:
        return None
    chosen = [column for column in tables.by_importance if column.name in known.marginals][:SLICES_MAX]
    if not chosen:
        return None
    data = {f"slice_{it.field}": _slice_table(it, known.marginals[it.name]) for it in chosen}
    charts = [_slice(tables, column) for column in chosen]
    chart = alt.concat(*charts, columns=2).add_params(picked())
    caption = (
        "The expected best value along each parameter, averaged over all others, with its 80% interval; "
        "dots are trials."
    )
    return Drawn(chart, caption, data)


def _slice_table(column: Column, marginal: Marginal) -> Table:
    return {
        "x": [_label(column, value) if column.choices else rounded(value) for value in marginal.values],
        "m": list(map(rounded, marginal.mean)),
        "l": list(map(rounded, marginal.low)),
        "h": list(map(rounded, marginal.high)),
    }


def _label(column: Column, value: Any) -> str | None:
    text = unquoted(value)
    return column.choices[column.texts.index(text)] if text in column.texts else None


def _slice(tables: Tables, column: Column) -> Chart:
    base = alt.Chart(named(f"slice_{column.field}"))
    x = column.across("x")
    layers: list[Any] = []
    y = objective(tables, field="m")
    if column.choices:
        layers += [
            base.mark_rule(style="whisker").encode(x=x, y=objective(tables, field="l"), y2="h"),
            base.mark_point(style="mark", size=90).encode(x=x, y=y),
        ]
    else:
        layers += [
            base.mark_area(style="band").encode(x=x, y=objective(tables, field="l"), y2="h"),
            base.mark_line(style="mark", strokeWidth=2.5).encode(x=x, y=y),
        ]
    dots = alt.Chart(named("trials")).transform_filter(f"isValid(datum.v) && isValid(datum.{column.field})")
    dots = dots.encode(
        x=column.across(),
        y=objective(tables),
        tooltip=tooltip(tables),
    )
    layers.insert(0, dots.mark_point(style="quiet", size=22, opacity=0.55))
    return alt.layer(*layers, *marked(dots, tables)).properties(width=260, height=_SMALL)


@figure("Pairs that matter most")
def contours(tables: Tables) -> Drawn | None:
    """The expected objective over the two parameters of each pair that matters most, as a map with the trials on it."""
    known = tables.importance
    if known is None:
        return None
    by_name = {column.name: column for column in tables.columns}
    pairs = [pair for pair in known.surfaces if pair[0] in by_name and pair[1] in by_name][:CONTOURS_MAX]
    if not pairs:
        return None
    charts, data = [], {}
    for number, (first, second) in enumerate(pairs):
        table = f"contour_{number}"
        across, up = by_name[first], by_name[second]
        data[table] = _contour_table(across, up, known.surfaces[first, second])
        charts.append(_contour(tables, table, across, up))
    caption = "The expected best value over two parameters at a time, averaged over all others; dots are trials."
    return Drawn(alt.concat(*charts, columns=2).add_params(picked()), caption, data)


def _contour_table(across: Column, up: Column, surface: Surface) -> Table:
    """A cell for each pair of values: its borders on both axes, or its labels, and the expected objective."""
    cells = [
        (*x, *y, rounded(surface.mean[i][j]))
        for i, x in enumerate(_cells(across, surface.first))
        for j, y in enumerate(_cells(up, surface.second))
    ]
    return {name: [cell[place] for cell in cells] for place, name in enumerate(("x", "x2", "y", "y2", "v"))}


def _cells(column: Column, values: list[Any]) -> list[tuple[Any, Any]]:
    """The borders of each value's cell, midway between neighbours; a choice's label twice."""
    if column.choices:
        return [(label := _label(column, value), label) for value in values]
    if column.scale == "log":
        inner = [(a * b) ** 0.5 for a, b in pairwise(values)]
    else:
        inner = [(a + b) / 2 for a, b in pairwise(values)]
    ends = [column.low, *inner, column.high]
    return [(rounded(low), rounded(high)) for low, high in pairwise(ends)]


def _contour(tables: Tables, table: str, across: Column, up: Column) -> Chart:
    base = alt.Chart(named(table))
    position: dict[str, Any] = {
        "x": across.across("x"),
        "y": up.up("y"),
    }
    if not across.choices:
        position["x2"] = "x2"
    if not up.choices:
        position["y2"] = "y2"
    ends = tables.domain or alt.Undefined
    scale = alt.Scale(domain=ends, clamp=True, reverse=tables.sweep.mode == "min", zero=False)
    shade = alt.Color(
        "v:Q", scale=scale, legend=alt.Legend(title=f"expected {tables.metric}", orient="top", tickCount=3)
    )
    cells = base.mark_rect(tooltip=False).encode(**position, color=shade)
    dots = alt.Chart(named("trials")).transform_filter(
        f"isValid(datum.v) && isValid(datum.{across.field}) && isValid(datum.{up.field})"
    )
    dots = dots.encode(
        x=across.across(),
        y=up.up(),
        tooltip=tooltip(tables),
    )
    trials = dots.mark_point(style="spot", size=26)
    return alt.layer(cells, trials, *marked(dots, tables)).properties(width=260, height=_TALL)
