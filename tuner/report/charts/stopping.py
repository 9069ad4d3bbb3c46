"""Figures of early stopping and of how trials ended."""

from __future__ import annotations

import altair as alt

from tuner.analysis.outcomes import endings
from tuner.analysis.rungs import rungs as rungs_of
from tuner.analysis.saved import saved as saved_of
from tuner.base.text import duration_text
from tuner.report.charts.columns import printable, rounded
from tuner.report.charts.figure import Chart, Drawn, figure, named, objective, picked
from tuner.report.charts.tables import Table, Tables

_BAR_STEP = 30
_MARKED_STATES = ("went on", "stopped")


@figure("Rungs")
def rungs(tables: Tables) -> Drawn | None:
    """The values of the trials at each rung: who was stopped, and who went on."""
    found = rungs_of(tables.sweep)
    if not found or tables.domain is None:
        return None
    drawn = {trial.number for trial in tables.shown}
    rows = [
        (rung.epoch, number, rounded(value), _MARKED_STATES[number in rung.stopped])
        for rung in found
        for number, value in rung.values.items()
        if number in drawn
    ]
    table: Table = {name: [row[place] for row in rows] for place, name in enumerate(("r", "t", "v", "f"))}
    base = (
        alt.Chart(named("rungs"))
        .transform_calculate(jitter="(datum.t * 0.618034) % 1")
        .encode(
            x=alt.X("r:O", title="epoch at which trials are compared", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("jitter:Q", scale=alt.Scale(domain=[-0.4, 1.4])),
            y=objective(tables),
            tooltip=[
                alt.Tooltip("t:Q", title="trial"),
                alt.Tooltip("r:Q", title="epoch"),
                alt.Tooltip("v:Q", title=tables.metric, format=".5~g"),
                alt.Tooltip("f:N", title="then"),
            ],
        )
    )
    fates, legend = list(_MARKED_STATES), alt.Legend(title=None, orient="top")
    dots = base.mark_point(size=36, opacity=0.85).encode(
        shape=alt.Shape("f:N", scale=alt.Scale(domain=fates, range=["circle", "cross"]), legend=legend),
        color=alt.Color("f:N", scale=alt.Scale(domain=fates), legend=legend),
    )
    best = base.transform_filter(f"datum.t === {tables.best}").mark_point(style="best_dot")
    chosen = base.transform_filter("datum.t === picked").mark_point(style="picked_dot")
    chart = alt.layer(dots, best, chosen).add_params(picked()).properties(width="container", height=260)
    told = ", ".join(
        f"{len(rung.stopped)} of {len(rung.values)} at epoch {rung.epoch}" for rung in found if rung.stopped
    )
    caption = f"The values at the epochs at which trials are compared. Stopped: {told or 'none'}."
    return Drawn(chart, caption + tables.of_all, {"rungs": table})


@figure("Saved by early stopping")
def saved(tables: Tables) -> Drawn | None:
    """The epochs and seconds that early stopping saved, beside those that were trained."""
    found = saved_of(tables.sweep)
    if found is None:
        return None
    rows = [
        ("epochs", "trained", found.epochs_trained, f"{found.epochs_trained:,}", 1 - found.epochs_share),
        ("epochs", "saved", found.epochs, f"{found.epochs:,}", found.epochs_share),
        ("time", "trained", rounded(found.training_s), duration_text(found.training_s), 1 - found.seconds_share),
        ("time", "saved", rounded(found.seconds), f"about {duration_text(found.seconds)}", found.seconds_share),
    ]
    names = ("w", "k", "n", "text", "share")
    table: Table = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    chart = shares_chart("saved", "w", "k", ["trained", "saved"])
    caption = (
        f"Early stopping ended {found.trials} trials and saved {found.epochs:,} epochs, "
        f"about {duration_text(found.seconds)} of training ({found.seconds_share:.0%})."
    )
    return Drawn(chart, caption, {"saved": table})


def shares_chart(table: str, row: str, kind: str, kinds: list[str]) -> Chart:
    """A bar for each row of a table, made of the shares of its kinds."""
    base = (
        alt.Chart(named(table))
        .encode(
            y=alt.Y(f"{row}:N", title=None, sort=None, axis=alt.Axis(domain=False, ticks=False)),
            x=alt.X(
                "share:Q",
                stack=True,
                axis=alt.Axis(format="%", title=None, tickCount=5),
                scale=alt.Scale(domain=[0, 1]),
            ),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip(f"{row}:N", title="of"),
                alt.Tooltip(f"{kind}:N", title="part"),
                alt.Tooltip("text:N", title="amount"),
                alt.Tooltip("share:Q", title="share", format=".1%"),
            ],
        )
        .transform_calculate(rank=f"indexof({kinds}, datum.{kind})")
    )
    color = alt.Color(f"{kind}:N", scale=alt.Scale(domain=kinds), legend=alt.Legend(title=None, orient="top"))
    bars = base.mark_bar(height={"band": 0.6}, stroke="transparent").encode(color=color)
    return alt.layer(bars).properties(width="container", height=2 * _BAR_STEP + 20)


@figure("Outcomes")
def outcomes(tables: Tables) -> Drawn | None:
    """How many trials ended in which way, with the most frequent reasons."""
    found = endings(tables.sweep)
    if not found:
        return None
    reasons = [[f"{printable(reason)} ({trials})" for reason, trials in ending.reasons] for ending in found]
    table: Table = {
        "o": [ending.outcome for ending in found],
        "n": [ending.trials for ending in found],
        "s": [duration_text(ending.training_s) for ending in found],
        "why": ["; ".join(told) or "-" for told in reasons],
    }
    base = alt.Chart(named("outcomes")).encode(
        y=alt.Y("o:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False)),
        x=alt.X("n:Q", title="trials", axis=alt.Axis(tickMinStep=1, tickCount=5)),
        tooltip=[
            alt.Tooltip("o:N", title="outcome"),
            alt.Tooltip("n:Q", title="trials"),
            alt.Tooltip("s:N", title="of training"),
            alt.Tooltip("why:N", title="because"),
        ],
    )
    bars = base.mark_bar(height={"band": 0.6})
    numbers = base.mark_text(align="left", dx=5).encode(text="n:Q")
    chart = alt.layer(bars, numbers).properties(width="container", height=_BAR_STEP * len(found) + 10)
    return Drawn(chart, "How trials ended. The reasons stand below.", {"outcomes": table})
