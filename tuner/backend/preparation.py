"""What a driver does before a sweep exists: earlier trials are read, the trainable is checked, and Ray starts."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tuner.backend import address as addresses
from tuner.backend import growth, nodes, session
from tuner.backend.observer import Observer
from tuner.base.errors import SpecError
from tuner.engine.replay import replay
from tuner.engine.slots import Slot, local_node, require_room
from tuner.inspection import Inspected, Inspection
from tuner.inspection.provenance import TrainingCode
from tuner.inspection.scripts import is_keras_loop, is_plainly_script
from tuner.policy import preload
from tuner.processes import end_own
from tuner.recording.warmstart import read_sources, sources_text
from tuner.spec import SweepSpec
from tuner.spec.sharing import shared_folders, sharing_problems
from tuner.storage import StorageRoot, SweepFolder
from tuner.sweep import events as ev


def earlier_trials(spec: SweepSpec, root: StorageRoot, source: str, observer: Observer) -> list[ev.WarmStarted]:
    """The earlier trials that the sweep knows from the start; the observer is told which ones are left out."""
    if not spec.search.warm_start:
        return []
    observer.phase("reading earlier trials")
    sources = read_sources(spec, root, source)
    observer.note(f"warm start: {sources_text(spec, sources)}")
    return [source.event for source in sources]


def require_untried(spec: SweepSpec, earlier: Sequence[ev.WarmStarted], source: str) -> None:
    """Refuses a sweep for which earlier trials have left nothing to try.

    Raises:
        SpecError: they tried every configuration of the space.
    """
    if earlier and replay(spec, earlier).is_used_up:
        what = "the earlier trials have tried every configuration of the space"
        raise SpecError(source, [f"search.warm_start: {what}, so none is left; widen the space, or leave them out"])


@dataclass(frozen=True)
class Check:
    """How a spec is checked."""

    source: str
    """What errors call the spec."""
    works_in: str
    """The folder in which the trainable's code runs."""
    is_new: bool = False
    """Whether there is no sweep yet; then a batch is trained before there is one, as workers would."""
    is_strict: bool = False
    """Whether parameters without effect are errors."""


@contextmanager
def inspected(
    spec: SweepSpec,
    check: Check,
    folder: SweepFolder,
    address: str | None,
    observer: Observer,
    trains_with: TrainingCode,
) -> Iterator[tuple[SweepSpec, Inspected]]:
    """Completes a spec from its trainable, with Ray started. Ray is left at the end.

    Ray starts while a child process looks at a user's file, and in any case before a new sweep has a folder.

    Raises:
        SpecError: the spec does not fit its trainable, its data, or the machines' shared folders.
        UsageError: no node has room for a trial.
    """
    is_tried = check.is_new or trains_with.is_changed
    if is_plainly_script(spec, trains_with.sources) and not is_keras_loop(spec.trainable, trains_with.sources):
        end_own()  # nobody needs TensorFlow
    inspection = Inspection(spec, trains_with.sources, is_tried=is_tried, works_in=check.works_in)
    slot = Slot.of(spec.resources)
    unshared: list[str] = []
    try:
        starts_own = addresses.is_local(address) and not session.has_ray()
        if starts_own:
            require_room(slot, slot.count([local_node()]))
        if inspection.in_background or not starts_own:
            observer.phase("starting Ray, while the trainable is checked")
            session.start_ray(address, observer.note, spec.requirements)
            growth.check_room(slot)
            used = spec.model_copy(update={"storage": folder.root.url})
            unshared = sharing_problems(used, nodes.num_hosts(), shared_folders())
        if inspection.in_background:
            _import_what_comes()
            observer.phase("waiting for the trainable's check")
        found = inspection.result()
        found = (found.of_new() if check.is_new else found).strictly(check.is_strict)
        if unshared:
            raise SpecError(check.source, [*found.problems, *unshared])
        resolved = found.resolve(spec, check.source)
        for warning in found.all_warnings if check.is_new else []:
            observer.note(f"warning: {warning}")
        if check.is_new and not session.has_ray():
            observer.phase("starting Ray")
            session.start_ray(address, observer.note, spec.requirements)
        yield resolved, found
    finally:
        inspection.cancel()
        session.leave_ray()


def _import_what_comes() -> None:
    """Ray Tune and Hyperopt, while another process is at work: a second and more of the way to the first epoch."""
    importlib.import_module("tuner.backend.tune_adapter")
    preload()
