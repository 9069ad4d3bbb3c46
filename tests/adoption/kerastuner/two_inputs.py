"""A functional model of two inputs and two outputs, of a HyperModel with arguments: the file names an instance."""

import keras
import keras_tuner
import numpy as np


class TwoInputs(keras_tuner.HyperModel):
    def __init__(self, num_classes, name=None):
        super().__init__(name=name)
        self.num_classes = num_classes

    def branch(self, hp, inputs, name):
        with hp.name_scope(name):
            x = keras.layers.Dense(hp.Int("units", 4, 16, step=4), activation="relu")(inputs)
            if hp.Boolean("norm"):
                x = keras.layers.BatchNormalization()(x)
            return x

    def build(self, hp):
        left, right = keras.Input((6,), name="left"), keras.Input((4,), name="right")
        merged = keras.layers.Concatenate()([self.branch(hp, left, "left"), self.branch(hp, right, "right")])
        label = keras.layers.Dense(self.num_classes, activation="softmax", name="label")(merged)
        size = keras.layers.Dense(1, name="size")(merged)
        model = keras.Model({"left": left, "right": right}, {"label": label, "size": size})
        model.compile(
            keras.optimizers.Adam(hp.Fixed("rate", 0.01)),
            loss={"label": "sparse_categorical_crossentropy", "size": "mse"},
            metrics={"label": "accuracy"},
        )
        return model


hypermodel = TwoInputs(num_classes=3)


def load_data():
    rng = np.random.default_rng(1)
    x = {"left": rng.normal(size=(100, 6)).astype("float32"), "right": rng.normal(size=(100, 4)).astype("float32")}
    return x, {"label": rng.integers(0, 3, 100), "size": rng.normal(size=(100, 1)).astype("float32")}
