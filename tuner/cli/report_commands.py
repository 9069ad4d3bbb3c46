"""report, compare, export: the results of sweeps, to read and to use."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuner.api.comparing import comparison_format, comparison_text, write_comparison
from tuner.api.formats import STDOUT
from tuner.api.formats import chosen_format as report_format
from tuner.api.looking import compare as compare_sweeps
from tuner.api.looking import load
from tuner.api.models import export as export_of
from tuner.api.models import export_data
from tuner.base.errors import UsageError
from tuner.base.text import duration_text, metric_text, params_text, short
from tuner.cli.completion import sweep_names
from tuner.cli.output import AsJson, Storage, SweepName, people, print_data, print_json
from tuner.cli.pages import add
from tuner.cli.tables import add_row, new_table, tables
from tuner.storage import StorageRoot


def report(
    sweep: SweepName,
    storage: Storage = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write, or - for standard output. [default: report.html in the sweep's folder, else SWEEP.md, "
            "SWEEP.png or SWEEP.json]",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="html, md, png or json. [default: what FILE ends in, else html]",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a report on a sweep: page, Markdown, image.

    The page is one file that needs no network: the best trial, what matters, advice, and figures in which
    a click on a trial shows it everywhere. Markdown has its figures beside it, as PNG files.
    """
    found = load(sweep, storage=storage)
    if output == STDOUT:
        if as_json:
            raise UsageError("--output - and --json both write to standard output; leave one of them out")
        print_data(found.report_text(report_format(form, None)))
        return
    target = found.report(output, format=form)
    data: dict[str, Any] = {"sweep": sweep, "report": str(target)}
    beside = f", with its figures beside it: {target.stem}-….png" if report_format(form, str(target)) == "md" else ""
    print_json(data) if as_json else people.print(f"the report of {sweep}: {target}{beside}")


def compare(
    sweeps: Annotated[
        list[str],
        typer.Argument(
            metavar="SWEEP SWEEP…", help="Two or more sweeps.", show_default=False, autocompletion=sweep_names
        ),
    ],
    storage: Storage = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="File to write, or - for standard output."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="html, md or json; the last two are printed where no FILE is given. [default: what FILE ends in]",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare sweeps that have the same objective.

    Shows the best value after equal numbers of epochs, whether the difference exceeds the noise, the epochs to an equal
    value, and how the specs differ. A page also has the curves, what matters in each sweep, and the best
    configurations.
    """
    wanted = None if output is None and form is None else comparison_format(form, output)
    if as_json and wanted not in (None, "json") and output in (None, STDOUT):
        raise UsageError(f"--format {wanted} and --json both write to standard output; leave one of them out")
    data = compare_sweeps(*sweeps, storage=storage)
    if wanted is None:
        print_json(data) if as_json else _tell(data)
    elif output in (None, STDOUT):
        print_data(comparison_text(data, wanted))
    else:
        target = write_comparison(data, wanted, str(output))
        print_json({**data, "report": str(target)}) if as_json else people.print(f"the comparison: {target}")


def export(
    sweep: SweepName,
    trial: Annotated[
        int | None, typer.Option("--trial", metavar="N", help="Export trial N, not the best one.", min=0)
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write, or folder for a script. [default: SWEEP.keras]",
        ),
    ] = None,
    with_changed_code: Annotated[
        bool,
        typer.Option(
            "--with-changed-code",
            help="Build the model with the trainable's current files, not those that it was trained with.",
        ),
    ] = False,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Export a trained model as a .keras file.

    The model has the weights of the trial's best epoch. Keras loads it without Tuner. Of a script, the
    files of the best epoch's checkpoint are written to a folder.
    """
    found, target = export_of(StorageRoot.resolve(storage).sweep(sweep), output, trial, with_changed_code)
    data = export_data(sweep, found, target)
    what = "model" if target.suffix == ".keras" else "checkpoint"
    text = f"the {what} of trial {found.number}, epoch {found.best_epoch}: {target}"
    print_json(data) if as_json else people.print(text)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        report,
        """
        tuner report first
        tuner report first --output first.html
        tuner report first -o first.md            for a pull request, with figures
        tuner report first --format json -o -     the numbers, printed
        """,
    )
    add(
        app,
        compare,
        """
        tuner compare first second
        tuner compare first second -o compare.html
        tuner compare first second --format md        for a pull request
        """,
    )
    add(
        app,
        export,
        """
        tuner export first                            the best trial, as first.keras
        tuner export first --trial 17 -o model.keras
        """,
    )


def _tell(data: dict[str, Any]) -> None:
    reach = [] if data["bar"] is None else [f"epochs to {metric_text(data['bar'])}"]
    budgets = [f"after {epochs} epochs" for epochs in data["epochs"]]
    table = new_table("sweep", "trials", "epochs", "at work", f"best {data['metric']}", *budgets, *reach)
    for row in data["sweeps"]:
        best = "-" if row["best"] is None else metric_text(row["best"]["value"])
        after = ["-" if value is None else metric_text(value) for value in row["after"]]
        last = [row["to_reach"]] if reach else []
        add_row(table, row["sweep"], row["trials"], row["epochs"], duration_text(row["wall_s"]), best, *after, *last)
    tables.print(table)
    for pair in data["pairs"]:
        tables.print(pair["text"], markup=False)
    for row in data["sweeps"]:
        if row["best"] is not None:
            text = f"{row['sweep']}, trial {row['best']['trial']}: {params_text(row['best']['params'])}"
            tables.print(text, markup=False)
    if data["differences"]:
        table = new_table("spec", *(row["sweep"] for row in data["sweeps"]))
        for path, values in data["differences"].items():
            add_row(table, path, *("-" if value is None else short(value) for value in values))
        tables.print()
        tables.print(table)
