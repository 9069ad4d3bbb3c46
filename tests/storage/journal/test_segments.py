"""The journal on an object store: each append one object that only one writer can make."""

from __future__ import annotations

from typing import Any

import pytest

from tests.objectstore import S3Server
from tests.storage.journal.making import STARTED, child, folder_in, new_sweep, suggested
from tuner.base.errors import StorageError, SweepHeldError, UsageError
from tuner.storage import StorageRoot, SweepFolder, read_bytes, write_atomically
from tuner.storage.journal import Journal, JournalReader, create_sweep, merging, read_events, segments
from tuner.storage.journal.journal import stamped
from tuner.storage.journal.lease_objects import LeaseObjects
from tuner.storage.journal.merging import Merger
from tuner.sweep import events as ev


@pytest.fixture
def unmerged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "choose", lambda sizes: None)
    monkeypatch.setattr(Merger, "close", lambda self: None)


@pytest.mark.slow
def test_a_sweep_on_s3_from_its_making_to_its_end(s3_server: S3Server, s3_root: str, unmerged: None) -> None:
    journal = new_sweep(s3_root)
    folder = journal.folder
    assert folder.url == f"{s3_root}/test" and folder.exists()
    assert [event.seq for event in journal.append(suggested(0), suggested(1))] == [1, 2]
    journal.append(ev.SweepEnded(reason="done"))
    journal.close()
    assert s3_server.keys(folder.url) == [
        "journal/000000000000.jsonl",
        "journal/000000000001.jsonl",
        "journal/000000000003.jsonl",
        "lease/000000000001.json",
        "spec.yaml",
    ]
    assert read_bytes(folder.spec) == b"name: test\n"
    again = Journal(folder)
    assert [type(event).__name__ for event in again.events] == [
        "SweepStarted",
        "TrialSuggested",
        "TrialSuggested",
        "SweepEnded",
    ]
    assert again.events == read_events(folder)
    again.close()


@pytest.mark.slow
def test_a_name_is_taken_once_its_first_event_is_there(s3_server: S3Server, s3_root: str) -> None:
    folder = folder_in(s3_root)
    write_atomically(folder.spec, b"a remnant of a sweep that never began")
    assert not folder.exists() and StorageRoot.resolve(s3_root).sweeps() == []
    new_sweep(s3_root).close()
    with pytest.raises(UsageError, match=r'exists in s3://.*tuner\.resume\("test", storage="\S+"\), or or_resume=True'):
        new_sweep(s3_root)
    new_sweep(s3_root, "another").close()
    assert [folder.name for folder in StorageRoot.resolve(s3_root).sweeps()] == ["another", "test"]


@pytest.mark.slow
def test_of_several_processes_one_makes_the_sweep(s3_root: str, s3_server: S3Server) -> None:
    code = """
    from tests.storage.journal.making import STARTED
    try:
        journal = create_sweep(folder, "name: test", STARTED)
        print("made")
        journal.close()
    except Exception as error:
        print(type(error).__name__)
    """
    processes = [child(code, f"{s3_root}/test") for _ in range(3)]
    said = [process.communicate() for process in processes]
    assert [errors for _, errors in said] == [""] * 3
    answers = [answer.strip() for answer, _ in said]
    assert answers.count("made") == 1 and set(answers) <= {"made", "NameTakenError", "SweepHeldError"}
    assert len(read_events(folder_in(s3_root))) == 1


@pytest.mark.slow
def test_two_writers_never_both_write_an_event(
    s3_server: S3Server, s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without a lease."""
    first = new_sweep(s3_root)
    monkeypatch.setattr(LeaseObjects, "is_alive", lambda *_: False)
    monkeypatch.setattr(LeaseObjects, "is_dead", lambda *_: True)
    second = Journal(first.folder)
    first.append(suggested(0))
    with pytest.raises(SweepHeldError, match="another driver is running it: it wrote event 1"):
        second.append(suggested(1))
    with pytest.raises(SweepHeldError):
        second.append(suggested(1))
    first.append(suggested(2))
    assert [event.trial for event in read_events(first.folder)[1:]] == [0, 2]  # type: ignore[union-attr]
    second.close()
    first.close()


@pytest.mark.slow
def test_a_reader_follows(s3_server: S3Server, s3_root: str) -> None:
    journal = new_sweep(s3_root)
    reader = JournalReader(journal.folder)
    assert [event.seq for event in reader.read()] == [0]
    assert reader.read() == []
    written = journal.append(suggested(0), suggested(1))
    assert reader.read() == written and reader.offset == reader.seq == 3
    journal.close()
    assert reader.read() == []


@pytest.mark.slow
def test_readers_list_once_and_ask_for_each_object_once(s3_server: S3Server, s3_root: str, unmerged: None) -> None:
    journal = new_sweep(s3_root)
    for trial in range(30):
        journal.append(suggested(trial))
    journal.close()
    asked: list[tuple[str, str]] = []  # in every bucket: a journal that another test has left may still beat
    s3_server.faults.before = lambda method, path: asked.append((method, path))
    assert len(read_events(journal.folder)) == 31
    bucket = f"/{journal.folder.segments.path.partition('/')[0]}"
    objects = [f"/{journal.folder.segments.path}/{seq:012d}.jsonl" for seq in range(31)]
    of_this = [(method, path) for method, path in asked if path.startswith(bucket)]
    assert sorted(of_this) == [("GET", bucket), *(("GET", path) for path in objects)]


def put(folder: SweepFolder, name: str, *events: ev.AnyEvent, first: int) -> None:
    lines = b"".join(ev.encode(stamped(event, 1.0, first + i)) for i, event in enumerate(events))
    write_atomically(folder.segments / name, lines)


@pytest.mark.parametrize(
    ("name", "first", "what"),
    [
        ("000000000003.jsonl", 3, "the events from seq 1 on are missing"),
        ("000000000001.jsonl", 2, "000000000001.jsonl: line 1, byte 0: seq must be 1, but got 2"),
        ("000000000001-000000000004.jsonl", 1, "must end with seq 4, but ends with 2"),
    ],
)
def test_missing_or_wrong_objects_are_damage(memory_root: str, name: str, first: int, what: str) -> None:
    folder = folder_in(memory_root)
    put(folder, "000000000000.jsonl", STARTED, first=0)
    put(folder, name, suggested(0), suggested(1), first=first)
    for read in (lambda: read_events(folder), lambda: Journal(folder)):
        with pytest.raises(StorageError, match=what):
            read()


def test_events_before_a_fault_that_passes_are_told_once_it_has(
    memory_root: str, unmerged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_FETCHED_AT_ONCE", 2)
    journal = new_sweep(memory_root)
    for trial in range(9):
        journal.append(suggested(trial))
    read_many, calls = segments.read_many, []

    def fails_once(*args: Any) -> dict[str, bytes]:
        calls.append(1)
        if len(calls) == 3:
            raise StorageError("503")
        return read_many(*args)

    monkeypatch.setattr(segments, "read_many", fails_once)
    reader = JournalReader(journal.folder)
    with pytest.raises(StorageError, match="503"):
        reader.read()
    assert reader.seq == 0
    assert [event.seq for event in reader.read()] == list(range(10)) and reader.seq == 10
    journal.close()


def test_an_object_that_begins_within_another_is_passed_over(memory_root: str) -> None:
    """A driver that was taken for dead can leave one."""
    folder = folder_in(memory_root)
    put(folder, "000000000000.jsonl", STARTED, first=0)
    put(folder, "000000000001.jsonl", *(suggested(1) for _ in range(3)), first=1)
    put(folder, "000000000002.jsonl", *(suggested(99) for _ in range(5)), first=2)
    put(folder, "000000000004.jsonl", suggested(1), first=4)
    assert [event.trial for event in read_events(folder)[1:]] == [1] * 4  # type: ignore[union-attr]


def test_a_cut_object_is_damage_and_a_foreign_one_is_passed_over(memory_root: str) -> None:
    folder = folder_in(memory_root)
    put(folder, "000000000000.jsonl", STARTED, first=0)
    write_atomically(folder.segments / "README.txt", b"hello")
    assert len(read_events(folder)) == 1
    data = read_bytes(folder.segments / "000000000000.jsonl")
    write_atomically(folder.segments / "000000000000.jsonl", data[:-5])
    with pytest.raises(StorageError, match="its last line has no end"):
        read_events(folder)


def test_an_empty_journal_is_a_clear_error(memory_root: str) -> None:
    folder = folder_in(memory_root)
    write_atomically(folder.spec, b"name: test")
    with pytest.raises(StorageError, match="the journal is empty"):
        Journal(folder)
    assert create_sweep(folder, "", STARTED).append(suggested(0))[0].seq == 1


def test_a_sweep_appears_with_what_it_learned_of_earlier_ones(memory_root: str) -> None:
    folder = folder_in(memory_root)
    journal = create_sweep(folder, "", STARTED, [ev.WarmStarted(source="one", trials=[])])
    assert [type(event).__name__ for event in journal.events] == ["SweepStarted", "WarmStarted"]
    assert journal.append(suggested(0))[0].seq == 2


def test_a_closed_journal_takes_nothing(memory_root: str) -> None:
    journal = new_sweep(memory_root)
    journal.close()
    with pytest.raises(StorageError, match="the journal is closed"):
        journal.append(suggested(0))
