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
    """Begins the second phase: the base is trained as well, and the model compiled anew, as between two fits."""

    def __init__(self, epoch, learning_rate):
        super().__init__()
        self.epoch, self.learning_rate = epoch, learning_rate

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.epoch:
            self.model.get_layer("base").trainable = True
            compile_model(self.model, self.learning_rate / 10)


def compile_model(model, learning_rate):
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )


class Transfer(Trainable):
    class Params(TrainingParams):
        unfreeze_at: int = 2

    def load_data(self):
        return Data(train=blobs(160, 1), validation=blobs(60, 2))

    def build_model(self, params):
        base = keras.models.load_model("base.keras")
        base.trainable = False
        x = inputs = keras.Input((6,))
        x = base(x, training=False)
        outputs = layers.Dense(3, activation="softmax")(layers.Dropout(0.1)(x))
        model = keras.Model(inputs, outputs)
        compile_model(model, params.learning_rate)
        return model

    def callbacks(self, params):
        return [Unfreeze(params.unfreeze_at, params.learning_rate)]
