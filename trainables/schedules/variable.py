"""The Keras schedule whose kind and parameters are variables."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import Params
from trainables.schedules.formulas import FORMULAS
from trainables.settings import Settings

_KINDS = list(FORMULAS)
_SCALARS = (
    *("kind", "learning_rate", "warmup_steps", "total", "decay_rate", "decay_steps", "staircase"),
    *("end_learning_rate", "power", "cycle", "alpha", "but_alpha", "first_decay_steps", "t_mul", "m_mul"),
    *("top", "last", "first_rate", "last_rate"),
)
_MILESTONES_MAX = 32
_NEVER = 3e38
"""A step that no training reaches."""


class VariableSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning-rate schedule whose kind and parameters are variables; `set` gives it others."""

    def __init__(self) -> None:
        def variable(length: int, name: str) -> Any:
            return tf.Variable(np.ones(length, np.float32), trainable=False, name=name)

        self._scalars = variable(len(_SCALARS), "schedule")
        self._rate = variable(1, "plateau_rate")
        self._boundaries = variable(_MILESTONES_MAX, "milestones")
        self._rates = variable(_MILESTONES_MAX + 1, "milestone_rates")
        self.set(Params(), 1)

    def set(self, params: Params, steps_per_epoch: int) -> None:
        """Makes this the schedule of a training with these parameters."""
        values = _values(params, steps_per_epoch)
        self._scalars.assign([values[name] for name in _SCALARS])
        boundaries, rates = _milestones(params, steps_per_epoch)
        self._boundaries.assign(boundaries)
        self._rates.assign(rates)
        self.set_rate(params.learning_rate)

    def set_rate(self, rate: float) -> None:
        """The rate that `plateau` has from now on; the other schedules do not know it."""
        self._rate.assign([rate])

    @property
    def variables(self) -> list[Any]:
        """Kind and parameters, as the graph reads them."""
        return [self._scalars, self._rate, self._boundaries, self._rates]

    def __call__(self, step: Any) -> Any:
        """The rate at an optimizer step, or at a tensor of steps."""
        scalars = tf.convert_to_tensor(self._scalars)
        values: dict[str, Any] = dict(zip(_SCALARS, tf.unstack(scalars), strict=True))
        values |= {"boundaries": tf.convert_to_tensor(self._boundaries), "rates": tf.convert_to_tensor(self._rates)}
        kind = tf.cast(values["kind"], tf.int32)
        is_plateau = tf.equal(kind, _KINDS.index("plateau"))
        values["learning_rate"] = tf.where(is_plateau, tf.convert_to_tensor(self._rate)[0], values["learning_rate"])
        step, warmup = tf.cast(step, tf.float32), values["warmup_steps"]
        s = tf.maximum(step - warmup, 0.0)
        rate = tf.switch_case(kind, [lambda f=formula: f(s, values) for formula in FORMULAS.values()])
        # The divisor's floor keeps the branch that is not taken finite.
        return rate * tf.where(step < warmup, step / tf.maximum(warmup, 1e-9), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Nothing: the settings belong to a trial and are set, not configured."""
        return {}


def _values(params: Params, steps_per_epoch: int) -> dict[str, float]:
    """The scalars of `formulas`, by name."""
    settings = Settings(params)
    warmup_steps = params.warmup_epochs * steps_per_epoch
    total = max(params.epochs * steps_per_epoch - warmup_steps, 1.0)
    is_whole = params.schedule == "polynomial" and not settings.is_given("decay_steps")
    first_rate = params.learning_rate / settings.div_factor
    periods = 1 + settings.t_mul + settings.t_mul**2
    return {
        "kind": _KINDS.index(params.schedule),
        "learning_rate": params.learning_rate,
        "warmup_steps": warmup_steps,
        "total": total,
        "decay_rate": params.decay_rate,
        "decay_steps": total if is_whole else params.decay_steps,
        "staircase": params.staircase,
        **{
            name: getattr(settings, name) for name in ("end_learning_rate", "power", "cycle", "alpha", "t_mul", "m_mul")
        },
        "but_alpha": 1 - settings.alpha,
        "first_decay_steps": settings.first_decay_steps or max(total / periods, 1.0),
        "top": max(settings.pct_start * total - 1, 1e-6),
        "last": total - 1,
        "first_rate": first_rate,
        "last_rate": first_rate / settings.final_div_factor,
    }


def _milestones(params: Params, steps_per_epoch: int) -> tuple[list[float], list[float]]:
    """The last steps before each fall, and the rates before, between and after them; filled up to their full length."""
    settings = Settings(params)
    milestones = settings.milestone_epochs(max(params.epochs - params.warmup_epochs, 0))
    factors = settings.milestone_factors or [params.decay_rate] * len(milestones)
    falls = sorted(zip(milestones, factors, strict=True))
    steps = [round(epochs * steps_per_epoch) - 1 for epochs, _ in falls]
    rates = list(params.learning_rate * np.cumprod([1.0, *(factor for _, factor in falls)]))
    missing = _MILESTONES_MAX - len(falls)
    return steps + [_NEVER] * missing, rates + rates[-1:] * missing
