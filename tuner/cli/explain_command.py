"""explain: why a trial was suggested, and why it stopped or continued."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from tuner.api.data import explanation_data, trial_number
from tuner.base.coupling import coupling_of, coupling_text, scaled_rate
from tuner.base.text import params_text, short
from tuner.base.words import number_text
from tuner.cli.output import AsJson, Storage, SweepName, harmless, print_json
from tuner.cli.pages import add
from tuner.cli.tables import tables
from tuner.storage import StorageRoot

if TYPE_CHECKING:
    from tuner.review.explain import Explanation, Judgement, Reached
    from tuner.sweep import Sweep

NUM_COMPARED = 5
"""How many of the other trials at a rung are listed, the best first."""
_FEWEST_DIGITS, _MOST_DIGITS = 4, 17

TrialNumber = Annotated[str, typer.Argument(metavar="TRIAL", help="The number of the trial.", show_default=False)]


def explain(sweep: SweepName, trial: TrialNumber, storage: Storage = None, as_json: AsJson = False) -> None:
    """Explain why a trial was suggested, stopped or continued.

    Reads the journal alone: the trials known at that time, the model's choice, and the comparison at each rung.
    """
    from tuner.review.explain import explain as explained
    from tuner.review.status import open_history

    history = open_history(StorageRoot.resolve(storage), sweep)
    folded = history.sweep
    found = explained(history.events, trial_number(folded, trial))
    print_json(explanation_data(folded, found)) if as_json else _print(folded, found)


def register(app: typer.Typer) -> None:
    """Adds this file's commands."""
    add(
        app,
        explain,
        """
        tuner explain first 17
        tuner explain first 17 --json
        """,
    )


def _print(sweep: Sweep, found: Explanation) -> None:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for name, text in _rows(sweep, found):
        rows.add_row(name, Text(harmless(text)))
    tables.print(rows)
    if found.judgements:
        tables.print(_rungs(sweep, found))


def _rows(sweep: Sweep, found: Explanation) -> list[tuple[str, str]]:
    rows = [
        ("trial", f"{found.trial} of {sweep.name}"),
        ("parameters", params_text(found.params)),
        ("suggested as", found.why),
        ("known then", _known(found)),
    ]
    if found.good:
        rows.append(
            (
                "good then",
                _listed(found.good, lambda one: f"trial {one.trial}: {short(one.value)} at epoch {one.epoch}"),
            )
        )
    if found.other_policies:
        rows.append(("decided by", _other_policies(found)))
    for failed in found.failures:
        used = "" if failed.counts else " (no retry used)"
        rows.append((f"attempt {failed.attempt}", f"{failed.cause}: {failed.reason}{used}"))
    space = sweep.spec.get("space") or {}
    if (coupling := coupling_of(space)) and (rate := scaled_rate(space, found.params)) is not None:
        rows.append(("learning rate", f"{number_text(rate)} in training: it {coupling_text(coupling)}"))
    if (jit := sweep.trials[found.trial].jit_compile) is not None:
        rows.append(("XLA", f"{'compiled' if jit else 'did not compile'} its steps"))
    return [*rows, ("end", _end(sweep, found))]


def _other_policies(found: Explanation) -> str:
    """Which other versions of the policy decided on the trial; their rules may differ from those shown."""
    from tuner.policy import VERSION

    versions = " and ".join(f"version {version}" for version in found.policies)
    return f"{versions} of the policy; this is version {VERSION}, by whose rules good trials and rungs are shown"


def _known(found: Explanation) -> str:
    parts = [_count(found.num_observed, "trial", "with a result"), f"{found.num_running} without one yet"]
    if found.num_earlier:
        parts.append(_count(found.num_earlier, "trial", "of earlier sweeps"))
    return ", ".join(parts)


def _count(number: int, noun: str, what: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'} {what}"


def _listed(reached: tuple[Reached, ...], write: Callable[[Reached], str]) -> str:
    """The best trials with their values, and the number of the others."""
    texts = [write(one) for one in reached[:NUM_COMPARED]]
    more = len(reached) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "") if texts else "none"


def _rungs(sweep: Sweep, found: Explanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("rung", sweep.metric, "needed", "place", "goes on"):
        table.add_column(column, no_wrap=True)
    table.add_column("other trials there, best first", overflow="fold")
    for judged in found.judgements:
        table.add_row(*(Text(cell) for cell in _cells(judged)))
    return table


def _cells(judged: Judgement) -> tuple[str, ...]:
    again = f", after {judged.epoch}" if judged.epoch != judged.rung else ""
    digits = _digits(judged)
    return (
        f"epoch {judged.rung}{again}",
        f"{judged.value:.{digits}g}",
        "any" if judged.cutoff is None else f"{judged.cutoff:.{digits}g}",
        f"{judged.place} of {judged.size}",
        "yes" if judged.goes_on else "no",
        _listed(judged.compared, lambda other: f"{other.trial}: {other.value:.{digits}g}"),
    )


def _digits(judged: Judgement) -> int:
    """As many as it takes to tell the value from the one that was needed."""
    if judged.cutoff in (None, judged.value):
        return _FEWEST_DIGITS
    apart = (n for n in range(_FEWEST_DIGITS, _MOST_DIGITS) if f"{judged.value:.{n}g}" != f"{judged.cutoff:.{n}g}")
    return next(apart, _MOST_DIGITS)


def _end(sweep: Sweep, found: Explanation) -> str:
    trained = f"after {found.epochs} of {_count(found.epochs_max, 'epoch', '').strip()}"
    if found.outcome is None:
        return f"none yet, {trained}"
    last = found.judgements[-1] if found.judgements else None
    if found.outcome == "stopped" and last is not None and last.place > last.places and last.cutoff is not None:
        side = "at least" if sweep.mode == "max" else "at most"
        value, cutoff = (f"{number:.{_digits(last)}g}" for number in (last.value, last.cutoff))
        needed = f"{sweep.metric} was {value} at epoch {last.rung}, {side} {cutoff} was needed"
        return f"stopped {trained}: {needed} ({found.reason})"
    return f"{found.outcome} {trained}: {found.reason}"
