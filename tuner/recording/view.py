"""The view of MLflow's page of runs that a sweep brings with it: its columns, order and charts.

It is a tag of the experiment in the form that the page's own Share button writes (MLflow 3.17), under a key of the
sweep's own. Views that people have shared themselves have other keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.recording.lists import flat_names, lengths
from tuner.recording.names import EPOCHS_TRAINED, TRAINING_PARAMS, Names, best_objective_key
from tuner.sweep import Sweep

TAG = "mlflow.sharedViewState."
COLUMNS_MAX = 30
"""Of searched parameters; beyond, the page is no longer read."""
CHARS_MAX = 5000
"""What an experiment's tag holds on every server."""
RUNS_SHOWN_MAX = 50
"""With more trials, only the best are drawn in charts of single runs until somebody asks for others."""
_SECTION = "tuner-sweep"
_WIDTH_PX = 135
"""Of a column: a name such as best_val_accuracy is read, and eight of them fit on a wide screen."""


def view_key(sweep: Sweep) -> str:
    """What names the view in an address."""
    return f"tuner-{sweep.sweep_id}"


def trials_filter(sweep: Sweep) -> str:
    """The search for a sweep's trials, without its own run."""
    return f"tags.`tuner.sweep_id` = '{sweep.sweep_id}' AND tags.`tuner.trial` LIKE '%'"


def view(sweep: Sweep) -> str:
    """The view of a sweep, as JSON: the table with what was searched, best first, and charts over all trials."""
    names = Names.of_start(sweep)
    searched = _searched(sweep)
    while len(text := json.dumps(_state(sweep, names, searched), separators=(",", ":"))) > CHARS_MAX and searched:
        searched = searched[:-1]
    return text


def _state(sweep: Sweep, names: Names, searched: Sequence[str]) -> dict[str, Any]:
    best = best_objective_key(sweep.metric)
    first = [] if sweep.is_script else list(TRAINING_PARAMS)
    params = [names.param(name) for name in dict.fromkeys([*first, *searched])]
    columns = [_column("metrics", best), *(_column("params", key) for key in params)]
    columns += [_column("metrics", EPOCHS_TRAINED), _column("tags", "tuner.outcome")]
    widths = {column: _WIDTH_PX for column in columns}
    return {
        "searchFilter": trials_filter(sweep),
        "orderByKey": _column("metrics", best),
        "orderByAsc": sweep.mode == "min",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": widths,
        "runsHiddenMode": "SHOW_ALL" if sweep.num_trials <= RUNS_SHOWN_MAX else "FIRST_20_RUNS",
        "compareRunCharts": _charts(sweep, names, [names.param(name) for name in searched]),
        "compareRunSections": [
            _section(_SECTION, f"Sweep {sweep.name}"),
            _section("tuner-metrics", "Model metrics"),
            _section("tuner-system", "System metrics"),
        ],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _charts(sweep: Sweep, names: Names, searched: list[str]) -> list[dict[str, Any]]:
    best, objective = best_objective_key(sweep.metric), names.metric(sweep.metric)
    charts = [
        _chart("PARALLEL", "All trials", selectedParams=searched, selectedMetrics=[best], showAllRuns=True),
        _chart("LINE", "Learning curves", metricKey=objective, selectedMetricKeys=[objective]),
    ]
    of_axes: list[str] = [name for name in ("learning_rate", "batch_size") if name in searched]
    if not of_axes:
        of_axes = searched[:1]
    if len(of_axes) == 2:
        rate, size = of_axes
        axes = {"xaxis": _axis("PARAM", rate), "yaxis": _axis("METRIC", best), "zaxis": _axis("PARAM", size)}
        charts.append(_chart("CONTOUR", f"{best} by {rate}, coloured by {size}", **axes))
    charts += [
        _chart("SCATTER", f"{best} by {name}", xaxis=_axis("PARAM", name), yaxis=_axis("METRIC", best))
        for name in of_axes
    ]
    return charts


def _searched(sweep: Sweep) -> list[str]:
    """The parameters that differ between trials, as they are called in MLflow but for the rules of its keys."""
    space: Mapping[str, Any] = sweep.spec.get("space") or {}
    lists = lengths(space)
    found: list[str] = []
    for name, written in space.items():
        if name in lists:
            found += flat_names(name, lists[name])
        elif isinstance(written, dict) and "value" not in written:
            found.append(name)
    return found[:COLUMNS_MAX]


def _column(kind: str, key: str) -> str:
    return f"{kind}.`{key}`"


def _axis(kind: str, key: str) -> dict[str, str]:
    return {"key": key, "type": kind}


def _section(uuid: str, name: str) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "display": True, "isReordered": True}


def _chart(kind: str, title: str, **settings: Any) -> dict[str, Any]:
    uuid = f"tuner-{kind.lower()}-{title}"
    common = {"type": kind, "uuid": uuid, "metricSectionId": _SECTION, "deleted": False, "isGenerated": False}
    return {**common, "displayName": title, "runsCountToCompare": 100, **settings}
