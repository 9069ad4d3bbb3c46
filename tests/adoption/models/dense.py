"""A dense classifier of images, as Keras's first guide has it."""

import keras
from keras import layers

from trainables import Data, Trainable, TrainingParams, data


class Dense(Trainable):
    loss = keras.losses.SparseCategoricalCrossentropy()
    metrics = [keras.metrics.SparseCategoricalAccuracy()]

    class Params(TrainingParams):
        units: int = 16

    def load_data(self):
        digits = data.digits()
        return Data(train=(digits.train[0][:256], digits.train[1][:256]), validation=digits.validation)

    def build_model(self, params):
        inputs = keras.Input(shape=(64,), name="digits")
        x = layers.Dense(params.units, activation="relu", name="dense_1")(inputs)
        x = layers.Dense(params.units, activation="relu", name="dense_2")(x)
        outputs = layers.Dense(10, activation="softmax", name="predictions")(x)
        return keras.Model(inputs=inputs, outputs=outputs)
