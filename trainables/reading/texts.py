"""Folders of text files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainables.contract import Data, DataError
from trainables.reading import folders, node_cache
from trainables.reading.building import of_arrays, of_rows
from trainables.reading.folders import Found
from trainables.reading.planning import Wanted
from trainables.reading.rows import decoded
from trainables.reading.splitting import TRAIN

Array = np.ndarray[Any, Any]

SUFFIXES = (".txt",)
_BATCH = 1024


def read(given: Any, sequence_length: int | None, max_tokens: int | None, wanted: Wanted, in_memory_bytes: int) -> Data:
    """A `Data` of texts, or of the numbers of their words; see `Readers.from_text_folder`.

    Raises:
        DataError: the folder has another form, or a file is no UTF-8.
    """
    _check_lengths(sequence_length, max_tokens)
    found = folders.find(given, "texts", SUFFIXES, wanted)
    description = {"reader": "from_text_folder", "source": found.name, "seed": wanted.seed}
    if sequence_length is not None:
        return _of_words(found, sequence_length, max_tokens, description, in_memory_bytes)
    if sum(path.stat().st_size for path in found.paths) > in_memory_bytes:
        return of_rows(found.plan, None, lambda own: _streamed(found, own), description, in_memory_bytes)
    texts = np.empty(len(found.paths), object)
    texts[:] = [_text(path, name) for path, name in zip(found.paths, found.names, strict=True)]
    return of_arrays(found.plan, texts, description)


def _check_lengths(sequence_length: Any, max_tokens: Any) -> None:
    for name, value, least in (("sequence_length", sequence_length, 1), ("max_tokens", max_tokens, 3)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise DataError(f"{name} must be a whole number from {least} on, but got {value!r}")
    if max_tokens is not None and sequence_length is None:
        raise DataError("max_tokens has no effect without sequence_length, the number of words of an example")


def _text(path: Path, name: str) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: must be text in UTF-8, but byte {error.start} is none; convert the file") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error


def _streamed(found: Found, numbers: Array) -> Any:
    import tensorflow as tf

    names = tf.data.Dataset.from_tensor_slices([str(found.paths[number]) for number in numbers])
    return names.map(tf.io.read_file, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _of_words(
    found: Found, sequence_length: int, max_tokens: int | None, description: dict[str, Any], in_memory_bytes: int
) -> Data:
    facts: dict[str, Any] = {}
    train = found.plan.rows[TRAIN]
    # The vocabulary is that of the training texts, so it depends on the split, too.
    key = node_cache.key_of("texts", sequence_length, max_tokens, found.stamps(), train.tobytes())
    rows = decoded(key, lambda: _numbers(found, train, sequence_length, max_tokens, facts), facts=facts)
    if rows is None:
        raise DataError(
            f"{found.name}: the words' numbers are larger than this machine's disk may hold of them"
            f" ({node_cache.limit_bytes()} bytes by ${node_cache.LIMIT_VARIABLE}): allow more"
        )
    vocabulary = tuple(rows.facts["vocabulary"])
    described = {**description, "vocabulary_size": len(vocabulary)}
    return of_rows(found.plan, rows, _never, described, in_memory_bytes, vocabulary=vocabulary)


def _never(numbers: Array) -> Any:
    raise AssertionError("there are rows")


def _numbers(
    found: Found, train: Array, sequence_length: int, max_tokens: int | None, facts: dict[str, Any]
) -> Iterator[dict[str, Array]]:
    import keras
    import tensorflow as tf

    with tf.device("CPU:0"):
        layer = keras.layers.TextVectorization(max_tokens=max_tokens, output_sequence_length=sequence_length)
        layer.adapt(tf.data.Dataset.from_generator(
            lambda: (_text(found.paths[number], found.names[number]) for number in np.sort(train)),
            output_signature=tf.TensorSpec([], tf.string),
        ).batch(_BATCH))  # fmt: skip
        facts["vocabulary"] = [str(word) for word in layer.get_vocabulary()]
        if len(facts["vocabulary"]) <= 2:
            raise DataError(f"{found.name}: must hold words, but the training texts have none")
        for first in range(0, len(found.paths), _BATCH):
            part = slice(first, first + _BATCH)
            texts = [_text(*file) for file in zip(found.paths[part], found.names[part], strict=True)]
            yield {"x": np.asarray(layer(tf.constant(texts))).astype(np.int32)}
