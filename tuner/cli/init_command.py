"""init: a first spec for a model of one's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tuner.base.errors import UsageError
from tuner.cli.output import people
from tuner.cli.pages import add

Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A Python file, or FILE.py:NAME where it holds several.", show_default=False),
]
DataOption = Annotated[
    str | None, typer.Option("--data", metavar="DATA", help="A built-in set, a file, or ./file.py:function.")
]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write the spec.")]


def init(model: Model, data: DataOption = None, output: Output = "sweep.yaml") -> None:
    """Write a first spec for a model of your own.

    For a KerasTuner model (a HyperModel, or a function of hp) the space is found by building it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # nothing is trained
    from tuner.inspection.initial import found_in, initial_spec

    target = Path(output)
    if target.exists():
        raise UsageError(f"{output}: is there already; name another file with --output")
    path, name, kind = found_in(model)
    beside = Path(os.path.relpath(path.resolve(), target.resolve().parent))
    is_beside = beside.parent == Path()
    text = initial_spec(model, beside if is_beside else path.resolve(), name, kind, data)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from None
    people.print(f"wrote {output}; see what it would do: tuner check {output}", markup=False, highlight=False)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        init,
        """
        tuner init model.py
        tuner init model.py:MyHyperModel --data mnist --output mnist.yaml
        """,
    )
