"""Trainables that compile their own models or train through `fit`: what may be otherwise there than in others."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from trainables.contract import Trainable, TrainingParams, fit_reason
from tuner.inspection.fit import extremes
from tuner.inspection.shapes import is_batched, is_python
from tuner.spec import SweepSpec
from tuner.spec.models import ALWAYS_IN_SPACE
from tuner.spec.space import AnyParameter

_COMPILES = ".compile("


def may_compile(trainable: type[Trainable]) -> bool:
    """Whether a trainable's models may be compiled, as far as its code tells: where it is not to be seen, they may.

    The code that is looked at is that of the class, its bases and the modules that its module names.
    """
    for cls in trainable.__mro__:
        module = sys.modules.get(cls.__module__)
        if cls is Trainable or cls is object or cls.__module__ == "abc":
            continue
        text = _source(module or cls)
        if text is None or _COMPILES in text:
            return True
        beside = (sys.modules.get(name) for name in _named(module))
        if any(other is not None and _COMPILES in (_source(other) or "") for other in beside):
            return True
    return False


def takes_batches(trainable: Any) -> bool:
    """Whether data that are batched already may be trained on."""
    kind = trainable if isinstance(trainable, type) else type(trainable)
    return bool(fit_reason(kind)) or may_compile(kind)


def defaults_of(known: type[Any], data: Any) -> dict[str, Any]:
    """The values of the parameters that every sweep has in its space, where the trainable has them and they act."""
    names = [name for name in ALWAYS_IN_SPACE if name in known.model_fields]
    if "batch_size" in names and says_batch_size(data):
        names.remove("batch_size")
    fields = {name: known.model_fields[name] for name in names}
    return {name: info.get_default(call_default_factory=True) for name, info in fields.items()}


def idle_defaults(known: type[Any], found: Any) -> frozenset[str]:
    """Of the parameters that every sweep has, those that no trial uses: the trainable's code has its own.

    Args:
        found: what a probe found: `path`, `compiles`, `used` and `read`.
    """
    idle: set[str] = set()
    if found.path == "fit" and found.compiles:
        idle.add("learning_rate")
    size = known.model_fields.get("batch_size")
    if found.path == "fit" and size is not None and found.used.get("batch_size") != size.default:
        idle.add("batch_size")
    return frozenset(idle - found.read)


def jit_without_effect(spec: SweepSpec, found: Any) -> list[str]:
    """A `jit_compile` that changes nothing on the training path that a probe found."""
    if spec.jit_compile is None or found.path != "fit":
        return []
    if found.compiles:
        return ["jit_compile: has no effect, as build_model compiles the model: leave it out, and give it to compile"]
    if spec.jit_compile == "auto":
        return [
            f"jit_compile: auto has no effect, as trials train through fit ({found.why}), where no step is timed: write"
            " true or false"
        ]
    return []


def scaling_without_effect(spec: SweepSpec, found: Any) -> list[str]:
    """A `scale_learning_rate` of models whose rate `build_model` sets."""
    parameter = spec.space.root.get("batch_size")
    if not found.compiles or not getattr(parameter, "coupling", None):
        return []
    rule = "has no effect, as build_model compiles the model with a rate of its own: leave it out, and scale the rate"
    return [f"space.batch_size.scale_learning_rate: {rule} in build_model"]


def batch_size_without_effect(spec: SweepSpec, data: Any) -> list[str]:
    """A searched batch size, where the data come in batches of their own."""
    parameter = spec.space.root.get("batch_size")
    if parameter is None or "batch_size" not in spec.space.searched or not says_batch_size(data):
        return []
    return ["space.batch_size: has no effect, as the training data are batched already: leave it out of the space"]


def parts_without_effect(spec: SweepSpec, known: type[Any], data: Any) -> list[str]:
    """A micro_batch_size that is below no batch size of the space."""
    part, whole = (spec.space.root.get(name) for name in ("micro_batch_size", "batch_size"))
    if part is None or not has_training_params(known) or says_batch_size(data):
        return []
    default = known.model_fields["batch_size"].get_default(call_default_factory=True)
    smallest = min(_counts(part), default=0)
    largest = max(_counts(whole), default=0) if whole is not None else int(default)
    if not largest or smallest < largest:
        return []
    text = f"has no effect, as it is at least {smallest} and batch_size is at most {largest}"
    return [f"space.micro_batch_size: {text}: batches are trained in parts of fewer examples only"]


def _counts(parameter: AnyParameter) -> list[int]:
    """The numbers that bound a parameter."""
    bounds = (value for _, value in extremes(parameter))
    return [value for value in bounds if isinstance(value, int) and not isinstance(value, bool)]


def says_batch_size(data: Any) -> bool:
    """Whether the training data are batches already."""
    train = getattr(data, "train", None)
    return is_batches(train)


def is_batches(part: Any) -> bool:
    """Whether a part of the data is batches: of a PyDataset, of a function that makes a generator, or of `.batch()`."""
    if hasattr(part, "cardinality"):
        return is_batched(part)
    return is_python(part)


def has_training_params(known: type[Any]) -> bool:
    """Whether the training parameters that all trainables have are among them."""
    return issubclass(known, TrainingParams)


def _named(module: Any) -> set[str]:
    """The modules of what a module names: functions, classes and modules, which may lie in files beside it."""
    values = list(vars(module).values()) if module is not None else []
    modules = {value.__name__ for value in values if inspect.ismodule(value)}
    return modules | {value.__module__ for value in values if inspect.isfunction(value) or inspect.isclass(value)}


def _source(part: Any) -> str | None:
    """The text of a module or a class of a user's; empty for installed packages, None where there is none."""
    file = getattr(part, "__file__", None) or ""
    if "-packages" in file or file.startswith(sys.base_prefix):
        return ""
    try:
        return inspect.getsource(part)
    except (OSError, TypeError):
        return None
