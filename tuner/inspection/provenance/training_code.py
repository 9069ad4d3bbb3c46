"""What a sweep trains with from now on: at its start today's code, at a resume what was kept, unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainables.given import NotGivenError, is_given, lookup
from trainables.sources import Sources
from tuner.base.errors import StorageError, UsageError
from tuner.base.hints import option
from tuner.base.versions import versions
from tuner.inspection.provenance.code import (
    Code,
    collect,
    extended,
    installed_version,
    is_kept_package,
    is_shipped,
    main_file,
    runs_as_it_is,
)
from tuner.inspection.provenance.comparison import (
    Today,
    compare_code,
    data_changes,
    listed,
    source_changes,
    version_changes,
)
from tuner.inspection.provenance.copies import read_code, read_code_or_say, write_code
from tuner.storage import SweepFolder
from tuner.sweep import Sweep
from tuner.sweep import events as ev

Note = Callable[[str], None]


@dataclass(frozen=True)
class Accepted:
    """What a resume may go on with although it differs from what the sweep was trained with so far."""

    code: bool = False
    data: bool = False


@dataclass(frozen=True)
class TrainingCode:
    """What the next driver trains with.

    Attributes:
        sources: the trainable's code; None: as it is installed, or not known.
        new: code that is to be kept; None if the sweep's folder has it.
        is_changed: whether trials so far were trained with other code.
    """

    sources: Sources | None
    new: Code | None = None
    is_changed: bool = False

    def with_imported(self, trainable: str, names: list[str]) -> TrainingCode:
        """With files that were seen to be imported, too, where code is to be kept."""
        if self.new is None or is_shipped(trainable) or runs_as_it_is(trainable):
            return self
        new = extended(self.new, trainable, names)
        return TrainingCode(new.sources, new, self.is_changed)

    @property
    def manifest(self) -> dict[str, Any]:
        """What the journal says of new code; empty if there is none."""
        return self.new.manifest if self.new is not None else {}


def starting(trainable: str, note: Note) -> TrainingCode:
    """What a new sweep trains with: its files as they are at this moment, whatever becomes of them."""
    code = collect(trainable)
    if code is None:  # which the inspection tells
        if is_given(trainable):
            note(f"code: no copy of {trainable} is kept: Python has no source of it")
        return TrainingCode(None)
    _tell_left_out(code, note)
    return TrainingCode(None if is_shipped(trainable) or runs_as_it_is(trainable) else code.sources, code)


def resuming(folder: SweepFolder, sweep: Sweep, accepted: Accepted, note: Note) -> TrainingCode:
    """What a sweep goes on with; how today's files differ is told.

    Raises:
        UsageError: code was changed of which no copy was kept; or changed code is asked for, and there is none.
        StorageError: a copy is damaged.
    """
    trainable, kept = str(sweep.spec["trainable"]), sweep.code
    check_given(trainable)
    if not kept:
        return starting(trainable, note)
    if accepted.code:
        return _with_todays(folder, trainable, kept, note)
    sources = read_code_or_say(folder, kept, "go on with")
    today = compare_code(kept, collect(trainable, kept["files"]), sources)
    if is_importable_as_kept(trainable, kept, today):
        follows = f"it goes on with the code that it was started with{as_they_are(today)}"
        note(difference_text(today, f"{follows}; {option('with_changed_code', True)} takes today's"))
        return TrainingCode(sources)
    if runs_as_it_is(trainable):
        if today and today.is_program:
            new = "the new one" if is_given(trainable) else "today's"
            again = f"{option('with_changed_code', True)} takes {new}"
            raise UsageError(difference_text(today, f"resume with the code as it was, or {again}"))
        if today:
            note(f"code: {today.what} since the sweep was trained with it; it goes on with today's")
        return TrainingCode(None)
    if today.lost:
        why = next((file["left_out"] for name, file in kept["files"].items() if name in today.lost), "too many files")
        raise UsageError(
            f"code: {listed(today.lost)} in {main_file(trainable).parent} must be as it was when the sweep was trained,"
            f" as no copy was kept ({why}), but it was changed: put it back, or go on with"
            f" {option('with_changed_code', True)}"
        )
    if today:
        again = f"{option('with_changed_code', True)} takes today's"
        note(difference_text(today, f"it goes on with the code that it was started with; {again}"))
    return TrainingCode(None if is_shipped(trainable) and not today else sources)


def is_importable_as_kept(trainable: str, kept: Mapping[str, Any], today: Today) -> bool:
    """Whether a package's program text has changed, and what it was can be imported in its place."""
    lost = [name for name in today.lost if name.endswith(".py") or " " in name]
    return today.is_program and not today.is_gone and not lost and is_kept_package(trainable, kept)


def as_they_are(today: Today) -> str:
    """Which changed files of a package are today's in any case, as no copies of them are kept."""
    others = [name for name in (*today.changed, *today.added) if not name.endswith(".py") and " " not in name]
    return f" and today's {listed(others)}" if others else ""


def check_given(trainable: str) -> None:
    """Refuses a class of a notebook or a script that this process has not.

    Raises:
        UsageError: the message has the way on.
    """
    if is_given(trainable):
        try:
            lookup(trainable)
        except NotGivenError as error:
            raise UsageError(f"trainable: {error}") from None


def _with_todays(folder: SweepFolder, trainable: str, kept: Mapping[str, Any], note: Note) -> TrainingCode:
    code = collect(trainable)
    if code is None or code.sources.main not in code.manifest["files"]:
        raise UsageError(f"{option('with_changed_code')}: {trainable}: must be there, but there is no such file")
    sources = None if is_shipped(trainable) or runs_as_it_is(trainable) else code.sources
    again = collect(trainable, kept["files"])
    if again is not None and again.manifest["digest"] == kept["digest"]:
        write_code(folder, again)  # what was damaged is whole again
        note("code: is what the sweep was started with")
        return TrainingCode(again.sources if sources is not None else None)
    try:
        copies = read_code(folder, kept)
    except StorageError:  # there is no diff, and nothing else to be lost
        copies = None
    note(
        difference_text(
            compare_code(kept, code, copies), "it goes on with the changed code; trials so far are of the other"
        )
    )
    _tell_left_out(code, note)
    return TrainingCode(sources, code, is_changed=True)


def resumed(
    training_code: TrainingCode,
    sweep: Sweep,
    changes: dict[str, Any],
    data: Mapping[str, Any],
    accepted: Accepted,
    note: Note,
) -> ev.SweepResumed:
    """What the journal says of the resume.

    Raises:
        UsageError: the data are others than those that the sweep was trained with.
    """
    new_data = _checked_data(sweep.data, data, accepted, training_code.is_changed, note)
    before = {**sweep.code.get("packages", {}), **sweep.versions}
    now = {**{name: installed_version(name) or "none" for name in before}, **versions()}
    if text := version_changes(before, now):
        note(f"versions: {text}")
    new_versions = now if text or not before else {}
    return ev.SweepResumed(changes=changes, code=training_code.manifest, data=new_data, versions=new_versions)


def _checked_data(
    kept: Mapping[str, Any], today: Mapping[str, Any], accepted: Accepted, is_other_code: bool, note: Note
) -> dict[str, Any]:
    """Today's data where they are others, or were not known; empty if they are the same."""
    if not kept or not today:
        return dict(today)
    changes, only_told = data_changes(kept, today)
    for text in only_told:
        note(f"data: {text}")
    if not changes:
        return {}
    text = listed(changes)
    if accepted.data:
        note(f"data: {text}; it goes on with the changed data; trials so far are of the others")
    elif is_other_code and not source_changes(kept.get("source") or {}, today.get("source") or {})[0]:
        note(f"data: {text}, as the changed code loads them")
    else:
        raise UsageError(
            f"data: must be those that the sweep was trained with, but {text}; put them back, or go on with"
            f" {option('with_changed_data', True)} (data that are drawn at random need a seed)"
        )
    return dict(today)


def difference_text(today: Today, what_follows: str) -> str:
    """How today's code differs, for people: in some lines."""
    lines = [f"code: {today.what} since the sweep was trained with it", *(f"  {line}" for line in today.diff)]
    return "\n".join([*lines, what_follows]) if today.diff else f"{lines[0]}; {what_follows}"


def _tell_left_out(code: Code, note: Note) -> None:
    reasons: dict[str, list[str]] = {}
    for name, reason in code.left_out.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        note(f"code: no copy of {listed(names)} is kept, only a digest: {reason}")
    if more := code.manifest.get("more"):
        note(f"code: no copies of {more['files']} files are kept, only a digest: there are too many")
