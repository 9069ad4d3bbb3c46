"""The driver: runs one sweep, new or from its journal, to its end."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from tuner.backend.ending import Ended
from tuner.backend.observer import Observer
from tuner.backend.preparation import Check, earlier_trials, inspected, require_untried
from tuner.backend.spec_file import keep_edited_spec
from tuner.backend.sweep_run import SweepRun
from tuner.base.errors import SpecError
from tuner.base.secrets import unused_address
from tuner.base.user import are_others, this_user
from tuner.base.versions import versions
from tuner.inspection import Inspected
from tuner.inspection.provenance import Accepted, copied_files, resumed, resuming, starting, write_code
from tuner.inspection.provenance.git import GitReading
from tuner.inspection.provenance.learned import (
    learned_files,
    learned_for_resume,
    learned_manifest,
    write_learned,
)
from tuner.inspection.scripts import models_problem
from tuner.inspection.work_folder import find_module, work_folder, work_folder_of
from tuner.policy import VERSION
from tuner.recording import check_place
from tuner.recording.names import RULES
from tuner.spec import SweepSpec, dump_yaml, spec_from_mapping
from tuner.spec.sharing import artifact_warning
from tuner.storage import StorageRoot, SweepFolder, write_atomically
from tuner.storage.journal import History, Journal, belonging_if_writable, create_sweep, discard_sweep, name_taken
from tuner.sweep import Sweep, with_changes
from tuner.sweep import events as ev

Changes = Callable[[Sweep], dict[str, Any]]
"""What a folded sweep's spec is changed by, as path -> value (see `tuner.spec.changes`)."""


def start_sweep(
    spec: SweepSpec,
    root: StorageRoot,
    source: str,
    address: str | None,
    observer: Observer,
    *,
    is_strict: bool = False,
) -> Ended:
    """Runs a new sweep to its end.

    Args:
        is_strict: whether parameters without effect are errors.

    Raises:
        SpecError: the spec does not fit its trainable or its data, or it names earlier sweeps that do not exist.
        NameTakenError: there is such a sweep, or something else of that name.
        UsageError: there is no default tracking store in this root.
        SweepInterrupted: the user left; the sweep can be resumed.
        KeyboardInterrupt: the user left while no trial ran: before the sweep was under way, or after its end.
        NoUsableTrialError: no trial reached a usable value.
        ServiceError: storage or cluster refused.
    """
    folder = root.sweep(spec.name)
    if folder.is_taken:
        raise name_taken(folder)
    _ = spec.tracking.uri or root.default_tracking_uri  # if there is one
    for told in filter(None, (unused_address(spec.tracking.uri), artifact_warning(spec.tracking.uri, root.url))):
        observer.note(told)
    learned = earlier_trials(spec, root, source, observer)
    observer.phase("checking the trainable")
    begins = starting(spec.trainable, observer.note)
    works_in = work_folder(spec.trainable, source)
    git = GitReading(spec.trainable, source, begins.manifest)
    check = Check(source, works_in, is_new=True, is_strict=is_strict)
    with inspected(spec, check, folder, address, observer, begins) as (resolved, found):
        require_untried(resolved, learned, source)
        begins = begins.with_imported(spec.trainable, found.imported)
        started = _started(resolved, begins.manifest, found, works_in, git.result())
        files = {**copied_files(begins.new), **learned_files(found.learned)}
        journal = create_sweep(folder, dump_yaml(resolved.resolved()), started, learned, observer.phase, files)
        run = SweepRun(resolved, journal, found, address, observer, begins.sources, works_in, is_new=True)
        try:
            return run.run()
        except Exception:
            if run.never_began:
                discard_sweep(journal)
            raise
        finally:
            journal.close()


def _started(
    spec: SweepSpec, code: dict[str, Any], found: Inspected, works_in: str, git: dict[str, Any]
) -> ev.SweepStarted:
    """The first event of a new sweep."""
    return ev.SweepStarted(
        spec=spec.resolved(),
        versions=versions(),
        seed=spec.search.seed,
        sweep_id=uuid.uuid4().hex,
        code=code,
        data=found.digests,
        learned=learned_manifest(found.learned),
        work_folder=works_in,
        started_by=this_user(),
        policy=VERSION,
        script=found.is_script,
        git=git,
        names=RULES,
    )


def resume_sweep(
    folder: SweepFolder,
    address: str | None,
    observer: Observer,
    changes_for: Changes = lambda sweep: {},
    accepted: Accepted = Accepted(),  # noqa: B008 - it is frozen
    known: History | None = None,
) -> Ended:
    """Continues a sweep to its end; a finished one that is not changed is returned as it is.

    Args:
        accepted: whether other code and data than it was trained with are accepted.
        known: its journal, as far as it was read already.

    Raises:
        SweepHeldError: another driver runs it.
        MisplacedError: its folder is a copy, or was moved by itself.
        UsageError: its data were changed, or code of which no copy was kept.
        SpecError, SweepInterrupted, NoUsableTrialError, ServiceError: as `start_sweep`.
    """
    folder.check()
    known = known or History(folder).read_on()
    sweep = known.sweep
    check_place(folder, sweep)
    if _is_over(sweep, changes_for(sweep)):
        return Ended(sweep, is_recorded=True)
    journal = Journal(folder, on_wait=observer.phase, known=known)
    try:
        sweep = journal.sweep  # another driver may have continued it until now
        changes = changes_for(sweep)
        if _is_over(sweep, changes):
            return Ended(sweep, is_recorded=True)
        if what := keep_edited_spec(folder, sweep.spec):
            observer.note(what)
        return _go_on(journal, changes, address, observer, accepted)
    finally:
        journal.close()


def _go_on(
    journal: Journal, changes: dict[str, Any], address: str | None, observer: Observer, accepted: Accepted
) -> Ended:
    """Journals that a driver resumes the sweep with these changes, and runs it."""
    folder, sweep = journal.folder, journal.sweep
    if sweep.is_script and changes.get("tracking.log_models", "none") != "none":
        raise SpecError("--set", [models_problem(changes["tracking.log_models"])])
    find_module(sweep.spec, sweep.work_folder)
    if are_others(sweep.started_by, this_user()):
        observer.note(f"sweep {sweep.name} was started by {sweep.started_by}")
    goes_on = resuming(folder, sweep, accepted, observer.note)
    spec = spec_from_mapping(with_changes(sweep.spec, changes))
    works_in = work_folder_of(sweep.spec, sweep.work_folder)
    git = GitReading(spec.trainable, "", goes_on.manifest or sweep.code)
    check = Check(str(folder.spec), works_in)
    with inspected(spec, check, folder, address, observer, goes_on) as (_, found):
        goes_on = goes_on.with_imported(spec.trainable, found.imported)
        event = resumed(goes_on, sweep, changes, found.digests, accepted, observer.note)
        event = msgspec.structs.replace(
            event, policy=VERSION, git=git.result(), **belonging_if_writable(folder)._asdict()
        )
        if goes_on.new is not None:
            write_code(folder, goes_on.new)
        learned, is_new = learned_for_resume(folder, sweep, event, found.learned, observer.note)
        if is_new:
            write_learned(folder, learned)
            event = msgspec.structs.replace(event, learned=learned_manifest(learned))
        found = replace(found, learned=learned)
        journal.append(event)
        write_atomically(folder.spec, dump_yaml(spec.resolved()).encode(), folder.base)
        return SweepRun(spec, journal, found, address, observer, goes_on.sources, works_in).run()


def _is_over(sweep: Sweep, changes: dict[str, Any]) -> bool:
    """Whether a resume has nothing to do."""
    return sweep.ended is not None and sweep.ended.state == "finished" and not changes
