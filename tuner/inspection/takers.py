"""Which optimizers and schedules take a training parameter: pure rules of the space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from trainables.contract import Params, TrainingParams
from trainables.settings import NAMES, OPTIMIZER_PARAMS, SCHEDULE_PARAMS, own_names
from tuner.base.text import listed
from tuner.spec import SweepSpec
from tuner.spec.space import shown


def _takers(table: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """By parameter, who takes it."""
    names = dict.fromkeys(name for taken in table.values() for name in taken)
    return {name: tuple(kind for kind, taken in table.items() if name in taken) for name in names}


OPTIMIZERS = _takers(OPTIMIZER_PARAMS)
"""By parameter, the optimizers that have it."""
SCHEDULES = _takers(SCHEDULE_PARAMS)
"""By parameter, the schedules that have it."""
ONLY_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    **{name: ("schedule", takers) for name, takers in SCHEDULES.items()},
    "ema_momentum": ("use_ema", (True,)),
}
"""Other training parameters that have an effect with some values of another one alone."""


def mismatches(
    spec: SweepSpec, known: type[Params], drawn: Sequence[Mapping[str, Any]], read: Iterable[str] = ()
) -> list[str]:
    """Parameters of the space that the chosen optimizer or schedule does not have, and values that do not go together.

    Args:
        read: parameters that the trainable's own code asks for, which may give them another use.
    """
    if not issubclass(known, TrainingParams):
        return []
    left_out = {*read, *own_names(known)}
    lines = map(_mismatch, _taken(spec, known, drawn, left_out))
    average = [] if "ema_momentum" in left_out else [_idle_average(spec, known, drawn)]
    return [*filter(None, [*lines, *average]), *_not_together(known, drawn)]


@dataclass(frozen=True)
class _Taken:
    """A parameter of the space that some of the optimizers (or schedules) take."""

    spec: SweepSpec
    name: str
    kind: str
    """optimizer or schedule."""
    takers: Sequence[str]
    active: Sequence[Mapping[str, Any]]
    """The configurations that give it; see `_given`."""
    default: str
    """The optimizer, or schedule, where none is given."""


def _taken(
    spec: SweepSpec, known: type[Params], drawn: Sequence[Mapping[str, Any]], left_out: Iterable[str]
) -> Iterator[_Taken]:
    for name in spec.space:
        for kind, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if name in table and name not in left_out:
                active = _given(known, drawn, name)
                yield _Taken(spec, name, kind, table[name], active, known.model_fields[kind].default)


def _mismatch(one: _Taken) -> str:
    """Why a parameter fits none of the optimizers (or schedules) that it is active with; empty where it fits."""
    if not one.active:
        return ""
    spec, name, kind, takers = one.spec, one.name, one.kind, one.takers
    found = sorted({params.get(kind, one.default) for params in one.active})
    only = f"only {listed(takers)} {'has' if len(takers) == 1 else 'have'} it"
    wanted = (spec.space[name].when or {}).get(kind, [])
    wanted = wanted if isinstance(wanted, list | tuple) else [wanted]
    if lacking := [other for other in wanted if other not in takers]:
        return f"space.{name}.when.{kind}: {listed(lacking)} {_has(lacking)} no {name}; {only}"
    is_told = kind == "schedule" and name in spec.space.searched  # with all else that is searched without effect
    if is_told or set(found) & set(takers):
        return ""
    return f"space.{name}: {listed(found)} {_has(found)} no {name}; {only}: leave it out, or choose another {kind}"


def _idle_average(spec: SweepSpec, known: type[Params], drawn: Sequence[Mapping[str, Any]]) -> str:
    """A line about a constant ema_momentum without an average."""
    active = [] if "ema_momentum" in spec.space.searched else _given(known, drawn, "ema_momentum")
    if not active or any(params.get("use_ema", known.model_fields["use_ema"].default) for params in active):
        return ""
    return "space.ema_momentum: has an effect with use_ema only: leave it out, or add use_ema: true"


def _given(known: type[Params], drawn: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """The configurations with a parameter; none where all have its default."""
    default = known.model_fields[name].default
    active = [params for params in drawn if name in params]
    return [] if all(params[name] == default for params in active) else active


def _not_together(known: type[Params], drawn: Sequence[Mapping[str, Any]]) -> list[str]:
    """What training refuses of whole configurations."""
    names = set(NAMES) - own_names(known)
    lines: dict[str, None] = {}
    for params in drawn:
        try:
            TrainingParams(**{name: value for name, value in params.items() if name in names})
        except ValidationError as error:
            whole = [item for item in error.errors() if not item["loc"]]
            lines |= dict.fromkeys(f"space: {item['msg'].removeprefix('Value error, ')}" for item in whole)
    return list(lines)


def taker_warnings(spec: SweepSpec, known: type[Params], drawn: Sequence[Mapping[str, Any]]) -> list[str]:
    """Parameters without effect in some trials, as optimizer or schedule lack them or the trainable has its own."""
    if not issubclass(known, TrainingParams):
        return []
    own = own_names(known)
    optimizer, schedule = ({params.get(name) for params in drawn} for name in ("optimizer", "schedule"))
    taken = {name for kind in optimizer for name in OPTIMIZER_PARAMS.get(str(kind), ())}
    taken |= {name for kind in schedule for name in SCHEDULE_PARAMS.get(str(kind), ())}
    lines = [
        f"trainable: its Params have {name} for themselves, so optimizer and schedule keep Keras's default"
        for name in sorted(own & taken)
    ]
    return [*lines, *filter(None, map(_partly, _taken(spec, known, drawn, own)))]


def _partly(one: _Taken) -> str:
    """A line about a parameter that is given with optimizers (or schedules) that have it and with others."""
    name, kind = one.name, one.kind
    found = sorted({str(params[kind]) for params in one.active if kind in params})
    lacking, having = ([other for other in found if (other in one.takers) is takes] for takes in (False, True))
    if not lacking or not having:
        return ""
    when = f"when: {{{kind}: {having[0] if len(having) == 1 else '[' + ', '.join(having) + ']'}}}"
    is_searched = name in one.spec.space.searched
    way = f"add {when}" if is_searched else f"write {{value: {shown(one.active[0][name])}, {when}}}"
    return f"space.{name}: {listed(lacking)} {_has(lacking)} no {name}, so it has no effect there; {way}"


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
