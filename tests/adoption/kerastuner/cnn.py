"""A HyperModel: blocks of convolutions, each with its own filters, pooling and dropout; data in the same file."""

import keras
import keras_tuner as kt
import numpy as np


class ConvModel(kt.HyperModel):
    def build(self, hp):
        inputs = keras.Input((8, 8, 1))
        x = inputs
        for i in range(hp.Int("blocks", 1, 2, default=2)):
            with hp.name_scope(f"block-{i}"):
                filters = hp.Int("filters", 4, 8, step=2)
                x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
                if hp.Choice("pooling", ["max", "avg"]) == "max":
                    x = keras.layers.MaxPooling2D()(x)
                else:
                    x = keras.layers.AveragePooling2D(2)(x)
        x = keras.layers.Flatten()(x)
        if hp.Boolean("dropout", default=True):
            x = keras.layers.Dropout(hp.Float("dropout_rate", 0.1, 0.5, step=0.1, default=0.3))(x)
        model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
        optimizer = hp.Choice("optimizer", ["adam", "sgd"])
        model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


def load_data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 120)
    x = rng.normal(size=(120, 8, 8, 1)).astype("float32") + y[:, None, None, None]
    return (x[:100], y[:100]), (x[100:], y[100:])
