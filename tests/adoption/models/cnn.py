"""A convolutional network with augmentation in the model, which compiles itself and stops early."""

import keras
import numpy as np
from keras import layers

from trainables import Data, Trainable, TrainingParams


def stripes(count, seed):
    """Images of horizontal and of vertical stripes, in noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    wave = np.sin(np.arange(12) * 1.5)
    images = np.where(y[:, None, None] == 1, wave[None, :, None], wave[None, None, :])
    return (images + rng.normal(scale=0.5, size=images.shape))[..., None].astype("float32"), y.astype("int32")


class Cnn(Trainable):
    class Params(TrainingParams):
        filters: int = 4
        rotation: float = 0.05

    def load_data(self):
        return Data(train=stripes(192, 1), validation=stripes(64, 2))

    def build_model(self, params):
        model = keras.Sequential(
            [
                keras.Input(shape=(12, 12, 1)),
                layers.RandomFlip("horizontal"),
                layers.RandomRotation(params.rotation),
                layers.Conv2D(params.filters, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dropout(0.2),
                layers.Dense(2, activation="softmax"),
            ]
        )
        model.compile(
            optimizer=keras.optimizers.Adam(params.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model

    def callbacks(self, params):
        return [
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=50, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1),
        ]
