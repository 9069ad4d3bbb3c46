"""Text: a vocabulary that is learnt from the training set, and a transformer block of one's own."""

import keras
import numpy as np
from keras import layers, ops

from trainables import Data, Trainable, TrainingParams

WORDS = ["good", "great", "fine", "bad", "awful", "poor", "film", "plot", "cast", "music"]
LENGTH = 8


def reviews(count, seed):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(3, LENGTH))) for _ in range(count)]
    score = [sum(w in WORDS[:3] for w in t.split()) - sum(w in WORDS[3:6] for w in t.split()) for t in texts]
    return np.array(texts), (np.array(score) > 0).astype("float32")


@keras.saving.register_keras_serializable("adoption")
class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(embed_dim)])
        self.norm_1, self.norm_2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.dropout = layers.Dropout(0.1)

    def call(self, inputs, training=None):
        x = self.norm_1(inputs + self.dropout(self.att(inputs, inputs), training=training))
        return self.norm_2(x + self.ffn(x))


class PositionEmbedding(layers.Layer):
    def __init__(self, length, vocabulary, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(vocabulary, embed_dim)
        self.positions = layers.Embedding(length, embed_dim)

    def call(self, x):
        return self.tokens(x) + self.positions(ops.arange(ops.shape(x)[-1]))


class Transformer(Trainable):
    loss = "binary_crossentropy"
    metrics = ["accuracy"]

    class Params(TrainingParams):
        num_heads: int = 2

    def load_data(self):
        texts, labels = reviews(160, 1)
        vectorize = layers.TextVectorization(output_sequence_length=LENGTH)
        vectorize.adapt(texts)
        self.vocabulary = vectorize.get_vocabulary()
        validation, validation_labels = reviews(40, 2)
        return Data(
            train=(np.array(vectorize(texts)), labels), validation=(np.array(vectorize(validation)), validation_labels)
        )

    def build_model(self, params):
        inputs = keras.Input(shape=(LENGTH,), dtype="int32")
        x = PositionEmbedding(LENGTH, len(self.vocabulary), 8)(inputs)
        x = TransformerBlock(8, params.num_heads)(x)
        x = layers.GlobalAveragePooling1D()(x)
        return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.1)(x)))
