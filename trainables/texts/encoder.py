"""A transformer encoder of Keras's own layers, and the layers after it. Shapes: B texts, T words, W width.

Pre-layer-norm blocks (Xiong et al. 2020), learned positions, the mean over a text's words.
"""

from __future__ import annotations

from typing import Any


def encoder(vocabulary_size: int, positions: int, width: int, layers: int, heads: int, dropout: float) -> Any:
    """A model from numbers of words, (B, T) with T up to `positions`, to (B, W); 0 pads and counts for nothing."""
    import keras
    from keras import layers as of
    from keras import ops

    numbers = keras.Input((None,), dtype="int32", name="numbers")
    is_word = ops.expand_dims(ops.not_equal(numbers, 0), 1)  # (B, 1, T): no word attends to padding
    places = ops.cumsum(ops.ones_like(numbers), axis=1) - 1
    x = of.Embedding(vocabulary_size, width, name="words")(numbers)
    x = of.Add()([x, of.Embedding(positions, width, name="places")(places)])
    x = of.Dropout(dropout)(x)
    for _ in range(layers):
        normed = of.LayerNormalization(epsilon=1e-6)(x)
        attended = of.MultiHeadAttention(heads, max(1, width // heads), dropout=dropout)(
            normed, normed, attention_mask=is_word
        )
        x = of.Add()([x, of.Dropout(dropout)(attended)])
        inner = of.Dense(4 * width, activation="gelu")(of.LayerNormalization(epsilon=1e-6)(x))
        x = of.Add()([x, of.Dropout(dropout)(of.Dense(width)(inner))])
    x = of.LayerNormalization(epsilon=1e-6)(x)
    return keras.Model(numbers, mean_of_words(x, numbers), name="encoder")


def mean_of_words(x: Any, numbers: Any) -> Any:
    """(B, W): the mean of (B, T, W) over the words; 0 for a text without any."""
    from keras import ops

    is_word = ops.expand_dims(ops.cast(ops.not_equal(numbers, 0), x.dtype), -1)
    count = ops.maximum(ops.sum(is_word, axis=1), ops.ones_like(ops.sum(is_word, axis=1)))
    return ops.sum(x * is_word, axis=1) / count


def classifier(features: Any, num_classes: int, dropout: float) -> Any:
    """A model of numbers of words that ends in a probability for each class."""
    import keras

    numbers = keras.Input(features.input_shape[1:], dtype="int32", name="numbers")
    x = keras.layers.Dropout(dropout)(features(numbers))
    probabilities = keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="classes")(x)
    return keras.Model(numbers, probabilities)


def of_texts(model: Any, layer: Any) -> Any:
    """The same model behind its TextVectorization: texts in, (B,) of strings."""
    import keras

    texts = keras.Input((), dtype="string", name="texts")
    return keras.Model(texts, model(layer(texts)))
