"""How many examples each class has, where y are classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

CLASSES_MAX = 10_000


def class_counts(y: Any, names: Sequence[str] = ()) -> dict[str, int] | None:
    """The examples of each class that has any, by name or number; None where y are not classes.

    Args:
        y: whole numbers of shape (N,) or (N, 1), or one-hot rows of shape (N, classes).
        names: of the classes 0, 1, 2, …
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        if y.dtype.kind not in "biuf" or not (np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
            return None
        y = y.argmax(axis=1)
    y = y.reshape(-1) if y.ndim == 2 else y
    if y.ndim != 1 or not len(y) or y.dtype.kind not in "biuf" or (y.dtype.kind == "f" and (y != np.floor(y)).any()):
        return None
    numbers, counts = np.unique(y.astype(np.int64), return_counts=True)
    if len(numbers) < 2 or len(numbers) > min(CLASSES_MAX, len(y)):
        return None
    return {_name(int(number), names): int(count) for number, count in zip(numbers, counts, strict=True)}


def balanced_weights(counts: dict[str, int]) -> dict[str, float]:
    """N / (classes * count) by class: each class then has the same part of the loss."""
    total = sum(counts.values())
    return {name: total / (len(counts) * count) for name, count in counts.items()}


def _name(number: int, names: Sequence[str]) -> str:
    return names[number] if 0 <= number < len(names) else str(number)
