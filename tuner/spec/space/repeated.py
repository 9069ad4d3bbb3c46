"""A list of values as one parameter, each value searched on its own: `{low: 16, high: 128, repeat: depth}`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Discriminator,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from tuner.base.words import Value, shown
from tuner.spec.space.base import BaseParameter
from tuner.spec.space.choice import Choice
from tuner.spec.space.ranges import Float, Int
from tuner.spec.space.written import kind_of

MAX_REPEAT = 100
"""The most values of a list."""


def _check_repeat(written: Any) -> Any:
    is_count = isinstance(written, int) and not isinstance(written, bool) and 1 <= written <= MAX_REPEAT
    if is_count or isinstance(written, str):
        return written
    rule = f"must name the parameter that says how many values there are, or be a number from 1 to {MAX_REPEAT}"
    raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": rule, "got": shown(written)})


Element = Annotated[
    Annotated[Float, Tag("float")] | Annotated[Int, Tag("int")] | Annotated[Choice, Tag("choice")],
    Discriminator(kind_of),
]


class Repeated(BaseParameter):
    """A list of values, as many as the parameter named by `repeat` says, or always the same number."""

    element: Element
    repeat: Annotated[Any, BeforeValidator(_check_repeat)]
    """An earlier parameter of whole numbers, or a number."""

    @model_validator(mode="before")
    @classmethod
    def _take_flat(cls, written: Any) -> Any:
        if not isinstance(written, dict) or "element" in written:
            return written
        outer = {name: written[name] for name in ("repeat", "when") if name in written}
        return {**outer, "element": type(written)({n: v for n, v in written.items() if n not in outer})}

    @model_serializer(mode="wrap")
    def _give_flat(self, handler: SerializerFunctionWrapHandler) -> Any:
        given = dict(handler(self))
        element = {name: value for name, value in given.pop("element").items() if name != "when"}
        return {**element, **given}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler.resolve_ref_schema(handler(schema))
        own = found.get("properties", {})
        properties: dict[str, Any] = {}
        for kind in (Float, Choice):
            properties |= kind.model_json_schema()["properties"]
        properties |= {name: own[name] for name in ("repeat", "when")}
        return {
            "type": "object",
            "description": cls.__doc__,
            "properties": properties,
            "required": ["repeat"],
            "additionalProperties": False,
        }

    @property
    def size(self) -> int | None:
        """The number of values that each place of the list has; None if they are continuous."""
        return self.element.size

    def contains(self, value: Value) -> bool:
        return isinstance(value, list) and all(map(self.element.contains, value))

    def covers(self, value: Value) -> bool:
        return isinstance(value, list) and all(map(self.element.covers, value))


def label(name: str, index: int) -> str:
    """What one value of a list is called: `units[0]`."""
    return f"{name}[{index}]"
