"""One parameter: a range, a choice, a constant, or a list of values.

Every kind but the last maps the unit interval to its values (`from_unit`, `to_unit`), so that a sampler of the unit
cube can search any space.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    Discriminator,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from tuner.base.words import Value, same, shown
from tuner.spec.space.base import SCALAR_SCHEMA, BaseParameter, CheckedValue
from tuner.spec.space.choice import Choice
from tuner.spec.space.ranges import Float, Int
from tuner.spec.space.repeated import Repeated
from tuner.spec.space.written import kind_of


class Constant(BaseParameter):
    """The same value in every trial. In YAML, the value itself or {value: …, when: …}; a list only as {value: […]}."""

    value: CheckedValue

    @model_validator(mode="before")
    @classmethod
    def _take_bare_value(cls, written: Any) -> Any:
        if isinstance(written, list | tuple):
            rule = "must be {choices}, one of which a trial gets, or {value} for the same list in every trial"
            rule += ", but got {got}"
            forms = {"choices": f"{{choices: {shown(written)}}}", "value": f"{{value: {shown(written)}}}"}
            raise PydanticCustomError("rule", rule, {**forms, "got": shown(written)})
        return written if isinstance(written, dict | Constant) else {"value": written}

    @model_serializer(mode="wrap")
    def _give_bare_value(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.value if self.when is None and not isinstance(self.value, list) else handler(self)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [SCALAR_SCHEMA, handler(schema)], "description": cls.__doc__}

    @property
    def size(self) -> int:
        return 1

    def from_unit(self, unit: float) -> Any:
        return self.value

    def to_unit(self, value: Value) -> float:
        return 0.5

    def contains(self, value: Value) -> bool:
        return same(self.value, value)

    def covers(self, value: Value) -> bool:
        return self.contains(value)

    def values(self) -> list[Value]:
        return [self.value]


Parameter = Annotated[
    Annotated[Float, Tag("float")]
    | Annotated[Int, Tag("int")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[Constant, Tag("constant")]
    | Annotated[Repeated, Tag("repeated")],
    Discriminator(kind_of),
]
AnyParameter = Float | Int | Choice | Constant | Repeated
KINDS: dict[str, type[BaseParameter]] = {
    "float": Float,
    "int": Int,
    "choice": Choice,
    "constant": Constant,
    "repeated": Repeated,
}
