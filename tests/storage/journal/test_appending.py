"""Appending from several threads: one after the other, and each hears of its own write alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.storage.journal.making import new_sweep, suggested
from tuner.base.errors import StorageError
from tuner.storage.journal import Journal, read_events


@pytest.mark.parametrize("place", ["disk", "store"])
def test_order_and_numbers_are_strictly_increasing(place: str, tmp_path: Path, memory_root: str) -> None:
    journal = new_sweep(tmp_path if place == "disk" else memory_root)

    def work(thread: int) -> list[int]:
        return [event.seq for i in range(20) for event in journal.append(*[suggested(1000 * thread + i)] * (1 + i % 3))]

    with ThreadPoolExecutor(8) as pool:
        of_threads = list(pool.map(work, range(8)))
    journal.close()
    assert all(seqs == sorted(seqs) for seqs in of_threads)
    num = sum(map(len, of_threads))
    assert sorted(seq for seqs in of_threads for seq in seqs) == list(range(1, num + 1))
    events = read_events(journal.folder)
    assert [event.seq for event in events] == list(range(num + 1))
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_a_refused_write_reaches_whoever_wanted_it_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_sweep(tmp_path)
    real, calls = os.fdatasync, []

    def every_third_fails(handle: int) -> None:
        calls.append(1)
        if len(calls) % 3 == 0:
            raise OSError(5, "Input/output error")
        real(handle)

    def outcome(trial: int) -> int | StorageError:
        try:
            return journal.append(suggested(trial))[0].seq
        except StorageError as error:
            return error

    monkeypatch.setattr(os, "fdatasync", every_third_fails)
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(outcome, range(30)))
    journal.close()
    errors = [one for one in outcomes if isinstance(one, StorageError)]
    assert len(errors) == 10 and all("Input/output error" in str(error) for error in errors)
    written = {trial: one for trial, one in enumerate(outcomes) if isinstance(one, int)}
    events = read_events(journal.folder)[1:]
    assert {event.trial: event.seq for event in events} == written  # type: ignore[union-attr]
    assert sorted(written.values()) == list(range(1, 21))


@pytest.mark.parametrize("interrupted", ["write", "sync", "confirm"])
def test_an_interrupted_write_is_taken_back_and_holds_nobody_up(
    interrupted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_sweep(tmp_path)
    with monkeypatch.context() as patch:
        _interrupt(journal, interrupted, patch)
        with pytest.raises(KeyboardInterrupt):
            journal.append(suggested(0))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(journal.append, suggested(1)).result(10)[0].seq == 1
    journal.close()
    assert len(read_events(journal.folder)) == 2


def _interrupt(journal: Journal, where: str, patch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of the next append."""

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    places: dict[str, tuple[object, str, Callable[..., None]]] = {
        "write": (os, "pwrite", interrupt),
        "sync": (os, "fdatasync", interrupt),
        "confirm": (journal._lease, "confirm", interrupt),
    }
    patch.setattr(*places[where])


def test_nothing_is_written_for_no_events(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    size = journal.folder.journal.stat().st_size
    assert journal.append() == []
    assert journal.folder.journal.stat().st_size == size
    journal.close()
