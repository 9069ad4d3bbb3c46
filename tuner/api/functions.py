"""Running sweeps: `tuner.run`, `tuner.resume` and `tuner.check`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from trainables.given import giving
from tuner.api.classes import named
from tuner.api.hypermodels import is_model, objective_of, space_of, with_data
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
    pass

Section = Mapping[str, Any]
AnyTrainable = Any
"""A name, ./file.py:Class, a subclass of Trainable, or a KerasTuner model."""
AnySpace = Mapping[str, Float | Int | Choice | Scalar | Mapping[str, Any]]


def run(
    spec: Any = None,
    /,
    *,
    trainable: AnyTrainable | None = None,
    command: Sequence[str] | str | None = None,
    name: str | None = None,
    num_trials: int | None = None,
    epochs: int | tuple[int, int] | Section | None = None,
    objective: Objective | Section | str | None = None,
    space: Any = None,
    data: Any = None,
    validation_data: Any = None,
    validation_split: float | None = None,
    search: Section | None = None,
    early_stopping: Section | None = None,
    budget: Section | None = None,
    resources: Section | None = None,
    failures: Section | None = None,
    checkpoints: Section | None = None,
    tracking: Section | None = None,
    storage: Place | None = None,
    folds: int | None = None,
    precision: str | None = None,
    jit_compile: Literal["auto"] | bool | None = None,
    deterministic: bool | None = None,
    or_resume: bool = False,
    with_changed_code: bool = False,
    with_changed_data: bool = False,
    strict: bool = False,
    address: str | None = None,
    progress: bool = True,
) -> Sweep:
    """Runs a sweep to its end.

    Ctrl-C, or the stop button of a notebook, stops it after the running epochs, to be resumed. A second one stops it at
    once.

    Args:
        spec: a YAML file, the name of a shipped trainable, a mapping or a `SweepSpec`; or a KerasTuner model,
            as with `trainable`; None if keywords say everything.
        trainable: the name of a shipped trainable, ./file.py:Class, package.module:Class, or a subclass of
            `trainables.Trainable`; or a KerasTuner model (a HyperModel or a function of hp), which needs no `space`. A
            class of a notebook or of the main file is sent to the workers by value, and its source is stored with the
            sweep. Or a training loop: ./file.py:main, or a function main(params, report) that can be imported.
        command: in place of a trainable, a program and its arguments, such as ["python", "train.py", "--lr", "{lr}"].
        name: the name of the sweep and of its folder in the storage root.
        num_trials: how many configurations to try.
        epochs: epochs of a full training; (min, max) also sets after how many epochs a trial may first be stopped.
        objective: `tuner.maximize("val_accuracy")`, `tuner.minimize("val_loss")`, or the name of a well-known metric.
        space: parameters by name: `tuner.Float`, `tuner.Int`, `tuner.Choice`, or a constant.
        data: the data, for trainables that do not load their own: a path or a built-in set. For KerasTuner models
            also arrays (x, y), or a function that returns them.
        validation_data: (x, y) arrays to validate a KerasTuner model on.
        validation_split: without them, the share of the last training examples to validate on. Default: 0.2.
        search, early_stopping, budget, resources, failures, checkpoints, tracking, folds, precision,
            jit_compile, deterministic: as in a YAML file.
        storage: the storage root. Default: the spec's, else $TUNER_STORAGE or ./sweeps.
        or_resume: if there is a sweep of this name, resume it, with the changes of the spec.
        with_changed_code: with `or_resume`, use the current code, not the code that the sweep was trained with.
        with_changed_data: with `or_resume`, continue although the data have changed.
        strict: searched parameters that change nothing are errors, not warnings.
        address: the Ray cluster to use. Default: the one that this process uses, else $RAY_ADDRESS, else a Ray that is
            started for the sweep.
        progress: show the progress of the sweep; False for no output at all.

    Keywords override `spec`: sections field by field, `space` as a whole.

    Raises:
        SpecError: the spec is wrong; one line for each problem, with the path of the keyword.
        NameTakenError: there is a sweep of this name.
        SweepInterrupted: it was stopped before its end; `tuner.resume` continues it.
        NoUsableTrialError: no trial reached a usable value.
        ServiceError: storage, cluster or MLflow failed.
    """
    from tuner.inspection.provenance import Accepted

    accepted = Accepted(with_changed_code, with_changed_data)
    check_accepted(accepted, or_resume)
    if is_model(spec) and trainable is None:
        spec, trainable = None, spec
    trainable, data = with_data(trainable, data, validation_data, validation_split)
    objective, space = objective_of(objective), space_of(space)
    keywords = {
        "trainable": trainable, "command": command, "name": name, "num_trials": num_trials, "epochs": epochs,
        "objective": objective,
        "space": space, "data": data, "search": search, "early_stopping": early_stopping, "budget": budget,
        "resources": resources, "failures": failures, "checkpoints": checkpoints, "tracking": tracking,
        "folds": folds, "precision": precision, "jit_compile": jit_compile,
        "deterministic": deterministic,
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
    """The wanted sweep. If it is to be resumed, its points may lie outside of ranges that are narrower now."""
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
    trainable: AnyTrainable | None = None,
    data: Any = None,
    validation_data: Any = None,
    validation_split: float | None = None,
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
    """Continues a sweep to its end: unfinished trials first, from their last checkpoints.

    Args:
        name: the name of the sweep.
        trainable: the class of a sweep that was run with a class of a notebook or of a main file.
        data, validation_data, validation_split: the same arrays, for a KerasTuner model that was run with arrays.
        num_trials, space, early_stopping, budget, resources, failures, checkpoints, tracking: changes from now on;
            other fields and parameters stay as they are.
        with_changed_code: use the current code, not the code that the sweep was trained with.
        with_changed_data: continue although the data have changed.
        storage, address, progress: as for `run`.

    Raises:
        UsageError: there is no such sweep, another driver runs it, its class was not passed, or code or data have
            changed.
        SpecError, SweepInterrupted, NoUsableTrialError, ServiceError: as `run`.
    """
    from tuner.inspection.provenance import Accepted
    from tuner.review.status import open_own_sweep
    from tuner.spec.changes import changes_between
    from tuner.sweep import Sweep as Folded

    trainable, _ = with_data(trainable, data, validation_data, validation_split)
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
        return changes_between(found.spec, spec, found.num_counted, "tuner.resume")

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
        spec, **keywords: as for `run`; only fields of a spec.
        address: the Ray cluster whose nodes count; by default this machine.
        strict: searched parameters that change nothing are errors, not warnings.

    Raises:
        SpecError: the spec is wrong; one line for each problem.
    """
    from tuner.api.checking import FIELDS, check_spec

    of_data = {name: keywords.pop(name, None) for name in ("validation_data", "validation_split")}
    if unknown := [name for name in keywords if name not in FIELDS]:
        raise TypeError(f"check() got an unexpected keyword argument {unknown[0]!r}")
    if is_model(spec) and "trainable" not in keywords:
        spec, keywords["trainable"] = None, spec
    keywords["trainable"], keywords["data"] = with_data(keywords.get("trainable"), keywords.get("data"), **of_data)
    keywords["objective"], keywords["space"] = objective_of(keywords.get("objective")), space_of(keywords.get("space"))
    wanted = asked(spec, keywords, "tuner.check")
    with giving(wanted.given):
        return check_spec(wanted.spec, wanted.source, address, is_strict=strict)[1]


__all__: Sequence[str] = ["check", "resume", "run"]
