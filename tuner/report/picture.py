"""Figures as images."""

from __future__ import annotations

import copy
import json
from typing import Any

import vl_convert

from tuner.report import theme
from tuner.report.charts import Tables
from tuner.report.charts.columns import label_of
from tuner.report.charts.tables import rows_of
from tuner.report.drawing import Drawing, Placed, draw_all
from tuner.report.reading import best_text

MAIN = (("importance", "map"), ("parallel_coordinates",), ("curves", "best_so_far"), ("rungs", "saved"))
"""The figures of a picture by rows; those that have nothing to show are left out."""
_WIDTH, _GAP, _SCALE = 920, 90, 2
_INDEPENDENT = {"scale": dict.fromkeys(("x", "y", "color", "size", "shape", "xOffset", "yOffset"), "independent")}


def picture(tables: Tables) -> bytes | None:
    """The main figures as one PNG; None if there is nothing to show."""
    drawing = draw_all(tables)
    placed = _by_name(drawing)
    rows = [[placed[name] for name in row if name in placed] for row in MAIN]
    rows = [row for row in rows if row]
    if not rows:
        return None
    stacked = [{"hconcat": [_sized(it, len(row)) for it in row], "resolve": _INDEPENDENT} for row in rows]
    title = {"text": _line(tables), "fontSize": 18, "offset": 16}
    return _png(drawing, {"vconcat": stacked, "spacing": 40, "title": title})


def _line(tables: Tables) -> str:
    """The sweep and its best trial on one line."""
    best = best_text(tables.sweep)
    name = label_of(tables.sweep.name)
    return name if best is None else f"{name}: {tables.metric} {best.value} in trial {best.trial}"


def images(tables: Tables) -> dict[str, tuple[str, str, bytes]]:
    """Figure -> (title, caption, PNG) of each main figure that has something to show."""
    drawing = draw_all(tables)
    placed = _by_name(drawing)
    names = [name for row in MAIN for name in row if name in placed]
    return {name: (placed[name].title, placed[name].caption, _png(drawing, _sized(placed[name], 1))) for name in names}


def _by_name(drawing: Drawing) -> dict[str, Placed]:
    return {it.name: it for placed in drawing.sections.values() for it in placed}


def _sized(placed: Placed, in_row: int) -> dict[str, Any]:
    """A figure's only view with a fixed width and its title."""
    [spec] = placed.specs
    sized = {key: value for key, value in copy.deepcopy(spec).items() if key not in ("params", "description")}
    for layer in sized.get("layer", []):
        if (x := layer.get("encoding", {}).get("x", {})).get("field") == "x":  # what a page lets its reader choose
            x["axis"]["title"] = "epoch"
    return sized | {"width": (_WIDTH - _GAP * (in_row - 1)) // in_row, "title": placed.title, "resolve": {}}


def _png(drawing: Drawing, spec: dict[str, Any]) -> bytes:
    whole = spec | {
        "params": [{"name": "picked", "value": -1}, {"name": "over", "value": "epochs"}],
        "datasets": {name: rows_of(table) for name, table in drawing.tables.items()},
        "config": theme.config("light"),
        "background": theme.paper("light"),
        "resolve": _INDEPENDENT if "vconcat" in spec else {},
    }
    image: bytes = vl_convert.vegalite_to_png(json.dumps(whole), scale=_SCALE)
    return image
