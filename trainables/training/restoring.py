"""A model with the weights of a checkpoint, for use after its training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from trainables.contract import Trainable
from trainables.training.checkpoint import best_bytes_max, read_best
from trainables.training.fit_data import fit_part
from trainables.training.graphs import assign, new_model
from trainables.training.naming import first_names, rename_automatic
from trainables.training.reads import valid_params


def restore_model(
    trainable: Trainable, params: dict[str, Any], checkpoint: Callable[[int], bytes], precision: str
) -> keras.Model:
    """A model, compiled if `build_model` compiles it, with its best epoch's weights.

    The data are loaded only where they say its inputs' shape.

    Args:
        checkpoint: reads the checkpoint's bytes once the model is there; it is told the most that they may be.

    Raises:
        CheckpointError: the checkpoint is damaged, or of another model.
        Exception: whatever the trainable's own code raises.
    """
    valid = valid_params(trainable, params)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        with first_names(trainable):
            model = new_model(
                trainable,
                valid,
                lambda: fit_part(trainable.select_data(trainable.load_data(), valid).train, "training").inputs(),
            )
        rename_automatic(model)
    finally:
        keras.config.set_dtype_policy(before)
    data = checkpoint(best_bytes_max(model.variables))
    assign(model.variables, read_best(data, model.variables))
    return model
