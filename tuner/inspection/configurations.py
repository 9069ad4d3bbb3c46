"""Which configurations are tried before a sweep, and what is asked about its parameters: pure rules of the space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trainables.contract import Params, TrainingParams
from trainables.probing.effects import Question
from trainables.settings import own_names
from tuner.inspection.takers import ONLY_WITH
from tuner.policy import Policy
from tuner.spec import SweepSpec
from tuner.spec.feasible import Feasible
from tuner.spec.space import AnyParameter, Choice, Float, Int, Repeated, shown

NUM_DRAWS = 64
"""Configurations that are looked at for one with a parameter active, or unlike the first one."""
NUM_BASES = 4
"""Configurations in which a parameter is given other values before it is said to have no effect."""

_SAME_OPTIMIZERS = (["adam", "adamw"], ["adamw", "adam"])
TRAINING_PARAMS = tuple(TrainingParams.model_fields)


def draws(spec: SweepSpec) -> list[dict[str, Any]]:
    """The sweep's first configuration, and others drawn from its space; inactive parameters are absent."""
    first = Policy(spec.search_settings).propose()
    assert first is not None
    drawn = (spec.space.sample(np.random.default_rng([spec.search.seed, n])) for n in range(NUM_DRAWS))
    others = filter(Feasible(spec.feasible), drawn)
    return [{"epochs": first.epochs, **first.params}, *({"epochs": spec.epochs.max, **params} for params in others)]


def configurations(spec: SweepSpec, drawn: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first configuration and, where the space chooses between models, the one that is most unlike it."""
    first, *others = drawn
    deciding = [name for name, parameter in spec.space.items() if _decides(name, parameter)]

    def unlike(params: Mapping[str, Any]) -> int:
        return sum(params.get(name) != first.get(name) for name in deciding)

    other = max(others, key=unlike, default=first)
    return [first, other] if unlike(other) else [first]


def _decides(name: str, parameter: AnyParameter) -> bool:
    """Whether a parameter may decide what the model is made of."""
    kind = parameter.element if isinstance(parameter, Repeated) else parameter
    return name not in TRAINING_PARAMS and isinstance(kind, Int | Choice)


def questions(spec: SweepSpec, drawn: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[Question]:
    """Whether these parameters have an effect, each where it is active; none is asked that never is."""
    asked = []
    counters = {parameter.repeat for _, parameter in spec.space.items() if isinstance(parameter, Repeated)}
    for name in (name for name in names if name not in counters):  # which a list shows by its length
        parameter = spec.space[name]
        bases = _bases(name, drawn)
        if isinstance(parameter, Repeated):
            bases, values = _of_lists(parameter, name, bases)
        else:
            values = _unlike_values(parameter)
        if bases and len(values) > 1:
            asked.append(Question(name, values, bases))
    return asked


def _bases(name: str, drawn: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Configurations with this parameter, each as unlike those before as can be."""
    rest = [params for params in drawn if name in params]
    chosen = rest[:1]
    while rest and len(chosen) < NUM_BASES:
        other = max(rest, key=lambda params: min(_distance(params, one, name) for one in chosen))
        if not min(_distance(other, one, name) for one in chosen):
            break
        chosen.append(other)
    return chosen


def _distance(one: Mapping[str, Any], other: Mapping[str, Any], but: str) -> int:
    return sum(one.get(name) != other.get(name) for name in {*one, *other} - {but, *TRAINING_PARAMS})


def _of_lists(
    parameter: Repeated, name: str, bases: list[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[Any]]:
    """The configurations with the longest list, and lists of that length that are unlike each other."""
    longest = max((len(params[name]) for params in bases), default=0)
    values = [[value] * longest for value in _unlike_values(parameter.element)] if longest else []
    return [params for params in bases if len(params[name]) == longest], values


def _unlike_values(parameter: AnyParameter) -> list[Any]:
    if isinstance(parameter, Choice):
        values = parameter.values()
        return values if len(values) <= 3 else [values[0], values[len(values) // 2], values[-1]]
    if isinstance(parameter, Float | Int) and parameter.low != parameter.high:
        return [parameter.from_unit(0.0), parameter.from_unit(1.0)]
    return []


def idle_training_params(
    spec: SweepSpec, known: type[Params], drawn: Sequence[Mapping[str, Any]], read: Iterable[str] = ()
) -> dict[str, str]:
    """Searched training parameters that no configuration makes use of, and why.

    Args:
        read: parameters that the trainable's own code asks for, which may give them another use.
    """
    defaults = {name: info.get_default(call_default_factory=True) for name, info in known.model_fields.items()}
    idle, own = {}, own_names(known)
    for name in spec.space.searched:
        active = [{**defaults, **params} for params in drawn if name in params]
        if name in read or name in own or not active:
            continue
        if name in ONLY_WITH:
            other, takers = ONLY_WITH[name]
            found = {params[other] for params in active}
            if not found & set(takers):
                idle[name] = (
                    f"only {' and '.join(map(_text, takers))} {'takes' if len(takers) == 1 else 'take'} it, but {other}"
                    f" is always {' or '.join(sorted(map(_text, found)))}"
                )
        parameter = spec.space[name]
        is_same = isinstance(parameter, Choice) and parameter.choices in _SAME_OPTIMIZERS
        if name == "optimizer" and is_same and all("weight_decay" in params for params in drawn):
            idle[name] = "adam and adamw are the same here: weight_decay alone makes the difference"
    return idle


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def effect_lines(reasons: Mapping[str, str]) -> list[str]:
    """A line for each parameter without effect."""
    return [f"space.{name}: has no effect: {why}" for name, why in reasons.items()]


def structure_text(params: Mapping[str, Any]) -> str:
    """A configuration's own parameters, for messages."""
    return ", ".join(f"{name} {shown(value)}" for name, value in params.items() if name not in TRAINING_PARAMS)
