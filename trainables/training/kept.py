"""A model with the weights of a checkpoint, for use after its training."""

from __future__ import annotations

from typing import Any

import keras

from trainables.contract import Trainable
from trainables.training.checkpoint import read_best
from trainables.training.device import DeviceData
from trainables.training.graphs import assign, new_model


def kept_model(trainable: Trainable, params: dict[str, Any], checkpoint: bytes, precision: str) -> keras.Model:
    """A model, not compiled, with its best epoch's weights. The data are loaded only where they say its inputs' shape.

    Raises:
        CheckpointError: the checkpoint is damaged, or of another model.
        Exception: whatever the trainable's own code raises.
    """
    valid = trainable.Params(**params)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = new_model(
            trainable,
            valid,
            lambda: DeviceData().split(trainable.select_data(trainable.load_data(), valid).train, "training").inputs(1),
        )
    finally:
        keras.config.set_dtype_policy(before)
    assign(model.variables, read_best(checkpoint, model.variables))
    return model
