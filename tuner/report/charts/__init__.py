"""The figures of a report, drawn by Vega-Lite: each a function of a sweep that gives an Altair chart, or None.

A page takes them from `SECTIONS`, with data that all charts share (`tables.py`), in the colors of `theme.py`.
"""

from __future__ import annotations

from tuner.report.charts.effects import contours, importance, slices
from tuner.report.charts.figure import Chart, Drawn, Figure, complete, spec_of
from tuner.report.charts.progress import best_so_far, curves
from tuner.report.charts.space import map, parallel_coordinates, parameters
from tuner.report.charts.stopping import outcomes, rungs, saved
from tuner.report.charts.tables import Tables
from tuner.report.charts.timing import slots, throughput, time

SECTIONS: dict[str, list[Figure]] = {
    "What matters": [importance, slices, contours],
    "Trials": [parallel_coordinates, map, parameters],
    "Progress": [best_so_far, curves],
    "Early stopping": [rungs, saved, outcomes],
    "Time": [time, slots, throughput],
}
"""The figures by the sections of a page."""
FIGURES: dict[str, Figure] = {figure.name: figure for figures in SECTIONS.values() for figure in figures}

__all__ = [
    "FIGURES", "SECTIONS", "Chart", "Drawn", "Figure", "Tables", "best_so_far", "complete", "contours", "curves",
    "importance", "map", "outcomes", "parallel_coordinates", "parameters", "rungs", "saved", "slices", "slots",
    "spec_of", "throughput", "time",
]  # fmt: skip
