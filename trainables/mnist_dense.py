"""`mnist-dense`: the dense network of the Keras quickstart on MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from trainables import data
from trainables.contract import Data, Trainable
from trainables.contract import Params as TrainingParams

if TYPE_CHECKING:
    import keras


class MnistDense(Trainable):
    """10 classes of images of 28 x 28 pixels; one hidden layer."""

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)
    takes_data = False

    class Params(TrainingParams):
        staircase: bool = True
        units: int = Field(128, ge=1)
        """Width of the hidden layer."""
        dropout: float = Field(0.2, ge=0, lt=1)
        """Share of hidden units left out in training."""
        train_size: int = Field(55_000, ge=1, le=55_000)
        """The first so many of the training images are trained on."""

    def load_data(self) -> Data:
        return data.mnist()

    def select_data(self, data: Data, params: Any) -> Data:
        x, y = data.train
        return Data((x[: params.train_size], y[: params.train_size]), data.validation, data.test)

    def build_model(self, params: Any) -> keras.Model:
        import keras

        return keras.Sequential(
            [
                keras.Input((28, 28)),
                keras.layers.Flatten(),
                keras.layers.Dense(params.units, activation="relu"),
                keras.layers.Dropout(params.dropout),
                keras.layers.Dense(10, activation="softmax", dtype="float32"),
            ]
        )
