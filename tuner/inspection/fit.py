"""Whether a spec fits a trainable's parameters, metrics and training set: pure rules, every problem one line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from trainables.contract import Params
from trainables.exceptions import Infeasible
from tuner.base.meant import fix
from tuner.inspection.objective import expression_problems, is_meant_as_expression
from tuner.spec import SweepSpec
from tuner.spec.feasible import name_problems
from tuner.spec.messages import literals
from tuner.spec.models import ALWAYS_IN_SPACE
from tuner.spec.space import (
    AnyParameter,
    Choice,
    Constant,
    Float,
    Int,
    Repeated,
    Space,
    Value,
    nearest,
    number_text,
    shown,
)

IN_EVERY_TRIAL = ("learning_rate", "batch_size", "epochs")
"""What MLflow shows of each trial."""


def param_problems(spec: SweepSpec, known: type[Params], constants: Sequence[str] = ()) -> list[str]:
    """Parameters of the space that the trainable does not know, or whose bounds it refuses.

    Args:
        constants: parameters that may not be searched.
    """
    problems = []
    common = Params if issubclass(known, Params) else known
    for name, parameter in spec.space.items():
        path = f"space.{name}"
        if name == "epochs" and not issubclass(known, Params):
            continue  # how long a trial trains is the sweep's to say, whatever its Params are
        if name not in known.model_fields:
            if is_length_alone(name, spec.space, known):
                continue
            problems.append(f"{path}: the trainable has no such parameter{nearest(name, known.model_fields)}")
            continue
        for place, value in extremes(parameter, spec.space, name):
            refused = _refusals(known, name, value) or _refusals(common, name, value)
            problems += [f"{path}{place}: {rule}" for rule in refused]
        if name in constants and (not isinstance(parameter, Constant) or parameter.when):
            problems.append(f"{path}: must be a constant, as the data depend on it")
        if parameter.when and (name in IN_EVERY_TRIAL or known.model_fields[name].is_required()):
            problems.append(f"{path}.when: every trial needs a value of {name}, so it must have no condition")
    problems += [
        f"space.{name}: the trainable has no default for it, so it is required, but is missing"
        for name, info in known.model_fields.items()
        if info.is_required() and name not in spec.space
    ]
    problems += [
        f"trainable: its Params' {name} {rule}"
        for name, info in known.model_fields.items()
        if name not in spec.space and not info.is_required()
        for rule in _refusals(common, name, info.get_default(call_default_factory=True))
    ]
    epochs = spec.space.root.get("epochs")
    if epochs is not None:
        problems += [
            f"space.epochs{place}: must not be above epochs.max ({spec.epochs.max}), but got {value}"
            for place, value in extremes(epochs)
            if isinstance(value, int) and value > spec.epochs.max
        ]
    return problems


def is_length_alone(name: str, space: Space, known: type[Params]) -> bool:
    """Whether a parameter says how long a list is and is nothing else to the trainable, which has the list.

    One whose name is close to a parameter that the space does not have is probably a mistake.
    """
    lists = [other for other, one in space.items() if isinstance(one, Repeated) and one.repeat == name]
    free = [field for field in known.model_fields if field not in space]
    return any(other in known.model_fields for other in lists) and "did you mean" not in nearest(name, free, 0.75)


def unknown_name_problems(spec: SweepSpec, known: type[Params]) -> list[str]:
    """Names in conditions and points that a spec may have for most trainables, but that this one does not know."""
    there = [*spec.space, *(n for n in ALWAYS_IN_SPACE if n in known.model_fields and n not in spec.records)]
    found = [f"{path}: {rule}" for path, rule in name_problems(spec.feasible, there)]
    return found + [
        f"search.points[{index}].{name}: the trainable has no such parameter{nearest(name, there)}"
        for index, point in enumerate(spec.search.points)
        for name in point
        if name not in there and name in ALWAYS_IN_SPACE
    ]


def taken_texts(known: type[Params]) -> dict[str, frozenset[str]]:
    """By parameter, the texts that a trainable's Params name as values."""
    literals_of = {name: _literals(info.annotation) for name, info in known.model_fields.items()}
    return {name: frozenset(texts) for name, texts in literals_of.items() if texts}


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [value for value in get_args(annotation) if isinstance(value, str)]
    return [text for part in get_args(annotation) for text in _literals(part)]


def metric_problems(spec: SweepSpec, metrics: list[str]) -> list[str]:
    """An objective that the trainable does not report."""
    metric = spec.objective.metric
    if metric in metrics:
        return []
    if is_meant_as_expression(metric, metrics):
        return expression_problems(metric, metrics)
    values = [name for name in metrics if name.startswith(f"{metric}_") and name[len(metric) + 1 :].isdigit()]
    if values:
        each = values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
        return [
            f"objective.metric: must be one number, but {metric} has a value for each class: name one of them ({each}),"
            f' or average them in the metric, as keras.metrics.F1Score(average="macro") does'
        ]
    rule = "must be a metric that the trainable reports"
    return [f"objective.metric: {rule}, but got {shown(metric)}{nearest(metric, metrics)}"]


def batch_size_problems(spec: SweepSpec, num_train: int | None) -> list[str]:
    """Batches larger than the training set."""
    parameter = spec.space.root.get("batch_size")
    if num_train is None or parameter is None:
        return []
    rule = f"must not be above the training set's {num_train} examples"
    return [
        f"space.batch_size{place}: {rule}, but got {value}"
        for place, value in extremes(parameter)
        if isinstance(value, int) and value > num_train
    ]


def extremes(parameter: AnyParameter, space: Space | None = None, name: str = "") -> list[tuple[str, Value]]:
    """The values that bound a parameter, with where they stand in the spec; a list's with as many as it may have."""
    if isinstance(parameter, Repeated):
        count = space.count_max(name) if space is not None else 1
        return [(place, [value] * count) for place, value in extremes(parameter.element)]
    if isinstance(parameter, Float | Int):
        return [(".low", parameter.low), (".high", parameter.high)]
    if isinstance(parameter, Choice):
        return [(f".choices[{index}]", value) for index, value in enumerate(parameter.choices)]
    return [("", parameter.value)]


def _refusals(known: type[Params], name: str, value: Value) -> list[str]:
    """Why Params refuse a value, in our words: a trainable's, or those that all have and the training path knows."""
    if name not in known.model_fields:
        return []
    try:
        if isinstance(value, list):  # in JSON, a tuple or a set is written as a list, too
            known.model_validate_json(json.dumps({name: value}), strict=True)
        else:
            known.model_validate({name: value}, strict=True)
    except ValidationError as error:
        return _told([item for item in error.errors() if item["loc"][:1] == (name,)], value)
    except Infeasible:  # of a configuration that no trial need have
        return []
    return []


def _told(items: Sequence[Any], value: Value) -> list[str]:
    """Why a value is refused; of several kinds that would do, the one that comes closest to it."""
    deepest = max((len(item["loc"]) for item in items), default=1)
    if isinstance(value, list):
        items = [item for item in items if len(item["loc"]) == deepest][:1]
    return [
        f"{_rule(item)}, but got {_got(item, item['input'])}"
        + (f" in {shown(value)}" if isinstance(value, list) and item["input"] != value else "")
        + (
            nearest(item["input"], literals(item["ctx"]))
            if item["type"] == "literal_error" and isinstance(item["input"], str)
            else ""
        )
        + fix(item["input"], _MEANT.get(item["type"], "null"))
        + (_NO_LIST if isinstance(value, list) and item["input"] == value and item["type"] in _OF_ONE_VALUE else "")
        for item in items
    ]


_MEANT = {"int_type": "number", "float_type": "number", "bool_type": "bool", "list_type": "list", "tuple_type": "list"}
_OF_ONE_VALUE = ("int_type", "float_type", "bool_type", "string_type", "literal_error")
_NO_LIST = "; for lists, the trainable's Params have list[…] or tuple[…]"


def _got(item: Any, value: Value) -> str:
    """A number without what does not matter: 0, but 32.0 where its `.0` is what is wrong."""
    return number_text(value) if isinstance(value, float) and item["type"] != "int_type" else shown(value)


def _rule(item: Any) -> str:
    context: Mapping[str, Any] = item.get("ctx", {})
    rules = {
        "greater_than": "must be greater than {gt:g}",
        "greater_than_equal": "must be at least {ge:g}",
        "less_than": "must be less than {lt:g}",
        "less_than_equal": "must be at most {le:g}",
        "literal_error": "must be {expected}",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_type": "must be a number",
        "bool_type": "must be true or false",
        "string_type": "must be text",
        "list_type": "must be a list",
        "tuple_type": "must be a list",
    }
    return rules[item["type"]].format(**context) if item["type"] in rules else str(item["msg"])
