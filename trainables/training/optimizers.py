"""Optimizers whose numbers are variables: rate, schedule, momentum and weight decay change without a new trace."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from trainables.contract import Params
from trainables.schedules import VariableSchedule


class TunableSGD(keras.optimizers.SGD):  # type: ignore[misc]
    """SGD with a variable as momentum (Keras bakes its own into the graph)."""

    def __init__(self, momentum_value: Any, **options: Any) -> None:
        super().__init__(**options)
        self.momentum_value = momentum_value

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not self.momentums:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self.momentums[self._get_variable_index(variable)]
        step = tf.cast(gradient, variable.dtype) * tf.cast(learning_rate, variable.dtype)
        self.assign(momentum, momentum * tf.cast(self.momentum_value, variable.dtype) - step)
        self.assign_add(variable, momentum)


class TunableRMSprop(keras.optimizers.RMSprop):  # type: ignore[misc]
    """RMSprop with a variable as momentum."""

    def __init__(self, momentum_value: Any, **options: Any) -> None:
        super().__init__(**options)
        self.momentum_value = momentum_value

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not self._momentums:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        velocity, momentum = self._velocities[index], self._momentums[index]
        gradient = tf.cast(gradient, variable.dtype)
        self.assign(velocity, self.rho * velocity + (1 - self.rho) * tf.square(gradient))
        step = tf.cast(learning_rate, variable.dtype) * gradient / tf.sqrt(velocity + self.epsilon)
        self.assign(momentum, tf.cast(self.momentum_value, variable.dtype) * momentum + step)
        self.assign_sub(variable, momentum)


class TunableOptimizer:
    """A Keras optimizer, made for one model, whose numbers are set before each trial.

    Attributes:
        keras: what `keras.Model.compile` takes.
        variables: what `set` assigns; the optimizer's own state is not among them.
    """

    def __init__(self, params: Params) -> None:
        self.schedule = VariableSchedule()
        self._momentum = tf.Variable(0.0, trainable=False, name="momentum_value")
        self._weight_decay = tf.Variable(0.0, trainable=False, name="weight_decay_value")
        # Keras makes momentum's state and weight decay's ops only where they are not zero: see `static_key`.
        options: dict[str, Any] = {"learning_rate": self.schedule}
        if params.weight_decay > 0:
            options["weight_decay"] = 0.5
        momentum = {"momentum": 0.5 if params.momentum > 0 else 0.0, "momentum_value": self._momentum}
        match params.optimizer:
            case "sgd":
                self.keras = TunableSGD(**options, **momentum)
            case "rmsprop":
                self.keras = TunableRMSprop(**options, **momentum)
            case "adagrad":
                self.keras = keras.optimizers.Adagrad(**options)
            case "adam" | "adamw":  # in Keras too, AdamW is Adam with a default of weight decay
                self.keras = keras.optimizers.Adam(**options)
        if params.weight_decay > 0:
            self.keras.weight_decay = self._weight_decay

    @property
    def variables(self) -> list[Any]:
        return [self.schedule.variable, self._momentum, self._weight_decay]

    def set(self, params: Params, steps_per_epoch: int) -> None:
        """Gives learning rate, schedule, momentum and weight decay the values of a trial."""
        self.schedule.set(params, steps_per_epoch)
        self._momentum.assign(params.momentum)
        self._weight_decay.assign(params.weight_decay)


def static_key(params: Params) -> tuple[str, bool, bool]:
    """What of the optimizer is part of the graph; all else is a variable."""
    takes_momentum = params.optimizer in ("sgd", "rmsprop")
    return params.optimizer.replace("adamw", "adam"), takes_momentum and params.momentum > 0, params.weight_decay > 0
