"""Figures of time: when trials trained, where the time went, and how fast batches of each size are."""

from __future__ import annotations

import altair as alt

from tuner.analysis.curves import Turn, turns
from tuner.analysis.throughput import throughput as throughput_of
from tuner.analysis.timeline import Parts
from tuner.analysis.timeline import timeline as timeline_of
from tuner.base.text import duration_text
from tuner.report.charts.columns import rounded
from tuner.report.charts.figure import Drawn, figure, named, picked
from tuner.report.charts.stopping import shares_chart
from tuner.report.charts.tables import Table, Tables

BARS_MAX = 4_000
"""More stretches than this are drawn as one bar for each turn, and more turns in part."""
LANES_LABELED = 16
KINDS = ["training", "start", "idle", "end"]
_STATES = ["completed", "stopped", "plateaued", "diverged", "failed", "out_of_memory", "infeasible", "cancelled",
           "unfinished"]  # fmt: skip


@figure("Slots")
def slots(tables: Tables) -> Drawn | None:
    """When each trial trained, with a row for each slot."""
    found = turns(tables.sweep)
    if not found:
        return None
    rows = _bars(found)
    lanes = 1 + max(turn.lane for turn in found)
    table: Table = {name: [row[place] for row in rows] for place, name in enumerate(("t", "lane", "a", "z", "o"))}
    labels = alt.Axis(ticks=False, domain=False, labels=lanes <= LANES_LABELED)
    present = [state for state in _STATES if state in set(table["o"])]
    base = alt.Chart(named("slots")).encode(
        x=alt.X("a:Q", title="seconds with a driver running", axis=alt.Axis(grid=False), scale=alt.Scale(nice=False)),
        x2="z",
        y=alt.Y("lane:O", title="slot", axis=labels),
        tooltip=[
            alt.Tooltip("t:Q", title="trial"),
            alt.Tooltip("o:N", title="outcome"),
            alt.Tooltip("a:Q", title="from second", format=".1f"),
            alt.Tooltip("z:Q", title="to", format=".1f"),
        ],
    )
    bars = base.mark_bar(height={"band": 0.8}).encode(
        color=alt.Color(
            "o:N", scale=alt.Scale(domain=_STATES), legend=alt.Legend(title=None, orient="top", values=present)
        )
    )
    chosen = base.transform_filter("datum.t === picked").mark_bar(style="picked", fillOpacity=0, height={"band": 0.9})
    height = min(420, 60 + 24 * lanes)
    chart = alt.layer(bars, chosen).add_params(picked()).properties(width="container", height=height)
    left = "" if len(rows) <= BARS_MAX and _num_stretches(found) <= BARS_MAX else " Short gaps are not drawn."
    return Drawn(chart, f"When trials trained; a row for each of {lanes} slots.{left}", {"slots": table})


def _num_stretches(found: list[Turn]) -> int:
    return sum(len(turn.stretches) for turn in found)


def _bars(found: list[Turn]) -> list[tuple[int, int, float, float, str]]:
    """(trial, lane, start, end, outcome) of each bar."""
    whole = _num_stretches(found) > BARS_MAX
    chosen = found[-BARS_MAX:]
    return [
        (turn.trial.number, turn.lane, round(start, 2), round(end, 2), turn.trial.state)
        for turn in chosen
        for start, end in ([(turn.start_s, turn.end_s)] if whole else turn.stretches)
    ]


@figure("Where the time went")
def time(tables: Tables) -> Drawn | None:
    """Start, training, idle time and end: of the slot that the end waited for, and of all slots."""
    found = timeline_of(tables.sweep)
    if found is None:
        return None
    rows = [*_shares("critical path", found.critical), *_shares("all slots", found.slots)]
    names = ("w", "k", "n", "text", "share")
    table: Table = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    told = {kind: duration_text(getattr(found.critical, f"{kind}_s")) for kind in KINDS}
    caption = (
        f"The slot that finished last trained {told['training']} of {duration_text(found.critical.total_s)}. It waited "
        f"{told['start']} for its first epoch and {told['idle']} between epochs and trials; {told['end']} were left "
        "after its last one."
    )
    return Drawn(shares_chart("time", "w", "k", KINDS), caption, {"time": table})


def _shares(what: str, parts: Parts) -> list[tuple[str, str, float | None, str, float]]:
    seconds = {kind: getattr(parts, f"{kind}_s") for kind in KINDS}
    total = parts.total_s or 1.0
    return [(what, kind, rounded(it), duration_text(it), round(it / total, 4)) for kind, it in seconds.items()]


@figure("Throughput")
def throughput(tables: Tables) -> Drawn | None:
    """Examples or epochs a second against batch size."""
    found = throughput_of(tables.sweep)
    medians = {} if found is None else found.medians()
    if found is None or len(medians) < 2:
        return None
    drawn = [trial.number for trial in tables.shown if trial.number in found.trials]
    table: Table = {
        "t": drawn,
        "x": [found.trials[number][0] for number in drawn],
        "v": [rounded(found.trials[number][1]) for number in drawn],
    }
    middle: Table = {"x": list(medians), "v": list(map(rounded, medians.values()))}
    x = alt.X("x:O", title="batch size", axis=alt.Axis(labelAngle=0, labelOverlap=True))
    y = alt.Y("v:Q", title=f"{found.unit} a second", scale=alt.Scale(zero=True), axis=alt.Axis(format="~s"))
    speed = alt.Tooltip("v:Q", title=f"{found.unit} a second", format=",.4~r")
    tip = [alt.Tooltip("t:Q", title="trial"), alt.Tooltip("x:O", title="batch size"), speed]
    base = alt.Chart(named("speeds")).encode(x=x, y=y, tooltip=tip)
    jitter_offset = alt.XOffset("jitter:Q", scale=alt.Scale(domain=[-0.6, 1.6]))
    jitter = base.transform_calculate(jitter="(datum.t * 0.618034) % 1").encode(xOffset=jitter_offset)
    dots = jitter.mark_point(style="quiet", size=26, opacity=0.7)
    chosen = jitter.transform_filter("datum.t === picked").mark_point(style="picked_dot")
    middles = alt.Chart(named("medians")).transform_calculate(jitter="0.5").encode(xOffset=jitter_offset)
    ticks = middles.mark_tick(thickness=3, size=44, style="mark").encode(x=x, y=y, tooltip=tip[1:])
    chart = alt.layer(dots, ticks, chosen).add_params(picked()).properties(width="container", height=240)
    caption = (
        f"{found.unit.capitalize()} a second, without a trial's first epoch: a dot for each trial, a bar for medians."
    )
    return Drawn(chart, caption, {"speeds": table, "medians": middle})
