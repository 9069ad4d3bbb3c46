"""The figure of a probe: loss over learning rate, validation over epochs, throughput and memory over batch size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from tuner.probe.result import ProbeResult, RateRange

COLUMNS = 2
_COLORS = ("#1f5fa8", "#d9822b", "#2e7d4f", "#7b4fa3", "#b3261e", "#5f6b76")
_ROW_IN, _WIDTH_IN, _DPI = 3.0, 10.0, 150
_SHADE_ALPHA = 0.10

STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ed",
    "axes.edgecolor": "#9aa7b4",
    "axes.axisbelow": True,
    "font.size": 9,
    "font.family": "sans-serif",
    "text.parse_math": False,  # the name of a parameter may contain a dollar sign
}


def write_probe_figure(result: ProbeResult, path: Path) -> None:
    """Writes the figure; the kind of file is that of the name.

    Raises:
        OSError: the file cannot be written.
    """
    with mpl.rc_context(STYLE):
        probe_figure(result).savefig(path, dpi=_DPI)


def probe_figure(result: ProbeResult) -> Figure:
    """A plot for each optimizer and batch size, then one of the epochs and one of the ladder."""
    tests = list(result.rates)
    rows = math.ceil(len(tests) / COLUMNS) + 1
    figure = Figure(figsize=(_WIDTH_IN, _ROW_IN * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, test in zip(grid.flat, tests, strict=False):
        _draw_range(axes, test)
    for axes in grid.flat[len(tests) : (rows - 1) * COLUMNS]:
        axes.set_axis_off()
    _draw_epochs(grid[-1, 0], result)
    _draw_ladder(grid[-1, 1], result)
    return figure


def _draw_range(axes: Axes, test: RateRange) -> None:
    axes.plot(test.rates, test.losses, color=_COLORS[0], lw=1.6)
    axes.set(xlabel="learning rate", ylabel="smoothed training loss", xscale="log")
    axes.set_title(f"{test.optimizer}, batch of {test.batch_size}", loc="left", fontsize=10)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.0e}"))
    if test.low is not None and test.high is not None:
        axes.axvspan(test.low, test.high, color=_COLORS[0], alpha=_SHADE_ALPHA, lw=0)
        for rate, name in ((test.low, "low"), (test.high, "high")):
            axes.axvline(rate, color=_COLORS[1], lw=1.2)
            side = "right" if name == "low" else "left"
            axes.annotate(
                f" {name} {rate:.1e} ", (rate, 0.03), xycoords=("data", "axes fraction"), ha=side, fontsize=8,
                color=_COLORS[1],
            )  # fmt: skip
    else:
        axes.annotate(test.reason, (0.03, 0.05), xycoords="axes fraction", fontsize=8, color=_COLORS[4])
    if test.diverged_at is not None:
        axes.axvline(test.diverged_at, color=_COLORS[4], lw=1.2, ls="--")
        axes.annotate(
            " diverged", (test.diverged_at, 0.5), xycoords=("data", "axes fraction"), rotation=90, va="center",
            fontsize=8, color=_COLORS[4],
        )  # fmt: skip
    if test.losses:
        low, first = min(test.losses), test.losses[0]
        fall = max(first - low, 0.1 * abs(first), 1e-9)  # what has exploded is not shown whole
        axes.set_ylim(low - 0.1 * fall, first + 0.6 * fall)


def _draw_epochs(axes: Axes, result: ProbeResult) -> None:
    axes.set_title("epochs", loc="left", fontsize=10)
    axes.set(xlabel="epoch", ylabel=result.metric)
    for number, curve in enumerate(result.epochs.curves):
        label = f"{curve.optimizer}, batch of {curve.batch_size}, rate {curve.learning_rate:.1e}"
        color = _COLORS[number % len(_COLORS)]
        axes.plot(range(1, len(curve.values) + 1), curve.values, color=color, lw=1.6, marker=".", ms=4, label=label)
    if result.epochs.curves:
        if (until := result.epochs.improves_until) is not None:
            axes.axvline(until, color=_COLORS[4], lw=1.2, ls="--", label=f"improves until epoch {until}")
        axes.legend(frameon=False, fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        _say_nothing(axes, result.epochs.reason)


def _draw_ladder(axes: Axes, result: ProbeResult) -> None:
    axes.set_title("batch sizes", loc="left", fontsize=10)
    axes.set(xlabel="batch size", ylabel="training examples a second")
    fitting = [step for step in result.ladder.steps if step.fits]
    if not fitting:
        _say_nothing(axes, result.ladder.ended or "no batch size was measured")
        return
    sizes = [step.batch_size for step in fitting]
    axes.set_xscale("log", base=2)
    axes.plot(sizes, [step.examples_per_s or 0.0 for step in fitting], color=_COLORS[0], lw=1.6, marker="o", ms=4)
    tried = [*sizes, *(step.batch_size for step in result.ladder.steps if not step.fits)]
    axes.set_xticks(tried, [str(size) for size in tried])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(bottom=0)
    if result.ladder.fastest is not None:
        axes.axvline(result.ladder.fastest, color=_COLORS[1], lw=1.2)
        axes.annotate(
            "larger ones gain little ", (result.ladder.fastest, 0.03), xycoords=("data", "axes fraction"), fontsize=8,
            color=_COLORS[1], ha="right",
        )  # fmt: skip
    for step in result.ladder.steps:
        if not step.fits:
            axes.axvline(step.batch_size, color=_COLORS[4], lw=1.2, ls="--")
            axes.annotate(
                "does not fit ", (step.batch_size, 0.95), xycoords=("data", "axes fraction"), ha="right", va="top",
                fontsize=8, color=_COLORS[4],
            )  # fmt: skip


def _say_nothing(axes: Axes, reason: str) -> None:
    axes.annotate(reason, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", fontsize=8, wrap=True)
    axes.set_xticks([])
    axes.set_yticks([])
