"""One parameter: a range, a choice or a constant, with inclusive bounds.

Every kind maps the unit interval onto its values (`from_unit`, `to_unit`), so that any sampler of the unit cube
searches any space.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from tuner.space.words import Scalar, plain, same, shown


_LONGEST_TEXT = 500


def _check_scalar(written: Any) -> Any:
    rule = ""
    if isinstance(written, str):
        fits = written.isprintable() and len(written) <= _LONGEST_TEXT
        rule = "" if fits else f"text must be printable, and at most {_LONGEST_TEXT} characters"
    elif isinstance(written, int) and not isinstance(written, bool):
        rule = "" if -(2**63) <= written < 2**63 else "a whole number must fit into 64 bits"
    elif not (written is None or isinstance(written, bool) or (isinstance(written, float) and math.isfinite(written))):
        rule = "must be a number, text, true, false or null"
    if rule:
        raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": rule, "got": shown(written)})
    return written


_SCALAR_SCHEMA: dict[str, Any] = {"type": ["string", "number", "integer", "boolean", "null"]}
_Value = Annotated[Any, BeforeValidator(_check_scalar), WithJsonSchema(_SCALAR_SCHEMA)]


def _check_wanted(written: Any) -> Any:
    return [_check_scalar(value) for value in written] if isinstance(written, list) else _check_scalar(written)


_Wanted = Annotated[
    Any,
    BeforeValidator(_check_wanted),
    WithJsonSchema({"anyOf": [_SCALAR_SCHEMA, {"type": "array", "items": _SCALAR_SCHEMA}]}),
]


class _Parameter(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        ignored_types=(cached_property,),
    )

    when: dict[str, _Wanted] | None = None
    """Active only when each of these earlier parameters has this value, or one of these values."""


_MOST_STEPS = 1e12
"""Steps finer than this would be lost in the rounding of their own sums."""


class _Range(_Parameter):
    scale: Literal["linear", "log"] = "linear"
    """Whether values or their logarithms are spread evenly."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Any:
        low, high, step = self.low, self.high, self.step  # type: ignore[attr-defined]
        if not low < high:
            raise _rule("low", "must be below high", f"low {plain(low)}, high {plain(high)}")
        if not math.isfinite(high - low):
            raise _rule("high", "must be less than 1.8e308 above low", f"low {plain(low)}, high {plain(high)}")
        if self.scale == "log" and low <= 0:
            raise _rule("low", "must be above 0 on a log scale", plain(low))
        if self.scale == "log" and not math.log(low) < math.log(high):
            raise _rule("low", "must be further below high on a log scale", f"low {plain(low)}, high {plain(high)}")
        if step is not None and step <= 0:
            raise _rule("step", "must be above 0", plain(step))
        if step is not None and isinstance(step, float) and (high - low) / step > _MOST_STEPS:
            raise _rule("step", f"must divide high - low into at most {_MOST_STEPS:g} steps", plain(step))
        if step is not None and high - low >= step and not _divides(step, high - low):
            nearest = low + (high - low) // step * step
            raise _rule(
                "step",
                f"must divide high - low ({plain(_tidy(high - low))}; a high of {plain(_tidy(nearest))} would do)",
                plain(step),
            )
        return self

    def covers(self, value: Scalar) -> bool:
        """Whether a number lies within the bounds, on the grid or not."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return bool(self.low <= value <= self.high)  # type: ignore[attr-defined]


class Float(_Range):
    """A real number between inclusive bounds, on a grid if there is a step."""

    low: float
    high: float
    step: float | None = None

    @cached_property
    def size(self) -> int | None:
        """The number of values; None if there is a continuum of them."""
        if self.step is None:
            return None
        return 1 if self.high - self.low < self.step else round((self.high - self.low) / self.step) + 1

    def from_unit(self, unit: float) -> float:
        """The value at `unit` in [0, 1]."""
        if self.size is not None and self.scale == "linear":
            return self._at(min(int(unit * self.size), self.size - 1))
        if self.scale == "linear":
            value = self.low + unit * (self.high - self.low)
        else:
            value = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        if self.step is not None and self.size is not None:
            return self._at(min(max(round((value - self.low) / self.step), 0), self.size - 1))
        return min(max(value, self.low), self.high)

    def to_unit(self, value: Scalar) -> float:
        """Where a value of this parameter lies in [0, 1]; `from_unit` gives it back."""
        number = float(value)  # type: ignore[arg-type]
        if self.size is not None and self.step is not None and self.scale == "linear":
            return (round((number - self.low) / self.step) + 0.5) / self.size
        if self.scale == "linear":
            return (number - self.low) / (self.high - self.low)
        return (math.log(number) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))

    def contains(self, value: Scalar) -> bool:
        return self.covers(value) and (self.step is None or _divides(self.step, value - self.low))  # type: ignore[operator]

    def values(self) -> Iterator[float]:
        """Every value of a parameter with a step, one by one: there may be many."""
        return (self._at(index) for index in range(self.size or 0))

    def _at(self, index: int) -> float:
        step = self.step or 0.0
        exact = self.low + index * step
        tidy = _tidy(exact)
        return min(max(tidy if abs(tidy - exact) < 1e-6 * step else exact, self.low), self.high)


class Int(_Range):
    """A whole number between inclusive bounds."""

    low: int = Field(ge=-(2**63), lt=2**63)
    high: int = Field(ge=-(2**63), lt=2**63)
    step: int = Field(1, lt=2**63)

    @cached_property
    def size(self) -> int:
        """The number of values."""
        return (self.high - self.low) // self.step + 1

    def from_unit(self, unit: float) -> int:
        """The value at `unit` in [0, 1]."""
        count = self.size
        if self.scale == "linear":
            index = int(unit * count)
        else:
            start, end = self._log_edges()
            index = round((math.exp(start + unit * (end - start)) - self.low) / self.step)
        return self.low + self.step * min(max(index, 0), count - 1)

    def to_unit(self, value: Scalar) -> float:
        """Where a value of this parameter lies in [0, 1]; `from_unit` gives it back."""
        number = int(value)  # type: ignore[arg-type]
        if self.scale == "linear":
            return ((number - self.low) // self.step + 0.5) / self.size
        start, end = self._log_edges()
        return (math.log(number) - start) / (end - start)

    def _log_edges(self) -> tuple[float, float]:
        """Half a step beyond the bounds, so that both ends get their share."""
        return math.log(max(self.low - self.step / 2, self.low / 2)), math.log(self.high + self.step / 2)

    def contains(self, value: Scalar) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and self.low <= value <= self.high and (value - self.low) % self.step == 0  # type: ignore[operator]

    def values(self) -> Iterator[int]:
        return (self.low + index * self.step for index in range(self.size))


class Choice(_Parameter):
    """One of several values, of any scalar kind, without an order."""

    choices: list[_Value] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_choices(self) -> Choice:
        seen: set[Any] = set()
        for index, choice in enumerate(self.choices):
            if _identity(choice) in seen:
                raise _rule(f"choices[{index}]", "must not stand in the list twice", shown(choice))
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
        """Where a value of this parameter lies in [0, 1]; `from_unit` gives it back."""
        return (self.index(value) + 0.5) / len(self.choices)

    def index(self, value: Scalar) -> int:
        return self._indices[_identity(value)]

    def contains(self, value: Scalar) -> bool:
        return _identity(value) in self._indices

    def covers(self, value: Scalar) -> bool:
        return self.contains(value)

    def values(self) -> list[Scalar]:
        return list(self.choices)


class Constant(_Parameter):
    """The same value in every trial. In YAML the value alone, or {value: …, when: …}."""

    value: _Value

    @model_validator(mode="before")
    @classmethod
    def _take_bare_value(cls, written: Any) -> Any:
        if isinstance(written, list):
            raise PydanticCustomError("rule", "must be a value, {choices: […]} or {low: …, high: …}")
        return written if isinstance(written, dict | Constant) else {"value": written}

    @model_serializer(mode="wrap")
    def _give_bare_value(self, handler: SerializerFunctionWrapHandler) -> Any:
        return handler(self) if self.when else self.value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [_SCALAR_SCHEMA, handler(schema)], "description": cls.__doc__}

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


def _kind(written: Any) -> str:
    """Which kind of parameter a piece of YAML means; all-integer ranges are Ints."""
    if isinstance(written, _Parameter):
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
KINDS: dict[str, type[_Parameter]] = {"float": Float, "int": Int, "choice": Choice, "constant": Constant}


def _identity(value: Scalar) -> tuple[bool, Scalar]:
    """Equal for values that are the same; see `same`."""
    return isinstance(value, bool), value


def _divides(step: float, length: float) -> bool:
    if isinstance(step, int) and isinstance(length, int):
        return length % step == 0
    ratio = length / step
    return abs(ratio - round(ratio)) <= 1e-9 * max(1.0, abs(ratio))


def _tidy(number: float) -> float:
    """Without the noise of floating-point sums: 0.1 + 0.2 is 0.3."""
    return number if isinstance(number, int) else float(f"{number:.12g}")


def _rule(field: str, rule: str, received: str) -> PydanticCustomError:
    return PydanticCustomError(
        "rule", "{rule}, but got {received}", {"field": field, "rule": rule, "received": received}
    )
