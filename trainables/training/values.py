"""The values of variables."""

from __future__ import annotations

from typing import Any


def value_of(variable: Any) -> Any:
    """A variable's value; of a Keras variable on one device as a tensor, which costs no copy."""
    inner: Any = getattr(variable, "value", None)
    return inner.read_value() if type(inner).__name__ == "ResourceVariable" else variable.numpy()
