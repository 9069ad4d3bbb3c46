"""A `Data` of a plan and what was read: arrays, or a stream where the examples are too large for memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trainables.contract import Data
from trainables.reading import node_cache
from trainables.reading.leaks import leak_notes
from trainables.reading.planning import Plan
from trainables.reading.rows import Rows
from trainables.reading.splitting import PARTS, TEST, TRAIN, VALIDATION

Array = np.ndarray[Any, Any]


def of_arrays(plan: Plan, x: Any, description: dict[str, Any], weights: Array | None = None, **more: Any) -> Data:
    """Of arrays in memory.

    Args:
        x: a structure of arrays whose first axis counts all examples of the plan.
        weights: a weight for each example, for all parts.
        more: further fields of `Data`.
    """
    parts = {}
    for part, rows in plan.rows.items():
        own, of_class = None if weights is None else weights[rows], plan.sample_weight(part)
        weight = own if of_class is None else of_class if own is None else own * of_class
        parts[PARTS[part]] = _example(_taken(x, rows), plan.y(part), weight)
    return _data(plan, parts, description, **more)


def of_rows(
    plan: Plan,
    rows: Rows | None,
    again: Callable[[Array], Any],
    description: dict[str, Any],
    in_memory_bytes: int,
    **more: Any,
) -> Data:
    """Of decoded rows: arrays if they are small enough, else streams from the machine's disk.

    Args:
        rows: None if they are larger than the machine's disk may hold.
        again: makes a tf.data.Dataset of x, decoded as it is read, of examples by their numbers; for that case.
    """
    if rows is None:
        from trainables.reading.streams import decoding

        parts = {
            PARTS[part]: decoding(again(own), plan.y(part), plan.sample_weight(part)) for part, own in plan.rows.items()
        }
        note = (
            f"{description['source']}: the decoded examples are larger than this machine's disk may hold of them"
            f" ({node_cache.limit_bytes()} bytes by ${node_cache.LIMIT_VARIABLE}, and a tenth of the disk stays free);"
            " each epoch decodes them again"
        )
        return _data(plan, parts, description, notes=(note,), **more)
    description = {**description, "digest": rows.digest}
    if rows.decoded_bytes <= in_memory_bytes:
        parts = {
            PARTS[part]: _example(_structure(rows.load(own)), plan.y(part), plan.sample_weight(part))
            for part, own in plan.rows.items()
        }
        return _data(plan, parts, description, **more)
    from trainables.reading.streams import stream

    parts = {PARTS[part]: stream(rows, own, plan.y(part), plan.sample_weight(part)) for part, own in plan.rows.items()}
    leaks = leak_notes({PARTS[part]: rows.hashes[own] for part, own in plan.rows.items()})
    notes = tuple(f"{description['source']}: {text}" for text in leaks)
    return _data(plan, parts, {**description, "streamed_bytes": rows.decoded_bytes}, notes=notes, **more)


def _data(
    plan: Plan, parts: dict[str, Any], description: dict[str, Any], notes: tuple[str, ...] = (), **more: Any
) -> Data:
    labels = plan.labels
    names = labels.names if labels is not None and labels.classes is not None else ()
    counts = {}
    if labels is not None and labels.classes is not None:
        counts = {PARTS[part]: labels.counts(rows) for part, rows in plan.rows.items()}
    weights = {} if labels is None else {labels.name(label): weight for label, weight in (plan.weights or {}).items()}
    described = {
        **description,
        "examples": {PARTS[part]: len(rows) for part, rows in plan.rows.items()},
        **({"class_counts": counts} if counts else {}),
        **({"class_weights": weights} if weights else {}),
    }
    return Data(
        train=parts[PARTS[TRAIN]],
        validation=parts[PARTS[VALIDATION]],
        test=parts.get(PARTS[TEST]),
        class_names=names,
        class_weights=dict(plan.weights or {}),
        notes=(*plan.notes, *notes),
        description=described,
        **more,
    )


def _example(x: Any, y: Any, weight: Any) -> Any:
    return x if y is None else (x, y) if weight is None else (x, y, weight)


def _structure(fields: dict[str, Array]) -> Any:
    """x itself where there is one array, else a dict."""
    return next(iter(fields.values())) if len(fields) == 1 else fields


def _taken(x: Any, rows: Array) -> Any:
    if isinstance(x, dict):
        return {name: _taken(value, rows) for name, value in x.items()}
    if isinstance(x, tuple | list):
        return tuple(_taken(value, rows) for value in x)
    return x[rows]
