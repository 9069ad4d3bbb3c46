"""What a sweep's data are, without their rows: for the journal and MLflow; and what people are told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainables.contract import Data
from trainables.reading.leaks import leak_notes, row_hashes
from tuner.inspection.shapes import leaves, num_examples

PARTS = ("train", "validation", "test")
LEAK_BYTES_MAX = 2**30
"""Data with more are not searched for rows that two parts share."""
_CLASSES_MAX = 1000
_NAMES_MAX = 1000
_CLASSES_TOLD = 20


def described(data: Data) -> dict[str, Any]:
    """What the data say of themselves, completed by what their arrays show: `examples` and `class_counts` by part."""
    found: dict[str, Any] = dict(data.description)
    if data.class_names:
        found["class_names"] = list(data.class_names[:_NAMES_MAX])
    if "examples" not in found:
        counts = {part: _count(getattr(data, part)) for part in PARTS if getattr(data, part) is not None}
        found["examples"] = {part: count for part, count in counts.items() if count is not None}
    if "class_counts" not in found:
        classes = {part: _class_counts(getattr(data, part)) for part in PARTS}
        found |= (
            {"class_counts": {part: count for part, count in classes.items() if count}} if any(classes.values()) else {}
        )
    return found


def data_text(described: Mapping[str, Any]) -> str:
    """The data in a line, such as `train 1600, validation 400; classes of train: cat 800, dog 800`."""
    examples = ", ".join(f"{part} {count}" for part, count in (described.get("examples") or {}).items())
    counts = (described.get("class_counts") or {}).get("train") or {}
    told = [f"{name} {count}" for name, count in list(counts.items())[:_CLASSES_TOLD]]
    more = f" and {len(counts) - _CLASSES_TOLD} more" if len(counts) > _CLASSES_TOLD else ""
    classes = f"classes of train: {', '.join(told)}{more}" if told else ""
    baseline = str(described.get("baseline") or "")
    return "; ".join(filter(None, [str(described.get("source") or ""), examples, classes, baseline]))


def data_warnings(data: Data) -> list[str]:
    """What whoever made the data notes, and leaks between the parts."""
    return [f"data: {text}" for text in (*data.notes, *_leaks(data))]


def _count(part: Any) -> int | None:
    try:
        return num_examples(part)
    except (TypeError, StopIteration):
        return None


def _class_counts(part: Any) -> dict[str, int]:
    """How many examples each class has, where y is plainly classes: whole numbers from 0 on, or one-hot rows."""
    y = part[1] if isinstance(part, tuple) and len(part) > 1 else None
    if not isinstance(y, np.ndarray) or not y.size:
        return {}
    if y.ndim == 2 and y.shape[1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
        y = y.argmax(axis=1)
    if y.dtype.kind not in "biu" or y.size != len(y) or y.min() < 0 or y.max() >= _CLASSES_MAX:
        return {}
    return {str(label): int(count) for label, count in enumerate(np.bincount(y.reshape(-1).astype(int))) if count}


def _leaks(data: Data) -> list[str]:
    """Of arrays; what reads from files and streams has looked for itself."""
    parts = {part: _inputs(getattr(data, part)) for part in PARTS if getattr(data, part) is not None}
    arrays = [array for inputs in parts.values() for array in inputs]
    if not all(parts.values()) or sum(array.nbytes for array in arrays) > LEAK_BYTES_MAX:
        return []
    return leak_notes({part: row_hashes(inputs) for part, inputs in parts.items()})


def _inputs(part: Any) -> list[np.ndarray[Any, Any]]:
    """The arrays of x; none where it is something else."""
    x = part[0] if isinstance(part, tuple) and part else part
    if hasattr(x, "cardinality") or callable(x):
        return []
    found = [np.asarray(array) for _, array in leaves(x)]
    same = len({len(array) if array.ndim else -1 for array in found}) == 1
    return found if same and all(array.ndim and array.size for array in found) else []
