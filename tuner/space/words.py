"""How values are compared, and how they and near names are written in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import numpy as np

Scalar = bool | int | float | str | None
Params = dict[str, Scalar]


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?` for a name that is close to a known one, else the known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def same(a: Scalar, b: Scalar) -> bool:
    """Equality that keeps True and 1 apart, and not 1 and 1.0."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def key(params: Mapping[str, Scalar]) -> tuple[tuple[str, str], ...]:
    """A configuration as something that can be put in a set; equal for equal configurations."""
    return tuple(
        sorted(
            (name, repr(float(v)) if isinstance(v, int | float) and not isinstance(v, bool) else repr(v))
            for name, v in params.items()
        )
    )


def plain(number: float) -> str:
    """A number as people write it: 0.0001, 32, 1e-12."""
    if isinstance(number, int):
        return str(number)
    text = np.format_float_positional(number, trim="-") if 1e-6 <= abs(number) < 1e16 or number == 0 else repr(number)
    return text
