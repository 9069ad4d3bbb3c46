"""What an epoch reports, asked of the model itself: it alone knows its outputs and what its own steps return."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import Data, Params, Trainable
from trainables.counts import COUNTS, MICRO_BATCH_SIZE
from trainables.training.batching import like
from trainables.training.device import DeviceData
from trainables.training.evaluating import Evaluation
from trainables.training.fit.trainer import FitTrainer
from trainables.training.fixed_batch import fixed_batch_size
from trainables.training.graphs import CompiledModel, new_model
from trainables.training.naming import first_names
from trainables.training.path import training_path
from trainables.training.replicas import Replicas


def reported_metric_names(trainable: Trainable, data: Data, params: Params, precision: str = "float32") -> list[str]:
    """Builds and traces a model; `data` are those that `select_data` gave, of which one example is looked at.

    Raises:
        Exception: whatever the trainable's own code raises, or Keras of a loss or a metric that does not fit.
    """
    path, _ = training_path(trainable, None, data)
    if path == "fit":
        return _names_of_fit(trainable, data, params, precision)
    keras.config.set_dtype_policy(precision)
    device = DeviceData()
    train, validation = (device.split(_first(part), "training") for part in (data.train, data.validation))
    with first_names(trainable):
        model = new_model(trainable, params, lambda: train.inputs(1))
        if model.compiled:
            return _names_of_fit(trainable, data, params, precision)
        if (size := fixed_batch_size(model)) is not None:
            train, validation = (device.split(_first(part, size), "training") for part in (data.train, data.validation))
        first = train.first(size or 1)
        compiled = CompiledModel(model, trainable, params, first, lambda: None, Replicas())
        names = compiled.metric_names(train, validation)
        if (evaluation := Evaluation.of(trainable, data)) is not None:
            names += evaluation.after_epoch(model, compiled.variables, names)
        return [*names, "epoch_s", *(name for name in COUNTS if name not in names)]


def _names_of_fit(trainable: Trainable, data: Data, params: Any, precision: str) -> list[str]:
    """Of an epoch of one step through `fit`."""
    trainer = FitTrainer(trainable, data, "loss", "min", precision)
    trainer.steps_max = 1
    trainer.start({"epochs": 1, **params.model_dump()}, 0)
    names = list(trainer.train_epoch().metrics)
    trainer.end()
    return [name for name in names if name != MICRO_BATCH_SIZE]


def _first(part: Any, count: int = 1) -> Any:
    """The first examples of a part of the data."""
    if isinstance(part, tf.data.Dataset):
        return like(part, part.take(count))
    return tf.nest.map_structure(lambda rows: np.asarray(rows)[:count], part)
