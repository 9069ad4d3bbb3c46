"""A journal whose lines or objects are longer than any that a driver writes is refused, and not read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.storage.journal.making import folder_in, new_sweep, suggested
from tests.trainables.bombs import GIB, peak_bytes
from tuner.base.errors import StorageError
from tuner.recording.cursor import BYTES_MAX, Cursor, read_cursor
from tuner.storage import write_atomically
from tuner.storage.journal import JournalReader, file, lines, read_events, segments
from tuner.sweep import events as ev

MIB = 2**20

READ = """
from tuner.base.errors import StorageError
from tuner.storage.journal import Journal, read_events
from tuner.storage import SweepFolder
def act(path):
    for opened in (read_events, Journal):
        try:
            opened(SweepFolder.at(path))
        except StorageError as error:
            print(error)
"""


def test_a_line_of_10_gb_is_refused_with_its_place_and_not_read(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.append(suggested(0))
    journal.close()
    size = journal.folder.journal.stat().st_size
    os.truncate(journal.folder.journal, 10 * GIB)
    peak, said = peak_bytes(READ, str(journal.folder.path))
    assert peak < 100 * MIB
    told = f"{journal.folder.journal}: line 3, byte {size}: an event must have at most 16 MiB, but the line is longer"
    assert said.splitlines() == [f"{told}; restore the journal from a copy"] * 2
    assert journal.folder.journal.stat().st_size == 10 * GIB  # nothing was cut off


@pytest.mark.parametrize("end", [b"", b"\n", b'"}\n{}\n'])
def test_a_long_line_anywhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES_MAX", 1000)
    monkeypatch.setattr(file, "_CHUNK_BYTES", 300)
    journal = new_sweep(tmp_path)
    journal.close()
    size = journal.folder.journal.stat().st_size
    with open(journal.folder.journal, "ab") as opened:
        opened.write(b'{"event":"x","text":"' + b"x" * 2000 + end)
    with pytest.raises(StorageError, match=f"line 2, byte {size}: an event must have at most"):
        read_events(journal.folder)


def test_an_event_that_no_reader_would_take_is_not_written(tmp_path: Path, memory_root: str) -> None:
    for root in (tmp_path, memory_root):
        journal = new_sweep(root)
        huge = ev.TrialSuggested(trial=0, params={"x": "y" * (17 * MIB)}, origin="random")
        with pytest.raises(StorageError, match="an event must have at most 16 MiB, but a TrialSuggested has 17 MiB"):
            journal.append(huge)
        journal.append(suggested(0))
        journal.close()
        assert len(read_events(folder_in(root))) == 2


def test_many_events_in_one_write_leave_no_tail_longer_than_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES_MAX", 4000)
    reserved: list[int] = []
    reserve = file.FileLog._reserve

    def noting(self: Any, end: int, size: int) -> None:
        reserved.append(size)
        reserve(self, end, size)

    monkeypatch.setattr(file.FileLog, "_reserve", noting)
    journal = new_sweep(tmp_path)
    journal.append(*map(suggested, range(500)))
    journal.close()
    assert len(reserved) > 5 and max(reserved) <= 4000
    assert [event.seq for event in read_events(journal.folder)] == list(range(501))


def test_an_object_that_is_too_large_is_refused_by_its_listing(
    memory_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_sweep(memory_root)
    journal.append(suggested(0))
    journal.close()
    monkeypatch.setattr(segments, "SEGMENT_BYTES_MAX", 10)
    monkeypatch.setattr(segments, "read_many", None)
    with pytest.raises(StorageError, match=r"\.jsonl: damaged: must have at most 0 MiB"):
        read_events(journal.folder)


def test_objects_are_fetched_no_more_at_once_than_has_room(memory_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = new_sweep(memory_root)
    for trial in range(9):
        journal.append(suggested(trial))
    journal._log.close = lambda: None  # type: ignore[method-assign]  # which would merge them
    fetched: list[int] = []
    read_many = segments.read_many

    def noting(folder: Any, names: list[str], *rest: Any) -> dict[str, bytes]:
        fetched.append(len(names))
        return read_many(folder, names, *rest)

    monkeypatch.setattr(segments, "read_many", noting)
    monkeypatch.setattr(segments, "_FETCHED_BYTES", 300)
    assert len(JournalReader(journal.folder).read()) == 10
    assert sum(fetched) == 10 and max(fetched) <= 3
    journal.close()


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"x":' * 100_000, b'{"uri": "', b"\xff", b"1" * 100_000])
def test_a_cursor_that_is_none_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    write_atomically(journal.folder.cursor, content)
    assert read_cursor(journal.folder) == Cursor()


def test_files_without_end_beside_the_journal_are_not_read(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    for place in (journal.folder.cursor, journal.folder.lease):
        assert isinstance(place, Path)
        place.touch()
        os.truncate(place, 100 * GIB)
    assert BYTES_MAX < GIB
    peak, said = peak_bytes(
        """
        from tuner.storage.journal import read_holder
        from tuner.recording.cursor import read_cursor
        from tuner.storage import SweepFolder
        def act(path):
            print(read_cursor(SweepFolder.at(path)).seq, read_holder(SweepFolder.at(path)))
        """,
        str(journal.folder.path),
    )
    assert said == "0 None" and peak < 20 * MIB
