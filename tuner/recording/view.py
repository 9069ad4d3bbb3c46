"""The view of MLflow's page of runs that a sweep brings with it: its columns, order and charts.

It is a tag of the experiment (`saved_view.py`) under a key of the sweep's own. Views that people have saved themselves
have other keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuner.recording.lists import flat_names, lengths
from tuner.recording.names import EPOCHS_TRAINED, TRAINING_PARAMS, Names, best_objective_key
from tuner.recording.saved_view import view_text
from tuner.recording.view_charts import SECTION, charts
from tuner.sweep import Sweep

COLUMNS_MAX = 30
"""Of searched parameters; beyond, the page is no longer read."""
_OUTCOME = "tuner.outcome"
_RUN_NAME = "attributes.`Run Name`"
_RUN_NAME_PX = 270
"""So that `trial 1234 · lr 0.00012 · batch 256` is read."""
_CHAR_PX, _BESIDE_PX, _WIDTH_MAX_PX = 8, 36, 220
"""Of a column: its name is read."""
_NUMBER_PX = 135
"""So that a number is read to six figures."""


def trials_filter(sweep: Sweep) -> str:
    """The search for a sweep's trials, without its own run."""
    return f"tags.`tuner.sweep_id` = '{sweep.sweep_id}' AND tags.`tuner.trial` LIKE '%'"


def view(sweep: Sweep) -> str:
    """The text of a sweep's view: the table with what was searched, best first, and charts over all trials."""
    return view_text(_state(sweep), f"Sweep {sweep.name}", int(sweep.spans[0].started_at * 1000))


def _state(sweep: Sweep) -> dict[str, Any]:
    names, searched = Names.of_start(sweep), _searched(sweep)
    best = best_objective_key(sweep.metric)
    first = [] if sweep.is_script else list(TRAINING_PARAMS)
    params = [names.param(name) for name in dict.fromkeys([*first, *searched])]
    columns = [_column("metrics", best), *(_column("params", key) for key in params)]
    columns += [_column("metrics", EPOCHS_TRAINED), _column("tags", _OUTCOME)]
    return {
        "searchFilter": trials_filter(sweep),
        "orderByKey": _column("metrics", best),
        "orderByAsc": sweep.mode == "min",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "columnOrder": [_RUN_NAME, *columns],
        "columnWidths": {_RUN_NAME: _RUN_NAME_PX} | _widths(sweep, names, best, params),
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts(sweep, names, searched),
        "compareRunSections": [
            {**_section(SECTION, f"Sweep {sweep.name}"), "columns": 2, "cardHeight": 400},
            _section("tuner-metrics", "Model metrics"),
            _section("tuner-system", "System metrics"),
        ],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


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


def _widths(sweep: Sweep, names: Names, best: str, params: Sequence[str]) -> dict[str, int]:
    """The width of each column in px."""
    space = sweep.spec.get("space") or {}
    fractions = {names.param(name) for name, written in space.items() if _has_fractions(written)}
    widths = {_column("metrics", best): max(_NUMBER_PX, _name_px(best))}
    widths |= {_column("params", key): max(_NUMBER_PX * (key in fractions), _name_px(key)) for key in params}
    widths[_column("metrics", EPOCHS_TRAINED)] = _name_px(EPOCHS_TRAINED)
    return widths | {_column("tags", _OUTCOME): _name_px(_OUTCOME)}


def _has_fractions(written: Any) -> bool:
    return isinstance(written, dict) and any(isinstance(value, float) for value in written.values())


def _name_px(key: str) -> int:
    return min(_CHAR_PX * len(key) + _BESIDE_PX, _WIDTH_MAX_PX)


def _column(kind: str, key: str) -> str:
    return f"{kind}.`{key}`"


def _section(uuid: str, name: str) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "display": True, "isReordered": True}
