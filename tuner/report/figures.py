"""The figures of a report, each as SVG."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from tuner.analysis.curves import best_so_far, flat_params, learning_curve, searched, shown_range, turns
from tuner.spec.space import unquoted
from tuner.sweep import Sweep

WIDTH_IN, HEIGHT_IN = 9.0, 3.6
COLUMNS = 3
"""Columns of small figures, one figure for each parameter."""
VECTORS_MAX = 500
"""More curves, bars or dots than this are drawn as pixels, because a browser would be slow."""
_DPI = 160
_BLUE, _GREY, _ORANGE, _RED = "#1f5fa8", "#9aa7b4", "#d9822b", "#b3261e"
_COLORS = {"completed": _BLUE, "stopped": _GREY, "plateaued": _GREY, "unfinished": _ORANGE, "infeasible": _GREY}
_SHADES = LinearSegmentedColormap.from_list("epochs", ["#b4cbe3", "#0b2f5c"])
"""Colors from few epochs to many."""

STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ed",
    "axes.edgecolor": "#9aa7b4",
    "axes.axisbelow": True,
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "tuner",
    "font.family": "sans-serif",
    "text.parse_math": False,  # the name of a parameter may contain a dollar sign
}


def best_figure(sweep: Sweep) -> str:
    """The best objective value over the epochs of all trials."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        steps = best_so_far(sweep)
        axes.step([trained for trained, _ in steps], [value for _, value in steps], where="post", color=_BLUE, lw=1.8)
        axes.set(xlabel="epochs of training, all trials", ylabel=f"best {sweep.metric}")
        _limit(axes, [value for _, value in steps], sweep.mode)

    return _svg(draw)


_X_LABELS = {"epochs": "epoch", "steps": "optimizer steps", "samples": "examples seen"}


def curves_figure(sweep: Sweep, over: str = "epochs") -> str:
    """The learning curve of every trial over epochs, steps or samples, with the best one on top."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        curves = {number: learning_curve(sweep, trial, over) for number, trial in sweep.trials.items()}
        lines = [curve for curve in curves.values() if len(curve) > 1]
        axes.add_collection(LineCollection(lines, colors=_GREY, lw=0.7, alpha=0.6, rasterized=len(lines) > VECTORS_MAX))
        single = [curve[0] for curve in curves.values() if len(curve) == 1]
        axes.plot(*_columns(single), ".", color=_GREY, ms=3, alpha=0.6, rasterized=len(single) > VECTORS_MAX)
        if sweep.best is not None:
            best = curves[sweep.best.number]
            axes.plot(*_columns(best), color=_BLUE, lw=2, marker=".", label=f"trial {sweep.best.number}, the best")
            axes.legend(frameon=False)
        axes.autoscale_view()
        axes.set(xlabel=_X_LABELS[over], ylabel=sweep.metric)
        _limit(axes, [value for curve in curves.values() for _, value in curve], sweep.mode)

    return _svg(draw)


def parameters_figure(sweep: Sweep) -> str:
    """Every trial's best value over each searched parameter; darker dots were trained longer."""
    ranges = searched(sweep)
    rows = math.ceil(len(ranges) / COLUMNS)
    shown = [trial for trial in sweep.trials.values() if trial.usable]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True)
        for axes, (name, written) in zip(grid.flat, ranges.items(), strict=False):
            values = {trial.number: flat_params(sweep, trial) for trial in shown}
            having = [trial for trial in shown if name in values[trial.number]]
            places, labels = _places(written, [values[trial.number][name] for trial in having])
            dots = axes.scatter(
                places,
                [trial.best_value for trial in having],
                c=[trial.epochs_trained for trial in having],
                cmap=_SHADES,
                s=12,
                norm="log" if having else None,
                rasterized=len(having) > VECTORS_MAX,
            )
            dots.set_clim(1, max([trial.epochs_trained for trial in shown], default=1) + 1)
            if sweep.best is not None and sweep.best in having:
                at = places[having.index(sweep.best)]
                axes.scatter([at], [sweep.best.best_value], s=60, facecolors="none", edgecolors=_RED, lw=1.4)
            axes.set(xlabel=name)
            if labels:
                slanted: dict[str, Any] = {"rotation": 30, "ha": "right"} if max(map(len, labels)) > 6 else {}
                axes.set_xticks(range(len(labels)), labels, **slanted)
            elif written.get("scale") == "log":
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.xaxis.set_minor_formatter(NullFormatter())
            _limit(axes, [trial.best_value for trial in shown], sweep.mode)
        for axes in grid[:, 0]:
            axes.set_ylabel(f"best {sweep.metric}")
        for axes in grid.flat[len(ranges) :]:
            axes.set_axis_off()

    return _svg(draw, height_in=2.6 * max(1, rows))


def slots_figure(sweep: Sweep) -> str:
    """When each trial trained, with a row for each slot."""
    found = turns(sweep)
    lanes = 1 + max((turn.lane for turn in found), default=0)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        bars: dict[str, list[list[tuple[float, float]]]] = {}
        for turn in found:
            low, high = turn.lane + 0.1, turn.lane + 0.9
            color = _COLORS.get(turn.trial.state, _RED)
            bars.setdefault(color, []).extend(
                [(start, low), (start, high), (end, high), (end, low)] for start, end in turn.stretches
            )
        rasterized = sum(map(len, bars.values())) > VECTORS_MAX
        for color, corners in bars.items():
            axes.add_collection(PolyCollection(corners, facecolors=color, ec="white", lw=0.3, rasterized=rasterized))
        axes.set(xlabel="seconds with a driver running", ylabel="slot", ylim=(lanes, 0))
        axes.set_xlim(0, max((turn.end_s for turn in found), default=1.0))
        axes.set_yticks([lane + 0.5 for lane in range(lanes)] if lanes <= 16 else [])
        axes.set_yticklabels([str(lane) for lane in range(lanes)] if lanes <= 16 else [])
        axes.grid(axis="y", visible=False)

    return _svg(draw, height_in=min(6.0, 1.2 + 0.25 * lanes))


def _svg(draw: Callable[[Figure], None], height_in: float = HEIGHT_IN) -> str:
    """A figure as an `<svg>` element. Its text stays text, so that a browser can search and scale it."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", dpi=_DPI, transparent=True, metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _columns(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _limit(axes: Axes, values: list[float], mode: str) -> None:
    limits = shown_range(values, mode)
    if limits is not None:
        axes.set_ylim(*limits)


def _places(written: dict[str, Any], values: list[Any]) -> tuple[list[float], list[str]]:
    """The positions of values on an axis, and the labels of a choice; no labels for an axis of numbers."""
    if "choices" not in written:
        return [float(value) for value in values], []
    labels = [unquoted(choice) for choice in written["choices"]]
    names = [unquoted(value) for value in values]
    labels += sorted(set(names) - set(labels))  # values from before a resume that changed the choices
    return [float(labels.index(name)) for name in names], labels
