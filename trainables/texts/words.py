"""Texts as numbers of words, by Keras's TextVectorization, whose vocabulary is that of the training texts.

Words are numbered by how often they occur: 0 pads, 1 is any other word. So a smaller vocabulary is made of the numbers
alone, as is a shorter sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainables.contract import DataError
from trainables.framework_imports import import_tensorflow_quietly

Array = np.ndarray[Any, Any]

VOCABULARY_MAX = 100_000
UNKNOWN = 1
_BATCH = 1024


@dataclass(frozen=True)
class Words:
    """How texts become numbers: the words by number, and what TextVectorization is given besides."""

    vocabulary: tuple[str, ...]
    """From number 2 on, the most frequent first."""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many numbers there are, those of padding and of unknown words among them."""
        return len(self.vocabulary) + 2

    def cut(self, size: int) -> Words:
        """The most frequent words alone, so that there are at most `size` numbers."""
        return Words(self.vocabulary[: max(size - 2, 0)], self.options)

    def layer(self, sequence_length: int | None) -> Any:
        """A new TextVectorization."""
        import keras

        options = {**self.options, "output_sequence_length": sequence_length}
        return keras.layers.TextVectorization(vocabulary=list(self.vocabulary), **options)

    def numbers(self, texts: Array, sequence_length: int) -> Array:
        """int32 of shape (texts, length of the longest, at most sequence_length), padded with 0 at the end."""
        import_tensorflow_quietly()
        import tensorflow as tf

        with tf.device("CPU:0"):
            layer = self.layer(None)  # pads each batch to its own longest text
            parts = [
                np.asarray(layer(tf.constant(texts[first : first + _BATCH].tolist())))[:, :sequence_length]
                for first in range(0, len(texts), _BATCH)
            ]
        numbers = np.zeros((len(texts), max(1, *(part.shape[1] for part in parts))), np.int32)
        for first, part in zip(range(0, len(texts), _BATCH), parts, strict=True):
            numbers[first : first + len(part), : part.shape[1]] = part
        return numbers


def words_of(texts: Array, name: str) -> Words:
    """The words of the training texts.

    Raises:
        DataError: they have none.
    """
    import_tensorflow_quietly()
    import keras
    import tensorflow as tf

    with tf.device("CPU:0"):
        layer = keras.layers.TextVectorization(max_tokens=VOCABULARY_MAX)
        layer.adapt(tf.data.Dataset.from_tensor_slices(tf.constant(texts.tolist())).batch(_BATCH))
        vocabulary = tuple(str(word) for word in layer.get_vocabulary()[2:])
    if not vocabulary:
        raise DataError(f"{name}: must hold words, but the training texts have none")
    return Words(vocabulary)


def limited(numbers: Array, vocabulary_size: int, sequence_length: int) -> Array:
    """The same texts with a smaller vocabulary, and cut; the array itself where that changes nothing."""
    if sequence_length < numbers.shape[1]:
        numbers = np.ascontiguousarray(numbers[:, :sequence_length])
    if (numbers >= vocabulary_size).any():
        numbers = np.where(numbers < vocabulary_size, numbers, UNKNOWN).astype(np.int32)
    return numbers


def padded(numbers: Array, length: int | None) -> Array:
    """Of exactly this length; the array itself for None."""
    if length is None or numbers.shape[1] == length:
        return numbers
    return np.pad(numbers[:, :length], ((0, 0), (0, max(0, length - numbers.shape[1]))))


def lengths(numbers: Sequence[Array]) -> dict[str, int]:
    """How many words the texts have, for their description."""
    counts = np.concatenate([(part != 0).sum(axis=1) for part in numbers])
    return {"words_median": int(np.median(counts)), "words_max": int(counts.max())}
