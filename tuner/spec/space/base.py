"""What all kinds of parameters have in common, and which values a spec may hold."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from tuner.base.secrets import NO_CREDENTIALS, has_credentials
from tuner.base.words import shown

_LONGEST_TEXT = 500


def check_value(written: Any) -> Any:
    """A scalar, or a list of values; a tuple, which only Python has, becomes a list."""
    if isinstance(written, list | tuple):
        values = [check_value(value) for value in written]
        if len(repr(values)) > _LONGEST_TEXT:
            rule = f"a list must have at most {_LONGEST_TEXT} characters"
            raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": rule, "got": shown(values)})
        return values
    rule = ""
    if isinstance(written, str):
        fits = written.isprintable() and len(written) <= _LONGEST_TEXT
        rule = "" if fits else f"text must be printable, and at most {_LONGEST_TEXT} characters"
        rule = NO_CREDENTIALS if fits and has_credentials(written) else rule
    elif isinstance(written, int) and not isinstance(written, bool):
        rule = "" if -(2**63) <= written < 2**63 else "a whole number must fit into 64 bits"
    elif not (written is None or isinstance(written, bool) or (isinstance(written, float) and math.isfinite(written))):
        rule = "must be a number, text, true, false, null or a list of them"
    if rule:
        raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": rule, "got": shown(written)})
    return written


SCALAR_SCHEMA: dict[str, Any] = {"type": ["string", "number", "integer", "boolean", "null"]}
VALUE_SCHEMA: dict[str, Any] = {"type": ["string", "number", "integer", "boolean", "null", "array"]}
CheckedValue = Annotated[Any, BeforeValidator(check_value), WithJsonSchema(VALUE_SCHEMA)]


def _check_wanted(written: Any) -> Any:
    if written == []:
        raise PydanticCustomError("rule", "a condition must have at least one value, but got []")
    return check_value(written)


def _check_conditions(written: Any) -> Any:
    if written == {}:
        raise PydanticCustomError(
            "rule", "must name a parameter and its values, or be left out, but got {got}", {"got": "{}"}
        )
    return written


_Wanted = Annotated[
    Any,
    BeforeValidator(_check_wanted),
    WithJsonSchema({"anyOf": [SCALAR_SCHEMA, {"type": "array", "items": VALUE_SCHEMA}]}),
]


class BaseParameter(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        ignored_types=(cached_property,),
    )

    when: Annotated[dict[str, _Wanted] | None, BeforeValidator(_check_conditions)] = None
    """Active only when each of these earlier parameters has this value, or one of these values. A list that is itself
    a value of that parameter stands for this value."""


class Searched(BaseParameter):
    """What a parameter with several values may have."""

    scale_learning_rate: Literal["none", "linear", "sqrt"] | None = None
    """Of batch_size alone: the learning rate is that of a batch of `base` examples, and grows with the batch size, or
    with its square root."""
    base: int | None = Field(None, ge=1)
    """The batch size for which the learning rate holds as it is."""

    @model_validator(mode="after")
    def _check_base(self) -> Any:
        if self.base is None and self.scale_learning_rate in ("linear", "sqrt"):
            rule = "is required with scale_learning_rate, but is missing: the batch size, such as 32, for which"
            rule += " learning_rate holds as it is"
            raise PydanticCustomError("rule", "{rule}", {"field": "base", "rule": rule})
        if self.base is not None and self.scale_learning_rate is None:
            rule = "has no effect without scale_learning_rate (linear or sqrt)"
            raise broken("base", rule, shown(self.base))
        return self

    @property
    def coupling(self) -> tuple[str, int | None] | None:
        """How the learning rate grows with it; None for not at all."""
        how = self.scale_learning_rate
        return None if how in (None, "none") else (str(how), self.base)


def broken(field: str, rule: str, received: str) -> PydanticCustomError:
    return PydanticCustomError(
        "rule", "{rule}, but got {received}", {"field": field, "rule": rule, "received": received}
    )
