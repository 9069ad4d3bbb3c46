"""A model with the weights of a checkpoint, for use after its training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from trainables.contract import FOLDS_MAX, Data, Trainable, has_folds
from trainables.isolation import isolated, read_only
from trainables.learned import IncompleteError, Learned, teach
from trainables.training.arguments import give_configurations, kept_arguments
from trainables.training.checkpoint import best_bytes_max, read_best
from trainables.training.device import DeviceData
from trainables.training.fit.data import fit_part
from trainables.training.graphs import assign, has_call, new_model, whole_model
from trainables.training.naming import first_names, rename_automatic
from trainables.training.reads import valid_params


def restore_model(
    trainable: Trainable,
    params: dict[str, Any],
    checkpoint: Callable[[int], bytes],
    precision: str,
    learned: Learned = Learned(),  # noqa: B008 - it is frozen
    folds: int | None = None,
) -> keras.Model:
    """A model, compiled if `build_model` compiles it, with its best epoch's weights.

    The data are loaded only where they say its inputs' shape, or the model needs what they left in the trainable and
    that was not kept.

    Args:
        learned: what `load_data` left in the trainable.
        checkpoint: reads the checkpoint's bytes once the model is there; it is told the most that they may be.
        folds: of the spec: a checkpoint may hold as many trainings.

    Raises:
        CheckpointError: the checkpoint is damaged, or of another model.
        Exception: whatever the trainable's own code raises.
    """
    valid = valid_params(trainable, params)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        with kept_arguments():
            model = _built(trainable, valid, learned)
        rename_automatic(model)
    finally:
        keras.config.set_dtype_policy(before)
    num_trainings = FOLDS_MAX if has_folds(trainable) else folds or 1
    data = checkpoint(num_trainings * best_bytes_max(model.variables))
    assign(model.variables, read_best(data, model.variables))
    with kept_arguments():
        exported = trainable.exported(model, valid)
    give_configurations(exported)
    return exported


def _built(trainable: Trainable, params: Any, learned: Learned) -> Any:
    """A new model, from what was learned; from the data where that is not enough."""
    is_whole = not learned.left_out
    try:
        teach(trainable, learned)
    except IncompleteError:
        is_whole = False
    if is_whole:
        try:
            return isolated(*read_only(trainable, Data(None, None)), lambda own, _: _model(own, params, own.load_data))
        except Exception as error:
            failed = error
        try:
            data = trainable.load_data()
        except Exception:
            raise failed from None
    else:
        data = trainable.load_data()

    def build(own: Trainable, given: Data) -> Any:
        selected = own.select_data(given, params)
        return _model(own, params, lambda: selected, is_selected=True)

    return isolated(*read_only(trainable, data), build)


def _model(trainable: Trainable, params: Any, load: Callable[[], Data], is_selected: bool = False) -> Any:
    """A new model; `load` gives the data for one that takes its shape from them."""

    def inputs() -> Any:
        data = load() if is_selected else trainable.select_data(load(), params)
        return fit_part(data.train, "training").inputs()

    with first_names(trainable):
        model = new_model(trainable, params, inputs)
        if has_call(model) or all(layer.built for layer in model._flatten_layers(include_self=False)):
            return model
        data = load() if is_selected else trainable.select_data(load(), params)  # its steps make the rest of it
        train, validation = (DeviceData().split(part, "training") for part in (data.train, data.validation))
        return whole_model(trainable, params, train, validation)
