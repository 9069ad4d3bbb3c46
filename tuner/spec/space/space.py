"""The search space: named parameters in order, and conditions between them. Independent of Ray and Hyperopt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, ConfigDict, Field, RootModel, model_validator
from pydantic_core import PydanticCustomError

from tuner.base.words import Params, Scalar, nearest, number_text, same, shown
from tuner.spec.space.parameters import Choice, Constant, Parameter
from tuner.spec.space.ranges import Float, Int

if TYPE_CHECKING:
    import numpy as np

MAX_PARAMETERS = 200
MAX_PROBLEMS = 50
"""The most problems of conditions that are reported at once."""


def _check_name(name: str) -> str:
    if not name.isidentifier() or len(name) > 100:
        rule = "a parameter's name must be letters, digits and underscores, 100 at most, but got {got}"
        raise PydanticCustomError("rule", rule, {"got": shown(name)})
    return name


_Parameters = Annotated[dict[Annotated[str, AfterValidator(_check_name)], Parameter], Field(max_length=MAX_PARAMETERS)]


class Space(RootModel[_Parameters]):
    """Named parameters in the order of the spec; a condition may only refer to earlier ones."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _check_conditions(self) -> Space:
        problems = condition_problems(self.root)
        if problems:
            text = "; ".join(f"{path}: {message}" for path, message in problems)
            raise PydanticCustomError("conditions", "{text}", {"text": text})
        return self

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        return iter(self.root)

    def __getitem__(self, name: str) -> Float | Int | Choice | Constant:
        return self.root[name]

    def __contains__(self, name: str) -> bool:
        return name in self.root

    def items(self) -> Iterable[tuple[str, Float | Int | Choice | Constant]]:
        return self.root.items()

    @property
    def searched(self) -> list[str]:
        """The names of the parameters that are not constants."""
        return [name for name, parameter in self.items() if not isinstance(parameter, Constant)]

    def is_active(self, name: str, params: Mapping[str, Scalar]) -> bool:
        """Whether a parameter's conditions hold; a condition on an inactive parameter does not."""
        for other, wanted in (self[name].when or {}).items():
            values = wanted if isinstance(wanted, list) else [wanted]
            if other not in params or not any(same(params[other], value) for value in values):
                return False
        return True

    def from_units(self, units: Mapping[str, float]) -> Params:
        """The configuration at a point of the unit cube; inactive parameters are absent."""
        params: Params = {}
        for name, parameter in self.items():
            if self.is_active(name, params):
                params[name] = parameter.from_unit(units.get(name, 0.5))
        return params

    def sample(self, rng: np.random.Generator) -> Params:
        """An independent draw; consumes the same number of random numbers whatever is active."""
        return self.from_units({name: float(rng.random()) for name in self.searched})

    def covers(self, params: Mapping[str, Scalar]) -> bool:
        """Whether each value lies within its parameter's bounds, whether or not it is on the grid."""
        return all(self.root[name].covers(value) for name, value in params.items())

    def grid(self) -> Iterator[Params]:
        """Every configuration of a finite space, the last parameter changing fastest.

        Raises:
            ValueError: a parameter is continuous; the message names it.
        """
        for name, parameter in self.items():
            if parameter.size is None:
                raise ValueError(f"space.{name}: a grid needs a step, num or choices, but got a continuous range")
        return self._grid({}, list(self))

    def _grid(self, params: Params, rest: list[str]) -> Iterator[Params]:
        if not rest:
            yield params
            return
        name, *later = rest
        if not self.is_active(name, params):
            yield from self._grid(params, later)
            return
        for value in self[name].values():
            yield from self._grid({**params, name: value}, later)

    def size(self, at_most: int = 100_000) -> int | None:
        """The number of configurations; None if it is infinite or larger than `at_most`."""
        if any(parameter.size is None for _, parameter in self.items()):
            return None
        count = sum(1 for _ in islice(self.grid(), at_most + 1))
        return count if count <= at_most else None


def condition_problems(
    parameters: Mapping[str, Float | Int | Choice | Constant], declared: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """The first problems with the conditions of a space, as (path below `space`, message).

    `declared` names parameters that exist but are invalid: conditions on them cannot be checked.
    """
    return list(islice(_condition_problems(parameters, set(declared) - set(parameters)), MAX_PROBLEMS))


def _condition_problems(
    parameters: Mapping[str, Float | Int | Choice | Constant], invalid: set[str]
) -> Iterator[tuple[str, str]]:
    seen = set(invalid)
    for name, parameter in parameters.items():
        for other, wanted in (parameter.when or {}).items():
            path = f"{name}.when.{other}"
            if (other not in parameters and other not in invalid) or other == name:
                hint = nearest(other, [candidate for candidate in (*parameters, *invalid) if candidate != name])
                yield path, f"a condition must name a parameter of the space, but got {shown(other)}{hint}"
            elif other not in seen:
                yield path, f"a condition must name an earlier parameter, but {other!r} comes after {name!r}"
            elif other in parameters:
                for value in wanted if isinstance(wanted, list) else [wanted]:
                    if not parameters[other].contains(value):
                        hint = _nearest_value(value, parameters[other])
                        yield path, f"must be a value of {other!r}, but got {shown(value)}{hint}"
        seen.add(name)


def _nearest_value(value: Scalar, parameter: Float | Int | Choice | Constant) -> str:
    if isinstance(parameter, Choice | Constant):
        return nearest(value, parameter.values())
    return f"; it goes from {number_text(parameter.low)} to {number_text(parameter.high)}"
