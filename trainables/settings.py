"""The training parameters of optimizers and schedules, and which of them each one takes. Imports no Keras.

Names are Keras's; those of the schedule `plateau` have its name in front, as `factor` alone would not say of what.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

OPTIMIZER_PARAMS = {
    "sgd": ("momentum", "nesterov"),
    "adagrad": ("initial_accumulator_value", "epsilon"),
    "adadelta": ("rho", "epsilon"),
    "rmsprop": ("rho", "momentum", "epsilon", "centered"),
    "adam": ("beta_1", "beta_2", "epsilon", "amsgrad"),
    "adamw": ("beta_1", "beta_2", "epsilon", "amsgrad"),
    "nadam": ("beta_1", "beta_2", "epsilon"),
    "adamax": ("beta_1", "beta_2", "epsilon"),
    "lion": ("beta_1", "beta_2"),
    "adafactor": ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold"),
}
"""What each optimizer takes besides what all of them do."""
SCHEDULE_PARAMS = {
    "constant": (),
    "exponential": ("decay_rate", "decay_steps", "staircase"),
    "step": ("milestones", "milestone_factors", "decay_rate"),
    "polynomial": ("decay_steps", "end_learning_rate", "power", "cycle"),
    "inverse_time": ("decay_rate", "decay_steps", "staircase"),
    "cosine": ("alpha",),
    "cosine_restarts": ("first_decay_steps", "t_mul", "m_mul", "alpha"),
    "one_cycle": ("pct_start", "div_factor", "final_div_factor"),
    "plateau": (
        *("plateau_factor", "plateau_patience", "plateau_min_delta"),
        *("plateau_cooldown", "plateau_min_lr", "plateau_rise"),
    ),
}
"""What each schedule takes besides learning_rate and warmup_epochs."""
CLIPPING = ("clipnorm", "global_clipnorm", "clipvalue")
"""Only one of them may have a value."""

_TWO = (0.5, 0.75)
"""The milestones where none are given, as parts of the training."""
EARLIEST = (
    "optimizer",
    "momentum",
    "weight_decay",
    "schedule",
    "decay_rate",
    "decay_steps",
    "staircase",
    "warmup_epochs",
)
"""What trainables' Params may give another default. A later name in them is a parameter of their own."""


class OptimizerParams(BaseModel):
    """The optimizer and its parameters. None: Keras's default for the optimizer."""

    optimizer: Literal[
        "sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "adamax", "lion", "adafactor"
    ] = "adam"
    """Keras's of this name."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Of sgd and rmsprop."""
    nesterov: bool = False
    """Nesterov's momentum (sgd)."""
    rho: float | None = Field(None, ge=0, lt=1)
    """Decay of the moving averages (adadelta, rmsprop)."""
    centered: bool = False
    """Divide by the estimated variance of the gradient (rmsprop)."""
    beta_1: float | None = Field(None, gt=0, lt=1)
    """Decay of the first moment (adam, adamw, nadam, adamax, lion)."""
    beta_2: float | None = Field(None, gt=0, lt=1)
    """Decay of the second moment; of lion, of its momentum (adam, adamw, nadam, adamax, lion)."""
    epsilon: float | None = Field(None, ge=0)
    """Added to the divisor (adagrad, adadelta, rmsprop, adam, adamw, nadam, adamax)."""
    amsgrad: bool = False
    """AMSGrad (adam, adamw)."""
    initial_accumulator_value: float | None = Field(None, ge=0)
    """What the sums of squared gradients begin with (adagrad)."""
    beta_2_decay: float | None = Field(None, lt=0)
    """Exponent of the second moment's decay (adafactor)."""
    epsilon_1: float | None = Field(None, ge=0)
    """Added to squared gradients (adafactor)."""
    epsilon_2: float | None = Field(None, ge=0)
    """Least scale of a weight (adafactor)."""
    clip_threshold: float | None = Field(None, gt=0)
    """Largest root mean square of an update (adafactor)."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay a step (Loshchilov and Hutter 2019), of every optimizer; 0 for none. Of adamw 0.004, as in
    Keras, where nothing gives a value."""
    clipnorm: float | None = Field(None, gt=0)
    """Largest norm of each weight's gradient; None for any. Only one of the three may be given."""
    global_clipnorm: float | None = Field(None, gt=0)
    """Largest norm of all gradients together."""
    clipvalue: float | None = Field(None, gt=0)
    """Largest absolute value in a gradient."""
    use_ema: bool = False
    """Validate and export an exponential moving average of the weights; training goes on from the weights."""
    ema_momentum: float = Field(0.99, ge=0, le=1)
    """Decay of that average a step (use_ema)."""

    @model_validator(mode="after")
    def _one_clipping(self) -> OptimizerParams:
        values = _unread(self)
        given = [name for name in CLIPPING if values[name] is not None]
        if len(given) > 1:
            raise ValueError(f"only one of {', '.join(CLIPPING)} may be given, but got {' and '.join(given)}")
        return self


class ScheduleParams(BaseModel):
    """The schedule and its parameters."""

    schedule: Literal[
        "constant", "exponential", "step", "polynomial", "inverse_time", "cosine", "cosine_restarts", "one_cycle",
        "plateau",
    ] = "constant"  # fmt: skip
    """How the rate changes from step to step."""
    decay_rate: float = Field(0.5, gt=0, le=1)
    """exponential: factor on the rate in each decay_steps; inverse_time: lr / (1 + decay_rate * step / decay_steps);
    step: factor on the rate at each milestone."""
    decay_steps: int = Field(1000, ge=1)
    """Optimizer steps (exponential, inverse_time); of polynomial, all after the warm-up where nothing gives a value."""
    staircase: bool = False
    """Fall at whole multiples of decay_steps only; else continuously, as lr0 * exp(-k * step) does (exponential,
    inverse_time)."""
    milestones: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(None, max_length=32)
    """The epochs after which the rate falls, counted after the warm-up; may be fractions. None: after half and three
    quarters of the training (step)."""
    milestone_factors: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(None, max_length=32)
    """A factor for each milestone, in the place of decay_rate (step)."""
    end_learning_rate: float = Field(0.0001, ge=0)
    """The rate after decay_steps (polynomial)."""
    power: float = Field(1.0, gt=0)
    """1 for a straight line (polynomial)."""
    cycle: bool = False
    """Rise again after decay_steps, to fall for longer (polynomial)."""
    alpha: float = Field(0.0, ge=0, le=1)
    """The lowest rate, as a fraction of learning_rate (cosine, cosine_restarts)."""
    first_decay_steps: int | None = Field(None, ge=1)
    """Steps of the first period; None: three periods fill the training (cosine_restarts)."""
    t_mul: float = Field(2.0, ge=1)
    """How much longer each period is than the one before (cosine_restarts)."""
    m_mul: float = Field(1.0, gt=0)
    """Factor on the rate at each restart (cosine_restarts)."""
    pct_start: float = Field(0.3, gt=0, lt=1)
    """The part of the training in which the rate rises to learning_rate (one_cycle)."""
    div_factor: float = Field(25.0, ge=1)
    """The first rate is learning_rate / div_factor (one_cycle)."""
    final_div_factor: float = Field(10000.0, ge=1)
    """The last rate is the first one / final_div_factor (one_cycle)."""
    plateau_factor: float = Field(0.1, gt=0, lt=1)
    """Factor on the rate when val_loss stops improving (plateau), as `factor` of Keras's ReduceLROnPlateau."""
    plateau_patience: int = Field(10, ge=0)
    """Epochs without improvement before the rate falls (plateau)."""
    plateau_min_delta: float = Field(0.0001, ge=0)
    """The least decrease of val_loss that is an improvement (plateau)."""
    plateau_cooldown: int = Field(0, ge=0)
    """Epochs after a fall that do not count (plateau)."""
    plateau_min_lr: float = Field(0.0, ge=0)
    """The rate never falls below it (plateau)."""
    plateau_rise: float = Field(1.0, ge=1)
    """Above 1: where a further fall brings nothing, the rate rises by this factor each epoch instead, up to
    learning_rate (plateau)."""
    warmup_epochs: float = Field(0.0, ge=0)
    """Linear warm-up from 0 in front of any schedule, in epochs."""

    @model_validator(mode="after")
    def _a_factor_for_each(self) -> ScheduleParams:
        values = _unread(self)
        factors, count = values["milestone_factors"], len(values["milestones"] or _TWO)
        if factors is not None and len(factors) != count:
            raise ValueError(f"milestone_factors must be as many as milestones ({count}), but got {len(factors)}")
        return self


NAMES = (*OptimizerParams.model_fields, *ScheduleParams.model_fields)
_DEFAULTS = {
    name: info.default for known in (OptimizerParams, ScheduleParams) for name, info in known.model_fields.items()
}


class Settings:
    """The values that training uses of a trial's parameters, by the names of `NAMES`."""

    def __init__(self, params: Any) -> None:
        self._params, self._own = params, own_names(type(params))

    def __getattr__(self, name: str) -> Any:
        return _DEFAULTS[name] if name in self._own else getattr(self._params, name)

    def milestone_epochs(self, epochs: float) -> tuple[float, ...]:
        """The milestones of a training with so many epochs after its warm-up."""
        given = self.milestones
        return tuple(part * epochs for part in _TWO) if given is None else tuple(given)

    def is_given(self, name: str) -> bool:
        """Whether the trial has a value for it, rather than a default."""
        return name in self._params.model_fields_set and name not in self._own


def _unread(params: Any) -> dict[str, Any]:
    """The values of parameters, without what notes that they are read."""
    values = object.__getattribute__(params, "__dict__")
    own = own_names(type(params))
    return {name: _DEFAULTS[name] if name in own else values.get(name) for name in NAMES}


def own_names(known: type[Any]) -> frozenset[str]:
    """The names of `NAMES` that a trainable's Params have for a parameter of their own."""
    later = [name for name in NAMES if name not in EARLIEST]
    kinds = known.__mro__
    if OptimizerParams not in kinds:
        return frozenset()
    below = kinds[: min(kinds.index(OptimizerParams), kinds.index(ScheduleParams))]
    return frozenset(name for name in later if any(name in vars(kind).get("__annotations__", {}) for kind in below))
