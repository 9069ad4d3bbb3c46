"""The search space: named parameters in order, and conditions between them. Independent of Ray and Hyperopt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, RootModel, model_validator
from pydantic_core import PydanticCustomError

from tuner.base.words import Params, Value, same, shown
from tuner.spec.space.choice import Choice
from tuner.spec.space.conditions import MAX_PARAMETERS, condition_problems, count_max, wanted_values
from tuner.spec.space.parameters import AnyParameter, Constant, Parameter
from tuner.spec.space.ranges import Float, Int
from tuner.spec.space.repeated import Repeated, label

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Space", "condition_problems", "has_lists"]


def _check_name(name: str) -> str:
    if not name.isidentifier() or len(name) > 100:
        rule = "a parameter's name must be letters, digits and underscores, 100 at most, but got {got}"
        raise PydanticCustomError("rule", rule, {"got": shown(name)})
    return name


_Parameters = Annotated[dict[Annotated[str, AfterValidator(_check_name)], Parameter], Field(max_length=MAX_PARAMETERS)]


class Space(RootModel[_Parameters]):
    """Named parameters in the order of the spec; a condition may only refer to earlier ones.

    A sampler searches its `dimensions`: each parameter that is not a constant, and each value of a list by itself.
    """

    model_config = ConfigDict(frozen=True, ignored_types=(cached_property,))

    @model_validator(mode="after")
    def _check_conditions(self) -> Space:
        problems = condition_problems(self.root)
        if problems:
            text = "; ".join(f"{path}: {message}" for path, message in problems)
            raise PydanticCustomError("conditions", "{text}", {"text": text})
        return self

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        return iter(self.root)

    def __getitem__(self, name: str) -> AnyParameter:
        return self.root[name]

    def __contains__(self, name: str) -> bool:
        return name in self.root

    def items(self) -> Iterable[tuple[str, AnyParameter]]:
        return self.root.items()

    @property
    def searched(self) -> list[str]:
        """The names of the parameters that are not constants."""
        return [name for name, parameter in self.items() if not isinstance(parameter, Constant)]

    @property
    def fixed(self) -> dict[str, Value]:
        """The parameters that have one value in every trial."""
        constants = ((name, p) for name, p in self.items() if isinstance(p, Constant) and not p.when)
        return {name: constant.value for name, constant in constants}

    @cached_property
    def dimensions(self) -> dict[str, Float | Int | Choice]:
        """What is searched, by label: `depth`, and `units[0]`, `units[1]`, … of a list."""
        found: dict[str, Float | Int | Choice] = {}
        for name, parameter in self.items():
            if isinstance(parameter, Repeated):
                found |= {label(name, index): parameter.element for index in range(self.count_max(name))}
            elif not isinstance(parameter, Constant):
                found[name] = parameter
        return found

    def count_max(self, name: str) -> int:
        """The most values that a list has."""
        parameter = self[name]
        assert isinstance(parameter, Repeated)
        return count_max(parameter, self.root)

    def count(self, name: str, params: Mapping[str, Value]) -> int:
        """How many values an active list has in a configuration."""
        parameter = self[name]
        assert isinstance(parameter, Repeated)
        number = parameter.repeat if isinstance(parameter.repeat, int) else params[parameter.repeat]
        return int(number)  # type: ignore[arg-type]

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The searched values of a configuration, by label."""
        values: dict[str, Any] = {}
        for name, value in params.items():
            parameter = self.root.get(name)
            if isinstance(parameter, Repeated):
                values |= {label(name, index): item for index, item in enumerate(value)}
            elif parameter is not None and not isinstance(parameter, Constant):
                values[name] = value
        return values

    def is_active(self, name: str, params: Mapping[str, Value]) -> bool:
        """Whether a parameter's conditions hold; a condition on an inactive parameter does not.

        A list is inactive where the parameter is that says how many values it has.
        """
        parameter = self[name]
        for other, wanted in (parameter.when or {}).items():
            if other not in params or not any(same(params[other], v) for v in wanted_values(self[other], wanted)):
                return False
        return not isinstance(parameter, Repeated) or isinstance(parameter.repeat, int) or parameter.repeat in params

    def from_units(self, units: Mapping[str, float]) -> Params:
        """The configuration at a point of the unit cube, by label; inactive parameters are absent."""
        params: Params = {}
        for name, parameter in self.items():
            if not self.is_active(name, params):
                continue
            if isinstance(parameter, Repeated):
                labels = [label(name, index) for index in range(self.count(name, params))]
                params[name] = [parameter.element.from_unit(units.get(one, 0.5)) for one in labels]
            else:
                params[name] = parameter.from_unit(units.get(name, 0.5))
        return params

    def sample(self, rng: np.random.Generator) -> Params:
        """An independent draw; consumes the same number of random numbers whatever is active."""
        return self.from_units({name: float(rng.random()) for name in self.dimensions})

    def covers(self, params: Mapping[str, Value]) -> bool:
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
        for value in self._values(name, params):
            yield from self._grid({**params, name: value}, later)

    def _values(self, name: str, params: Params) -> Iterable[Value]:
        parameter = self[name]
        if isinstance(parameter, Repeated):
            return _lists(parameter, self.count(name, params))
        return parameter.values()

    def size(self, at_most: int = 100_000) -> int | None:
        """The number of configurations; None if it is infinite or larger than `at_most`."""
        if any(parameter.size is None for _, parameter in self.items()):
            return None
        count = sum(1 for _ in islice(self.grid(), at_most + 1))
        return count if count <= at_most else None


def has_lists(space: Space, name: str) -> bool:
    """Whether a parameter, if the space has it, may have a list as its value."""
    parameter = space.root.get(name)
    if isinstance(parameter, Choice | Constant):
        return any(isinstance(value, list) for value in parameter.values())
    return isinstance(parameter, Repeated)


def _lists(parameter: Repeated, count: int) -> Iterator[list[Any]]:
    """Every list of so many values, the last one changing fastest."""
    if not count:
        yield []
        return
    for first in parameter.element.values():
        for rest in _lists(parameter, count - 1):
            yield [first, *rest]
