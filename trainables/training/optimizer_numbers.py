"""A number of an optimizer that Keras's code takes for a Python number, and its graphs for a variable.

Keras writes an optimizer's numbers into the graph as constants. In their place, this changes without a new trace.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf


class Number:
    """A number in a variable; in Python's conditions, a positive number.

    `1 - number` is a variable of its own, rounded once from the exact difference, as Keras's constants are.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._value = tf.Variable([1.0, 1.0], trainable=False, name=f"{name}_value")
        self._read: tuple[weakref.ref[Any], Any] | None = None

    @property
    def variable(self) -> Any:
        """The number and one minus it, as the graph reads them."""
        return self._value

    def set(self, value: float) -> None:
        self._value.assign([value, 1 - value])

    def __getitem__(self, index: int) -> Any:
        """The number (0), or one minus it (1), as a tensor."""
        return self._parts()[index]

    def _parts(self) -> Any:
        """Both, read once in each graph: an optimizer asks for them at each of the model's variables."""
        if tf.executing_eagerly() or tf.distribute.has_strategy():
            return tf.unstack(tf.convert_to_tensor(self._value))
        graph = tf.compat.v1.get_default_graph()
        if self._read is None or self._read[0]() is not graph:
            self._read = weakref.ref(graph), tf.unstack(tf.convert_to_tensor(self._value))
        return self._read[1]

    def __bool__(self) -> bool:
        return True

    def __gt__(self, other: Any) -> bool:
        return _is_zero(other)

    def __ne__(self, other: object) -> bool:
        return _is_zero(other)

    __hash__ = object.__hash__

    def __rsub__(self, other: Any) -> Any:
        return self[1] if isinstance(other, int | float) and other == 1 else other - self[0]

    def __mul__(self, other: Any) -> Any:
        return _like(other, self[0]) * other

    def __rmul__(self, other: Any) -> Any:
        return other * _like(other, self[0])

    def __rtruediv__(self, other: Any) -> Any:
        return other / self[0]

    def __neg__(self) -> Any:
        return -self[0]


def _is_zero(other: Any) -> bool:
    """What Keras compares such numbers with: no graph can hold another comparison.

    Raises:
        TypeError: it is anything else.
    """
    if isinstance(other, int | float) and other == 0:
        return True
    raise TypeError(f"an optimizer's number can only be compared with 0, but got {other!r}")


def _like(other: Any, number: Any) -> Any:
    """The number in the type of what it is combined with."""
    dtype = getattr(other, "dtype", None)
    return number if dtype is None else tf.cast(number, dtype)


def _tensor(number: Number, dtype: Any = None, name: Any = None, as_ref: bool = False) -> Any:
    """As TensorFlow asks for it."""
    return number[0] if dtype is None else tf.cast(number[0], dtype)


_register: Callable[..., None] = tf.register_tensor_conversion_function
_register(Number, _tensor)
