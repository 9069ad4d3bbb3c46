"""Which configurations of a space are feasible, by the conditions that a spec states: `units * depth <= 512`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tuner.spec.expressions import Expression, ExpressionError, parse
from tuner.spec.space import Params, Space, nearest, shown

DRAWS_MAX = 10_000
"""How many draws of a space that cannot be counted must hold a feasible one."""
SHARE_DRAWS = 1_000
_CONDITIONS_MAX = 50


def _check_conditions(written: Any) -> Any:
    """One condition may be written without a list."""
    texts = [] if written is None else [written] if isinstance(written, str) else written
    if not isinstance(texts, list | tuple) or len(texts) > _CONDITIONS_MAX:
        rule = f"must be a condition such as {shown('units * depth <= 512')}, or a list of at most {_CONDITIONS_MAX}"
        raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": rule, "got": shown(written)})
    return [_checked(text, index if len(texts) > 1 else None) for index, text in enumerate(texts)]


def _checked(text: Any, index: int | None) -> str:
    where = {} if index is None else {"field": index}
    if not isinstance(text, str):
        rule = f"must be a condition such as {shown('units * depth <= 512')}, but got {shown(text)}"
        raise PydanticCustomError("rule", "{rule}", {**where, "rule": rule})
    try:
        return parse(text, is_condition=True).text
    except ExpressionError as error:
        raise PydanticCustomError("rule", "{rule}", {**where, "rule": str(error)}) from None


Conditions = Annotated[
    list[str],
    BeforeValidator(_check_conditions),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Feasible:
    """Tells which configurations meet all conditions.

    A condition on what is inactive, such as a parameter whose `when` does not hold or a list's third value where it has
    two, does not apply. A condition that has no value, such as 1 / 0 > x, is not met.
    """

    def __init__(self, conditions: Sequence[str] = ()) -> None:
        self._expressions = [parse(text, is_condition=True) for text in conditions]

    def __bool__(self) -> bool:
        """Whether there are any conditions."""
        return bool(self._expressions)

    def __call__(self, params: Mapping[str, Any]) -> bool:
        return all(_holds(expression, params) for expression in self._expressions)

    def unmet(self, params: Mapping[str, Any]) -> str:
        """The first condition that a configuration does not meet; empty if it meets all."""
        return next((one.text for one in self._expressions if not _holds(one, params)), "")


def _holds(expression: Expression, params: Mapping[str, Any]) -> bool:
    try:
        return bool(expression.value(params))
    except LookupError:  # inactive
        return True
    except (ArithmeticError, ValueError, TypeError):
        return False


def name_problems(conditions: Sequence[str], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names in conditions that no parameter has, as (path, rule)."""
    for path, text in _paths(conditions):
        for name in parse(text, is_condition=True).names:
            if name not in known:
                yield path, f"must name parameters of the space, but got {shown(name)}{nearest(name, known)}"


def value_problems(conditions: Sequence[str], space: Space, seed: int) -> Iterator[tuple[str, str]]:
    """Conditions that are none, or that no configuration meets, as (path, rule)."""
    drawn = _draws(space, seed, SHARE_DRAWS)
    for path, text in _paths(conditions):
        if rule := next(filter(None, (_rule(parse(text, is_condition=True), params) for params in drawn)), ""):
            yield path, rule
            return
    feasible = Feasible(conditions)
    if conditions and not any(map(feasible, drawn)):
        every = space.grid() if space.size() is not None else iter(_draws(space, seed, DRAWS_MAX))
        if not any(map(feasible, every)):
            count = space.size()
            of = f"any of the space's {count} configurations" if count else f"any of {DRAWS_MAX} draws from the space"
            yield "feasible", f"must hold for {of}, but holds for none: {' and '.join(conditions)}"


def infeasible_share(conditions: Sequence[str], space: Space, seed: int) -> float:
    """The share of a space's draws that do not meet the conditions."""
    feasible = Feasible(conditions)
    drawn = _draws(space, seed, SHARE_DRAWS) if feasible else []
    return sum(not feasible(params) for params in drawn) / len(drawn) if drawn else 0.0


def num_feasible(conditions: Sequence[str], space: Space) -> int | None:
    """The number of feasible configurations; None if they cannot be counted."""
    if not conditions or space.size() is None:
        return space.size()
    return sum(map(Feasible(conditions), space.grid()))


def _rule(expression: Expression, params: Params) -> str:
    """What is wrong with a condition's value for a configuration."""
    try:
        value = expression.value(params)
    except (LookupError, ArithmeticError, ValueError):
        return ""
    except TypeError as error:
        named = ", ".join(f"{name} {shown(params[name])}" for name in expression.names if name in params)
        return f"must have a value for every configuration, but with {named}: {error}"
    if isinstance(value, bool):
        return ""
    return f"must be a condition such as {shown(f'{expression.text} <= 512')}, but got {shown(expression.text)}"


def _paths(conditions: Sequence[str]) -> Iterator[tuple[str, str]]:
    for index, text in enumerate(conditions):
        yield "feasible" if len(conditions) == 1 else f"feasible[{index}]", text


def _draws(space: Space, seed: int, count: int) -> list[Params]:
    import numpy as np

    rng = np.random.default_rng([seed, count])
    return [space.sample(rng) for _ in range(count)]


def infeasible_figures(spec: Mapping[str, Any], num_infeasible: int, num_trials: int) -> dict[str, Any]:
    """How much was infeasible: trials whose code said so, and draws that the conditions of a resolved spec refuse."""
    conditions, draws_share = spec.get("feasible") or [], 0.0
    if conditions:
        seed = int((spec.get("search") or {}).get("seed", 0))
        draws_share = infeasible_share(conditions, Space.model_validate(spec["space"]), seed)
    share = num_infeasible / num_trials if num_trials else 0.0
    return {"trials": num_infeasible, "share": round(share, 4), "draws_share": round(draws_share, 4)}
