"""Group commit: threads share a write, keep their order, and all hear of its failure."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.journal.making import new_sweep, suggested
from tuner.errors import StorageError
from tuner.events import AnyEvent
from tuner.journal import read_events
from tuner.journal.commit import GroupCommit


def test_threads_share_a_write_and_each_gets_its_own_events_back() -> None:
    writes: list[int] = []

    def write(events: Sequence[AnyEvent]) -> list[AnyEvent]:
        writes.append(len(events))
        time.sleep(0.01)
        return list(events)

    commit = GroupCommit(write)
    with ThreadPoolExecutor(8) as pool:
        wanted = [[suggested(10 * trial), suggested(10 * trial + 1)] for trial in range(80)]
        assert list(pool.map(commit.append, wanted)) == wanted
    assert sum(writes) == 160
    assert len(writes) < 40


def test_order_and_numbers_are_strictly_increasing_on_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (synced.append(1), time.sleep(0.002), real(handle)))
    journal = new_sweep(tmp_path)

    def work(thread: int) -> list[int]:
        return [journal.append(suggested(1000 * thread + i))[0].seq for i in range(50)]

    with ThreadPoolExecutor(8) as pool:
        of_threads = list(pool.map(work, range(8)))
    journal.close()
    assert all(seqs == sorted(seqs) for seqs in of_threads)
    assert sorted(seq for seqs in of_threads for seq in seqs) == list(range(1, 401))
    assert [event.seq for event in read_events(journal.folder)] == list(range(401))
    assert len(synced) < 300


def test_a_refused_write_reaches_all_whose_events_were_in_it_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_sweep(tmp_path)
    together = threading.Event()
    real, calls = os.fdatasync, []

    def first_waits_second_fails(handle: int) -> None:
        calls.append(1)
        if len(calls) == 1:
            together.wait()
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fdatasync", first_waits_second_fails)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(journal.append, suggested(0))
        while not calls:
            time.sleep(0.001)
        others = [pool.submit(journal.append, suggested(trial)) for trial in range(1, 6)]
        while len(journal._commit._waiting) < 5:
            time.sleep(0.001)
        together.set()
        assert first.result()[0].seq == 1
        errors = [other.exception() for other in others]
    assert all(isinstance(error, StorageError) and "Input/output error" in str(error) for error in errors)
    assert len({id(error) for error in errors}) == 5
    assert journal.append(suggested(6))[0].seq == 2
    journal.close()
    assert [event.seq for event in read_events(journal.folder)] == [0, 1, 2]


def test_an_interrupted_write_is_taken_back_and_told_to_the_threads_that_shared_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_sweep(tmp_path)

    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append(suggested(0))
    assert journal.append(suggested(1))[0].seq == 1
    journal.close()
    assert len(read_events(journal.folder)) == 2


def test_an_interrupt_between_being_the_next_to_write_and_writing_holds_nobody_up() -> None:
    commit = GroupCommit(list)

    class Interrupting(threading.Condition):
        def __exit__(self, *raised: Any) -> None:
            super().__exit__(*raised)
            if commit._writing and not interrupts:
                interrupts.append(1)
                raise KeyboardInterrupt

    interrupts: list[int] = []
    commit._changed = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        commit.append([suggested(0)])
    next_writer = threading.Thread(target=commit.append, args=[[suggested(1)]], daemon=True)
    next_writer.start()
    next_writer.join(10)
    assert not next_writer.is_alive()


def test_nothing_is_written_for_no_events(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    size = journal.folder.journal.stat().st_size
    assert journal.append() == []
    assert journal.folder.journal.stat().st_size == size
    journal.close()
