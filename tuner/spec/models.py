"""The fields of a spec, strict and frozen. Editors read their descriptions from the JSON schema (`tuner schema`)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from trainables.contract import FOLDS_MAX
from tuner.base.patience import Patience
from tuner.spec.commands import Command, command_problems, with_trainable
from tuner.spec.expressions import canonical, has_own_name
from tuner.spec.feasible import Conditions, Feasible, name_problems
from tuner.spec.fields import MAX_COUNT, MIN_WORKER_BYTES, Bytes, Count, JitCompile, Seconds, Text
from tuner.spec.requirements import Requirement, pinned, twice
from tuner.spec.search_settings import SearchSettings
from tuner.spec.space import Constant, Float, Int, Repeated, Space, has_lists, nearest, shown
from tuner.spec.space.base import CheckedValue
from tuner.spec.uris import SERVER_SCHEMES, broken_rule, has_scheme, listed
from tuner.storage.objectstore import is_url

RESERVED_NAMES = ("mlflow.db", "mlartifacts")
ALWAYS_IN_SPACE = ("learning_rate", "batch_size")
"""Parameters that are added to a space as constants, with the trainable's defaults, if it does not have them."""
STORAGE_SCHEMES = ("s3", "gs")
SMALLEST_SHARE = 0.0001
"""The smallest fraction of a CPU or a GPU that Ray can count."""


class Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Objective(Section):
    metric: Text
    """One of the metrics that the trainable reports after each epoch, such as val_accuracy or val_loss, or an
    expression of them, such as val_loss + 0.1 * latency_ms."""
    mode: Literal["min", "max"]
    """Whether a lower or a higher value is better."""

    @field_validator("metric")
    @classmethod
    def _check_metric(cls, metric: str) -> str:
        return canonical(metric) if has_own_name(metric) else metric


class Epochs(Section):
    min: Count = 1
    """The epochs after which early stopping judges a trial for the first time (ASHA's first rung)."""
    max: Count
    """The epochs of a trial's whole training."""

    @model_validator(mode="after")
    def _check_order(self) -> Epochs:
        if self.min > self.max:
            raise PydanticCustomError(
                "rule",
                "must not be above epochs.max, but got {received}",
                {"field": "min", "received": f"min {self.min}, max {self.max}"},
            )
        return self


class Search(Section):
    algorithm: Literal["tpe", "random", "grid"] = "tpe"
    """How configurations are chosen: Hyperopt's TPE, independent draws, or every configuration in turn."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Every suggestion and every training draws its randomness from this seed and the trial's number."""
    points: list[dict[str, CheckedValue]] = []
    """Configurations that are run first, in this order: each a mapping of the searched parameters to values."""
    warm_start: list[Text] = []
    """Earlier sweeps in the storage root, or MLflow experiments, that the search learns from before its first trial;
    `probe` for the configurations that `tuner probe` found best for this trainable, which are run first."""

    @field_validator("warm_start")
    @classmethod
    def _check_warm_start(cls, names: list[str]) -> list[str]:
        for index, name in enumerate(names):
            if name in names[:index]:
                rule = "must not stand in the list twice, but got {got}"
                raise PydanticCustomError("rule", rule, {"field": index, "got": shown(name)})
        return names


class PatienceFields(Section):
    patience: int = Field(ge=0, le=MAX_COUNT)
    """A trial ends after so many epochs in a row without an improvement of the objective."""
    min_delta: float = Field(0.0, ge=0)
    """A value must be better than the best by more than this to count as an improvement."""
    baseline: float | None = None
    """An improvement that is not better than this value, too, does not restart the count; null for none."""
    restore_best: bool = True
    """Whether a trial's best epoch is its result, whose weights are exported; false for its last epoch."""


def parse_patience(written: Any) -> Any:
    """`patience: 5` is short for `{patience: 5}`."""
    if isinstance(written, int) and not isinstance(written, bool):
        return {"patience": written}
    if written is None or isinstance(written, dict | PatienceFields):
        return written
    rule = "must be a number of epochs, or {example}, but got {got}"
    raise PydanticCustomError("rule", rule, {"example": "{patience: …, min_delta: …}", "got": shown(written)})


class EarlyStopping(Section):
    algorithm: Literal["asha", "none"] = "asha"
    """Asynchronous successive halving, or train every trial to its end."""
    reduction_factor: int = Field(3, ge=2, le=MAX_COUNT)
    """At each rung, one in this many trials continues; rungs are at epochs.min times the powers of this factor."""
    patience: Annotated[
        PatienceFields | None, BeforeValidator(parse_patience, json_schema_input_type=PatienceFields | int | None)
    ] = None
    """Ends a trial, as plateaued, whose objective no longer improves; a number of epochs, or a mapping."""


class Plateau(Section):
    trials: Count
    """The sweep stops once this many trials in a row have ended without an improvement."""
    min_delta: float = Field(0.0, ge=0)
    """A value must beat the best by more than this to count as an improvement."""


def parse_plateau(written: Any) -> Any:
    """`plateau: 20` is short for `{trials: 20}`."""
    if isinstance(written, int) and not isinstance(written, bool):
        return {"trials": written}
    if written is None or isinstance(written, dict | Plateau):
        return written
    rule = "must be a number of trials, or {example}, but got {got}"
    raise PydanticCustomError("rule", rule, {"example": "{trials: …, min_delta: …}", "got": shown(written)})


class Budget(Section):
    wall_time: Seconds | None = Field(None, gt=0)
    """Seconds, or a time such as 90s, 30m or 2h: the sweep pauses after running this long, resumes included."""
    epochs: Count | None = None
    """The sweep pauses after this many epochs over all trials."""
    cost: float | None = Field(None, gt=0)
    """The sweep pauses when its slots have cost this much, in the currency of `price`; resumes included."""
    price: float = Field(1.0, gt=0)
    """The price of one slot for one hour, training or idle, in any currency; at 1, `cost` is in slot-hours."""
    plateau: Annotated[Plateau | None, BeforeValidator(parse_plateau, json_schema_input_type=Plateau | int | None)] = (
        None
    )
    """Stops the sweep when trials no longer improve on the best."""


class Resources(Section):
    cpus_per_trial: float = Field(1, ge=SMALLEST_SHARE)
    """CPU cores for each trial, and its TensorFlow threads."""
    gpus_per_trial: float = Field(0, ge=0)
    """GPUs for each trial. With a fraction, several trials share one GPU, each with its share of the memory. With
    several GPUs, each takes its share of every batch."""

    @property
    def threads(self) -> int:
        """TensorFlow's threads in a trial's process."""
        return max(1, math.floor(self.cpus_per_trial))

    @field_validator("gpus_per_trial")
    @classmethod
    def _check_gpus(cls, gpus: float) -> float:
        if 0 < gpus < SMALLEST_SHARE:
            rule = "must be 0, or at least {least}, but got {got}"
            raise PydanticCustomError("rule", rule, {"least": SMALLEST_SHARE, "got": shown(gpus)})
        if gpus > 1 and not gpus.is_integer():
            rule = "must be a fraction of one GPU or a whole number of them, but got {got}"
            raise PydanticCustomError("rule", rule, {"got": shown(gpus)})
        return gpus


class Failures(Section):
    max_retries: int = Field(2, ge=0, le=MAX_COUNT)
    """How often a trial is retried, from its last checkpoint, after its code raised or its worker died."""
    trial_timeout: Seconds | None = Field(None, gt=0)
    """Seconds, or a time such as 10m, that an epoch or building the model may take; null for no limit."""
    worker_memory: Bytes | None = None
    """Bytes, or a size such as 6GiB: a worker process that grows larger is replaced by a fresh one between two epochs,
    without using up a retry. null for an equal share of the node's memory as Ray counts it."""

    @field_validator("worker_memory")
    @classmethod
    def _check_memory(cls, size_bytes: float | None) -> float | None:
        if size_bytes is not None and size_bytes < MIN_WORKER_BYTES:
            rule = "must be at least 1MiB, a size such as 6GiB, but got {got}"
            raise PydanticCustomError("rule", rule, {"got": f"{size_bytes:g} bytes"})
        return size_bytes


class Checkpoints(Section):
    keep: Count = 5
    """How many of the best ended trials keep their best weights on disk."""


class Tracking(Section):
    uri: Text | None = None
    """An MLflow server or database; null for sqlite, the file mlflow.db in the storage root."""
    experiment: Text | None = None
    """The MLflow experiment; null for the sweep's name."""
    log_models: Literal["best", "kept", "none"] = "best"
    """Which trained Keras models MLflow gets when the sweep ends: the best trial's, those of all trials whose weights
    are kept, or none."""
    system_metrics: bool = False
    """Whether each trial's run shows what its node does: processors, memory, disk, network and the trial's GPUs, every
    10 seconds."""

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        if uri is not None and (rule := broken_rule(uri)):
            raise PydanticCustomError("rule", "{rule}, but got {got}", {"rule": rule, "got": shown(uri)})
        return uri


class SweepSpec(Section):
    """One sweep: what is trained, over which space, for how long, and where it is stored."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """The name of the sweep and its folder: letters, digits, dots, dashes and underscores."""
    trainable: Text
    """A name in trainables/ (see `tuner trainables`), or ./file.py:ClassName or ./file.py:main beside the spec."""
    command: Command | None = None
    """In place of a trainable: a program and its arguments, in which {learning_rate} stands for the trial's value."""
    data: Text | None = None
    """For trainables that do not load their own data: digits, mnist, a file or a folder beside the spec, s3://bucket/…
    or gs://bucket/…"""
    objective: Objective
    num_trials: Count
    """How many configurations to try."""
    epochs: Epochs
    space: Space = Space({})
    """The parameters: {low, high, scale, step or num}, {choices: […]} or a constant, each with or without `when`."""
    feasible: Conditions = []
    """A condition on the parameters, "units * depth <= 512", or several: what does not meet them is not tried."""
    records: dict[Literal["learning_rate", "batch_size", "epochs"], Text] = {}
    """The parameters that MLflow shows as learning_rate, batch_size or epochs, where the trainable's own names are
    others: {learning_rate: lr}."""
    search: Search = Search()
    early_stopping: EarlyStopping = EarlyStopping()
    budget: Budget = Budget()
    resources: Resources = Resources()
    failures: Failures = Failures()
    checkpoints: Checkpoints = Checkpoints()
    tracking: Tracking = Tracking()
    storage: Text | None = None
    """The storage root: a local or shared folder, s3://bucket/… or gs://bucket/…; null for $TUNER_STORAGE, else
    ./sweeps."""
    folds: int | None = Field(None, ge=2, le=FOLDS_MAX)
    """Cross-validation: each trial trains on so many divisions of the training and validation data, and its metrics
    are the means; null for none."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """The Keras dtype policy."""
    jit_compile: JitCompile | None = None
    """Whether XLA compiles a trial's steps: true, false, or auto, which times both ways before a model's first epoch
    and takes the faster one; null for auto with GPUs, and false without."""
    deterministic: bool = False
    """Whether the same trial gives the same numbers on a GPU, too, as it does on a CPU: TensorFlow then takes only
    deterministic ops, which are slower."""
    requirements: list[Requirement] = []
    """Packages that the trainable needs besides Tuner's own, each pinned: [albumentations==1.4.18]. A cluster's jobs
    install them; on Kubernetes the image has them."""

    @model_validator(mode="before")
    @classmethod
    def _fill_trainable(cls, written: Any) -> Any:
        return with_trainable(written)

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            rule = "must not be a name that the tracking store uses in the storage root, but got {got}"
            raise PydanticCustomError("rule", rule, {"got": shown(name)})
        return name

    @field_validator("requirements")
    @classmethod
    def _check_requirements(cls, requirements: list[str]) -> list[str]:
        for name in twice(requirements):
            raise PydanticCustomError("rule", "must name each package once, but got {got} twice", {"got": name})
        return requirements

    @field_validator("storage")
    @classmethod
    def _check_storage(cls, storage: str | None) -> str | None:
        if storage is None or not is_url(storage):
            return storage
        if not re.match(rf"({'|'.join(STORAGE_SCHEMES)})://[^/\s]+(/.*)?$", storage):
            scheme = nearest(storage.split(":")[0], STORAGE_SCHEMES)
            hint = scheme if "mean" in scheme else ""
            rule = "must be a folder, or start with s3:// or gs:// and a bucket, but got {got}{hint}"
            raise PydanticCustomError("rule", rule, {"got": shown(storage), "hint": hint})
        return storage

    @model_validator(mode="after")
    def _check_across(self, info: ValidationInfo) -> SweepSpec:
        problems = [] if info.context is ANY_ACROSS else [f"{path}: {rule}" for _, path, rule in across_problems(self)]
        if problems:
            raise PydanticCustomError("across", "{text}", {"text": "; ".join(problems)})
        return self

    @property
    def search_settings(self) -> SearchSettings:
        """The part of the spec that the policy is built from."""
        return SearchSettings(
            space=self.space,
            mode=self.objective.mode,
            epochs_min=self.epochs.min,
            epochs_max=self.epochs.max,
            stops_early=self.early_stopping.algorithm == "asha",
            reduction_factor=self.early_stopping.reduction_factor,
            patience=self.patience,
            seed=self.search.seed,
            num_trials=self.num_trials,
            algorithm=self.search.algorithm,
            points=self.search.points,
            feasible=Feasible(self.feasible),
        )

    @property
    def patience(self) -> Patience | None:
        """When a trial has plateaued; None where no rule of the spec says it."""
        found = self.early_stopping.patience
        return None if found is None else Patience(**found.model_dump())

    @property
    def jit_compile_used(self) -> Literal["auto"] | bool:
        """`jit_compile`, or what it is where nothing is written."""
        if self.jit_compile is not None:
            return self.jit_compile
        return "auto" if 0 < self.resources.gpus_per_trial <= 1 else False

    @property
    def required(self) -> dict[str, str]:
        """Package of `requirements` -> the version or the URL that it is pinned to."""
        return pinned(self.requirements)

    def resolved(self) -> dict[str, Any]:
        """Every field, including defaults, as plain values for YAML or JSON; the inverse of `SweepSpec(**resolved)`."""
        dump = self.model_dump(mode="json", exclude={"space"})
        space = self.space.model_dump(mode="json", exclude_defaults=True)
        return {key: space if key == "space" else dump[key] for key in type(self).model_fields}


ANY_ACROSS = object()
"""As the context of a validation: skips the checks across fields."""


def across_problems(spec: SweepSpec) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The problems between valid fields, as (fields, path, rule)."""
    is_server = spec.tracking.uri is not None and has_scheme(spec.tracking.uri, SERVER_SCHEMES)
    if spec.storage is not None and "://" in spec.storage and not is_server:
        servers = f"must be a server ({listed(SERVER_SCHEMES)}) where the storage is {shown(spec.storage)}"
        yield ("storage", "tracking"), "tracking.uri", f"{servers}, but got {shown(spec.tracking.uri)}"
    if spec.search.algorithm == "grid":
        for name, parameter in spec.space.items():
            if parameter.size is None:
                rule = "a grid needs a step, num or choices, but got a continuous range"
                yield ("search",), f"space.{name}", rule
    yield from command_problems(spec.command, spec.trainable, spec.space)
    lists = [name for name in (*ALWAYS_IN_SPACE, "epochs", *spec.records.values()) if has_lists(spec.space, name)]
    for name in dict.fromkeys(lists):
        yield ("space",), f"space.{name}", "must be one value in each trial, so it cannot have repeat or lists"
    if "space" in spec.model_fields_set and (spec.command is not None or ":" not in spec.trainable):
        # A KerasTuner model may have more parameters than the spec names: the inspection of one's own code checks it.
        for path, rule in name_problems(spec.feasible, [*dict.fromkeys([*spec.space, *ALWAYS_IN_SPACE])]):
            yield ("space", "feasible"), path, rule
    yield from coupling_problems(spec.space)
    batch_size, gpus = spec.space.root.get("batch_size"), spec.resources.gpus_per_trial
    if batch_size is not None and gpus > 1 and not isinstance(batch_size, Repeated):
        sizes = [batch_size.low] if isinstance(batch_size, Float | Int) else batch_size.values()
        if small := [size for size in sizes if isinstance(size, int | float) and size < gpus]:
            rule = "must be at least resources.gpus_per_trial, of which each takes its share of a batch, but got"
            yield ("resources",), "space.batch_size", f"{rule} {shown(small[0])}"
    if spec.jit_compile and gpus > 1:
        rule = "must be false, or left out, where a trial has several GPUs, as XLA compiles no steps there, but got"
        yield ("jit_compile", "resources"), "jit_compile", f"{rule} {shown(spec.jit_compile)}"
    for shown_as, source in spec.records.items():
        if source not in spec.space:
            rule = f"must be a parameter of the space, but got {shown(source)}{nearest(source, spec.space)}"
            yield ("space",), f"records.{shown_as}", rule
        elif shown_as in spec.space and shown_as != source:
            yield ("space",), f"records.{shown_as}", f"must be left out, as the space has {shown_as} itself"
    epochs = spec.space.root.get("epochs")
    if epochs is not None and not isinstance(epochs, Repeated) and "epochs" not in lists:
        ends = [epochs.low, epochs.high] if isinstance(epochs, Float | Int) else epochs.values()
        wrong = [value for value in ends if not isinstance(value, int) or isinstance(value, bool) or value < 1]
        if wrong:
            yield (), "space.epochs", f"must be whole numbers of at least 1, but got {shown(wrong[0])}"


def coupling_problems(space: Space) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """A `scale_learning_rate` that is not the batch size's, or that has no rate to scale."""
    for name, parameter in space.items():
        element = parameter.element if isinstance(parameter, Repeated) else parameter
        if isinstance(element, Constant) or element.scale_learning_rate is None:
            continue
        path = f"space.{name}.scale_learning_rate"
        if name != "batch_size":
            yield ("space",), path, "must stand at batch_size, which alone scales the learning rate"
        elif element.coupling and "learning_rate" not in space:
            rule = "needs learning_rate in the space, which it scales; write learning_rate: 0.001 for the same in each"
            yield ("space",), path, f"{rule} trial"


def json_schema() -> dict[str, Any]:
    """The JSON schema of a spec, for editors and other tools."""
    schema = SweepSpec.model_json_schema()
    schema["required"].remove("trainable")  # which a command stands for
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    parameters = schema["$defs"]["Space"]["additionalProperties"]
    parameters["anyOf"] = parameters.pop("oneOf")  # for a schema an all-integer range is a Float, too
    return schema
