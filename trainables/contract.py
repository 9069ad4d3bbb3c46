"""What a trainable is. Imports no Keras, so that a spec is checked quickly.

A trainable brings data and a model. An uncompiled one is compiled by the training path, so that learning rate, batch
size, epochs, optimizer and schedule mean the same everywhere; a compiled one is trained as it is.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field

from trainables.counts import COUNTS
from trainables.phases import Phase
from trainables.reading.methods import Readers
from trainables.settings import OptimizerParams, ScheduleParams

if TYPE_CHECKING:
    import keras


RATE_NAMES = ("learning_rate", "learning_rate_first", "learning_rate_last", "learning_rate_mean")
"""The learning rate at an epoch's last optimizer step, at its first, at its last again, and the mean of its steps'."""
FOLDS_MAX = 100
"""The most folds of cross-validation."""


class DataError(Exception):
    """The training data cannot be had or has the wrong form; the message says what to do."""


class ParamError(DataError):
    """What a parameter names, such as a file, cannot be had; the message says what to do."""

    def __init__(self, param: str, rule: str) -> None:
        super().__init__(f"{param} {rule}")
        self.param, self.rule = param, rule

    def __reduce__(self) -> Any:
        return type(self), (self.param, self.rule)


class EvaluateError(ValueError):
    """What a trainable's `evaluate` returns cannot be recorded; the message says what to do."""


class TrainingParams(OptimizerParams, ScheduleParams):
    """The training parameters that every trainable has; a trainable's own `Params` adds to them.

    Those of optimizer and schedule are in `trainables.settings`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    learning_rate: float = Field(0.001, gt=0)
    """The rate at the start, and the peak after a warm-up."""
    batch_size: int = Field(32, ge=1)
    """Examples a step; the last step of an epoch takes what is left."""
    micro_batch_size: int | None = Field(None, ge=1)
    """The most examples of a batch that are trained at once: their gradients are added up, and the step is that of the
    whole batch. None, or what is not below batch_size, for all at once."""
    epochs: int = Field(10, ge=1)
    """Passes over the training set in a whole training; early stopping may end it before."""


Params = TrainingParams
"""Its earlier name."""


@dataclass(frozen=True)
class Data(Readers):
    """Training, validation and, optionally, test data. `Data.from_csv` and the other methods make it of what you have.

    Each is x alone, a tuple (x, y) or (x, y, sample_weight) of arrays whose first axis counts examples (x may be a dict
    or tuple of such arrays), or a tf.data.Dataset of single examples, not batched. The search never sees `test`.

    Examples of a data set may have different lengths: each batch is padded to its longest, with `padding`, or with
    zeros. `batch(examples, batch_size)` batches them in another way.
    """

    train: Any
    validation: Any = None
    """May be missing where the spec's `folds` divides the training data."""
    test: Any = None
    padding: Any = None
    """What `padded_batch` takes as `padding_values`: a structure as that of an example."""
    batch: Callable[[Any, int], Any] | None = None
    class_names: tuple[str, ...] = ()
    """Of the classes 0, 1, 2, …; empty where they have none."""
    class_weights: Mapping[int, float] = field(default_factory=dict)
    """By class, as `class_weights=` asks for; they are in the sample weights of `train` already."""
    feature_names: tuple[str, ...] = ()
    """Of the columns of x, where it was a table."""
    vocabulary: tuple[str, ...] = ()
    """The words by number, where x holds numbers of words."""
    sampling_rate: int = 0
    """Samples a second, where x is sound."""
    notes: tuple[str, ...] = ()
    """What whoever reads the data should be told; `check` and `run` print it as warnings."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """What the data are, without their rows, as JSON takes it; it is recorded with the sweep."""

    def __post_init__(self) -> None:
        data_sets = [part for part in (self.train, self.validation, self.test) if hasattr(part, "element_spec")]
        if self.padding is None and self.batch is None:
            return
        name = "padding" if self.batch is None else "batch"
        if self.padding is not None and self.batch is not None:
            raise DataError("Data must have padding or batch, but got both: batch makes whole batches")
        if not data_sets:
            raise DataError(f"{name} is for a tf.data.Dataset of single examples, but got none: leave it out")
        for part in data_sets:
            object.__setattr__(part, BATCHING, (self.padding, self.batch))


BATCHING = "_batching_of_its_data"
"""An attribute of a data set of `Data`: how its examples become batches."""

READER = "_reader_of_its_rows"
"""An attribute of a data set of `Data`: the `trainables.reading.streams.Reader` that reads whole batches of it."""


class Trainable(ABC):
    """Base of every trainable.

    Class attributes `loss` and `metrics` are what `keras.Model.compile` takes, functions of your own among them; each
    trial's model has losses and metrics of its own. `loss = None` where the model computes its own.
    An epoch's metrics are `loss`, each metric, their `val_` twins, `RATE_NAMES`, `epoch_s` and its counts; a metric
    with a value for each class has `f1_score_0`, `f1_score_1` and so on. Metrics of several outputs are named as Keras
    names them; those of a model with its own `train_step` are what that returns.

    A trial trains through `keras.Model.fit` where `build_model` returns a compiled model, or the class has `callbacks`,
    `class_weight` or `fit_options`; see `trainables.training.path`. A class whose models are compiled needs no `loss`,
    and its `Params` may be any pydantic model.
    """

    loss: ClassVar[Any]
    metrics: ClassVar[Sequence[Any] | Mapping[str, Any]] = ()
    Params: ClassVar[type[Any]] = TrainingParams
    class_weight: Any = None
    """As `keras.Model.fit` takes it, class -> weight; or a method of the parameters that returns it."""
    fit_options: Any = None
    """Further arguments of `keras.Model.fit`, such as validation_freq or steps_per_epoch; or a method of the parameters
    that returns them."""
    takes_data: ClassVar[bool] = True
    """Whether the spec's `data` has an effect; False where the trainable has its own in any case."""
    file_params: ClassVar[Sequence[str]] = ()
    """The parameters that may name files: such a constant of a spec is relative to the spec's folder."""
    constants: ClassVar[tuple[str, ...]] = ()
    """Parameters that `load_data` reads: a spec's `space` may hold them as constants alone."""
    fixed_params: Mapping[str, Any] = MappingProxyType({})
    """What the spec's `space` gives one value in every trial, by name: for `load_data`, which has no `params`."""

    def __init__(self, data: str | None = None) -> None:
        self.data = data
        """The spec's `data`: an absolute path, a URL in a bucket (see `trainables.remote.local_copy`), or the name of a
        built-in set; None for trainables that load their own."""

    def __getattribute__(self, name: str) -> Any:
        """As ever, but a loss function that is a class attribute is no method."""
        if name == "loss" and (function := _loss_function(self)) is not None:
            return function
        return super().__getattribute__(name)

    @abstractmethod
    def load_data(self) -> Data:
        """The data for every trial of a sweep; called once a node.

        Raises:
            DataError: it cannot be had; the message is shown to the user.
        """

    def select_data(self, data: Data, params: Any) -> Data:
        """The part of the data that a trial with these parameters uses; all of it by default."""
        return data

    def folds(self, data: Data) -> Sequence[Data] | None:
        """The data of each fold, where trials are cross-validated on folds of your own; None by default."""
        return None

    def callbacks(self, params: Any) -> Sequence[Any]:
        """New Keras callbacks for a trial with these parameters. Their state is kept in its checkpoints."""
        return ()

    def model_key(self, params: Any) -> str | None:
        """Equal for parameters whose models have equal graphs; None to compare the models' configurations."""
        return None

    def phases(self, params: Any, model: keras.Model) -> Sequence[Phase]:
        """The phases of a training: which layers are frozen, and how fast the others learn; one by default.

        Must depend on `params`, and of the model on its layers alone. On the fast path only.
        """
        return ()

    def augmentation(self, params: Any) -> Mapping[str, float]:
        """The strengths of `augment`, by names of your own."""
        return {}

    def augment(self, inputs: Any, strengths: Mapping[str, Any], seed: Any) -> Any:
        """The inputs of a training step, changed at random, in TensorFlow. On the fast path only.

        Args:
            strengths: tensors, of those that are not 0.
            seed: a tensor of two whole numbers, for functions such as `tf.random.stateless_uniform`; new in each step.
        """
        return inputs

    def evaluate(self, model: keras.Model, data: Any) -> Mapping[str, Any]:
        """Metrics of your own, by names of their own, of a model after an epoch; none by default.

        What it does to the model's weights is undone.

        Args:
            data: the whole validation data, as `select_data` returned them. After the training, with the best weights,
                the test data: those metrics are recorded as `test_<name>`.
        """
        return {}

    @abstractmethod
    def build_model(self, params: Any) -> keras.Model:
        """A new model, compiled or not. Must depend on `params` and the trainable's data alone."""

    def exported(self, model: keras.Model, params: Any) -> keras.Model:
        """What `tuner export` and `best_model` give of a trained model; by default the model itself.

        Put in front of it what `load_data` did once for all trials, such as the numbering of words.
        """
        return model

    def exported_inputs(self, data: Data, params: Any, rows: int) -> Any:
        """The first rows of the validation data as the exported model takes them; None if as `select_data` gives them.

        They are kept beside the model in MLflow, as an example.
        """
        return None


def _loss_function(trainable: Trainable) -> Any:
    """The class attribute `loss` where it is a function of (y_true, y_pred), which Python would bind; else None."""
    found = inspect.getattr_static(trainable, "loss", None)
    is_bound = callable(found) and hasattr(type(found), "__get__") and not isinstance(found, staticmethod | classmethod)
    return found if is_bound and "loss" not in vars(trainable) and _takes_two(found) else None


def _takes_two(function: Any) -> bool:
    """Whether it can be called as Keras calls a loss, rather than as a method."""
    try:
        signature = inspect.signature(function)
        signature.bind(None, None)
    except (TypeError, ValueError):
        return False
    return next(iter(signature.parameters)) not in ("self", "cls")


def metric_name(metric: Any) -> str:
    """The name that Keras most likely reports a metric by: a string, a function, a class or an instance."""
    if isinstance(metric, str):
        return metric
    name = None if isinstance(metric, type) else getattr(metric, "name", None)
    return name if isinstance(name, str) else _snake_case(getattr(metric, "__name__", type(metric).__name__))


def fit_reason(trainable: Any) -> str:
    """What in a trainable's class makes its trials train through `keras.Model.fit`; empty for nothing."""
    if reason := getattr(trainable, "fits_because", ""):
        return str(reason)
    for name in ("callbacks", "class_weight", "fit_options", "fit"):
        if getattr(trainable, name, None) is not getattr(Trainable, name, None):
            return f"the trainable has {name}"
    if not issubclass(trainable.Params, TrainingParams):
        return "its Params are not derived from trainables.contract.Params"
    return ""


def has_evaluate(trainable: Any) -> bool:
    """Whether a trainable has metrics of its own besides Keras's."""
    return getattr(type(trainable), "evaluate", None) not in (None, Trainable.evaluate)


def has_phases(trainable: Any) -> bool:
    """Whether a trainable divides its training into phases."""
    return getattr(type(trainable), "phases", None) not in (None, Trainable.phases)


def has_augment(trainable: Any) -> bool:
    """Whether a trainable augments its inputs itself."""
    return getattr(type(trainable), "augment", None) not in (None, Trainable.augment)


def has_folds(trainable: Any) -> bool:
    """Whether a trainable divides its data into folds itself."""
    return getattr(type(trainable), "folds", None) not in (None, Trainable.folds)


def _snake_case(name: str) -> str:
    """As Keras makes a name of a class's or a function's."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def epoch_metrics(trainable: type[Trainable]) -> list[str]:
    """What an epoch of this trainable reports, as far as it is known without its model.

    `trainables.training.reported_metric_names` knows the rest: several outputs, and a `train_step` of the model's own.
    """
    parts = [getattr(trainable, "loss", None), *trainable.metrics]
    is_plain = not isinstance(trainable.metrics, Mapping) and not any(map(_is_for_outputs, parts))
    trained = ["loss", *(metric_name(metric) for metric in trainable.metrics if is_plain)]
    return [*trained, *(f"val_{name}" for name in trained), *RATE_NAMES, "epoch_s", *COUNTS]


def _is_for_outputs(part: Any) -> bool:
    """Whether a loss, or one of the metrics, has an entry for each of a model's outputs."""
    return isinstance(part, list | tuple | Mapping)
