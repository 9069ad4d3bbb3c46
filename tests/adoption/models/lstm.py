"""Sentences of any length: an LSTM behind an embedding that masks the padding."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from trainables import Data, Trainable, TrainingParams

VOCABULARY = 30


def sentences(count, seed):
    def generate():
        rng = np.random.default_rng(seed)
        for _ in range(count):
            words = rng.integers(1, VOCABULARY, size=rng.integers(3, 12))
            yield words, float((words < 8).mean() > 0.25)

    signature = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.float32))
    return tf.data.Dataset.from_generator(generate, output_signature=signature)


class Lstm(Trainable):
    loss = "binary_crossentropy"
    metrics = ["accuracy", keras.metrics.AUC]

    class Params(TrainingParams):
        units: int = 8

    def load_data(self):
        return Data(train=sentences(128, 1), validation=sentences(32, 2))

    def build_model(self, params):
        inputs = keras.Input(shape=(None,), dtype="int32")
        x = layers.Embedding(VOCABULARY, 8, mask_zero=True)(inputs)
        x = layers.LSTM(params.units)(x)
        return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
