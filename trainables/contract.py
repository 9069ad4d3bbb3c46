"""What a trainable is. Imports no Keras, so that a spec is checked quickly.

A trainable brings data and an uncompiled model; the training path compiles and trains it, so that learning rate, batch
size, epochs, optimizer and schedule mean the same everywhere.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import keras


class DataError(Exception):
    """The training data cannot be had or has the wrong form; the message says what to do."""


class TrainingParams(BaseModel):
    """The training parameters that every trainable has; a trainable's own `Params` adds to them."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    learning_rate: float = Field(0.001, gt=0)
    """The rate at the start, and the peak after a warm-up."""
    batch_size: int = Field(32, ge=1)
    """Examples a step; the last step of an epoch takes what is left."""
    epochs: int = Field(10, ge=1)
    """Passes over the training set in a whole training; early stopping may end it before."""
    optimizer: Literal["sgd", "adagrad", "rmsprop", "adam", "adamw"] = "adam"
    momentum: float = Field(0.0, ge=0, lt=1)
    """Of sgd and rmsprop."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay a step (Loshchilov and Hutter 2019), of every optimizer; 0 for none."""
    schedule: Literal["constant", "exponential", "cosine"] = "constant"
    decay_rate: float = Field(0.5, gt=0, le=1)
    """Factor on the learning rate in each decay_steps (exponential)."""
    decay_steps: int = Field(1000, ge=1)
    """Optimizer steps in which the rate falls by decay_rate (exponential)."""
    staircase: bool = False
    """Fall at whole multiples of decay_steps only; else continuously, as lr0 * exp(-k * step) does."""
    warmup_epochs: float = Field(0.0, ge=0)
    """Linear warm-up from 0 in front of any schedule, in epochs."""


Params = TrainingParams
"""Its earlier name."""


@dataclass(frozen=True)
class Data:
    """Training, validation and, optionally, test data.

    Each is a tuple (x, y) or (x, y, sample_weight) of arrays whose first axis counts examples (x may be a dict or tuple
    of such arrays), or a tf.data.Dataset of single examples, not batched. The search never sees `test`.
    """

    train: Any
    validation: Any
    test: Any = None


class Trainable(ABC):
    """Base of every trainable.

    Class attributes `loss` and `metrics` are what `keras.Model.compile` takes; `loss = None` where the model has its
    own. An epoch's metrics are `loss`, each metric, their `val_` twins, `learning_rate` and `epoch_s`; of a model with
    several outputs they are named as Keras names them, of one with its own `train_step` they are what it returns.
    What `fit` takes besides, such as callbacks and class weights, has no place here; `Data` has sample weights.
    """

    loss: ClassVar[Any]
    metrics: ClassVar[Sequence[Any] | Mapping[str, Any]] = ()
    Params: ClassVar[type[TrainingParams]] = TrainingParams
    takes_data: ClassVar[bool] = True
    """Whether the spec's `data` has an effect; False where the trainable has its own in any case."""

    def __init__(self, data: str | None = None) -> None:
        self.data = data
        """The spec's `data`: an absolute path, a URL in a bucket (see `trainables.remote.local_copy`), or the name of a
        built-in set; None for trainables that load their own."""

    @abstractmethod
    def load_data(self) -> Data:
        """The data for every trial of a sweep; called once a node.

        Raises:
            DataError: it cannot be had; the message is shown to the user.
        """

    def select_data(self, data: Data, params: Any) -> Data:
        """The part of the data that a trial with these parameters uses; all of it by default."""
        return data

    @abstractmethod
    def build_model(self, params: Any) -> keras.Model:
        """A new model, not compiled. Must depend on `params` and the trainable's data alone."""


def metric_name(metric: Any) -> str:
    """The name under which Keras reports a metric given as a string, a function, a class or an instance."""
    if isinstance(metric, str):
        return metric
    if isinstance(metric, type):  # Keras makes an instance of it, which is named after its class
        words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", metric.__name__)
        return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
    name = getattr(metric, "name", None)
    return name if isinstance(name, str) else str(getattr(metric, "__name__", type(metric).__name__))


def epoch_metrics(trainable: type[Trainable]) -> list[str]:
    """What an epoch of this trainable reports, as far as it is known without its model.

    `trainables.training.reported_metric_names` knows the rest: several outputs, and a `train_step` of the model's own.
    """
    parts = [trainable.loss, *trainable.metrics]
    is_plain = not isinstance(trainable.metrics, Mapping) and not any(map(_is_for_outputs, parts))
    trained = ["loss", *(metric_name(metric) for metric in trainable.metrics if is_plain)]
    return [*trained, *(f"val_{name}" for name in trained), "learning_rate", "epoch_s"]


def _is_for_outputs(part: Any) -> bool:
    """Whether a loss, or one of the metrics, has an entry for each of a model's outputs."""
    return isinstance(part, list | tuple | Mapping)
