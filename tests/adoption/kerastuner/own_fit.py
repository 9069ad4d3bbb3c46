"""A HyperModel that tunes its training: batch size, shuffling and scaling, with a callback of its own."""

import keras
from keras_tuner import HyperModel


class TunesFit(HyperModel):
    def build(self, hp):
        units = hp.Int("units", 8, 32, step=8)
        layers = [keras.layers.Dense(units, activation="relu"), keras.layers.Dense(10, activation="softmax")]
        model = keras.Sequential([keras.Input((64,)), *layers])
        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, x, y, validation_data=None, callbacks=None, **kwargs):
        if hp.Boolean("normalize"):
            x, validation_data = x / 16.0, (validation_data[0] / 16.0, validation_data[1])
        return model.fit(
            x,
            y,
            validation_data=validation_data,
            batch_size=hp.Choice("batch_size", [16, 32]),
            shuffle=hp.Boolean("shuffle", default=True),
            callbacks=[*callbacks, keras.callbacks.ReduceLROnPlateau("val_loss", patience=1)],
            **kwargs,
        )
