"""Random numbers that a model draws with `tf.random.normal` and its like, in a way that a checkpoint can hold.

TensorFlow keeps how far such a sequence is inside of its ops, where nobody can read it. While an epoch is traced, the
common ones are replaced by their stateless twins, whose seeds come from a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_random_ops


class KeptDraws:
    """The seeds of one model's draws."""

    def __init__(self) -> None:
        self._state: Any = None

    @contextmanager
    def within(self) -> Iterator[None]:
        """What is traced within draws from the variable, which is made when it is first needed."""
        twins: dict[str, Callable[..., Any]] = {
            "random_standard_normal": self._normal,
            "truncated_normal": self._truncated_normal,
            "random_uniform": self._uniform,
            "random_uniform_int": self._uniform_int,
        }
        before = {name: getattr(gen_random_ops, name) for name in twins}
        for name, twin in twins.items():
            setattr(gen_random_ops, name, _in_graphs(twin, before[name]))
        try:
            yield
        finally:
            for name, original in before.items():
                setattr(gen_random_ops, name, original)

    def _seed(self) -> Any:
        """The next one: two whole numbers."""
        if self._state is None:
            with tf.init_scope():
                first = int(np.random.randint(2**31))
                self._state = tf.Variable([first, 0], dtype=tf.int64, trainable=False, name="draws")
        return self._state.assign_add([0, 1], read_value=True)

    def _normal(self, shape: Any, dtype: Any, **_: Any) -> Any:
        return tf.random.stateless_normal(shape, self._seed(), dtype=dtype)

    def _truncated_normal(self, shape: Any, dtype: Any, **_: Any) -> Any:
        return tf.random.stateless_truncated_normal(shape, self._seed(), dtype=dtype)

    def _uniform(self, shape: Any, dtype: Any, **_: Any) -> Any:
        return tf.random.stateless_uniform(shape, self._seed(), dtype=dtype)

    def _uniform_int(self, shape: Any, minval: Any, maxval: Any, **_: Any) -> Any:
        return tf.random.stateless_uniform(shape, self._seed(), minval, maxval, dtype=maxval.dtype)


def _in_graphs(twin: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    def draw(*arguments: Any, **options: Any) -> Any:
        if tf.executing_eagerly():
            return original(*arguments, **options)
        return twin(*arguments, **options)

    return draw
