"""An overridden `HyperModel.fit`, one epoch at a time.

`model.fit` is taken over while it runs: whatever it is called with, it trains the trial's next epoch, with the batch
size, the shuffling and the weights that the user's code says. A `fit` that never calls it has a loop of its own, which
is one epoch of the sweep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from trainables.contract import Data
from trainables.kerastuner.hyperparameters import HyperParameters
from trainables.kerastuner.splitting import first_rows

DEFAULT_OBJECTIVE = "default_objective"
"""KerasTuner's own name for a number that `fit` returns."""
_OURS = ("epochs", "initial_epoch", "verbose", "callbacks")
"""Arguments of `model.fit` that the sweep decides."""


class Listener(keras.callbacks.Callback):  # type: ignore[misc]
    """Stands for KerasTuner's own callbacks, and keeps what a loop of the user's own tells it."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.logs = dict(logs or {})


def fit_epoch(
    hypermodel: Any, hp: HyperParameters, model: Any, data: Data, batch_size: int, arguments: Mapping[str, Any]
) -> None:
    """Trains one epoch.

    Args:
        arguments: of `keras.Model.fit` for this epoch, with the trial's CallbackList.

    Raises:
        ValueError: its loop of its own is asked for a second epoch.
    """
    callbacks, listener = arguments["callbacks"], Listener()
    calls: list[dict[str, Any]] = []

    def fit(*args: Any, **kwargs: Any) -> Any:
        asked = {**dict(zip(("x", "y", "batch_size"), args, strict=False)), **kwargs}
        calls.append(asked)
        _take_callbacks(asked.get("callbacks"), listener, callbacks, model, is_first=len(calls) == 1)
        if len(calls) > 1:
            raise ValueError("fit must call model.fit once, but called it again: a sweep trains epoch by epoch")
        given = {name: value for name, value in asked.items() if name not in _OURS}
        given.setdefault("batch_size", None if _is_batched(given.get("x")) else batch_size)
        return original(**given, **{name: arguments[name] for name in _OURS})

    original = model.fit
    with _in_place(model, fit):
        result = hypermodel.fit(hp, model, *_positional(data.train), **_keywords(data, listener))
    if not calls:
        if arguments["initial_epoch"]:
            raise ValueError("its fit has a loop of its own, which is one epoch here: write epochs: {max: 1}")
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        callbacks.on_epoch_end(0, {**listener.logs, **_numbers(result)})
    elif numbers := _numbers(result):
        callbacks.logs = {**callbacks.logs, **numbers}


def look_at_fit(hypermodel: Any, hp: HyperParameters, model: Any, data: Data, num_rows: int) -> None:
    """Lets `fit` ask for its hyperparameters, without training; a loop of its own trains on a few examples."""

    def fit(*args: Any, **kwargs: Any) -> Any:
        history = keras.callbacks.History()
        history.set_model(model)
        history.history = _Anything()
        return history

    few = Data(first_rows(data.train, num_rows), first_rows(data.validation, num_rows))
    with _in_place(model, fit):
        hypermodel.fit(hp, model, *_positional(few.train), **_keywords(few, Listener()))


class _Anything(dict[str, list[float]]):
    """A history of an epoch that nobody trained."""

    def __missing__(self, name: str) -> list[float]:
        return [0.0]


@contextmanager
def _in_place(model: Any, fit: Any) -> Iterator[None]:
    object.__setattr__(model, "fit", fit)
    try:
        yield
    finally:
        object.__delattr__(model, "fit")


def _positional(train: Any) -> tuple[Any, ...]:
    return tuple(train[:2]) if isinstance(train, tuple) else (train,)


def _keywords(data: Data, listener: Listener) -> dict[str, Any]:
    weights = {"sample_weight": data.train[2]} if isinstance(data.train, tuple) and len(data.train) == 3 else {}
    return {"validation_data": data.validation, "callbacks": [listener], "verbose": 0, **weights}


def _take_callbacks(given: Any, listener: Listener, callbacks: Any, model: Any, is_first: bool) -> None:
    """Adds the user's own callbacks to the trial's at its first epoch in this process; later ones are the same."""
    own = [one for one in given or () if one is not listener]
    if not is_first or getattr(callbacks, "has_own", False):
        return
    callbacks.has_own = True
    for one in own:
        one.set_model(model)
        one.set_params(callbacks.params)
        callbacks.callbacks.append(one)


def _is_batched(x: Any) -> bool:
    return hasattr(x, "cardinality") or isinstance(x, keras.utils.PyDataset) or hasattr(x, "__next__")


def _numbers(result: Any) -> dict[str, float]:
    """Metrics among what `fit` returned: a dict, or a number, which is the objective."""
    if isinstance(result, list | tuple) and result:
        result = result[-1]
    if isinstance(result, Mapping):
        return {str(name): float(value) for name, value in result.items()}
    if hasattr(result, "history") or result is None or isinstance(result, str):
        return {}
    return {DEFAULT_OBJECTIVE: float(result)}
