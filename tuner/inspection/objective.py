"""Whether an objective that is an expression fits the metrics of a trainable: pure rules, every problem one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from tuner.spec import SweepSpec
from tuner.spec.expressions import ExpressionError, as_expression, canonical, has_own_name, parse
from tuner.spec.space import nearest, shown

_OPERATOR = re.compile(r"[-+*/%(`]")
_NO_NAME = re.compile(r"[+*%(`^<>=|&!\[]")
"""What hardly any name of a metric has."""


def is_meant_as_expression(text: str, metrics: Sequence[str]) -> bool:
    """Whether an objective that is no metric is an expression, or one with a mistake, and not a metric misspelt."""
    if _OPERATOR.search(text) is None:
        return False
    expression = as_expression(text)
    if expression is None or has_own_name(text):
        return True
    is_close = bool(difflib.get_close_matches(text, metrics, n=1, cutoff=0.8))
    return not is_close and any(name in metrics for name in expression.names)


def expression_problems(text: str, metrics: Sequence[str]) -> list[str]:
    """What is wrong with an expression of metrics."""
    try:
        expression = parse(text)
    except ExpressionError as error:
        return [f"objective.metric: {error}"]
    if not expression.names:
        return [f"objective.metric: must have a metric in it, but got {shown(text)}"]
    rule = "must be made of metrics that the trainable reports"
    return [
        f"objective.metric: {rule}, but got {shown(name)}{nearest(name, metrics)}"
        for name in expression.names
        if name not in metrics
    ]


def script_objective_warnings(text: str) -> list[str]:
    """A script's metrics are not known before it reports: an objective that is nearly an expression may be a name."""
    is_suspect = _NO_NAME.search(text) is not None and as_expression(text) is None
    return [
        f"{problem}; it is taken as the name of a metric" for problem in expression_problems(text, ())[:1] if is_suspect
    ]


def with_objective(spec: SweepSpec, metrics: Sequence[str]) -> list[str]:
    """What an epoch reports, with the objective where it is an expression."""
    metric = canonical(spec.objective.metric)
    is_added = metrics and spec.objective.metric not in metrics and as_expression(metric) is not None
    return [*metrics, metric] if is_added and metric not in metrics else list(metrics)


def with_metric_spelt_out(spec: SweepSpec, metrics: Sequence[str]) -> SweepSpec:
    """The spec with an expression that could be a metric's name, such as a/b, in the form that cannot: a / b."""
    metric = spec.objective.metric
    if not metrics or metric in metrics or as_expression(metric) is None:
        return spec
    objective = spec.objective.model_copy(update={"metric": canonical(metric)})
    return spec.model_copy(update={"objective": objective})
