"""`mlp`: a multilayer perceptron on the spec's `data`, a built-in set or the user's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from trainables import data as data_sets
from trainables.built_in import BUILT_IN
from trainables.contract import Data, DataError, Trainable
from trainables.contract import Params as TrainingParams

if TYPE_CHECKING:
    import keras

_LOSSES = {
    "integer": ("sparse_categorical_crossentropy", ("accuracy",), "softmax"),
    "one_hot": ("categorical_crossentropy", ("accuracy",), "softmax"),
    "target": ("mse", ("mae",), "linear"),
}


class Mlp(Trainable):
    """Dense layers on flattened inputs; the labels decide output, loss and metrics, known from construction on.

    Integer or one-hot classes: softmax, cross-entropy and accuracy. A regression target: linear, mse and mae.
    """

    class Params(TrainingParams):
        batch_size: int = Field(128, ge=1)
        epochs: int = Field(100, ge=1)
        units: int = Field(64, ge=1)
        """Width of each hidden layer."""
        depth: int = Field(2, ge=0)
        """Number of hidden layers."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share of each hidden layer's units left out in training."""

    def __init__(self, data: str | None = None) -> None:
        super().__init__(data)
        if data is None:
            names = ", ".join(BUILT_IN)
            raise DataError(f"mlp must be given data, one of {names} or an .npz file, but got none")
        self._labels = data_sets.labels(data)
        loss, metrics, self._activation = _LOSSES[self._labels.kind]
        self.loss, self.metrics = loss, metrics  # type: ignore[misc]  # by label kind, so the instance's own

    def load_data(self) -> Data:
        assert self.data is not None
        return data_sets.load(self.data)

    def build_model(self, params: Any) -> keras.Model:
        import keras

        model = keras.Sequential([keras.layers.Flatten()])
        for _ in range(params.depth):
            model.add(keras.layers.Dense(params.units, activation="relu"))
            model.add(keras.layers.Dropout(params.dropout))
        model.add(keras.layers.Dense(self._labels.size, activation=self._activation, dtype="float32"))
        return model
