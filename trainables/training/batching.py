"""Batches of a data set's examples, which may have different lengths."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainables.contract import BATCHING, DataError


def batched(examples: tf.data.Dataset, batch_size: int, how: Any = None) -> tf.data.Dataset:
    """The examples as batches: as `Data` says, else padded where a shape has an unknown dimension.

    Args:
        how: padding and function of the `Data` that the examples came from, where they have passed through others.

    Raises:
        DataError: they cannot be batched.
    """
    padding, function = how or getattr(examples, BATCHING, None) or (None, None)
    if function is not None:
        made = function(examples, batch_size)
        if not isinstance(made, tf.data.Dataset):
            raise DataError(f"batch must return a tf.data.Dataset, but it returned {type(made).__name__}")
        return made
    if any(isinstance(spec, tf.RaggedTensorSpec) for spec in _specs(examples)):
        examples = examples.map(_dense)
    shapes = [spec.shape for spec in _specs(examples) if isinstance(spec, tf.TensorSpec)]
    if any(shape.rank is None for shape in shapes):
        raise DataError(
            "an example's number of dimensions must be known, but the tf.data.Dataset does not say it: use"
            " tf.ensure_shape, or an output_signature"
        )
    if padding is None and all(shape.is_fully_defined() for shape in shapes):
        return examples.batch(batch_size)
    return examples.padded_batch(batch_size, padding_values=padding)


def like(examples: tf.data.Dataset, made: tf.data.Dataset) -> tf.data.Dataset:
    """What was made of examples, to be batched as they are."""
    if (how := getattr(examples, BATCHING, None)) is not None:
        setattr(made, BATCHING, how)
    return made


def _specs(examples: tf.data.Dataset) -> list[Any]:
    found: list[Any] = tf.nest.flatten(examples.element_spec)
    return found


def _dense(*example: Any) -> Any:
    """An example whose ragged parts are padded within themselves."""
    made = tf.nest.map_structure(
        lambda part: part.to_tensor() if isinstance(part, tf.RaggedTensor) else tf.convert_to_tensor(part), example
    )
    return made[0] if len(made) == 1 else made
