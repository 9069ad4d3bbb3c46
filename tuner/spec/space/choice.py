"""One of several values without an order."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from tuner.base.words import Value, shown, value_key
from tuner.spec.space.base import CheckedValue, Searched, broken


class Choice(Searched):
    """One of several values, without an order: numbers, text, true, false, null, or lists of them."""

    choices: list[CheckedValue] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_choices(self) -> Choice:
        seen: set[str] = set()
        for index, choice in enumerate(self.choices):
            if value_key(choice) in seen:
                raise broken(f"choices[{index}]", "must not stand in the list twice", shown(choice))
            seen.add(value_key(choice))
        return self

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {value_key(choice): index for index, choice in enumerate(self.choices)}

    @property
    def size(self) -> int:
        return len(self.choices)

    def from_unit(self, unit: float) -> Any:
        """The value at `unit` in [0, 1]."""
        return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]

    def to_unit(self, value: Value) -> float:
        """The position of a value in [0, 1]; the inverse of `from_unit`."""
        return (self.index(value) + 0.5) / len(self.choices)

    def index(self, value: Value) -> int:
        return self._indices[value_key(value)]

    def contains(self, value: Value) -> bool:
        return value_key(value) in self._indices

    def covers(self, value: Value) -> bool:
        return self.contains(value)

    def values(self) -> list[Value]:
        return list(self.choices)
