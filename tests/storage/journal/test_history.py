"""A journal is read once: what was read before the lease is held is passed on, unless it is no longer what is there."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec
from tests.simulation import new_sweep as new_spec_sweep
from tests.storage.journal.making import new_sweep, suggested
from tuner.base.errors import StorageError
from tuner.storage import SweepFolder
from tuner.storage.journal import History, Journal, lines, merging, read_events
from tuner.storage.journal.merging import Merger
from tuner.storage.objectstore import attempt
from tuner.sweep import events as ev
from tuner.sweep import fold


@pytest.fixture(params=["disk", "store"])
def root(request: pytest.FixtureRequest, tmp_path: Path, memory_root: str) -> str:
    return str(tmp_path) if request.param == "disk" else memory_root


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The `seq` of every event that is read, in order."""
    seqs: list[int] = []
    real = lines.decode

    def decode(*args: Any, **kwargs: Any) -> list[ev.AnyEvent]:
        events = real(*args, **kwargs)
        seqs.extend(event.seq for event in events)
        return events

    monkeypatch.setattr(lines, "decode", decode)
    yield seqs


def begun(root: str, trials: int = 5) -> SweepFolder:
    """A sweep of so many appends, which nobody works on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Merger, "close", lambda self: None)
        journal = new_sweep(root)
        for trial in range(trials):
            journal.append(suggested(trial))
        journal.close()
    return journal.folder


def test_a_driver_reads_only_what_came_since_its_first_look(root: str, decoded: list[int]) -> None:
    folder = begun(root)
    known = History(folder).read_on()
    sweep = known.sweep
    assert (len(known.events), len(sweep.trials)) == (6, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Merger, "close", lambda self: None)
        other = Journal(folder)
        other.append(suggested(5), suggested(6))
        other.close()
    decoded.clear()
    journal = Journal(folder, known=known)
    assert decoded and set(decoded) <= {6, 7}
    assert journal.sweep is sweep and len(sweep.trials) == 7
    assert [event.seq for event in journal.events] == list(range(8))
    [event] = journal.append(suggested(7))
    assert event.seq == 8 and len(journal.sweep.trials) == 8 and journal.events[-1] is event
    journal.close()
    assert read_events(folder) == journal.events


def test_nothing_new_is_nothing_read(root: str, decoded: list[int]) -> None:
    folder = begun(root)
    known = History(folder).read_on()
    decoded.clear()
    journal = Journal(folder, known=known)
    journal.close()
    assert decoded == [] and len(journal.events) == 6


def _cut_and_grown(folder: SweepFolder) -> None:
    """The driver before took back its newest write, whose sync had failed, and wrote others."""
    data = folder.journal.read_bytes()
    folder.journal.write_bytes(data[: data[:-1].rfind(b"\n") + 1])
    journal = Journal(folder)
    journal.append(suggested(17), suggested(18))
    journal.close()


def _restored(folder: SweepFolder) -> None:
    """The same events in another file."""
    data = folder.journal.read_bytes()
    os.rename(folder.journal, folder.path / "before")
    folder.journal.write_bytes(data)


def _shortened(folder: SweepFolder) -> None:
    folder.journal.write_bytes(b"".join(folder.journal.read_bytes().splitlines(keepends=True)[:3]))


def _merged(folder: SweepFolder) -> None:
    journal = Journal(folder)
    journal.append(suggested(17))
    journal.close()


def _taken_back(folder: SweepFolder) -> None:
    """The newest object was that of a refused append, and its number was given to others."""
    newest = max(folder.segments.iterdir(), key=lambda path: path.name)
    attempt(newest, "deleted", lambda fs: fs.rm_file(newest.path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Merger, "close", lambda self: None)
        journal = Journal(folder)
        journal.append(suggested(17), suggested(18))
        journal.append(suggested(19))
        journal.close()


def _merged_in_part(folder: SweepFolder) -> None:
    """A driver was killed in a merge: its result is there, and what it was made of is, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Merger, "delete", lambda self, names: None)
        Journal(folder).close()


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("disk", _cut_and_grown),
        ("disk", _restored),
        ("disk", _shortened),
        ("store", _merged),
        ("store", _taken_back),
        ("store", _merged_in_part),
    ],
)
def test_what_was_read_is_dropped_once_it_is_not_what_is_there(
    place: str, change: Callable[[SweepFolder], None], tmp_path: Path, memory_root: str
) -> None:
    folder = begun(str(tmp_path) if place == "disk" else memory_root)
    known = History(folder).read_on()
    change(folder)
    now = read_events(folder)
    journal = Journal(folder, known=known)
    assert journal.events == now and journal.sweep.trials == fold(now).trials
    journal.append(suggested(99))
    journal.close()
    assert read_events(folder) == journal.events


@settings(max_examples=30)
@given(
    before=st.integers(0, 6),
    since=st.integers(0, 6),
    merges=st.booleans(),
    deletes=st.booleans(),
)
def test_whatever_was_merged_meanwhile_no_event_is_lost(before: int, since: int, merges: bool, deletes: bool) -> None:
    """The writer that opens behind a reader deletes nothing that holds the only copy of an event."""
    folder = begun(f"memory://{uuid.uuid4().hex}", before)
    known = History(folder).read_on()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "choose", lambda sizes: None)
        if not merges:
            patch.setattr(Merger, "close", lambda self: None)
        if not deletes:
            patch.setattr(Merger, "delete", lambda self, names: None)
        journal = Journal(folder)
        for trial in range(before, before + since):
            journal.append(suggested(trial))
        journal.close()
    journal = Journal(folder, known=known)
    journal.close()
    assert [event.seq for event in read_events(folder)] == list(range(1 + before + since))
    assert journal.events == read_events(folder)


def test_damage_that_came_since_is_told(tmp_path: Path) -> None:
    folder = begun(str(tmp_path))
    known = History(folder).read_on()
    with open(folder.journal, "ab") as file:
        file.write(b'{"event":"no such event"}\n{"event":"slots_changed","seq":7,"slots":1}\n')
    with pytest.raises(StorageError, match="line 7"):
        Journal(folder, known=known)


def test_a_torn_line_behind_what_was_read_is_cut_off(tmp_path: Path) -> None:
    folder = begun(str(tmp_path))
    with open(folder.journal, "ab") as file:
        file.write(b'{"event":"slots_cha')
    known = History(folder).read_on()
    with pytest.warns(RuntimeWarning, match="dropped a torn last line of 19 bytes") as warned:
        journal = Journal(folder, known=known)
    assert [warning.filename for warning in warned] == [__file__]
    journal.append(suggested(5))
    journal.close()
    assert len(read_events(folder)) == 7


def test_a_coordinator_leaves_the_journals_events_and_starts_again_without_reading_it(
    tmp_path: Path, decoded: list[int]
) -> None:
    journal = new_spec_sweep(tmp_path, make_spec(num_trials=12))
    coordinator = coordinator_of(journal)
    assert not SimulatedCluster(coordinator, accuracy).run(20)
    assert journal.events == read_events(journal.folder) and coordinator.sweep is journal.sweep
    coordinator.release_all()
    decoded.clear()
    again = coordinator.restarted()
    assert decoded == []
    assert SimulatedCluster(again, accuracy).run()
    again.close()
    journal.close()
    events = read_events(journal.folder)
    assert journal.events == events and journal.sweep.outcomes() == fold(events).outcomes()


def test_a_history_folds_each_event_once() -> None:
    history = History(SweepFolder.at(f"memory://{uuid.uuid4().hex}/test"))
    spec = make_spec().resolved()
    history.add([ev.SweepStarted(spec=spec, versions={}, seed=0)])
    sweep = history.sweep
    history.add([ev.TrialSuggested(trial=0, params={"epochs": 3}, origin="random"), ev.SlotsChanged(slots=3)])
    assert history.sweep is sweep and history.sweep is sweep
    assert (sweep.num_events, sweep.slots, len(sweep.trials)) == (3, 3, 1)
