"""init: a first spec, for a model of one's own or from a sweep of another tool."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.base.errors import UsageError
from tuner.cli.completion import specs
from tuner.cli.output import SpecStorage, harmless, people
from tuner.cli.pages import add
from tuner.cli.probe_command import BatchSizes, Noise, Optimizers, names_in, whole_numbers
from tuner.spec.writing import new_file, write_new

WAY_ON = "name another file with --output"

Model = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        help="A Python file, or FILE.py:NAME where it holds several; or a trainable that comes with Tuner.",
        show_default=False,
        autocompletion=specs,
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FILE", help="A W&B sweep, or code of Optuna or Ray Tune, to write as a spec."),
]
DataOption = Annotated[
    str | None, typer.Option("--data", metavar="DATA", help="A built-in set, a file, or ./file.py:function.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to write the spec. [default: NAME.yaml for a trainable by its "
        "name and with --probe, else sweep.yaml]",
        show_default=False,
    ),
]


Probed = Annotated[
    bool,
    typer.Option(
        "--probe", help="Measure learning rates, batch sizes and epochs first, for bounds that fit the model."
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", metavar="S", help="Seconds that the probe may take. [default: 60]", show_default=False),
]


def init(
    model: Model = None,
    data: DataOption = None,
    output: Output = None,
    source: From = None,
    is_probed: Probed = False,
    storage: SpecStorage = None,
    batch_size: BatchSizes = None,
    optimizer: Optimizers = None,
    noise_scale: Noise = False,
    seconds: Seconds = None,
) -> None:
    """Write a first spec for your model, or from another tool.

    For a KerasTuner model (a HyperModel, or a function of hp) the space is found by building it. For a trainable that
    comes with Tuner it is its default sweep. A file for --from is read and never run; what has no counterpart here is
    printed, and stands in the spec as comments.

    With --probe the model is measured for up to a minute, as `tuner probe` does it; a comment at each bound says where
    it comes from. MODEL may be a spec then.
    """
    if is_probed and source is not None:
        raise UsageError("init: --probe measures a MODEL, so --from FILE must be left out")
    if not is_probed:
        _refuse_options_of_probe(storage, batch_size, optimizer, noise_scale, seconds)
    if source is None and model is None:
        raise UsageError(
            "init needs MODEL, a Python file or a trainable that comes with Tuner, or --from FILE, a sweep of another"
            " tool"
        )
    if is_probed:
        options = (whole_numbers(batch_size), names_in(optimizer), noise_scale, seconds)
        _init_probed(str(model), data, output, storage, options)
        return
    is_named = source is None and is_name(str(model))
    target = new_file(output or (f"{model}.yaml" if is_named else "sweep.yaml"), WAY_ON)
    text = first_spec(str(model), data, target) if source is None else _converted(source, model, data, target)
    write_spec(target, text)


def _refuse_options_of_probe(
    storage: str | None, batch_size: str | None, optimizer: str | None, noise_scale: bool, seconds: float | None
) -> None:
    if storage is not None:
        raise UsageError("init: --storage says where a probe is recorded, so it has no effect without --probe")
    given = {
        "--batch-size": batch_size is not None,
        "--optimizer": optimizer is not None,
        "--noise-scale": noise_scale,
        "--seconds": seconds is not None,
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise UsageError(f"init: {option} says how a probe measures, so it has no effect without --probe")


def _init_probed(
    model: str,
    data: str | None,
    output: str | None,
    storage: str | None,
    options: tuple[list[int], list[str], bool, float | None],
) -> None:
    """Measures a model, and writes the spec that this suggests."""
    from tuner.api.probing import SECONDS, measured, wanted_spec

    target = new_file(output or f"{model if is_name(model) else Path(_file(model)).stem}.yaml", WAY_ON)
    wanted = wanted_spec(model, [], {"data": data, "storage": storage})

    def say(text: str) -> None:
        people.print(f"probe: {text}", markup=False, highlight=False)

    sizes, names, noise_scale, seconds = options
    found = measured(wanted, sizes, names, noise_scale, SECONDS if seconds is None else seconds, say)
    for line in found.lines():
        people.print(line, markup=False, highlight=False, soft_wrap=True)
    write_spec(target, found.text(target, f"tuner init {model} --probe"))


def _file(model: str) -> str:
    """The file of `file.py:Name`."""
    return model if model.endswith((".py", ".yaml", ".yml")) else model.rpartition(":")[0]


def write_spec(target: Path, text: str) -> None:
    """Writes a spec's text to a new file, and says so.

    Raises:
        UsageError: it cannot be written, or is there by now.
    """
    write_new(target, text)
    people.print(f"wrote {target}; see what it would do: tuner check {target}", markup=False, highlight=False)


def is_name(model: str) -> bool:
    """Whether it is meant as the name of a trainable that comes with Tuner, rather than as a file."""
    return not model.endswith((".py", ".yaml", ".yml")) and not set(model) & {":", os.sep}


def first_spec(model: str, data: str | None, target: Path) -> str:
    """The text of a first spec for a model.

    Raises:
        UsageError: there is no such model, or it does not build.
    """
    from tuner.inspection.initial import default_spec, initial_spec

    if is_name(model):
        return default_spec(model, data)
    path, name, kind = _found(model)
    return initial_spec(model, _beside(path, target), name, kind, data)


def _converted(source: str, model: str | None, data: str | None, target: Path) -> str:
    """The spec of another tool's file; says what has no counterpart. MODEL, where it is given, is what is trained."""
    from tuner.spec.conversion.files import converted
    from tuner.spec.conversion.writing import spec_text

    draft = converted(Path(source))
    if model is not None:
        path, name, _ = _found(model)
        beside = _beside(path, target)
        draft.runs = {"trainable": f"{beside}:{name}" if beside.is_absolute() else f"./{beside.name}:{name}"}
    if data is not None:
        draft.more["data"] = data
    text = spec_text(draft, source)
    for note in draft.notes:
        people.print(harmless(f"{source}: {note}"), markup=False, highlight=False, soft_wrap=True)
    return text


def _found(model: str) -> Any:
    """The file, the name and the class of a model, in a process that sees no GPU: nothing is trained."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    from tuner.inspection.initial import found_in

    return found_in(model)


def _beside(path: Path, target: Path) -> Path:
    """The model's file as the spec is to name it: by its name if it lies beside the spec."""
    beside = Path(os.path.relpath(path.resolve(), target.resolve().parent))
    return beside if beside.parent == Path() else path.resolve()


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        init,
        """
        tuner init digits
        tuner init model.py:MyModel --probe
        tuner init model.py
        tuner init model.py:MyHyperModel --data mnist --output mnist.yaml
        tuner init --from wandb.yaml
        tuner init my_model.py:MyModel --from optuna_search.py
        """,
    )
