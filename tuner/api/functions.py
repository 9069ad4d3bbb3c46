"""Running sweeps: `tuner.run`, `tuner.resume` and `tuner.check`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trainables.given import giving
from tuner.api.classes import named
from tuner.api.looking import Place, place_text
from tuner.api.running import check_accepted, in_process, progress_for, resume_sweep_of, start_or_resume
from tuner.api.space import Choice, Float, Int, Objective
from tuner.api.sweep import Sweep, opened
from tuner.api.writing import AnySpec, asked, over
from tuner.base.errors import SpecError
from tuner.spec import spec_from_mapping
from tuner.spec.space import Scalar
from tuner.storage import StorageRoot

if TYPE_CHECKING:
    from trainables.contract import Trainable

Section = Mapping[str, Any]
AnyTrainable = str | type["Trainable"]
AnySpace = Mapping[str, Float | Int | Choice | Scalar | Mapping[str, Any]]


def run(
    spec: AnySpec | None = None,
    /,
    *,
    trainable: AnyTrainable | None = None,
    name: str | None = None,
    num_trials: int | None = None,
    epochs: int | tuple[int, int] | Section | None = None,
    objective: Objective | Section | None = None,
    space: AnySpace | None = None,
    data: Place | None = None,
    search: Section | None = None,
    early_stopping: Section | None = None,
    budget: Section | None = None,
    resources: Section | None = None,
    failures: Section | None = None,
    checkpoints: Section | None = None,
    tracking: Section | None = None,
    storage: Place | None = None,
    precision: str | None = None,
    or_resume: bool = False,
    with_changed_code: bool = False,
    with_changed_data: bool = False,
    strict: bool = False,
    address: str | None = None,
    progress: bool = True,
) -> Sweep:
    """Runs a sweep to its end.

    Ctrl-C, or a notebook's stop button, stops it after the running epochs, to be resumed; a second one does not wait.

    Args:
        spec: a YAML file, a shipped trainable's name, a mapping or a `SweepSpec`; None where keywords say all.
        trainable: a shipped trainable's name, ./file.py:Class, or a subclass of `trainables.Trainable`. A class of a
            notebook or of the main file goes to the workers by value, and its source is kept with the sweep.
        name: the sweep's name, and its folder's in the storage root.
        num_trials: how many configurations are tried.
        epochs: of a whole training; (min, max) says, too, after how many a trial may be stopped for the first time.
        objective: `tuner.maximize("val_accuracy")`, `tuner.minimize("val_loss")`.
        space: parameters by name: `tuner.Float`, `tuner.Int`, `tuner.Choice`, or a constant.
        data: of trainables that do not load their own.
        search, early_stopping, budget, resources, failures, checkpoints, tracking, precision: as in a YAML file.
        storage: the storage root; the spec's, else $TUNER_STORAGE or ./sweeps by default.
        or_resume: go on with a sweep of this name if there is one, with what differs in the spec changed.
        with_changed_code: with `or_resume`, go on with today's code instead of that which was trained with.
        with_changed_data: with `or_resume`, go on although the data are others.
        strict: searched parameters that change nothing are errors, not warnings.
        address: a Ray cluster to join; by default the one that this process has, $RAY_ADDRESS, or one of its own.
        progress: show how the sweep stands; False for no output at all.

    Keywords stand above `spec`: a section is laid over its section field by field, `space` takes its place.

    Raises:
        SpecError: all that is wrong with the spec, one line for each problem, by the keyword's path.
        NameTakenError: there is a sweep of this name.
        SweepInterrupted: it was stopped before its end; `tuner.resume` goes on with it.
        NoUsableTrialError: no trial reached a usable value.
        ServiceError: storage, cluster or MLflow refused.
    """
    from tuner.inspection.provenance import Accepted

    accepted = Accepted(with_changed_code, with_changed_data)
    check_accepted(accepted, or_resume)
    keywords = {
        "trainable": trainable, "name": name, "num_trials": num_trials, "epochs": epochs, "objective": objective,
        "space": space, "data": data, "search": search, "early_stopping": early_stopping, "budget": budget,
        "resources": resources, "failures": failures, "checkpoints": checkpoints, "tracking": tracking,
        "precision": precision,
    }  # fmt: skip
    place = place_text(storage)
    wanted = _asked(spec, keywords, place, or_resume)
    root = StorageRoot.resolve(place, wanted.spec.storage)
    folder = root.sweep(wanted.spec.name)
    shows = progress_for(folder, progress)
    in_process(
        folder,
        address,
        shows,
        wanted.given,
        lambda: start_or_resume(wanted.spec, root, wanted.source, address, shows, or_resume, accepted, strict),
    )
    return Sweep(folder, wanted.given, address)


def _asked(spec: AnySpec | None, keywords: Mapping[str, Any], place: str | None, or_resume: bool) -> Any:
    """What is asked for; of a sweep that goes on points may lie outside of ranges that are narrower now."""
    try:
        return asked(spec, keywords, "tuner.run")
    except SpecError:
        if not or_resume:
            raise
        try:
            found = asked(spec, keywords, "tuner.run", is_new=False)
        except SpecError:
            found = None
        if found is None or not StorageRoot.resolve(place, found.spec.storage).sweep(found.spec.name).exists():
            raise
        return found


def resume(
    name: str,
    *,
    trainable: type[Trainable] | None = None,
    num_trials: int | None = None,
    space: AnySpace | None = None,
    early_stopping: Section | None = None,
    budget: Section | None = None,
    resources: Section | None = None,
    failures: Section | None = None,
    checkpoints: Section | None = None,
    tracking: Section | None = None,
    with_changed_code: bool = False,
    with_changed_data: bool = False,
    storage: Place | None = None,
    address: str | None = None,
    progress: bool = True,
) -> Sweep:
    """Goes on with a sweep to its end: unfinished trials first, from their last checkpoints.

    Args:
        name: the sweep's.
        trainable: the class of a sweep that was run with a class of a notebook or of a main file.
        num_trials, space, early_stopping, budget, resources, failures, checkpoints, tracking: what changes from now on;
            fields and parameters that are not named stay as they are.
        with_changed_code: go on with today's code instead of that which was trained with.
        with_changed_data: go on although the data are others.
        storage, address, progress: as of `run`.

    Raises:
        UsageError: there is no such sweep, another driver is at work on it, its class was not given, or code or data
            are not what they were.
        SpecError, SweepInterrupted, NoUsableTrialError, ServiceError: as `run`.
    """
    from tuner.inspection.provenance import Accepted
    from tuner.review.status import open_own_sweep
    from tuner.spec.changes import changes_between
    from tuner.sweep import Sweep as Folded

    given = None if trainable is None else named(trainable)[1]
    place = place_text(storage)
    sweep = opened(name, place, given)
    folder, _ = open_own_sweep(StorageRoot.resolve(place), name)
    wanted = {
        "num_trials": num_trials, "space": space, "early_stopping": early_stopping, "budget": budget,
        "resources": resources, "failures": failures, "checkpoints": checkpoints, "tracking": tracking,
    }  # fmt: skip
    wanted = {key: value for key, value in wanted.items() if value is not None}

    def changes(found: Folded) -> dict[str, Any]:
        after = over(copy.deepcopy(found.spec), wanted)
        if not wanted:
            return {}
        spec = spec_from_mapping(after, "tuner.resume")
        return changes_between(found.spec, spec, len(found.trials), "tuner.resume")

    shows = progress_for(folder, progress)
    accepted = Accepted(with_changed_code, with_changed_data)
    in_process(folder, address, shows, given, lambda: resume_sweep_of(folder, address, shows, changes, accepted))
    sweep.state  # noqa: B018 - reads what is new
    return sweep


def check(
    spec: AnySpec | None = None, /, *, address: str | None = None, strict: bool = False, **keywords: Any
) -> dict[str, Any]:
    """What a sweep would do, as `tuner check --json` prints it; runs nothing.

    Args:
        spec: as of `run`, and so are all keywords that are fields of a spec.
        address: a Ray cluster whose nodes count; by default this machine.
        strict: searched parameters that change nothing are errors, not warnings.

    Raises:
        SpecError: all that is wrong with the spec, one line for each problem.
    """
    from tuner.api.checking import FIELDS, check_spec

    if unknown := [name for name in keywords if name not in FIELDS]:
        raise TypeError(f"check() got an unexpected keyword argument {unknown[0]!r}")
    wanted = asked(spec, keywords, "tuner.check")
    with giving(wanted.given):
        return check_spec(wanted.spec, wanted.source, address, is_strict=strict)[1]


__all__: Sequence[str] = ["check", "resume", "run"]
