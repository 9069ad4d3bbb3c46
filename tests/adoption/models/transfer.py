"""Transfer learning in two phases: the head alone, then all of it at a tenth of the rate."""

import keras
import numpy as np
from keras import layers

from trainables import Data, Trainable, TrainingParams


def blobs(count, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    return (rng.normal(size=(count, 6)) + y[:, None]).astype("float32"), y.astype("int32")


class Unfreeze(keras.callbacks.Callback):
    """Recompiles the model with a trainable base when the second phase begins, as the guide does between two fits."""

    def __init__(self, epoch, learning_rate):
        super().__init__()
        self.epoch, self.learning_rate = epoch, learning_rate

    def on_epoch_begin(self, epoch, logs=None):
        base = self.model.get_layer("base")
        if epoch == self.epoch:
            base.trainable = True
            self.model.optimizer.learning_rate = self.learning_rate / 10


class Transfer(Trainable):
    class Params(TrainingParams):
        unfreeze_at: int = 2

    def load_data(self):
        return Data(train=blobs(160, 1), validation=blobs(60, 2))

    def build_model(self, params):
        base = keras.models.load_model("base.keras")
        base.trainable = True
        x = inputs = keras.Input((6,))
        x = base(x, training=False)
        outputs = layers.Dense(3, activation="softmax")(layers.Dropout(0.1)(x))
        model = keras.Model(inputs, outputs)
        model.compile(
            optimizer=keras.optimizers.RMSprop(params.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=["accuracy"],
        )
        return model

    def callbacks(self, params):
        return [Unfreeze(params.unfreeze_at, params.learning_rate)]
