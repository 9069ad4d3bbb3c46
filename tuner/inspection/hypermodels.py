"""The space of a KerasTuner model: found by building it, with the spec's `space` laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from trainables.contract import Data, Trainable
from trainables.kerastuner import HyperTrainable
from trainables.kerastuner.spaces import FoundSpace
from trainables.kerastuner.standin import is_stand_in
from tuner.inspection.fit import extremes
from tuner.spec import SweepSpec
from tuner.spec.feasible import value_problems
from tuner.spec.space import AnyParameter, Space, nearest, shown

OURS = ("batch_size", "epochs")
"""Parameters that a spec may search of any HyperModel."""


@dataclass(frozen=True)
class Completed:
    """A spec whose space is whole, and what is to be said about it."""

    spec: SweepSpec
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_adapted(trainable: type[Trainable]) -> bool:
    """Whether a trainable is a KerasTuner model."""
    return issubclass(trainable, HyperTrainable)


def completed(spec: SweepSpec, trainable: HyperTrainable, data: Data | None) -> Completed:
    """The spec with what building finds and its `space` does not name.

    Raises:
        Exception: whatever the user's `build` raises.
    """
    found = trainable.found_space(data)
    warnings = [f"trainable: {note}" for note in found.notes]
    if is_stand_in():
        warnings.append("trainable: keras_tuner is not installed; Tuner's own HyperModel and hp stand in for it")
    written = spec.space.model_dump(exclude_defaults=True)
    unknown = [
        f"space.{name}: the model asks for no such hyperparameter{nearest(name, [*found.parameters, *OURS])}"
        for name in written
        if name not in found.parameters and name not in OURS
    ]
    space = _laid_over(found, {name: value for name, value in written.items() if name in found.parameters})
    space |= {name: written[name] for name in OURS if name in written and name not in space}
    try:
        whole = Space.model_validate(space)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in message["loc"][:1])
        return Completed(spec, [*unknown, f"space{path and '.'}{path}: {message['msg']}"], warnings)
    complete = spec.model_copy(update={"space": whole})
    return Completed(complete, [*unknown, *epochs_problems(complete), *feasible_problems(complete)], warnings)


def _laid_over(found: FoundSpace, written: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the spec in place of those that were found, with the conditions that these have."""
    space: dict[str, Any] = {}
    for name, parameter in found.parameters.items():
        own = written.get(name, parameter)
        when = parameter.get("when") if isinstance(parameter, dict) else None
        if name in written and when is not None and not (isinstance(own, dict) and "when" in own):
            own = {**(own if isinstance(own, dict) else {"value": own}), "when": when}
        if isinstance(own, dict) and own.get("when"):
            possible = {parent: _possible(values, space.get(parent)) for parent, values in own["when"].items()}
            if [] in possible.values():
                continue  # never active in the narrowed space
            own = {**own, "when": {parent: v[0] if len(v) == 1 else v for parent, v in possible.items()}}
        space[name] = own
    return space


def _possible(values: Any, parent: Any) -> list[Any]:
    """The values of a condition that a parent's parameter can have, which a spec may have narrowed."""
    wanted = values if isinstance(values, list) else [values]
    try:
        parameter = Space.model_validate({"parent": _unconditional(parent)})["parent"]
    except ValidationError:
        return wanted
    return [value for value in wanted if parameter.contains(value)]


def _unconditional(parameter: Any) -> Any:
    if not isinstance(parameter, dict):
        return parameter
    return {name: value for name, value in parameter.items() if name != "when"}


def feasible_problems(spec: SweepSpec) -> list[str]:
    """Conditions that are none, or that no configuration of a whole space meets."""
    return [f"{path}: {rule}" for path, rule in value_problems(spec.feasible, spec.space, spec.search.seed)]


def epochs_problems(spec: SweepSpec) -> list[str]:
    """Numbers of epochs in the space that are above the spec's."""
    epochs: AnyParameter | None = spec.space.root.get("epochs")
    if epochs is None:
        return []
    return [
        f"space.epochs{place}: must not be above epochs.max ({spec.epochs.max}), but got {shown(value)}"
        for place, value in extremes(epochs)
        if isinstance(value, int) and value > spec.epochs.max
    ]
