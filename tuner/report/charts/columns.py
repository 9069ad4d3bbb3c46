"""The searched parameters as columns of tables: safe names for fields, labels for people, scales for axes.

Vega reads dots, brackets and quotes in the name of a field as a path. So fields are p0, p1, …, and a parameter's own
name stands in titles alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from tuner.analysis.curves import flat_params, searched
from tuner.base.text import harmless
from tuner.base.words import unquoted
from tuner.sweep import Sweep, Trial

LABEL_CHARACTERS = 40
"""Longer names and values are cut in figures."""
DIGITS = 6
"""Significant digits of a number in a figure."""


@dataclass(frozen=True)
class Column:
    """A searched parameter.

    Attributes:
        field: the name of its field in tables.
        name: the parameter's name.
        label: the name as it is shown; no two columns share one.
        scale: linear, log, or choice.
        choices: the labels of a choice's values, in their order.
        texts: the values themselves as text, in the same order.
        low, high: the ends of a range.
    """

    field: str
    name: str
    label: str
    scale: str
    choices: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0

    @property
    def kind(self) -> Literal["nominal", "quantitative"]:
        """The type of its field in Vega-Lite."""
        return "nominal" if self.choices else "quantitative"

    def scaled(self) -> alt.Scale:
        """Its scale on an axis, over its whole range."""
        if self.choices:
            return alt.Scale(domain=list(self.choices))
        return alt.Scale(type="log" if self.scale == "log" else "linear", domain=[self.low, self.high], nice=False)

    def axis(self) -> alt.Axis:
        """Its axis, with ticks that say the values plainly."""
        if self.choices:
            return alt.Axis(title=self.label, labelAngle=-30 if max(map(len, self.choices)) > 6 else 0)
        return alt.Axis(title=self.label, tickCount=5, format="~g", grid=False, labelOverlap=True)

    def across(self, field: str | None = None) -> alt.X:
        """Its values along the x axis, from its own field or another."""
        return alt.X(field or self.field, type=self.kind, scale=self.scaled(), axis=self.axis(), sort=None)

    def up(self, field: str | None = None) -> alt.Y:
        """Its values along the y axis."""
        return alt.Y(field or self.field, type=self.kind, scale=self.scaled(), axis=self.axis(), sort=None)


def columns_of(sweep: Sweep) -> list[Column]:
    """A column for each searched parameter. Ranges are as wide as the values that trials have, at least."""
    values: dict[str, list[Any]] = {}
    for trial in sweep.trials.values():
        for name, value in flat_params(sweep, trial).items():
            values.setdefault(name, []).append(value)
    taken: set[str] = set()
    found = []
    for number, (name, written) in enumerate(searched(sweep).items()):
        label = _unlike(label_of(name), taken)
        found.append(_column(f"p{number}", name, label, written, values.get(name, [])))
    return found


def _column(field: str, name: str, label: str, written: Mapping[str, Any], values: list[Any]) -> Column:
    ends = [written.get("low"), written.get("high")]
    numbers = [value for value in [*values, *ends] if isinstance(value, int | float) and not isinstance(value, bool)]
    if "choices" in written or any(not isinstance(value, int | float) for value in values) or not numbers:
        taken: set[str] = set()
        known = list(dict.fromkeys(unquoted(value) for value in [*written.get("choices", ()), *values]))
        labels = tuple(_unlike(label_of(text), taken) for text in known)
        return Column(field, name, label, "choice", labels, tuple(known))
    scale = "log" if written.get("scale") == "log" and min(numbers) > 0 else "linear"
    low, high = (rounded(end) or 0.0 for end in (min(numbers), max(numbers)))
    return Column(field, name, label, scale, low=low, high=high)


def label_of(text: str) -> str:
    """A name or value on one line of bounded length."""
    line = printable(text)
    return line if len(line) <= LABEL_CHARACTERS else f"{line[: LABEL_CHARACTERS - 1]}…"


def printable(text: str) -> str:
    """Text that a page can show: without control characters and lone surrogates."""
    return harmless(text).replace("\n", " ").encode(errors="backslashreplace").decode()


def _unlike(label: str, taken: set[str]) -> str:
    """The label, with a number behind it if it is taken."""
    chosen, number = label, 2
    while chosen in taken:
        chosen, number = f"{label} ({number})", number + 1
    taken.add(chosen)
    return chosen


def values_of(sweep: Sweep, trial: Trial, columns: Iterable[Column]) -> dict[str, Any]:
    """A trial's parameters by field; None for a parameter that it does not have."""
    having = flat_params(sweep, trial)
    return {column.field: _shown(column, having[column.name]) if column.name in having else None for column in columns}


def _shown(column: Column, value: Any) -> Any:
    if not column.choices:
        return rounded(value)
    text = unquoted(value)
    return column.choices[column.texts.index(text)] if text in column.texts else None


def rounded(value: float | None) -> float | None:
    """A number in few characters; None for one that JSON has no form for."""
    if value is None or not math.isfinite(value):
        return None
    if isinstance(value, int):
        return value
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def labels_expression(labels: Mapping[str, str]) -> str:
    """A Vega expression that gives an axis's labels, from the values on the axis."""
    return f"({json.dumps(dict(labels))})[datum.value] || ''"
