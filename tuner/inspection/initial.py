"""A first spec for a user's model: its parameters as they are found, with a comment line for each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainables import registry
from trainables.contract import Trainable
from trainables.kerastuner import HyperTrainable
from trainables.kerastuner.adapter import names_in
from trainables.kerastuner.spaces import FoundSpace
from trainables.scripts.functions import Loop
from tuner.base.errors import UsageError, gist
from tuner.spec.foreign_parameters import flow


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
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path}: must import without an error, but it raised {_line(error)}") from None


def initial_spec(model: str, path: Path, name: str, kind: type[Trainable], data: str | None) -> str:
    """The text of a spec.

    Args:
        path: the model's file, as the spec is to name it.
        data: the spec's `data`.

    Raises:
        UsageError: the model does not build.
    """
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


def _space_lines(found: FoundSpace) -> list[str]:
    if not found.num_builds:
        title = "# The parameters of the model, at their defaults: write ranges or choices for those to search."
    else:
        title = (
            f"# What {found.num_builds} builds of the model found. A parameter that you leave out is searched as here."
        )
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
        if not isinstance(trainable, HyperTrainable):
            return _of_params(kind), "val_loss", "min", True
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


def _of_params(kind: type[Trainable]) -> FoundSpace:
    fields = {
        name: info.get_default(call_default_factory=True)
        for name, info in kind.Params.model_fields.items()
        if name != "epochs" and not info.is_required()
    }
    return FoundSpace(dict(fields), dict(fields))


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
