"""An epoch's metrics as single numbers: a metric with a value for each class becomes one for each."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

_VALUES_MAX = 1000
"""Of one metric: each is a line in the journal and a metric in MLflow."""


def numbers(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Scalars by name; of a vector `f1_score` its values as `f1_score_0`, `f1_score_1` and so on.

    Raises:
        ValueError: one has no fixed number of values, or too many to record.
    """
    if not isinstance(metrics, Mapping):
        raise ValueError(f"a step must return a dict of metrics, but it returned {type(metrics).__name__}")
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            parts = {str(key): part for key, part in value.items()}
            found |= numbers(parts)
            continue
        tensor = tf.convert_to_tensor(value)
        found |= {name + suffix: tensor[index] if index else tensor for index, suffix in _places(name, tensor)}
    return found


def _places(name: str, tensor: Any) -> list[tuple[tuple[int, ...], str]]:
    """Where each value of a tensor is, with what its name ends in."""
    count = tensor.shape.num_elements()
    if count is None or count > _VALUES_MAX:
        raise ValueError(
            f"metric {name} must be a number, or a fixed number of them, {_VALUES_MAX} at most, but has the shape"
            f" {tuple(tensor.shape)}: return its mean"
        )
    indices = itertools.product(*map(range, tensor.shape))
    return [(index, "".join(f"_{place}" for place in index)) for index in indices]
