"""The fields of a spec, strict and frozen. Editors read their descriptions from the JSON schema (`tuner schema`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tuner.space import Space

RESERVED_NAMES = ("mlflow.db", "mlartifacts")
TRACKING_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


class Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Objective(Section):
    metric: str
    """One of the metrics that the trainable reports after each epoch, such as val_accuracy or val_loss."""
    mode: Literal["min", "max"]
    """Whether less or more is better."""


class Epochs(Section):
    min: int = Field(1, ge=1)
    """Early stopping judges a trial for the first time after so many epochs (ASHA's first rung)."""
    max: int = Field(ge=1)
    """A trial's whole training."""

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


class EarlyStopping(Section):
    algorithm: Literal["asha", "none"] = "asha"
    """Asynchronous successive halving, or train every trial to its end."""
    reduction_factor: int = Field(3, ge=2)
    """One of so many trials goes on at each rung; rungs stand at epochs.min times its powers."""


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration_s(written: Any) -> Any:
    """Seconds from `90`, `"90s"`, `"30m"`, `"1h30m"` or `"2d"`."""
    if not isinstance(written, str):
        return written
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", written)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*([smhd])", "", written).strip():
        raise PydanticCustomError(
            "rule", "must be a time such as 90s, 30m, 2h or 1h30m, but got {got}", {"got": repr(written)}
        )
    return float(sum(float(number) * _UNITS_S[unit] for number, unit in parts))


_UNITS_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size_bytes(written: Any) -> Any:
    """Bytes from `6442450944`, `"6GiB"`, `"6 GB"` or `"512M"`; all units are powers of 1024."""
    if not isinstance(written, str):
        return written
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", written)
    if match is None:
        raise PydanticCustomError(
            "rule", "must be a size such as 6GiB or 512MiB, but got {got}", {"got": repr(written)}
        )
    return float(match[1]) * _UNITS_BYTES[match[2]]


class Plateau(Section):
    trials: int = Field(ge=1)
    """So many trials in a row ended without an improvement."""
    min_delta: float = Field(0.0, ge=0)
    """Only what beats the best by more than this is an improvement."""


class Budget(Section):
    wall_time: Annotated[float, BeforeValidator(parse_duration_s, json_schema_input_type=float | str)] | None = Field(
        None, gt=0
    )
    """Seconds, or a time such as 90s, 30m, 2h: the sweep pauses after so long at work, resumes included."""
    epochs: int | None = Field(None, ge=1)
    """The sweep pauses after so many epochs of training over all trials."""
    cost: float | None = Field(None, gt=0)
    """The sweep pauses when its slots have cost so much, in the currency of `price`; resumes included."""
    price: float = Field(1.0, gt=0)
    """What one slot costs an hour, at work or idle, in any currency; 1 makes `cost` a number of slot-hours."""
    plateau: Plateau | None = None
    """The sweep stops early when no trial improves on the best any more."""

    @field_validator("plateau", mode="before")
    @classmethod
    def _from_number(cls, written: Any) -> Any:
        """`plateau: 20` is short for `{trials: 20}`."""
        return {"trials": written} if isinstance(written, int) and not isinstance(written, bool) else written


class Resources(Section):
    cpus_per_trial: float = Field(1, gt=0)
    """CPU cores, and TensorFlow threads, of each trial."""
    gpus_per_trial: float = Field(0, ge=0)
    """GPUs of each trial; a fraction packs several trials on one card."""


class Failures(Section):
    max_retries: int = Field(2, ge=0)
    """How often a trial whose code raised or whose worker died is tried again, from its last checkpoint."""
    trial_timeout: Annotated[float, BeforeValidator(parse_duration_s, json_schema_input_type=float | str)] | None = (
        Field(None, gt=0)
    )
    """Seconds, or a time such as 10m, that one epoch may take, or building the model; null for no end."""
    worker_memory: Annotated[float, BeforeValidator(parse_size_bytes, json_schema_input_type=float | str)] | None = (
        Field(None, gt=0)
    )
    """Bytes, or a size such as 6GiB: a worker process that has grown past it is replaced by a fresh one between two
    epochs, at no cost of a retry. null for 90% of the node's memory divided among its trials."""


class Checkpoints(Section):
    keep: int = Field(5, ge=1)
    """Ended trials whose best weights stay on disk: the best so many."""


class Tracking(Section):
    uri: str | None = None
    """An MLflow server or database; null for sqlite, the file mlflow.db in the storage root."""
    experiment: str | None = None
    """The MLflow experiment; null for the sweep's name."""

    @model_validator(mode="after")
    def _check_scheme(self) -> Tracking:
        if self.uri is not None and not re.match(rf"({'|'.join(TRACKING_SCHEMES)})(\+\w+)?://?", self.uri):
            raise PydanticCustomError(
                "rule",
                "must start with a scheme that MLflow knows ({schemes}), but got {got}",
                {"field": "uri", "schemes": ", ".join(f"{s}://" for s in TRACKING_SCHEMES), "got": repr(self.uri)},
            )
        return self


class SweepSpec(Section):
    """One sweep: what is trained, over which space, for how long and where it is kept."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """The sweep's name, and its folder's: letters, digits, dots, dashes and underscores."""
    trainable: str
    """A name in trainables/ (see `tuner trainables`), or ./file.py:ClassName beside the spec."""
    data: str | None = None
    """For trainables that do not load their own: digits, mnist, or a file beside the spec."""
    objective: Objective
    num_trials: int = Field(ge=1)
    """How many configurations are tried."""
    epochs: Epochs
    space: Space
    """The parameters: {low, high, scale, step}, {choices: […]} or a constant, each with `when` conditions."""
    search: Search = Search()
    early_stopping: EarlyStopping = EarlyStopping()
    budget: Budget = Budget()
    resources: Resources = Resources()
    failures: Failures = Failures()
    checkpoints: Checkpoints = Checkpoints()
    tracking: Tracking = Tracking()
    storage: str | None = None
    """The storage root, a local or shared folder; null for $TUNER_STORAGE, else ./sweeps."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Keras's dtype policy: what the layers compute in."""

    @field_validator("trainable")
    @classmethod
    def _check_trainable(cls, trainable: str) -> str:
        if not trainable.isprintable():
            raise PydanticCustomError("rule", "must be printable text, but got {got}", {"got": repr(trainable)})
        return trainable

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            rule = "must not be a name that the tracking store has in the storage root, but got {got}"
            raise PydanticCustomError("rule", rule, {"got": repr(name)})
        return name

    @model_validator(mode="after")
    def _check_storage(self) -> SweepSpec:
        if self.storage is not None and "://" in self.storage:
            raise PydanticCustomError(
                "rule",
                "must be a local or shared folder in this version, but got {got}",
                {"field": "storage", "got": repr(self.storage)},
            )
        return self

    def resolved(self) -> dict[str, Any]:
        """Every field, defaults included, as plain values for YAML or JSON; `SweepSpec(**resolved)` gives it back."""
        dump = self.model_dump(mode="json", exclude={"space"})
        space = self.space.model_dump(mode="json", exclude_defaults=True)
        return {key: space if key == "space" else dump[key] for key in type(self).model_fields}


def json_schema() -> dict[str, Any]:
    """The JSON schema of a spec, for editors and other tools."""
    schema = SweepSpec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    parameters = schema["$defs"]["Space"]["additionalProperties"]
    parameters["anyOf"] = parameters.pop("oneOf")  # an all-integer range is a Float in a schema's eyes, too
    return schema
