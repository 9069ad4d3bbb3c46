"""One parameter: a range, a choice or a constant.

Every kind maps the unit interval to its values (`from_unit`, `to_unit`), so that a sampler of the unit cube can search
any space.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import (
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from tuner.base.words import Scalar, same, shown
from tuner.spec.space.base import SCALAR_SCHEMA, BaseParameter, Value, broken
from tuner.spec.space.ranges import Float, Int


class Choice(BaseParameter):
    """One of several values of any scalar type, without an order."""

    choices: list[Value] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_choices(self) -> Choice:
        seen: set[Any] = set()
        for index, choice in enumerate(self.choices):
            if _identity(choice) in seen:
                raise broken(f"choices[{index}]", "must not stand in the list twice", shown(choice))
            seen.add(_identity(choice))
        return self

    @cached_property
    def _indices(self) -> dict[Any, int]:
        return {_identity(choice): index for index, choice in enumerate(self.choices)}

    @property
    def size(self) -> int:
        return len(self.choices)

    def from_unit(self, unit: float) -> Any:
        """The value at `unit` in [0, 1]."""
        return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]

    def to_unit(self, value: Scalar) -> float:
        """The position of a value in [0, 1]; the inverse of `from_unit`."""
        return (self.index(value) + 0.5) / len(self.choices)

    def index(self, value: Scalar) -> int:
        return self._indices[_identity(value)]

    def contains(self, value: Scalar) -> bool:
        return _identity(value) in self._indices

    def covers(self, value: Scalar) -> bool:
        return self.contains(value)

    def values(self) -> list[Scalar]:
        return list(self.choices)


class Constant(BaseParameter):
    """The same value in every trial. In YAML, the value itself or {value: …, when: …}."""

    value: Value

    @model_validator(mode="before")
    @classmethod
    def _take_bare_value(cls, written: Any) -> Any:
        if isinstance(written, list):
            raise PydanticCustomError("rule", "must be a value, {choices: […]} or {low: …, high: …}")
        return written if isinstance(written, dict | Constant) else {"value": written}

    @model_serializer(mode="wrap")
    def _give_bare_value(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.value if self.when is None else handler(self)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [SCALAR_SCHEMA, handler(schema)], "description": cls.__doc__}

    @property
    def size(self) -> int:
        return 1

    def from_unit(self, unit: float) -> Any:
        return self.value

    def to_unit(self, value: Scalar) -> float:
        return 0.5

    def contains(self, value: Scalar) -> bool:
        return same(self.value, value)

    def covers(self, value: Scalar) -> bool:
        return self.contains(value)

    def values(self) -> list[Scalar]:
        return [self.value]


class Written(dict[str, Any]):
    """A parameter written in Python, whose class gives its kind: `Float(1, 10)` is not an Int."""

    kind: ClassVar[str]


class WrittenFloat(Written):
    kind = "float"


class WrittenInt(Written):
    kind = "int"


class WrittenChoice(Written):
    kind = "choice"


def _kind(written: Any) -> str:
    """The kind of parameter that a piece of YAML describes; all-integer ranges are Ints."""
    if isinstance(written, Written):
        return written.kind
    if isinstance(written, BaseParameter):
        return type(written).__name__.lower()
    if not isinstance(written, dict) or "value" in written:
        return "constant"
    if "choices" in written:
        return "choice"
    numbers = [written[key] for key in ("low", "high", "step") if written.get(key) is not None]
    return "int" if numbers and all(isinstance(n, int) and not isinstance(n, bool) for n in numbers) else "float"


Parameter = Annotated[
    Annotated[Float, Tag("float")]
    | Annotated[Int, Tag("int")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[Constant, Tag("constant")],
    Discriminator(_kind),
]
KINDS: dict[str, type[BaseParameter]] = {"float": Float, "int": Int, "choice": Choice, "constant": Constant}


def _identity(value: Scalar) -> tuple[bool, Scalar]:
    """Equal for values that are the same according to `same`."""
    return isinstance(value, bool), value
