"""What code and data a sweep was trained with, for whoever reads it later: `export`, `best_model`, `verify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainables.given import is_given
from trainables.sources import Sources
from tuner.base.errors import StorageError, UsageError
from tuner.base.hints import option
from tuner.inspection.provenance.code import collect, is_shipped, is_sound, runs_as_it_is
from tuner.inspection.provenance.comparison import compare_code, listed, source_changes
from tuner.inspection.provenance.copies import copied_names, read_code_or_say, read_copy
from tuner.inspection.provenance.files import source_digest
from tuner.inspection.provenance.training_code import as_they_are, check_given, difference_text, is_importable_as_kept
from tuner.inspection.work_folder import find_module
from tuner.storage import SweepFolder
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev


def sources_of(folder: SweepFolder, sweep: Sweep, trial: Trial, takes_todays: bool) -> tuple[Sources | None, str]:
    """The code that a trial's best weights are of, and how today's differs from it; empty if it does not.

    Args:
        takes_todays: give today's code instead.

    Raises:
        StorageError: a copy is damaged.
    """
    trainable, kept = str(sweep.spec["trainable"]), sweep.code_of(trial)
    check_given(trainable)
    find_module(sweep.spec, sweep.work_folder)
    if takes_todays or not kept:
        code = collect(trainable)
        if takes_todays and code is None and not is_given(trainable):
            raise UsageError(f"{option('with_changed_code')}: {trainable}: must be there, but there is no such file")
        if code is None or is_shipped(trainable) or runs_as_it_is(trainable):
            return None, ""
        return code.sources, ""
    sources = read_code_or_say(folder, kept, "build it by")
    today = compare_code(kept, collect(trainable, kept["files"]), sources)
    follows = f"the model is built by the code that trial {trial.number} was trained with"
    again = f"{option('with_changed_code', True)} takes today's"
    if is_importable_as_kept(trainable, kept, today):
        return sources, difference_text(today, f"{follows}{as_they_are(today)}; {again}")
    if runs_as_it_is(trainable) and today and today.is_program:
        ways = f"take the code as it was, or {option('with_changed_code', True)}"
        raise UsageError(difference_text(today, f"the model of trial {trial.number} is built by that code: {ways}"))
    if runs_as_it_is(trainable) or (is_shipped(trainable) and not today):
        return None, ""
    return sources, difference_text(today, f"{follows}; {again}") if today else ""


def data_note(sweep: Sweep) -> str:
    """How the data that the spec names differ today from those of the sweep; empty if they do not."""
    if not sweep.data:
        return ""
    changes, only_told = source_changes(sweep.data.get("source") or {}, source_digest(sweep.spec["data"]))
    return f"data: {'; '.join([*changes, *only_told])}" if changes or only_told else ""


def malformed(events: Sequence[ev.AnyEvent]) -> Iterator[str]:
    """What events say of code, data and versions, and cannot mean."""
    for event in events:
        if not isinstance(event, ev.SweepStarted | ev.SweepResumed):
            continue
        where = f"event {event.seq}: what it says of the"
        if event.code and not is_sound(event.code):
            yield f"{where} code does not agree with its digest, or is incomplete"
        if not event.data.keys() <= {"source", "arrays", "described"}:
            yield f"{where} data must be source, arrays and described, but is {listed(list(event.data))}"
        if not all(isinstance(text, str) for text in event.versions.values()):
            yield f"{where} versions must be text"


def damages(folder: SweepFolder, sweep: Sweep) -> Iterator[str]:
    """Each copy of code that is not what the journal says, in a line."""
    for _, kept in sweep.codes:
        for name in copied_names(kept):
            try:
                read_copy(folder, kept, name)
            except StorageError as error:
                yield str(error)


def num_copies(sweep: Sweep) -> int:
    """How many copies there must be."""
    return sum(len(copied_names(kept)) for kept in {code.get("digest"): code for _, code in sweep.codes}.values())


def notes(folder: SweepFolder, sweep: Sweep, events: Sequence[ev.AnyEvent]) -> list[str]:
    """What is no violation, but worth a line: today's code and data, and values of different programs."""
    codes = [(seq, f"code {str(code.get('digest'))[:12]}") for seq, code in sweep.codes]
    lines = _mixed("code", sweep, codes, "their values are of different programs")
    data = [(event.seq, event.data) for event in events if isinstance(event, ev.SweepStarted | ev.SweepResumed)]
    told = [(seq, f"the data of event {seq}") for seq, known in data if known]
    lines += _mixed("data", sweep, told, "their values are not comparable")
    if sweep.code and is_sound(sweep.code):
        trainable = str(sweep.spec["trainable"])
        find_module(sweep.spec, sweep.work_folder)
        code = collect(trainable, sweep.code["files"])
        is_known = code is not None or not is_given(trainable)
        if is_known and (today := compare_code(sweep.code, code)):
            lines.append(f"code: today {today.what}; a resume goes on with the copies in the sweep's folder")
    return [*lines, *filter(None, [data_note(sweep)])]


def _mixed(what: str, sweep: Sweep, versions: list[tuple[int, str]], so: str) -> list[str]:
    """Which trials were trained with which version, if they were with several."""
    if len({name for _, name in versions}) < 2:
        return []
    parts = []
    ends = [*(seq for seq, _ in versions[1:]), None]
    for (since, name), until in zip(versions, ends, strict=True):
        numbers = [trial.number for trial in sweep.trials.values() if _was_trained(trial, since, until)]
        if numbers:
            parts.append(f"{_ranges(numbers)} with {name}")
    return [f"{what}: trials {'; '.join(parts)}; {so}"] if len(parts) > 1 else []


def _was_trained(trial: Trial, since: int, until: int | None) -> bool:
    return any(since <= epoch.seq and (until is None or epoch.seq < until) for epoch in trial.epochs)


def _ranges(numbers: list[int]) -> str:
    """0 to 13, 15: numbers in order, in few words."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs)
