"""KerasTuner's `hp`: hyperparameters are declared where they are used, and have the values of a trial.

As in KerasTuner, one is known by its name, scopes included, and by the conditions around it; one whose condition does
not hold is registered, and is None.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from trainables.kerastuner.declared import Condition, Declared, choice, number
from trainables.kerastuner.names import identifier, with_conditions


class HyperParameters:
    """Hyperparameters as they are declared, and their values.

    Args:
        given: a trial's values by our names; what it lacks has its default.

    Attributes:
        values: the active hyperparameters' values by name.
        defaulted: names that were asked for, but that a trial's values lack.
    """

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = {}
        self.defaulted: list[str] = []
        self._given = given
        self._space: list[Declared] = []
        self._scopes: list[str] = []
        self._conditions: list[Condition] = []

    @property
    def space(self) -> list[Declared]:
        """What was declared, in order."""
        return self._space

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Names within begin with `name/`."""
        self._scopes.append(str(name))
        try:
            yield
        finally:
            self._scopes.pop()

    @contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        """What is declared within is active where the parent has one of these values.

        Raises:
            ValueError: there is no such parent.
        """
        name = self._full(parent_name)
        if not any(declared.name == name for declared in self._space):
            raise ValueError(f"conditional_scope: there is no hyperparameter {name!r}")
        self._conditions.append(Condition.of(name, parent_values))
        try:
            yield
        finally:
            self._conditions.pop()

    def Int(
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str | None = "linear",
        default: int | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """A whole number between inclusive bounds; with a logarithmic sampling `step` is a factor."""
        fields = number("Int", self._full(name), min_value, max_value, step, sampling, default)
        return self._asked(name, fields, parent_name, parent_values)

    def Float(
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str | None = "linear",
        default: float | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """A number between inclusive bounds; with a logarithmic sampling `step` is a factor."""
        fields = number("Float", self._full(name), min_value, max_value, step, sampling, default)
        return self._asked(name, fields, parent_name, parent_values)

    def Choice(
        self,
        name: str,
        values: Sequence[Any],
        ordered: bool | None = None,
        default: Any = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """One of several values of one type."""
        return self._asked(name, choice(self._full(name), values, default), parent_name, parent_values)

    def Boolean(
        self, name: str, default: bool = False, parent_name: str | None = None, parent_values: Any = None
    ) -> Any:
        """True or false."""
        if default not in (True, False):
            raise ValueError(f"hp.Boolean({name!r}): the default must be True or False, but got {default!r}")
        fields = {"kind": "Boolean", "values": (False, True), "default": default}
        return self._asked(name, fields, parent_name, parent_values)

    def Fixed(self, name: str, value: Any, parent_name: str | None = None, parent_values: Any = None) -> Any:
        """A value that is not searched."""
        if not isinstance(value, bool | int | float | str):
            raise ValueError(
                f"hp.Fixed({name!r}): the value must be a number, text or a truth value, but got {value!r}"
            )
        fields = {"kind": "Fixed", "values": (value,), "default": value}
        return self._asked(name, fields, parent_name, parent_values)

    def get(self, name: str) -> Any:
        """The value of an active hyperparameter.

        Raises:
            ValueError: it is not active.
            KeyError: there is none.
        """
        name = self._full(name)
        if name in self.values:
            return self.values[name]
        if any(declared.name == name for declared in self._space):
            raise ValueError(f"{name} is currently inactive.")
        raise KeyError(f"{name} does not exist.")

    __getitem__ = get

    def __contains__(self, name: str) -> bool:
        return self._full(name) in self.values

    def is_active(self, hyperparameter: str | Declared) -> bool:
        """Whether the conditions of one, or of any with this name, hold."""
        if isinstance(hyperparameter, Declared):
            return all(condition.holds(self.values) for condition in hyperparameter.conditions)
        return any(self.is_active(declared) for declared in self._space if declared.name == hyperparameter)

    def copy(self) -> HyperParameters:
        """One of its own: what it declares is not known here."""
        return copy.deepcopy(self)

    def _full(self, name: str) -> str:
        return "/".join([*self._scopes, str(name)])

    def _asked(self, name: str, fields: Mapping[str, Any], parent: str | None, parent_values: Any) -> Any:
        with self.conditional_scope(parent, parent_values) if parent else nullcontext():
            full, conditions = self._full(name), tuple(self._conditions)
            if any(condition.name == full for condition in conditions):
                raise ValueError(f"{full}: must not have the name of its own parent")
            known = [one for one in self._space if (one.name, one.conditions) == (full, conditions)]
            declared = known[0] if known else Declared(name=full, conditions=conditions, **fields)
            if not known:
                self._space.append(declared)
            if not self.is_active(declared):
                return None
            if not known or full not in self.values:
                self.values[full] = self._value(declared)
            return self.values[full]

    def _value(self, declared: Declared) -> Any:
        """The trial's, by the name of its condition or by its own; else what was set before, else the default."""
        for name in (with_conditions(declared), identifier(declared.name)):
            if self._given is not None and name in self._given:
                return declared.typed(self._given[name])
        if declared.name in self.values:
            return self.values[declared.name]
        if self._given is not None and declared.kind != "Fixed":
            self.defaulted.append(declared.name)
        return declared.default
