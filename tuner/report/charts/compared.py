"""Figures of several sweeps side by side: the best value so far, what matters in each, and their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from tuner.report.charts.columns import label_of, rounded
from tuner.report.charts.figure import Drawn, named
from tuner.report.charts.tables import Table

PARAMETERS_MAX = 12
_HEIGHT = 260
_X_TITLES = {"epochs": "epochs of training, all trials", "seconds": "seconds with a driver running"}


def best_curves(data: Mapping[str, Any], labels: Sequence[str], over: str) -> Drawn | None:
    """The best value so far of each sweep, over `epochs` or `seconds`; arguments as of `tuner.analysis.comparison`."""
    rows = [
        (label, place, rounded(value))
        for label, row in zip(labels, data["sweeps"], strict=True)
        for place, value in row["curve"][over]
    ]
    if not rows:
        return None
    metric = label_of(data["metric"])
    line = (
        alt.Chart(named(f"best_{over}"))
        .mark_line(interpolate="step-after", strokeWidth=2, point=alt.OverlayMarkDef(size=28))
        .encode(
            x=alt.X("x:Q", title=_X_TITLES[over], axis=alt.Axis(grid=False)),
            y=alt.Y("v:Q", title=f"best {metric}", scale=alt.Scale(zero=False, nice=True)),
            color=_color(labels, symbolType="stroke"),
            strokeDash=alt.StrokeDash("s:N", scale=alt.Scale(domain=list(labels)), legend=_legend(symbolType="stroke")),
            tooltip=[
                alt.Tooltip("s:N", title="sweep"),
                alt.Tooltip("x:Q", title=over),
                alt.Tooltip("v:Q", title=metric, format=".5~g"),
            ],
        )
    )
    caption = f"The best value so far, over {'the epochs of all trials' if over == 'epochs' else 'time at work'}."
    return Drawn(line.properties(width="container", height=_HEIGHT), caption, {f"best_{over}": _table("sxv", rows)})


def importances(data: Mapping[str, Any], labels: Sequence[str]) -> Drawn | None:
    """How much each parameter matters in each sweep that can tell."""
    known = {label: row["importance"] for label, row in zip(labels, data["sweeps"], strict=True) if row["importance"]}
    if not known:
        return None
    weights: dict[str, float] = {}
    for shares in known.values():
        for name, share in shares.items():
            weights[name] = max(weights.get(name, 0.0), share["value"])
    chosen = sorted(weights, key=lambda name: -weights[name])[:PARAMETERS_MAX]
    rows = [
        (label_of(name), label, *(rounded(shares[name][key]) for key in ("value", "low", "high")))
        for name in chosen
        for label, shares in known.items()
        if name in shares
    ]
    base = alt.Chart(named("importances")).encode(
        y=alt.Y("n:N", sort=[label_of(name) for name in chosen], title=None, axis=alt.Axis(domain=False, ticks=False)),
        yOffset=alt.YOffset("s:N", sort=list(labels)),
        tooltip=[
            alt.Tooltip("s:N", title="sweep"),
            alt.Tooltip("n:N", title="parameter"),
            alt.Tooltip("v:Q", title="importance", format=".0%"),
            alt.Tooltip("l:Q", title="80% interval, from", format=".0%"),
            alt.Tooltip("h:Q", title="to", format=".0%"),
        ],
    )
    axis = alt.Axis(format="%", title="share of the explained differences", tickCount=5)
    bars = base.mark_bar().encode(x=alt.X("v:Q", axis=axis, scale=alt.Scale(domain=[0, 1])), color=_color(labels))
    whiskers = base.mark_rule(style="whisker").encode(x="l:Q", x2="h:Q")
    height = max(80, len(chosen) * (12 + 14 * len(known)))
    silent = [label for label in labels if label not in known]
    caption = "How much of the differences between a sweep's trials each parameter explains, with 80% intervals."
    if silent:
        caption += f" {', '.join(silent)} cannot tell yet."
    chart = alt.layer(bars, whiskers).properties(width="container", height=height)
    return Drawn(chart, caption, {"importances": _table("nsvlh", rows)})


def intervals(data: Mapping[str, Any], labels: Sequence[str]) -> Drawn | None:
    """The difference of every two sweeps' bests, with its interval; those that cross zero cannot be told apart."""
    known = [pair for pair in data["pairs"] if pair["low"] is not None]
    if not known:
        return None
    rows = [
        (
            f"{label_of(pair['sweeps'][0])} against {label_of(pair['sweeps'][1])}",
            rounded(pair["by"]), rounded(pair["low"]), rounded(pair["high"]),
            "beyond the noise" if pair["better"] else "within the noise",
        )
        for pair in known
    ]  # fmt: skip
    kinds = ["beyond the noise", "within the noise"]
    base = alt.Chart(named("intervals")).encode(
        y=alt.Y("n:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=260)),
        tooltip=[
            alt.Tooltip("n:N", title="sweeps"),
            alt.Tooltip("v:Q", title="the first is better by", format=".4~g"),
            alt.Tooltip("l:Q", title="95% interval, from", format=".4~g"),
            alt.Tooltip("h:Q", title="to", format=".4~g"),
        ],
    )
    title = "difference (above zero: the first is better)"
    bars = base.mark_rule(style="whisker").encode(x=alt.X("l:Q", title=title), x2="h:Q")
    shape = alt.Shape("k:N", scale=alt.Scale(domain=kinds, range=["circle", "cross"]), legend=_legend())
    dots = base.mark_point(size=70).encode(x=alt.X("v:Q", title=title), shape=shape)
    zero = alt.Chart(named("intervals")).mark_rule(style="quiet", strokeDash=[4, 3]).encode(x=alt.datum(0))
    chart = alt.layer(zero, bars, dots).properties(width="container", height=max(60, 34 * len(rows)))
    caption = (
        "The difference of the bests after equal numbers of epochs, with its 95% interval: what other trials and other "
        "trainings of the same configurations would have changed. An interval across zero tells nothing apart."
    )
    return Drawn(chart, caption, {"intervals": _table("nvlhk", rows)})


def _color(labels: Sequence[str], **changes: Any) -> alt.Color:
    return alt.Color("s:N", scale=alt.Scale(domain=list(labels)), legend=_legend(**changes))


def _legend(**changes: Any) -> alt.Legend:
    return alt.Legend(title=None, orient="top", labelLimit=260, columns=3, **changes)


def _table(fields: str, rows: Sequence[tuple[Any, ...]]) -> Table:
    return {name: [row[place] for row in rows] for place, name in enumerate(fields)}
