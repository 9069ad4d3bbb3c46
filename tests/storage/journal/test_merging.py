"""Merging a journal's objects: few are left, little is written twice, and no crash loses an event."""

from __future__ import annotations

import threading
import uuid
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.objectstore import S3Server
from tests.storage.journal.making import folder_in, new_sweep, suggested
from tuner.storage import SweepFolder
from tuner.storage.journal import Journal, JournalReader, merging, read_events
from tuner.storage.journal.merging import FAN_IN, STEPS_BYTES, Merger, choose


@given(st.lists(st.integers(50, 40_000), max_size=600))
def test_few_objects_are_left_and_each_byte_is_written_a_few_times(appended: list[int]) -> None:
    sizes: list[int] = []
    written = 0
    for size in appended:
        sizes.append(size)
        while (chosen := choose(sizes)) is not None:
            start, stop = chosen
            assert stop - start >= 2
            sizes[start:stop] = [sum(sizes[start:stop])]
            written += sizes[start]
    assert sum(sizes) == sum(appended)
    assert len(sizes) <= len(STEPS_BYTES) * FAN_IN + sum(appended) // STEPS_BYTES[-1]
    assert written <= 12 * len(STEPS_BYTES) * sum(appended)


def test_many_single_appends_end_as_some_dozens_of_objects() -> None:
    sizes: list[int] = []
    written = 0
    for _ in range(120_000):
        sizes.append(260)
        while (chosen := choose(sizes)) is not None:
            sizes[slice(*chosen)] = [sum(sizes[slice(*chosen)])]
            written += sizes[chosen[0]]
    assert len(sizes) < 50
    assert written < 6 * sum(sizes)


def test_a_journal_is_closed_just_as_its_merging_ends() -> None:
    class Ending(Merger):
        """Its thread forgets itself as soon as somebody has looked."""

        @property  # type: ignore[override]
        def _thread(self) -> threading.Thread | None:
            thread, self._seen = self._seen, None
            return thread

        @_thread.setter
        def _thread(self, thread: threading.Thread | None) -> None:
            self._seen = thread

    merger, go_on = Ending(Path("nowhere"), []), threading.Event()  # type: ignore[arg-type]
    merger._thread = thread = threading.Thread(target=go_on.wait)
    thread.start()
    go_on.set()
    merger.close()
    assert not thread.is_alive()


@pytest.mark.slow
def test_objects_are_merged_while_the_sweep_runs_and_when_it_ends(s3_server: S3Server, s3_root: str) -> None:
    journal = new_sweep(s3_root)
    reader = JournalReader(journal.folder)
    for trial in range(100):
        journal.append(suggested(trial))
        if trial % 17 == 0:
            reader.read()
    assert len([key for key in s3_server.keys(journal.folder.url) if key.startswith("journal/")]) < 60
    journal.close()
    keys = [key for key in s3_server.keys(journal.folder.url) if key.startswith("journal/")]
    assert keys == ["journal/000000000000-000000000100.jsonl"]
    reader.read()
    assert reader.seq == reader.offset == 101
    assert [event.seq for event in read_events(journal.folder)] == list(range(101))


@pytest.mark.parametrize("crash_before", ["create", "delete"])
def test_a_crash_in_the_middle_of_a_merge_loses_nothing(
    crash_before: str, monkeypatch: pytest.MonkeyPatch, memory_root: str
) -> None:
    folder = _sweep_of_single_objects(memory_root, 20, monkeypatch)
    reader = JournalReader(folder)
    reader.read()

    def crash(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merging, "choose", lambda sizes: None)  # merges only when it is closed
        patch.setattr(*((merging, "put_new", crash) if crash_before == "create" else (Merger, "delete", crash)))
        journal = Journal(folder) if crash_before == "create" else _opened_without_cleaning(folder, patch)
        journal.append(suggested(20))
        with pytest.raises(KeyboardInterrupt):
            journal.close()
    assert [event.seq for event in read_events(folder)] == list(range(22))
    assert [event.seq for event in reader.read()] == [21]
    again = Journal(folder)
    assert [event.seq for event in again.events] == list(range(22))
    if crash_before == "delete":
        assert len(list(folder.segments.iterdir())) == 1  # what the crash left is cleared away
    again.append(suggested(21))
    again.close()
    assert len(read_events(folder)) == 23


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.data())
def test_a_reader_gets_every_event_once_whatever_is_merged_meanwhile(appends: list[int], data: st.DataObject) -> None:
    """Merges in any order, each stopped before or after its objects are deleted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "choose", lambda sizes: None)
        patch.setattr(Merger, "close", lambda self: None)
        folder = folder_in(f"memory://{uuid.uuid4().hex}")
        journal = new_sweep(folder.root.url)
        reader, seen = JournalReader(folder), []
        trial = 0
        for count in appends:
            journal.append(*(suggested(trial + i) for i in range(count)))
            trial += count
            merger = journal._log._merger  # type: ignore[union-attr]
            assert merger is not None
            if len(merger._segments) > 2 and data.draw(st.booleans()):
                start = data.draw(st.integers(0, len(merger._segments) - 2))
                group = merger._segments[start : data.draw(st.integers(start + 2, len(merger._segments)))]
                with pytest.MonkeyPatch.context() as inner:
                    if data.draw(st.booleans()):
                        inner.setattr(Merger, "delete", lambda self, names: None)
                    merger._merge(group)
            if data.draw(st.booleans()):
                seen += reader.read()
        journal.close()
    seen += reader.read()
    assert [event.seq for event in seen] == list(range(trial + 1))
    assert seen == read_events(folder)


def test_a_reader_that_finds_an_object_merged_away_lists_again(
    monkeypatch: pytest.MonkeyPatch, memory_root: str
) -> None:
    folder = _sweep_of_single_objects(memory_root, 5, monkeypatch)
    from tuner.storage.journal import segments

    real, calls = segments.read_many, []

    def fetch_late(*args: object) -> dict[str, bytes]:
        if not calls:
            calls.append(1)
            Journal(folder).close()  # merges all
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(segments, "read_many", fetch_late)
    assert [event.seq for event in read_events(folder)] == list(range(6))
    assert [path.name for path in folder.segments.iterdir()] == ["000000000000-000000000005.jsonl"]


@pytest.mark.slow
def test_names_of_objects_are_in_the_order_of_their_events(s3_server: S3Server, s3_root: str) -> None:
    journal = new_sweep(s3_root)
    for trial in range(40):
        journal.append(suggested(trial), suggested(trial))
    keys = [key for key in s3_server.keys(journal.folder.url) if key.startswith("journal/")]
    journal.close()
    assert all(a < b for a, b in pairwise(keys))


def _sweep_of_single_objects(root: str, trials: int, monkeypatch: pytest.MonkeyPatch) -> SweepFolder:
    """A sweep on an object store of which nothing is merged."""
    with monkeypatch.context() as patch:
        patch.setattr(merging, "choose", lambda sizes: None)
        patch.setattr(Merger, "close", lambda self: None)
        journal = new_sweep(root)
        for trial in range(trials):
            journal.append(suggested(trial))
        journal.close()
    return journal.folder


def _opened_without_cleaning(folder: SweepFolder, patch: pytest.MonkeyPatch) -> Journal:
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(Merger, "delete", lambda self, names: None)
        return Journal(folder)
