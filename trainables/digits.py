"""`digits`: a small dense network on scikit-learn's digits, the embedded default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from trainables import data
from trainables.contract import Data, Trainable
from trainables.contract import Params as TrainingParams

if TYPE_CHECKING:
    import keras


class Digits(Trainable):
    """10 classes of images of 8 x 8 pixels; two dense layers."""

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)
    takes_data = False

    class Params(TrainingParams):
        units: int = Field(64, ge=1)
        """Width of the hidden layer."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share of hidden units left out in training."""

    def load_data(self) -> Data:
        return data.digits()

    def build_model(self, params: Any) -> keras.Model:
        import keras

        return keras.Sequential(
            [
                keras.Input((64,)),
                keras.layers.Dense(params.units, activation="relu"),
                keras.layers.Dropout(params.dropout),
                keras.layers.Dense(10, activation="softmax", dtype="float32"),
            ]
        )
