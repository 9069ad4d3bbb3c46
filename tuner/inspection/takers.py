"""Which optimizers and schedules take a training parameter: pure rules of the space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from trainables.contract import Params, TrainingParams
from trainables.settings import NAMES, OPTIMIZER_PARAMS, SCHEDULE_PARAMS, own_names
from tuner.spec import SweepSpec


def _takers(table: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """By parameter, who takes it."""
    names = dict.fromkeys(name for taken in table.values() for name in taken)
    return {name: tuple(kind for kind, taken in table.items() if name in taken) for name in names}


OPTIMIZERS = _takers(OPTIMIZER_PARAMS)
"""By parameter, the optimizers that have it."""
ONLY_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    **{name: ("schedule", takers) for name, takers in _takers(SCHEDULE_PARAMS).items()},
    "ema_momentum": ("use_ema", (True,)),
}
"""Other training parameters that have an effect with some values of another one alone."""


def mismatches(
    spec: SweepSpec, known: type[Params], drawn: Sequence[Mapping[str, Any]], read: Iterable[str] = ()
) -> list[str]:
    """Parameters of the space that the chosen optimizer does not have, and values that do not go together.

    Args:
        read: parameters that the trainable's own code asks for, which may give them another use.
    """
    if not issubclass(known, TrainingParams):
        return []
    names = [name for name in spec.space if name in OPTIMIZERS and name not in own_names(known)]
    lines = [_mismatch(spec, known, drawn, name) for name in names if name not in set(read)]
    return [*filter(None, lines), *_not_together(known, drawn)]


def _mismatch(spec: SweepSpec, known: type[Params], drawn: Sequence[Mapping[str, Any]], name: str) -> str:
    """Why a parameter fits none of the optimizers that it is active with; empty where it fits."""
    parameter, takers = spec.space[name], OPTIMIZERS[name]
    default = known.model_fields[name].default
    active = [params for params in drawn if name in params]
    if not active or all(params[name] == default for params in active):
        return ""
    only = f"only {_and(takers)} {'has' if len(takers) == 1 else 'have'} it"
    wanted = (parameter.when or {}).get("optimizer", [])
    wanted = wanted if isinstance(wanted, list | tuple) else [wanted]
    if lacking := [optimizer for optimizer in wanted if optimizer not in takers]:
        return f"space.{name}.when.optimizer: {_and(lacking)} {_has(lacking)} no {name}; {only}"
    found = sorted({params.get("optimizer", known.model_fields["optimizer"].default) for params in active})
    if set(found) & set(takers):
        return ""
    return f"space.{name}: {_and(found)} {_has(found)} no {name}; {only}: leave it out, or choose another optimizer"


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
    """Parameters of the optimizer without effect in some trials, and those that the trainable has for itself."""
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
    names = [name for name in spec.space.searched if name in OPTIMIZERS and name not in own]
    return [*lines, *filter(None, (_partly(drawn, name) for name in names))]


def _partly(drawn: Sequence[Mapping[str, Any]], name: str) -> str:
    """A line about a parameter that is searched with optimizers that have it and with others."""
    found = sorted({str(params["optimizer"]) for params in drawn if name in params and "optimizer" in params})
    lacking, takers = ([kind for kind in found if (kind in OPTIMIZERS[name]) is is_taker] for is_taker in (False, True))
    if not lacking or not takers:
        return ""
    when = f"when: {{optimizer: {takers[0] if len(takers) == 1 else '[' + ', '.join(takers) + ']'}}}"
    return f"space.{name}: {_and(lacking)} {_has(lacking)} no {name}, so it has no effect there; add {when}"


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
