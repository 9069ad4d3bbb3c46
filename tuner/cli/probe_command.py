"""probe: learning rates, batch sizes and epochs, measured before a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuner.base.errors import UsageError
from tuner.base.text import bytes_text, params_text
from tuner.cli.completion import specs
from tuner.cli.output import AsJson, Overrides, SpecStorage, people, print_json
from tuner.cli.pages import add
from tuner.cli.tables import add_row, new_table, tables

if TYPE_CHECKING:
    from tuner.probe.probe import Probe
    from tuner.probe.result import ProbeResult

Target = Annotated[
    str,
    typer.Argument(
        metavar="TRAINABLE|SPEC",
        help="A trainable that comes with Tuner, FILE.py:NAME, or a YAML file.",
        show_default=False,
        autocompletion=specs,
    ),
]
BatchSizes = Annotated[
    str | None,
    typer.Option("--batch-size", metavar="N,…", help="Batch sizes of the range tests. [default: the spec's]"),
]
Optimizers = Annotated[
    str | None,
    typer.Option("--optimizer", metavar="NAME,…", help="Optimizers of the range tests. [default: the spec's]"),
]
DataOption = Annotated[str | None, typer.Option("--data", metavar="DATA", help="Data in place of the spec's.")]
Noise = Annotated[
    bool, typer.Option("--noise-scale", help="Measure the gradient noise scale, a hint at useful batch sizes.")
]
Seconds = Annotated[float, typer.Option("--seconds", metavar="S", help="Seconds that the probe may take.")]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the suggested spec to this new file.")
]
Figure = Annotated[
    str | None, typer.Option("--figure", metavar="FILE", help="Draw the measurements: .png, .svg or .pdf.")
]


def probe(
    target: Target,
    batch_size: BatchSizes = None,
    optimizer: Optimizers = None,
    data: DataOption = None,
    noise_scale: Noise = False,
    seconds: Seconds = 60.0,
    output: Output = None,
    figure: Figure = None,
    overrides: Overrides = None,
    storage: SpecStorage = None,
    as_json: AsJson = False,
) -> None:
    """Measure rates, batch sizes and epochs before a sweep.

    Trains shortly, and suggests bounds for a sweep. The storage root keeps the result; a spec with
    `search: {warm_start: [probe]}` begins with its points.
    """
    from tuner.api.probing import check_figure, draw, measured, wanted_spec
    from tuner.spec.writing import new_file

    sizes, names = whole_numbers(batch_size), names_in(optimizer)
    check_figure(figure)
    if output is not None:
        new_file(output)
    wanted = wanted_spec(target, overrides or [], {"data": data, "storage": storage})
    found = measured(wanted, sizes, names, noise_scale, seconds, _say)
    if figure is not None:
        draw(found, figure)
    if output is not None:
        found.write(output)
    if as_json:
        print_json(found.as_data())
    else:
        _tell(found)
    for file in filter(None, (figure, output)):
        people.print(f"wrote {file}", markup=False, highlight=False)


def _say(text: str) -> None:
    people.print(f"probe: {text}", markup=False, highlight=False)


def whole_numbers(text: str | None) -> list[int]:
    """The batch sizes of `32,128`.

    Raises:
        UsageError: they are none.
    """
    if text is None:
        return []
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--batch-size: must be whole numbers such as 32,128, but got {text}") from None


def names_in(text: str | None) -> list[str]:
    """The optimizers of `adam,sgd`."""
    return [] if text is None else [part.strip() for part in text.split(",")]


def _tell(found: Probe) -> None:
    result = found.result
    out = tables.print
    about = f", {params_text(dict(result.params))}" if result.params else ""
    out(f"{result.trainable}: {result.train_examples:,} training examples{about}\n", markup=False)
    _tell_rates(result)
    _tell_ladder(result)
    _tell_epochs(result)
    if (classes := result.classes) is not None:
        fewest, most = min(classes.counts.values()), max(classes.counts.values())
        out(f"classes        {len(classes.counts)}, of {fewest:,} to {most:,} examples", markup=False)
    if (noise := result.noise_scale) is not None:
        spread = f"{noise.low:,.0f} to {noise.high:,.0f}"
        out(
            f"noise scale    {noise.batch_size:,.0f} examples ({spread}), after {noise.after_epochs} epochs",
            markup=False,
        )
    for note in result.notes:
        out(f"note           {note}", markup=False)
    parts = ", ".join(f"{part.replace('_', ' ')} {seconds:.1f}" for part, seconds in result.seconds.items())
    out(f"seconds        {sum(result.seconds.values()):.0f}: {parts}\n", markup=False)
    out("[bold]suggests[/bold]")
    for line in found.lines():
        out(f"  {line}", markup=False)


def _tell_rates(result: ProbeResult) -> None:
    table = new_table("optimizer", "batch", "rate from", "to", "steepest at", "diverged at", "")
    for test in result.rates:
        rates = (test.low, test.high, test.steepest, test.diverged_at)
        texts = ["-" if rate is None else f"{rate:.2g}" for rate in rates]
        add_row(table, test.optimizer, test.batch_size, *texts, test.reason)
    tables.print(table)


def _tell_ladder(result: ProbeResult) -> None:
    table = new_table("batch", "examples/s", "memory", "steps/epoch", "s/epoch", "")
    for step in result.ladder.steps:
        remark = step.reason
        if step.batch_size == result.ladder.fastest != result.ladder.largest_fitting:
            remark = "larger ones gain little"
        cells = (
            ("-", "-")
            if step.examples_per_s is None
            else (f"{step.examples_per_s:,.0f}", _memory(step.peak_memory_bytes))
        )
        epoch_s = "-" if step.epoch_s is None else f"{step.epoch_s:.3g}"
        add_row(table, step.batch_size, *cells, f"{step.steps_per_epoch:,}", epoch_s, remark)
    if result.ladder.steps:
        tables.print(table)
        tables.print(f"batch sizes    end here: {result.ladder.ended}", markup=False)


def _memory(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else bytes_text(size_bytes)


def _tell_epochs(result: ProbeResult) -> None:
    for curve in result.epochs.curves:
        best = (max if result.mode == "max" else min)(curve.values)
        what = (
            f"{len(curve.values)} of {curve.optimizer} at a batch of {curve.batch_size}, rate {curve.learning_rate:.2g}"
        )
        tables.print(f"epochs         {what}: {result.metric} {best:.4g} at best", markup=False)
    tables.print(f"               {result.epochs.reason}", markup=False)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        probe,
        """
        tuner probe digits
        tuner probe my_model.py:MyModel --optimizer adam,sgd --batch-size 32,128
        tuner probe sweep.yaml --figure probe.png --output probed.yaml
        """,
    )
