"""The charts as a notebook gets them: complete, valid Vega-Lite that can be drawn, or None."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from tests.report.sweeps import NASTY, found, made, swept
from tests.simulation import accuracy
from tuner.report import report_page
from tuner.report.charts import FIGURES, Tables, best_so_far, complete, curves, map, rungs, slices, throughput
from tuner.report.numbers import report_data

COMPLETE = set(FIGURES) - {"saved"}  # in a sweep that stops nobody


@pytest.mark.parametrize("name", FIGURES)
def test_charts_are_valid_and_can_be_drawn(tmp_path: Path, name: str) -> None:
    sweep = swept(tmp_path, num_trials=20)
    tables = Tables(sweep, found(sweep))
    drawn = FIGURES[name].draw(tables)
    assert drawn is not None and drawn.caption.endswith(".")
    spec = complete(drawn, tables).to_dict()  # Altair validates it against the schema of Vega-Lite
    assert vl_convert.vegalite_to_png(json.dumps(spec)).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_names_that_hurt_are_drawn_as_text(name: str) -> None:
    sweep = made(8, 3, {NASTY: {"low": 0.0, "high": 1.0}, "a.b[0]": {"choices": [NASTY, "'"]}}, metric=f"v.{NASTY}")
    tables = Tables(sweep, found(sweep))
    drawn = FIGURES[name].draw(tables)
    if drawn is None:
        assert name == "throughput"  # no batch size
        return
    svg = vl_convert.vegalite_to_svg(json.dumps(complete(drawn, tables).to_dict()))
    assert "<script" not in svg and "<b>" not in svg


def test_a_chart_of_a_sweep_brings_its_data() -> None:
    sweep = made(6, 4)
    chart = best_so_far(sweep)
    assert chart is not None
    assert list(chart.to_dict()["datasets"]) == ["best"]
    both = curves(sweep)
    assert both is not None and set(both.to_dict()["datasets"]) == {"curves", "trials"}


def test_where_there_is_nothing_to_show_there_is_no_chart() -> None:
    sweep = made(3, 2, {"x": {"low": 0.0, "high": 1.0}})
    assert map(sweep) is None and throughput(sweep) is None and slices(sweep) is None
    nobody = made(0, 2)
    assert all(figure(nobody) is None for figure in FIGURES.values())


def test_the_map_is_of_learning_rate_and_batch_size_wherever_they_stand() -> None:
    space = {
        "units": {"low": 1, "high": 8},
        "batch_size": {"choices": [8, 16]},
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    }
    chart = map(made(5, 2, space))
    assert chart is not None
    encoding = chart.to_dict()["layer"][0]["encoding"]
    assert (encoding["x"]["axis"]["title"], encoding["y"]["axis"]["title"]) == ("learning_rate", "batch_size")
    assert encoding["x"]["scale"]["type"] == "log"


def test_rungs_tell_who_was_stopped_where(tmp_path: Path) -> None:
    sweep = swept(tmp_path)
    chart = rungs(sweep)
    assert chart is not None
    rows = chart.to_dict()["datasets"]["rungs"]
    stopped = {row["t"] for row in rows if row["f"] == "stopped"}
    assert stopped == {number for number, trial in sweep.trials.items() if trial.outcome == "stopped"}


def failing(params: dict[str, Any], epoch: int) -> float:
    raise ValueError(f"no layer {NASTY}")


def odd(params: dict[str, Any], epoch: int) -> float:
    return math.nan if params["learning_rate"] > 0.05 else -1e9 * params["learning_rate"] * epoch


SPACES = {
    "lists and nulls": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "depth": {"low": 1, "high": 3},
        "units": {"low": 16, "high": 128, "repeat": "depth"},
        "hidden": {"choices": [[64], [128, 64], None, True, 1.5, "1.5"]},
    },
    "a condition": {
        "learning_rate": {"choices": [1e-3, 1e-2]},
        "schedule": {"choices": ["constant", "exponential"]},
        "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
    },
    "nothing searched": {"learning_rate": 0.01},
}


@pytest.mark.parametrize("curve", [accuracy, odd, failing])
@pytest.mark.parametrize("space", SPACES)
def test_whatever_is_searched_and_becomes_of_it_can_be_shown(tmp_path: Path, space: str, curve: Any) -> None:
    mode = "max" if curve is accuracy else "min"
    journal_of = {"space": SPACES[space], "num_trials": 6, "objective__mode": mode, "failures": {"max_retries": 0}}
    sweep = swept(tmp_path, curve, **journal_of, trainable="./train.py:main")
    for figure in FIGURES.values():
        chart = figure(sweep)
        if chart is not None:
            vl_convert.vegalite_to_svg(json.dumps(chart.to_dict()))
    html = report_page(sweep, "finished")
    assert NASTY not in html and json.dumps(report_data(Tables(sweep), "finished"), allow_nan=False)
