"""The results as a table in Markdown, as JSON, and as a figure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.bench.measuring import Row, value_text

HEAD = ("line", "what", "measured", "of all rounds", "goal", "")


def markdown(rows: Sequence[Row], surroundings: Mapping[str, Any]) -> str:
    """A table with a row a measurement, and where it was made above it."""
    lines = [f"{name}: {value}  " for name, value in surroundings.items()]
    lines += ["", _line(HEAD), _line(["---"] * len(HEAD))]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)]) + "\n"


def _cells(row: Row) -> list[str]:
    measured = "" if row.value is None else value_text(row.value, row.unit)
    spread = " to ".join(value_text(end, row.unit) for end in row.spread) if row.spread else ""
    verdict = f"{row.verdict}: {row.note}" if row.value is None else row.verdict
    what = f"{row.what} ({row.note})" if row.note and row.value is not None else row.what
    return [row.line, what, measured, spread, row.goal.text(row.unit) if row.goal else "", verdict]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def as_json(rows: Sequence[Row], rounds: Mapping[str, Any], surroundings: Mapping[str, Any]) -> str:
    """Rows, and each round's figures by line and side."""
    table = [{**dataclasses.asdict(row), "verdict": row.verdict} for row in rows]
    return json.dumps({"surroundings": surroundings, "rows": table, "rounds": rounds}, indent=1)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Bars of how far each goal is reached: 1 is the goal, more is better."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = [(row, reached(row)) for row in rows if row.goal is not None and row.value is not None]
    figure, axes = plt.subplots(figsize=(9, 1 + 0.4 * len(drawn)), layout="constrained")
    labels = [f"{row.line}: {row.what}: {value_text(row.value or 0, row.unit)}" for row, _ in drawn]
    colors = ["tab:blue" if row.verdict == "met" else "tab:orange" for row, _ in drawn]
    axes.barh(labels[::-1], [part for _, part in drawn][::-1], color=colors[::-1])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("of the goal (1: reached; more is better)")
    axes.set_xlim(0, 2)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def reached(row: Row) -> float:
    """How far a row's goal is reached: 1 at the goal, more beyond it, whichever way is better; 2 at most."""
    assert row.goal is not None and row.value is not None
    if row.goal.relation == ">=":
        part = row.value / row.goal.number
    else:
        part = row.goal.number / row.value if row.value > 0 else 2.0
    return max(0.0, min(2.0, part))
