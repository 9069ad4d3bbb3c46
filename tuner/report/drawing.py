"""All figures of a sweep, as a page needs them: specs by section, and the tables that they share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from altair.utils import schemapi

from tuner.report.charts import SECTIONS, Drawn, Figure, Tables, spec_of
from tuner.report.charts.tables import Table

WIDE = frozenset({"importance", "slices", "contours", "parallel_coordinates", "parameters", "curves", "slots"})
"""Figures that take the whole width of a page."""


@dataclass(frozen=True)
class Placed:
    """A figure on a page: its title, its caption, and a spec for each of its views."""

    name: str
    title: str
    caption: str
    specs: list[dict[str, Any]]

    @property
    def is_wide(self) -> bool:
        return self.name in WIDE


@dataclass(frozen=True)
class Drawing:
    """The figures of a page."""

    sections: dict[str, list[Placed]]
    tables: dict[str, Table] = field(default_factory=dict)

    def charts(self) -> list[dict[str, Any]]:
        """Each view with the id of its element and the names of its tables."""
        return [
            {"id": f"{it.name}-{number}", "spec": spec, "tables": sorted(_named(spec))}
            for placed in self.sections.values()
            for it in placed
            for number, spec in enumerate(it.specs)
        ]


def draw_all(tables: Tables, wanted: Mapping[str, Sequence[Figure]] = SECTIONS) -> Drawing:
    """Draws every wanted figure that has something to show, by section."""
    drawing = Drawing({}, {"trials": tables.trials})
    with schemapi.debug_mode(False):  # tests validate the charts; here it would take most of the time
        for section, figures in wanted.items():
            found = []
            for figure in figures:
                if (drawn := figure.draw(tables)) is not None:
                    drawing.tables.update(drawn.data)
                    found.append(placed(figure.name, figure.title, drawn))
            if found:
                drawing.sections[section] = found
    if any("curves" in chart["tables"] for chart in drawing.charts()):
        drawing.tables["curves"] = tables.curves
    return drawing


def placed(name: str, title: str, drawn: Drawn) -> Placed:
    """A figure as a page has it; its title and caption also for those who cannot see it."""
    description = f"{title}. {drawn.caption}"
    specs = [{**spec, "description": description} for spec in _views(spec_of(drawn.chart))]
    return Placed(name, title, drawn.caption, specs)


def _views(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """A spec for each view of a chart. The page lays out small multiples itself, so that they fit narrow windows."""
    parts = spec.pop("concat", None)
    if parts is None:
        return [spec]
    return [{**part, "params": spec.get("params", []), "width": "container"} for part in parts]


def _named(spec: Any) -> set[str]:
    """The tables that a spec uses."""
    if isinstance(spec, list):
        return set().union(*map(_named, spec))
    if not isinstance(spec, dict):
        return set()
    data = spec.get("data")
    own = {data["name"]} if isinstance(data, dict) and "name" in data else set()
    return own.union(*map(_named, spec.values()))


def embedded(data: Any) -> str:
    """Data as JSON that may stand in a `<script>`: nothing in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
