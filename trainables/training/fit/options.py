"""What a trainable says about `fit`: arguments, class weights and callbacks, checked before the first epoch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import keras

_ELSEWHERE = {
    "x": "the data are load_data's",
    "y": "the data are load_data's",
    "validation_data": "the data are load_data's",
    "validation_split": "Data.validation is what trials are validated on",
    "epochs": "the spec's epochs.max says it, or a parameter epochs",
    "callbacks": "the trainable's method callbacks(params) makes them",
    "verbose": "a sweep shows its own progress",
}
_KNOWN = (
    "batch_size",
    "class_weight",
    "initial_epoch",
    "sample_weight",
    "shuffle",
    "steps_per_epoch",
    "validation_batch_size",
    "validation_freq",
    "validation_steps",
)


class FitOptionsError(ValueError):
    """What a trainable says about `fit` cannot be followed; the message says what to do."""


def fit_options(trainable: Any, params: Any) -> dict[str, Any]:
    """The arguments of `fit` that the trainable gives.

    Raises:
        FitOptionsError: one of them is not its own to say, or is unknown.
    """
    given = _said(trainable, "fit_options", params)
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise FitOptionsError(f"fit_options must be a dict of fit's arguments, but got {type(given).__name__}")
    options = dict(given)
    for name in options:
        if name in _ELSEWHERE:
            raise FitOptionsError(f"fit_options must not have {name}: {_ELSEWHERE[name]}")
        if name not in _KNOWN:
            raise FitOptionsError(f"fit_options must be among {', '.join(_KNOWN)}, but got {name!r}")
    weights = _said(trainable, "class_weight", params)
    if weights is not None:
        if "class_weight" in options:
            raise FitOptionsError("class_weight must stand once, but is in fit_options, too")
        options["class_weight"] = weights
    if options.get("class_weight") is not None:
        options["class_weight"] = _weights(options["class_weight"])
    return options


def new_callbacks(trainable: Any, params: Any) -> list[Any]:
    """New callbacks for a trial.

    Raises:
        FitOptionsError: one is no callback, or cannot be had in a sweep.
    """
    given = _said(trainable, "callbacks", params)
    callbacks = list(given or ())
    if not callable(getattr(type(trainable), "callbacks", None)):
        callbacks = copy.deepcopy(callbacks)  # those of the class would go from trial to trial
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise FitOptionsError(f"callbacks must be Keras callbacks, but got {type(callback).__name__}")
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise FitOptionsError(
                "callbacks must not have BackupAndRestore, which fights with the sweep's own checkpoints: leave it out,"
                " as every trial goes on from its last checkpoint anyway"
            )
    return callbacks


def _said(trainable: Any, name: str, params: Any) -> Any:
    """An attribute, or what a method of the parameters returns."""
    said = getattr(trainable, name, None)
    return said(params) if callable(said) else said


def _weights(weights: Any) -> dict[int, float]:
    if not isinstance(weights, Mapping):
        raise FitOptionsError(f"class_weight must be a dict of class numbers to weights, but got {weights!r}")
    try:
        return {int(label): float(weight) for label, weight in weights.items()}
    except (TypeError, ValueError) as error:
        raise FitOptionsError(f"class_weight must map class numbers to weights, but got {weights!r}") from error
