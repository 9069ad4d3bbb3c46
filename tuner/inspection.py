"""What a spec's trainable is and needs, and whether the spec fits it; before any cluster is touched.

Shipped trainables import no Keras and are looked at in this process. A user's file may, so a child process looks at it
(`python -m tuner.inspection`), while Ray starts, and hands its arrays over in a file.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainables import registry
from trainables.contract import Data, DataError, Params, Trainable, epoch_metrics
from tuner.errors import SpecError
from tuner.space import Choice, Constant, Float, Int, Scalar, nearest, plain
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
        if error.rest is None or is_file(error.rest.trainable):
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


class Inspection:
    """A look at a spec's trainable and data, begun at once and waited for in `result`."""

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec
        self._child: subprocess.Popen[bytes] | None = None
        self._handover = ""
        if is_file(spec.trainable):
            self._start_child()

    @property
    def in_background(self) -> bool:
        """Whether a child process is at work, so that the caller has time to start Ray."""
        return self._child is not None

    def result(self) -> Inspected:
        """What was found; `Inspected.problems` holds what does not fit."""
        return inspect(self._spec) if self._child is None else self._child_result()

    def _start_child(self) -> None:
        directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        handle, self._handover = tempfile.mkstemp(prefix="tuner-data-", dir=directory)
        os.close(handle)
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tuner.inspection", self._handover],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        )
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(self._spec.resolved()).encode())
        self._child.stdin.close()
        self._child.stdin = None

    def _child_result(self) -> Inspected:
        assert self._child is not None
        try:
            _, errors = self._child.communicate()
            if self._child.returncode != 0:
                last = (errors.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
                problem = f"trainable: must load in a process of its own, but it ended with {last}"
                return Inspected({}, [], None, [problem])
            with open(self._handover, "rb") as file:
                found: Inspected = pickle.load(file)  # our own child wrote it a moment ago
                return found
        finally:
            os.unlink(self._handover)

    def cancel(self) -> None:
        """Gives up waiting."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()


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


def param_problems(spec: SweepSpec, known: type[Params]) -> list[str]:
    """Parameters of the space that the trainable does not know, or whose bounds it refuses."""
    problems = []
    for name, parameter in spec.space.items():
        path = f"space.{name}"
        if name not in known.model_fields:
            problems.append(f"{path}: the trainable has no such parameter{nearest(name, known.model_fields)}")
            continue
        for place, value in _extremes(parameter):
            problems += [f"{path}{place}: {rule}" for rule in _refusals(known, name, value)]
    problems += [
        f"space.{name}: the trainable has no default for it, so it is required, but is missing"
        for name, info in known.model_fields.items()
        if info.is_required() and name not in spec.space
    ]
    epochs = spec.space.root.get("epochs")
    if epochs is not None:
        problems += [
            f"space.epochs{place}: must not be above epochs.max ({spec.epochs.max}), but got {value}"
            for place, value in _extremes(epochs)
            if isinstance(value, int) and value > spec.epochs.max
        ]
    return problems


def metric_problems(spec: SweepSpec, metrics: list[str]) -> list[str]:
    """An objective that the trainable does not report."""
    metric = spec.objective.metric
    if metric in metrics:
        return []
    rule = "must be a metric that the trainable reports"
    return [f"objective.metric: {rule}, but got {metric!r}{nearest(metric, metrics)}"]


def batch_size_problems(spec: SweepSpec, num_train: int | None) -> list[str]:
    """Batches larger than the training set."""
    parameter = spec.space.root.get("batch_size")
    if num_train is None or parameter is None:
        return []
    rule = f"must not be above the training set's {num_train} examples"
    return [
        f"space.batch_size{place}: {rule}, but got {value}"
        for place, value in _extremes(parameter)
        if isinstance(value, int) and value > num_train
    ]


def _extremes(parameter: Float | Int | Choice | Constant) -> list[tuple[str, Scalar]]:
    """The values that bound a parameter, with where they stand in the spec."""
    if isinstance(parameter, Float | Int):
        return [(".low", parameter.low), (".high", parameter.high)]
    if isinstance(parameter, Choice):
        return [(f".choices[{index}]", value) for index, value in enumerate(parameter.choices)]
    return [("", parameter.value)]


def _refusals(known: type[Params], name: str, value: Scalar) -> list[str]:
    """Why the trainable's Params refuse a value, in our words."""
    try:
        known.model_validate({name: value}, strict=True)
    except ValidationError as error:
        return [
            f"{_rule(item)}, but got {plain(value) if isinstance(value, float) else repr(value)}"
            + (nearest(value, _options(item)) if item["type"] == "literal_error" and isinstance(value, str) else "")
            for item in error.errors()
            if item["loc"][:1] == (name,)
        ]
    return []


def _rule(item: Any) -> str:
    context: Mapping[str, Any] = item.get("ctx", {})
    rules = {
        "greater_than": "must be greater than {gt:g}",
        "greater_than_equal": "must be at least {ge:g}",
        "less_than": "must be less than {lt:g}",
        "less_than_equal": "must be at most {le:g}",
        "literal_error": "must be {expected}",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_type": "must be a number",
        "bool_type": "must be true or false",
        "string_type": "must be text",
    }
    return rules[item["type"]].format(**context) if item["type"] in rules else str(item["msg"])


def _options(item: Any) -> list[str]:
    return [part.strip(" '") for part in item["ctx"]["expected"].replace(" or ", ",").split(",")]


def _defaults(known: type[Params]) -> dict[str, Any]:
    optional = {name: info for name, info in known.model_fields.items() if not info.is_required()}
    return {name: info.get_default(call_default_factory=True) for name, info in optional.items()}


def _smallest_training_set(spec: SweepSpec, trainable: Trainable, data: Data) -> int | None:
    """Examples in the training set of the configuration with the lowest values; None if it cannot be told."""
    known = trainable.Params.model_fields
    lowest = {
        name: min((value for _, value in _extremes(parameter) if isinstance(value, int | float)), default=None)
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


def _main() -> None:
    """The child: a spec on standard input, what was found into the file that the first argument names."""
    spec = spec_from_mapping(json.load(sys.stdin))
    found = inspect(spec)
    with open(sys.argv[1], "wb") as file:
        try:
            pickle.dump(found, file, protocol=5)
        except Exception:
            file.seek(0)
            file.truncate()
            pickle.dump(replace(found, data=None), file, protocol=5)


if __name__ == "__main__":
    from tuner import inspection

    inspection._main()  # under its real name, so that what it pickles can be loaded
