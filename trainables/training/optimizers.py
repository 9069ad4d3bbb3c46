"""Optimizers whose numbers are variables: none of them is traced anew for another rate, schedule, momentum or decay."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import keras
import tensorflow as tf

from trainables.contract import Params
from trainables.schedules import VariableSchedule
from trainables.settings import CLIPPING, OPTIMIZER_PARAMS, Settings
from trainables.training.optimizer_numbers import Number

_CLASSES = {
    "sgd": keras.optimizers.SGD,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta": keras.optimizers.Adadelta,
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "adamax": keras.optimizers.Adamax,
    "lion": keras.optimizers.Lion,
    "adafactor": keras.optimizers.Adafactor,
}
_SWITCHES = ("nesterov", "centered", "amsgrad")
"""What is in the graph or not."""
_STATE = "initial_accumulator_value"
"""What the optimizer's state begins with, and no graph knows."""


def keras_optimizer(params: Params, learning_rate: Any) -> Any:
    """Keras's own optimizer with a trial's parameters as constants."""
    return _class_of(params)(learning_rate=learning_rate, **_switches(params), **_numbers(params))


class TunableOptimizer:
    """A Keras optimizer, made for one model, whose numbers are set before each trial.

    Attributes:
        keras: what `keras.Model.compile` takes.
        variables: what `set` assigns; the optimizer's own state is not among them.
    """

    def __init__(self, params: Params) -> None:
        self.schedule = VariableSchedule()
        self.keras = keras_optimizer(params, self.schedule)
        self._numbers = {name: Number(name) for name in _numbers(params) if name != _STATE}

    def place_numbers(self) -> None:
        """Puts variables in the place of the constants, once Keras has made the optimizer's state."""
        for name, number in self._numbers.items():
            setattr(self.keras, name, number)
        _evaluate_rate_once(self.keras)

    @property
    def variables(self) -> list[Any]:
        return [*self.schedule.variables, *(number.variable for number in self._numbers.values())]

    def set(self, params: Params, steps_per_epoch: int) -> None:
        """Gives all numbers the values of a trial."""
        self.schedule.set(params, steps_per_epoch)
        values = _numbers(params)
        for name, number in self._numbers.items():
            number.set(values[name])

    def begin(self, params: Params) -> None:
        """Gives the optimizer's state the values that a trial begins with, where they are among its parameters."""
        if _STATE in (values := _numbers(params)):
            for variable in filter(None.__ne__, self.keras._accumulators):
                variable.assign(tf.fill(variable.shape, tf.cast(values[_STATE], variable.dtype)))


def _evaluate_rate_once(optimizer: Any) -> None:
    """Lets each step of an optimizer evaluate its schedule once; Keras does so for each weight that decays."""
    inner = optimizer.apply

    def apply(*args: Any, **options: Any) -> Any:
        if tf.distribute.has_strategy():
            return inner(*args, **options)
        rate = optimizer.learning_rate
        optimizer.__dict__["_get_current_learning_rate"] = lambda: rate
        try:
            return inner(*args, **options)
        finally:
            del optimizer.__dict__["_get_current_learning_rate"]

    optimizer.__dict__["apply"] = apply


def static_key(params: Params) -> tuple[Any, ...]:
    """What of the optimizer is part of the graph; all else is a variable."""
    return _class_of(params).__name__, tuple(sorted(_numbers(params))), tuple(sorted(_switches(params)))


def weight_decay_of(params: Params) -> float:
    """A trial's weight decay; Keras's default for AdamW where nothing gives one."""
    if params.optimizer == "adamw" and not params.weight_decay and not Settings(params).is_given("weight_decay"):
        return float(_defaults(keras.optimizers.AdamW)["weight_decay"])
    return params.weight_decay


def _class_of(params: Params) -> Any:
    """Keras's class; Adam and AdamW are the same but for the default of their weight decay."""
    return _CLASSES["adam" if params.optimizer == "adamw" else params.optimizer]


def _switches(params: Params) -> dict[str, bool]:
    """Those that are on: each makes another graph."""
    settings = Settings(params)
    names = [name for name in OPTIMIZER_PARAMS[params.optimizer] if name in _SWITCHES]
    return {name: True for name in (*names, "use_ema") if getattr(settings, name)}


def _numbers(params: Params) -> dict[str, float]:
    """The numbers of a trial's optimizer, by Keras's names; what it does not have at 0 or None is left out."""
    settings, defaults = Settings(params), _defaults(_class_of(params))
    numbers = {}
    for name in OPTIMIZER_PARAMS[params.optimizer]:
        if name not in _SWITCHES:
            value = getattr(settings, name)
            numbers[name] = defaults[name] if value is None else value
    found = {**numbers, "weight_decay": weight_decay_of(params)}
    found = {name: value for name, value in found.items() if value or name not in ("momentum", "weight_decay")}
    found |= {name: value for name in CLIPPING if (value := getattr(settings, name)) is not None}
    return found | ({"ema_momentum": settings.ema_momentum} if settings.use_ema else {})


@functools.cache
def _defaults(kind: type[Any]) -> dict[str, Any]:
    """The defaults of a Keras class's arguments."""
    return {name: parameter.default for name, parameter in inspect.signature(kind).parameters.items()}
