"""A first spec for a user's model: its parameters as they are found, with a comment line for each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainables import registry
from trainables.contract import Trainable, TrainingParams, epoch_metrics
from trainables.kerastuner import HyperTrainable
from trainables.kerastuner.adapter import names_in
from trainables.kerastuner.spaces import FoundSpace
from trainables.scripts.functions import Loop
from tuner.base.errors import UsageError, gist
from tuner.spec.foreign_parameters import flow
from tuner.spec.space import shown
from tuner.spec.writing import commented, flow_line


def found_in(model: str) -> tuple[Path, str, type[Trainable]]:
    """The file, the name and the class of what `model.py` or `model.py:Name` names.

    Raises:
        UsageError: there is none, or more than one; the message has their names.
    """
    text, _, name = model.rpartition(":") if not model.endswith(".py") else (model, "", "")
    path = Path(text)
    try:
        if not name:
            if not path.is_file() or not text.endswith(".py"):
                raise UsageError(f"{model}: must be a Python file, or ./file.py:Name, but there is no such file")
            names = [*registry.trainables_in(path), *names_in(registry.load_module(path))]
            if len(names) != 1:
                has = f"it has {', '.join(names)}: write {path}:{names[0]}" if names else "it has none"
                raise UsageError(f"{path}: must hold one Trainable, HyperModel or function of hp, but {has}")
            name = names[0]
        found = registry.load_file(path, name)
        if isinstance(found, Loop):
            raise UsageError(
                f"{path}:{name}: is a loop of your own, whose parameters Tuner cannot see: write a spec with"
                f" `trainable: ./{path.name}:{name}` and a space (see `tuner help trainables`)"
            )
        return path, name, found
    except registry.UnknownTrainableError as error:
        raise UsageError(str(error.args[0])) from None
    except UsageError:
        raise
    except SystemExit as error:
        way = f"a program of its own is searched by a spec with `command: [python, {path.name}, …]`"
        raise UsageError(f"{path}: must import without an error, but it raised {_line(error)}; {way}") from None
    except Exception as error:
        raise UsageError(f"{path}: must import without an error, but it raised {_line(error)}") from None


def initial_spec(model: str, path: Path, name: str, kind: type[Trainable], data: str | None) -> str:
    """The text of a spec.

    Args:
        path: the model's file, as the spec is to name it.
        data: the spec's `data`.

    Raises:
        UsageError: the model does not build.
    """
    if not issubclass(kind, HyperTrainable):
        return _of_class(model, path, name, kind, data)
    found, metric, mode, has_data = _found(name, kind, data)
    lines = [
        f"# Written by: tuner init {model}. Change what you like; `tuner check` shows what it would do.",
        f"name: {_sweep_name(path.stem)}",
        f"trainable: ./{path.name}:{name}" if not path.is_absolute() else f"trainable: {path}:{name}",
    ]
    if data is not None:
        lines.append(f"data: {data}")
    elif not has_data:
        lines.append("# data: digits, mnist, an .npz file, or ./file.py:function; or load_data() in the model's file")
    lines += [
        "# The objective is a metric that the model reports after each epoch.",
        f"objective: {{metric: {metric}, mode: {mode}}}",
        "num_trials: 20",
        "epochs: {max: 10}",
        "",
        *_space_lines(found),
    ]
    return "\n".join(lines) + "\n"


def default_spec(name: str, data: str | None) -> str:
    """The text of a shipped trainable's default sweep.

    Raises:
        UsageError: there is none of this name, or it has data of its own.
    """
    try:
        text, kind = registry.default_sweep(name).read_text(encoding="utf-8"), registry.load(name)
    except registry.UnknownTrainableError as error:
        raise UsageError(str(error)) from None
    if data is None:
        return text
    if not kind.takes_data:
        raise UsageError(f"data: {name} has data of its own, so must be left out, but got {shown(data)}")
    lines = [line for line in text.splitlines() if not line.startswith("data:")]
    place = next(index for index, line in enumerate(lines) if line.startswith("trainable:")) + 1
    return "\n".join([*lines[:place], flow_line({"data": data}), *lines[place:]]) + "\n"


def _space_lines(found: FoundSpace) -> list[str]:
    title = f"# What {found.num_builds} builds of the model found. A parameter that you leave out is searched as here."
    lines = [title, *(f"# {note}" for note in found.notes), "space:"]
    for name, parameter in found.parameters.items():
        original = f" of {found.originals[name]!r}" if found.originals.get(name, name) != name else ""
        lines.append(f"  # default{original}: {flow(found.defaults[name])}")
        lines.append(f"  {name}: {flow(parameter)}")
    return lines


def _found(name: str, kind: type[Trainable], data: str | None) -> tuple[FoundSpace, str, str, bool]:
    """The space, the objective, and whether the model has its data."""
    try:
        trainable = kind(data)
        assert isinstance(trainable, HyperTrainable)
        arrays = None
        try:
            arrays = trainable.load_data()
        except Exception as error:
            if data is not None:
                raise UsageError(f"data: {_line(error)}") from None
        found = trainable.found_space(arrays)
        return found, *_objective(trainable), arrays is not None
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{name}: must build with all defaults, but it raised {_line(error)}") from None


def _of_class(model: str, path: Path, name: str, kind: type[Trainable], data: str | None) -> str:
    """The text for a class: learning rate and batch size are searched, its own parameters stand at their defaults."""
    metric, mode = class_objective(kind)
    fields: dict[str, Any] = {
        "name": _sweep_name(path.stem),
        "trainable": f"./{path.name}:{name}" if not path.is_absolute() else f"{path}:{name}",
        **({} if data is None else {"data": data}),
        "objective": {"metric": metric, "mode": mode},
        "num_trials": 20,
        "epochs": {"min": 1, "max": _default(kind, "epochs", 10)},
        "space": class_space(kind),
    }
    own = next((f"space.{name}" for name in fields["space"] if name not in SEARCHED), "")
    return commented(
        fields,
        {
            "": [f"Written by: tuner init {model}. Change what you like; `tuner check` shows what it would do."],
            "objective": ["A metric that the model reports after each epoch."],
            **(
                {own: ["The class's own parameters at their defaults: write ranges or choices to search them."]}
                if own
                else {}
            ),
        },
    )


SEARCHED: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [32, 64, 128, 256]},
}
"""The ranges of a first sweep of a class, as the shipped trainables have them."""


def class_space(kind: type[Trainable]) -> dict[str, Any]:
    """The space of a class's first sweep. Training parameters that the class leaves as they are stay out of it."""
    found = {name: SEARCHED[name] for name in SEARCHED if name in kind.Params.model_fields}
    for name, info in kind.Params.model_fields.items():
        default = info.get_default(call_default_factory=True)
        common = TrainingParams.model_fields.get(name)
        is_own = common is None or common.get_default(call_default_factory=True) != default
        if name != "epochs" and name not in SEARCHED and is_own and not info.is_required():
            found[name] = {"value": default} if isinstance(default, list | tuple | dict) else default
    return found


def class_objective(kind: type[Trainable]) -> tuple[str, str]:
    """The validation accuracy where the class has one, else the validation loss."""
    known = [] if isinstance(kind.metrics, property) else epoch_metrics(kind)  # a property's depend on its data
    accuracy = next((name for name in known if name in ("val_accuracy", "val_acc")), None)
    return (accuracy, "max") if accuracy else ("val_loss", "min")


def _default(kind: type[Trainable], name: str, otherwise: int) -> int:
    info = kind.Params.model_fields.get(name)
    return otherwise if info is None or info.is_required() else int(info.default)


def _objective(trainable: HyperTrainable) -> tuple[str, str]:
    """A metric that the model is compiled with; its loss where it has none."""
    model = trainable.build_model(trainable.Params())
    config: Mapping[str, Any] = model.get_compile_config() or {}
    names = [metric for metric in config.get("metrics") or () if isinstance(metric, str)]
    accuracy = next((metric for metric in names if "acc" in metric), None)
    return (
        ("val_accuracy" if accuracy in ("acc", "accuracy") else f"val_{accuracy}", "max")
        if accuracy
        else (
            "val_loss",
            "min",
        )
    )


def _sweep_name(stem: str) -> str:
    name = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in stem)[:100]
    return name if name[:1].isalnum() else f"sweep-{name}"[:100]


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(gist(error).split())[:300]}"
