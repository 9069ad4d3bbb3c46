"""Columns as a model trains on them, by `keras.utils.FeatureSpace`: once for the data, and in the exported model.

n: rows, k: columns of numbers and their marks of missing ones, c: categories, p: pairs of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.columns.kinds import UNKNOWN, Column, values_of
from trainables.framework_imports import import_tensorflow_quietly

if TYPE_CHECKING:
    import keras

Array = np.ndarray[Any, Any]

CROSS_BINS = 64
"""A pair of categories is hashed into so many."""
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Encoding:
    """The columns of x, in the order of the model's inputs, and the pairs of categories that may be inputs, too."""

    columns: tuple[Column, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    """Keys of columns."""

    @property
    def numbers(self) -> list[Column]:
        return [column for column in self.columns if column.kind == "number"]

    @property
    def categories(self) -> list[Column]:
        return [column for column in self.columns if column.kind != "number"]

    @property
    def widths(self) -> dict[str, int]:
        """The last axis of each input of the trained model: `numbers` (n, k), `categories` (n, c), `crosses` (n, p)."""
        marks = sum(column.has_missing for column in self.numbers)
        widths = {"numbers": len(self.numbers) + marks, "categories": len(self.categories), "crosses": len(self.pairs)}
        return {name: width for name, width in widths.items() if width}

    @property
    def sizes(self) -> dict[str, int]:
        """Into how many numbers categories and crosses are counted, those of one after those of another."""
        return {
            "categories": sum(column.size for column in self.categories),
            "crosses": CROSS_BINS * len(self.pairs),
        }


def raw_values(frame: Any, columns: Sequence[Column]) -> dict[str, Array]:
    """What an exported model takes: by key an array (n, 1), float32 with NaN for missing numbers, or texts."""
    return {column.key: values_of(frame[column.name], column)[:, None] for column in columns}


def encoded(raw: dict[str, Array], encoding: Encoding) -> dict[str, Array]:
    """What a model trains on; see `Encoding.widths`. Numbers are float32, the others int32."""
    import_tensorflow_quietly()
    import tensorflow as tf

    with tf.device("CPU:0"):
        encoder = encoder_of(encoding)
        pieces = [encoder({key: tf.constant(piece[key]) for key in sorted(piece)}) for piece in _pieces(raw)]
        return {name: np.concatenate([piece[name].numpy() for piece in pieces]) for name in encoding.widths}


def _pieces(raw: dict[str, Array]) -> Iterator[dict[str, Array]]:
    for first in range(0, len(next(iter(raw.values()))), _ROWS_AT_ONCE):
        yield {key: values[first : first + _ROWS_AT_ONCE] for key, values in raw.items()}


def encoder_of(encoding: Encoding) -> keras.Model:
    """A model from raw columns, by key, to what a model trains on."""
    import keras
    from keras import ops

    raw = {c.key: keras.Input((1,), dtype=_raw_dtype(c), name=c.key) for c in _sorted(encoding.columns)}
    marks = {c.key: ops.isnan(raw[c.key]) for c in encoding.columns if not c.is_text}
    filled = {c.key: _filled(raw[c.key], marks.get(c.key), c) for c in _sorted(encoding.columns)}
    space = _space(encoding)
    found = keras.Model(dict(space.get_inputs()), dict(space.get_encoded_features()), name="columns")(filled)
    parts = {
        "numbers": [
            *(found[c.key] for c in encoding.numbers),
            *(ops.cast(marks[c.key], "float32") for c in encoding.numbers if c.has_missing),
        ],
        "categories": _counted([(found[c.key], c.size) for c in encoding.categories]),
        "crosses": _counted([(found[f"{one}_X_{other}"], CROSS_BINS) for one, other in encoding.pairs]),
    }
    joined = {
        name: ops.concatenate(part, axis=-1) if len(part) > 1 else part[0] for name, part in parts.items() if part
    }
    return keras.Model(raw, joined, name="encoding")


def with_raw_columns(model: keras.Model, encoding: Encoding) -> keras.Model:
    """A trained model that takes the raw columns, by key."""
    import keras

    encoder = encoder_of(encoding)
    found = encoder.output
    return keras.Model(encoder.input, model({name: found[name] for name in model.input}))


def _sorted(columns: Sequence[Column]) -> list[Column]:
    """In the order in which Keras has the keys of a dict."""
    return sorted(columns, key=lambda column: column.key)


def _raw_dtype(column: Column) -> str:
    return "string" if column.is_text else "float32"


def _filled(value: Any, mark: Any, column: Column) -> Any:
    """An input without missing numbers; a missing text is one of its own already."""
    from keras import ops

    if column.is_text:
        return value
    whole = ops.where(mark, np.float32(column.mean if column.kind == "number" else column.missing), value)
    return whole if column.kind == "number" else ops.cast(whole, "int64")


def _counted(values: list[tuple[Any, int]]) -> list[Any]:
    """Categories as int32, those of one column counted on after those of the one before."""
    from keras import ops

    starts = np.cumsum([0, *(size for _, size in values)])
    return [ops.cast(value, "int32") + int(start) for (value, _), start in zip(values, starts, strict=False)]


def _space(encoding: Encoding) -> Any:
    """A FeatureSpace that knows the training rows' means and vocabularies, so it is not adapted."""
    import keras

    space = keras.utils.FeatureSpace
    features = {}
    for column in _sorted(encoding.columns):
        layer: Any
        if column.kind == "number":
            layer = keras.layers.Normalization(mean=column.mean, variance=column.deviation**2)
            features[column.key] = space.feature("float32", layer, "float")
            continue
        if column.kind == "integer":
            layer = keras.layers.IntegerLookup(vocabulary=list(column.vocabulary))
        elif column.kind == "text":
            layer = keras.layers.StringLookup(vocabulary=list(column.vocabulary), oov_token=UNKNOWN)
        else:
            layer = keras.layers.Hashing(column.size)
        features[column.key] = space.feature("int64" if column.kind == "integer" else "string", layer, "int")
    crosses = [space.cross(pair, CROSS_BINS, output_mode="int") for pair in encoding.pairs]
    made = space(features, output_mode="dict", crosses=crosses)
    made.build_from_config({})  # which is how Keras says that nothing is left to adapt
    return made
