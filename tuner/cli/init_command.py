"""init: a first spec, for a model of one's own or from a sweep of another tool."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.base.errors import UsageError
from tuner.cli.output import harmless, people
from tuner.cli.pages import add

Model = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="A Python file, or FILE.py:NAME where it holds several.", show_default=False),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FILE", help="A W&B sweep, or code of Optuna or Ray Tune, to write as a spec."),
]
DataOption = Annotated[
    str | None, typer.Option("--data", metavar="DATA", help="A built-in set, a file, or ./file.py:function.")
]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write the spec.")]


def init(model: Model = None, data: DataOption = None, output: Output = "sweep.yaml", source: From = None) -> None:
    """Write a first spec for your model, or from another tool.

    For a KerasTuner model (a HyperModel, or a function of hp) the space is found by building it. A file for --from is
    read and never run; what has no counterpart here is printed, and stands in the spec as comments.
    """
    if source is None and model is None:
        raise UsageError("init needs MODEL, a Python file, or --from FILE, a sweep of another tool")
    target = Path(output)
    if target.exists():
        raise UsageError(f"{output}: is there already; name another file with --output")
    text = _of_model(str(model), data, target) if source is None else _converted(source, model, data, target)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from None
    people.print(f"wrote {output}; see what it would do: tuner check {output}", markup=False, highlight=False)


def _of_model(model: str, data: str | None, target: Path) -> str:
    from tuner.inspection.initial import initial_spec

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
        tuner init model.py
        tuner init model.py:MyHyperModel --data mnist --output mnist.yaml
        tuner init --from wandb.yaml
        tuner init my_model.py:MyModel --from optuna_search.py
        """,
    )
