"""The charts of a sweep's view: all trials, their curves, and the objective by learning rate and batch size.

MLflow gives charts their titles itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.recording.names import Names, best_objective_key
from tuner.recording.values import param_text
from tuner.sweep import Sweep

SECTION = "tuner-sweep"
"""The charts' section of the page."""
TEXTS_MAX = 30
"""Different texts that MLflow's parallel coordinates show on an axis; they leave out the runs with others."""
_NUMBER = re.compile(r"\s*([-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*)?", re.IGNORECASE)
"""What the page takes for a number, the empty text among it."""


def charts(sweep: Sweep, names: Names, searched: Sequence[str]) -> list[dict[str, Any]]:
    """The charts for the searched parameters of a sweep."""
    best, objective = best_objective_key(sweep.metric), names.metric(sweep.metric)
    space = sweep.spec.get("space") or {}
    found = []
    if of_all := [names.param(name) for name in searched if draws_all(space, name)]:
        found.append(_chart("PARALLEL", selectedParams=of_all, selectedMetrics=[best], showAllRuns=True))
    found.append(_chart("LINE", metricKey=objective, selectedMetricKeys=[objective]))
    keys = [names.param(name) for name in searched]
    of_axes = [name for name in ("learning_rate", "batch_size") if name in keys] or keys[:1]
    if len(of_axes) == 2:
        rate, size = of_axes
        axes = {"xaxis": _axis("PARAM", rate), "yaxis": _axis("METRIC", best), "zaxis": _axis("PARAM", size)}
        found.append(_chart("CONTOUR", **axes))
    found += [_chart("SCATTER", xaxis=_axis("PARAM", name), yaxis=_axis("METRIC", best)) for name in of_axes]
    return [{**chart, "uuid": f"{SECTION}-{number}"} for number, chart in enumerate(found)]


def draws_all(space: Mapping[str, Any], name: str) -> bool:
    """Whether MLflow's parallel coordinates draw every trial with an axis for this parameter.

    They leave out the runs with a text where more have a number, and the other way round. So no axis has a parameter
    that is `inactive` in some trials.
    """
    written = space.get(name) or space.get(name.rpartition("_")[0])
    if not isinstance(written, dict) or written.get("when"):
        return False
    if name not in space and not isinstance(written.get("repeat"), int):
        return False
    texts = [param_text(choice) for choice in written.get("choices") or []]
    numbers = [_NUMBER.fullmatch(text) is not None for text in texts]
    return all(numbers) or (not any(numbers) and len(texts) <= TEXTS_MAX)


def _axis(kind: str, key: str) -> dict[str, str]:
    return {"key": key, "type": kind}


def _chart(kind: str, **settings: Any) -> dict[str, Any]:
    common = {"type": kind, "metricSectionId": SECTION, "deleted": False, "isGenerated": False}
    return {**common, "runsCountToCompare": 100, **settings}
