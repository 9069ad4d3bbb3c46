"""Compares values, and formats them and near names for messages."""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tuner.base.secrets import without_credentials

Scalar = bool | int | float | str | None
Value = Scalar | list[Any]
"""A parameter's value: a scalar, or a list of values."""
Params = dict[str, Value]

SHOWN_CHARACTERS = 60
"""The most characters of a value in a message."""
_LOOKED_AT = 4000
"""How many characters of a text are searched for credentials before it is shown."""
_FLOAT_BITS = 1000
"""A whole number of more bits may be too large for a float."""
_COMPARED, _LISTED = 300, 400
"""How many names a wrong one is compared with, and how many characters of the known names are listed."""


def nearest(name: Value, known: Iterable[Value], likeness: float = 0.5) -> str:
    """`; did you mean …?` if a name or a value is close to a known one, else `; known: …`.

    Args:
        likeness: how similar the two must be, from 0 to 1.
    """
    values = {unquoted(value): value for value in known}
    names = sorted(values)[:_COMPARED]
    close = difflib.get_close_matches(unquoted(name)[:100], names, n=1, cutoff=likeness)
    if close:
        return f"; did you mean {shown(values[close[0]])}?"
    listed = ", ".join(name if name.isprintable() else ascii(name) for name in names)
    return f"; known: {cut(listed, _LISTED)}" if names else ""


class _Repr(reprlib.Repr):
    """A `repr` of bounded length and cost: it looks only at the beginning of deep, wide or huge values."""

    maxlevel = 3
    maxdict = maxlist = maxtuple = maxset = 6
    maxstring = maxlong = maxother = SHOWN_CHARACTERS

    def repr_int(self, number: int, level: int) -> str:
        return repr(number) if number.bit_length() < 200 else f"a whole number of {number.bit_length()} bits"

    def repr_str(self, text: str, level: int) -> str:
        return repr(without_credentials(text[:_LOOKED_AT])[:SHOWN_CHARACTERS])

    def repr_bool(self, value: bool, level: int) -> str:
        return str(value).lower()

    def repr_NoneType(self, value: None, level: int) -> str:
        return "null"

    def repr_bytes(self, data: bytes, level: int) -> str:
        return repr(data[:SHOWN_CHARACTERS])


_repr = _Repr()


def shown(value: Any) -> str:
    """Any value for a message: short, on one line, with YAML's `true`, `false` and `null`."""
    return cut(_repr.repr(value), SHOWN_CHARACTERS)


def unquoted(value: Value) -> str:
    """Like `shown`, but text is returned as it is, and a list in full."""
    if isinstance(value, list):
        return list_text(value, shown)
    return value if isinstance(value, str) else shown(value)


def either(values: Iterable[Value]) -> str:
    """Values of which one is wanted: 'a' or 'b'."""
    return " or ".join(map(shown, values))


def cut(text: str, length: int) -> str:
    """The text, shortened to `length` characters."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def same(a: Value, b: Value) -> bool:
    """Equality that distinguishes True from 1, but not 1 from 1.0, also within lists."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def key(params: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """A hashable form of a configuration; equal for equal configurations."""
    return tuple(sorted((name, value_key(value)) for name, value in params.items()))


def value_key(value: Value) -> str:
    """A hashable form of a value; equal for values that are the same according to `same`."""
    if isinstance(value, list):
        return f"[{', '.join(map(value_key, value))}]"
    return _number_key(value) if isinstance(value, int | float) else repr(value)


def list_text(values: Iterable[Any], text_of: Callable[[Any], str]) -> str:
    """A list on one line, `[128, 64]`; text within it stands in quotes, as "1" and 1 are two values."""
    parts = (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, str)
        else list_text(value, text_of)
        if isinstance(value, list)
        else text_of(value)
        for value in values
    )
    return f"[{', '.join(parts)}]"


def _number_key(number: float) -> str:
    """Equal for 1 and 1.0; different for True and 1, and for integers that round to the same float."""
    if isinstance(number, bool):
        return repr(number)
    if isinstance(number, int) and (number.bit_length() > _FLOAT_BITS or float(number) != number):
        return hex(number)
    return repr(float(number))


def number_text(number: float) -> str:
    """A number in decimal notation unless it is very small or large: 0.0001, 32, 1e-12."""
    if isinstance(number, int):
        return shown(number)
    shortest = repr(float(number))
    if number != 0 and not 1e-6 <= abs(number) < 1e16:
        return shortest
    return format(Decimal(shortest), "f").removesuffix(".0")
