"""Looks at a spec's trainable and its data in this process, and completes the spec from them."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainables import registry
from trainables.contract import Data, DataError, Params, Trainable, epoch_metrics
from tuner.errors import SpecError
from tuner.inspection.fit import batch_size_problems, extremes, metric_problems, param_problems
from tuner.spec import SweepSpec, load_spec, spec_from_mapping

ALWAYS_RECORDED = ("learning_rate", "batch_size")


@dataclass(frozen=True)
class Inspected:
    """What is known of a trainable once its class and data were looked at.

    `data` is None where the workers load it themselves (tf.data cannot be handed over).
    """

    defaults: dict[str, Any]
    metrics: list[str]
    num_train: int | None
    problems: list[str] = field(default_factory=list)
    data: Data | None = None

    def resolve(self, spec: SweepSpec, source: str) -> SweepSpec:
        """The spec with the learning rate and the batch size in its space, as constants where it names none.

        Raises:
            SpecError: the spec does not fit the trainable.
        """
        if self.problems:
            raise SpecError(source, self.problems)
        missing = {name: self.defaults[name] for name in ALWAYS_RECORDED if name not in spec.space}
        space = {**spec.space.model_dump(exclude_defaults=True), **missing}
        return spec_from_mapping({**spec.resolved(), "space": space})


def load_checked(path: Path, overrides: Sequence[str] = (), name: str | None = None) -> SweepSpec:
    """`load_spec`; of an invalid spec, what is valid is held against its trainable, so that all problems come at once.

    Raises:
        SpecError: all that is wrong with it. A valid spec's trainable is not looked at.
        UsageError: the file cannot be read.
    """
    try:
        return load_spec(path, overrides, name)
    except SpecError as error:
        if not isinstance(error.rest, SweepSpec) or is_file(error.rest.trainable):
            raise
        raise SpecError(error.source, [*error.problems, *inspect(error.rest).problems]) from None


def is_file(trainable: str) -> bool:
    """Whether a spec names a file of the user's rather than a shipped trainable."""
    return trainable.rpartition(":")[0].endswith(".py")


def load_trainable(trainable: str) -> type[Trainable]:
    """The class that a spec's `trainable` names.

    Raises:
        LookupError: there is none; the message has the nearest name.
        Exception: whatever a user's file raises while it is imported.
    """
    if is_file(trainable):
        path, _, class_name = trainable.rpartition(":")
        return registry.load_file(Path(path), class_name)
    return registry.load(trainable)


def inspect(spec: SweepSpec) -> Inspected:
    """Looks at the trainable and its data in this process; every problem becomes a line."""
    try:
        trainable_class = load_trainable(spec.trainable)
    except (LookupError, FileNotFoundError) as error:
        return Inspected({}, [], None, [f"trainable: {_text(error).removeprefix('trainable ')}"])
    except Exception as error:
        return Inspected({}, [], None, [f"trainable: must import without an error, but {_raised(error)}"])
    known = trainable_class.Params
    problems = param_problems(spec, known)
    try:
        trainable = trainable_class(spec.data)
        metrics = epoch_metrics(trainable)  # type: ignore[arg-type]
        problems += metric_problems(spec, metrics)
        data = trainable.load_data()
    except DataError as error:
        return Inspected(_defaults(known), [], None, [*problems, f"data: {error}"])
    except Exception as error:
        return Inspected(
            _defaults(known), [], None, [*problems, f"trainable: load_data must work, but {_raised(error)}"]
        )
    num_train = _smallest_training_set(spec, trainable, data)
    problems += batch_size_problems(spec, num_train)
    return Inspected(_defaults(known), metrics, num_train, problems, data if _is_arrays(data) else None)


def _defaults(known: type[Params]) -> dict[str, Any]:
    optional = {name: info for name, info in known.model_fields.items() if not info.is_required()}
    return {name: info.get_default(call_default_factory=True) for name, info in optional.items()}


def _smallest_training_set(spec: SweepSpec, trainable: Trainable, data: Data) -> int | None:
    """Examples in the training set of the configuration with the lowest values; None if it cannot be told."""
    known = trainable.Params.model_fields
    lowest = {
        name: min((value for _, value in extremes(parameter) if isinstance(value, int | float)), default=None)
        for name, parameter in spec.space.items()
        if name in known and name not in ("batch_size", "epochs")
    }
    try:
        params = trainable.Params(**{name: value for name, value in lowest.items() if value is not None})
    except ValidationError:
        return num_examples(data.train)
    return num_examples(trainable.select_data(data, params).train)


def num_examples(part: Any) -> int | None:
    """The number of examples in a part of the data; None if it does not say."""
    if hasattr(part, "cardinality"):
        count = int(part.cardinality())
        return count if count >= 0 else None
    while isinstance(part, tuple | list | dict):
        part = next(iter(part.values() if isinstance(part, dict) else part))
    return len(part)


def _is_arrays(data: Data) -> bool:
    return not any(hasattr(part, "cardinality") for part in (data.train, data.validation, data.test))


def _text(error: BaseException) -> str:
    return str(error.args[0]) if error.args else str(error)


def _raised(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""
    return f"it raised {type(error).__name__}: {' '.join(str(error).split())[:300]}{where}"
