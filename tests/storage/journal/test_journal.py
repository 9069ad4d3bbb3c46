"""The journal: durable before acknowledged, one writer, torn tails dropped, damage named."""

from __future__ import annotations

import errno
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.journal.making import STARTED, SUGGESTED, child, folder_in, new_sweep, suggested
from tuner.base.errors import StorageError, SweepHeldError, UsageError
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import Journal, JournalReader, create_sweep, creating, file, read_events, read_holder
from tuner.sweep import events as ev


def test_a_sweep_appears_with_what_it_learned_of_earlier_ones(tmp_path: Path) -> None:
    learned = [ev.WarmStarted(source=name, trials=[{"trial": "0"}]) for name in ("one", "two")]
    journal = create_sweep(folder_in(tmp_path), "name: test\n", STARTED, learned)
    kinds = [type(event).__name__ for event in journal.events]
    assert kinds == ["SweepStarted", "WarmStarted", "WarmStarted"]
    assert [event.seq for event in journal.events] == [0, 1, 2]
    assert journal.append(suggested(0))[0].seq == 3
    journal.close()
    assert [event.seq for event in read_events(folder_in(tmp_path))] == [0, 1, 2, 3]


def test_what_was_appended_is_read_again_in_order(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.append(SUGGESTED, ev.TrialEnded(trial=0, outcome="completed", reason=""))
    journal.append(ev.SweepEnded(reason="done"))
    journal.close()
    events = read_events(journal.folder)
    assert [type(e).__name__ for e in events] == ["SweepStarted", "TrialSuggested", "TrialEnded", "SweepEnded"]
    assert [e.seq for e in events] == [0, 1, 2, 3]
    again = Journal(journal.folder)
    assert again.events == events
    again.close()


def test_an_event_is_on_disk_when_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = new_sweep(tmp_path)
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd))[1])
    journal.append(SUGGESTED)
    assert synced == [journal.folder.journal.stat().st_size]
    journal.close()


@given(st.integers(1, 60))
def test_a_torn_last_line_is_dropped_with_a_warning(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    journal = new_sweep(tmp_path_factory.mktemp("torn"))
    journal.append(SUGGESTED)
    journal.close()
    path = journal.folder.journal
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.warns(RuntimeWarning, match="dropped a torn last line"):
        again = Journal(journal.folder)
    assert len(again.events) == 1
    again.append(SUGGESTED)
    again.close()
    assert [e.seq for e in read_events(journal.folder)] == [0, 1]


def test_a_damaged_line_elsewhere_is_an_error_with_its_offset(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    offset = journal.folder.journal.stat().st_size
    journal.append(SUGGESTED, SUGGESTED)
    journal.close()
    data = bytearray(journal.folder.journal.read_bytes())
    data[offset + 20] = ord('"')
    journal.folder.journal.write_bytes(data)
    with pytest.raises(StorageError, match=f"byte {offset}: "):
        read_events(journal.folder)


def test_an_event_of_a_newer_version_is_named_as_such(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    with open(journal.folder.journal, "ab") as file:
        file.write(b'{"event":"trial_teleported","at":1,"seq":1}\n')
    with pytest.raises(StorageError, match="a newer version of tuner wrote it"):
        read_events(journal.folder)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"trial_ended","at":1,"seq":1,"trial":0,"outcome":"vanished","reason":""}\n',
        b'{"event":"attempt_failed","at":1,"seq":1,"trial":0,"attempt":1,"cause":"boredom","reason":""}\n',
        b'{"event":"sweep_ended","at":1,"seq":1,"reason":"","state":"bored"}\n',
    ],
)
def test_a_word_of_a_newer_version_is_named_as_such(tmp_path: Path, line: bytes) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    with open(journal.folder.journal, "ab") as file:
        file.write(line)
    with pytest.raises(StorageError, match=r"line 2, byte \d+: .*a newer version of tuner wrote it.*'(vanished|bored)"):
        read_events(journal.folder)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    line = ev.encode(SUGGESTED).replace(b'"trial":0', b'"trial":0,"colour":"red"')
    assert ev.decode(line) == SUGGESTED


def test_values_that_json_lacks_become_null() -> None:
    event = ev.EpochReported(
        trial=0, attempt=1, epoch=1, metrics={"loss": math.nan, "a": math.inf}, epoch_s=1.0, decision="stop", reason=""
    )
    assert b'"loss":null,"a":null' in ev.encode(event)


def test_text_that_is_no_utf_8_is_escaped() -> None:
    name = os.fsdecode(b"caf\xe9")
    metrics = {"loss": math.nan, name: 0.5}
    event = ev.EpochReported(trial=0, attempt=1, epoch=1, metrics=metrics, epoch_s=1.0, decision="stop", reason=name)
    read = ev.decode(ev.encode(event))
    assert read == msgspec.structs.replace(event, metrics={"loss": None, r"caf\udce9": 0.5}, reason=r"caf\udce9")
    assert isinstance(read, ev.EpochReported)
    assert [math.isnan(ev.metric_value(value)) for value in read.metrics.values()] == [True, False]
    started = ev.TrialStarted(trial=0, attempt=2, node="a", pid=1, gpus=[], passed_over=[name, "full"])
    assert ev.decode(ev.encode(started)) == msgspec.structs.replace(started, passed_over=[r"caf\udce9", "full"])


def test_a_reader_leaves_an_unfinished_line_for_later(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    reader = JournalReader(journal.folder)
    assert len(reader.read()) == 1
    suggested = msgspec.structs.replace(SUGGESTED, seq=1)
    line = ev.encode(suggested)
    with open(journal.folder.journal, "ab", buffering=0) as file:
        file.write(line[:10])
        assert reader.read() == []
        file.write(line[10:])
        assert reader.read() == [suggested]


def test_a_refused_write_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = new_sweep(tmp_path)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(StorageError, match="No space left on device; nothing acknowledged is lost"):
            journal.append(SUGGESTED)
    journal.append(SUGGESTED)
    journal.close()
    assert [e.seq for e in read_events(journal.folder)] == [0, 1]


def test_a_second_driver_is_refused_and_told_who_holds_the_sweep(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    holder = read_holder(journal.folder.lease)
    assert holder is not None and holder.pid == os.getpid()
    path = str(journal.folder.path)
    code = f"from tuner.storage.journal import Journal; from tuner.storage import *; Journal(SweepFolder.at({path!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"process {os.getpid()} on" in other.stderr and "SweepHeldError" in other.stderr
    with pytest.raises(SweepHeldError):
        Journal(journal.folder)
    journal.close()
    assert read_holder(journal.folder.lease) is None
    Journal(journal.folder).close()


def test_a_dead_holders_lease_is_free_at_once(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    code = (
        "import os; from tuner.storage.journal import Journal; from tuner.storage import *;"
        f"Journal(SweepFolder.at({str(journal.folder.path)!r})); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert read_holder(journal.folder.lease) is None
    Journal(journal.folder).close()


def test_a_sweep_appears_whole_and_its_name_is_taken_then(tmp_path: Path) -> None:
    remnant = tmp_path / ".test.1.new"
    remnant.mkdir()
    new_sweep(tmp_path).close()
    assert [folder.name for folder in StorageRoot(tmp_path).sweeps()] == ["test"]
    with pytest.raises(
        UsageError,
        match=r'tuner\.resume\("test", storage="\S+"\), or or_resume=True\), or choose another name \(name\)',
    ):
        new_sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".test.")] == [".test.1.new"]


def test_a_sweep_is_none_that_a_process_of_the_same_number_elsewhere_began_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In containers drivers have the same few numbers; here two threads of one process have."""
    rename, write = os.rename, creating.write_atomically

    def interrupted(path: Path, data: bytes) -> None:
        if path.name == "journal.jsonl":
            raise KeyboardInterrupt
        write(path, data)

    def while_another_begins(old: Path, new: Path) -> None:
        if old.name.endswith(".new"):
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(creating, "write_atomically", interrupted)
                new_sweep(tmp_path)
        rename(old, new)

    monkeypatch.setattr(os, "rename", while_another_begins)
    journal = new_sweep(tmp_path)
    monkeypatch.undo()
    assert journal.append(suggested(0))[0].seq == 1
    journal.close()
    assert len(read_events(folder_in(tmp_path))) == 2


def test_a_root_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    root = tmp_path / ("a" * 300)
    with pytest.raises(StorageError, match="the storage root must be writable, but File name too long"):
        new_sweep(root)


def test_a_last_line_that_is_not_json_is_torn_and_its_bytes_are_kept(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.append(SUGGESTED)
    journal.close()
    torn = b'{"event":"trial_sug\x00\x00\xff\n'
    with open(journal.folder.journal, "ab") as file:
        file.write(torn)
    assert len(read_events(journal.folder)) == 2
    with pytest.warns(RuntimeWarning, match=f"dropped a torn last line of {len(torn)} bytes.*kept in journal.torn-"):
        Journal(journal.folder).close()
    assert [path.read_bytes() for path in tmp_path.glob("test/journal.torn-*")] == [torn]
    Journal(journal.folder).close()  # and nothing to warn of a second time


@pytest.mark.parametrize(
    ("keep", "what"),
    [
        ([0, 2, 3], "line 2, byte .*: seq must be 1, but got 2; events are missing"),
        ([0, 1, 1, 2], "seq must be 2, but got 1; an event is repeated"),
    ],
)
def test_a_gap_or_a_repetition_is_damage(tmp_path: Path, keep: list[int], what: str) -> None:
    journal = new_sweep(tmp_path)
    journal.append(*(suggested(trial) for trial in range(3)))
    journal.close()
    lines = journal.folder.journal.read_bytes().splitlines(keepends=True)
    journal.folder.journal.write_bytes(b"".join(lines[at] for at in keep))
    for read in (lambda: read_events(journal.folder), lambda: Journal(journal.folder)):
        with pytest.raises(StorageError, match=what):
            read()
    assert read_holder(journal.folder) is None


def test_an_empty_journal_is_a_clear_error(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.close()
    journal.folder.journal.write_bytes(b"")
    with pytest.raises(StorageError, match="the journal is empty; restore it"):
        Journal(journal.folder)
    assert read_events(journal.folder) == []


@pytest.mark.parametrize("how", ["removed", "replaced", "written to"])
def test_a_journal_changed_under_the_sweep_takes_no_more_events(tmp_path: Path, how: str) -> None:
    journal = new_sweep(tmp_path)
    path = journal.folder.journal
    if how == "removed":
        shutil.rmtree(journal.folder.path)  # type: ignore[arg-type]
    elif how == "replaced":
        copy = path.read_bytes()
        path.unlink()
        path.write_bytes(copy)
    else:
        with open(path, "ab") as file:
            file.write(b"something\n")
    expected = {
        "removed": "No such file or directory; nothing acknowledged is lost",
        "replaced": "the journal was replaced by another file",
        "written to": "another program wrote to it",
    }
    with pytest.raises(StorageError, match=expected[how]):
        journal.append(SUGGESTED)
    journal.close()


def test_a_reader_is_told_when_the_journal_became_shorter(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    journal.append(SUGGESTED)
    journal.close()
    reader = JournalReader(journal.folder)
    assert len(reader.read()) == reader.seq == 2 and reader.offset == journal.folder.journal.stat().st_size
    os.truncate(journal.folder.journal, 10)
    with pytest.raises(StorageError, match="bytes of it were read, but it has 10 now"):
        reader.read()


def test_a_full_disk_shows_readers_none_of_the_refused_events(tmp_path: Path) -> None:
    """On a disk whose size is limited: what does not fit is refused as a whole, and fits once there is room."""
    journal = new_sweep(tmp_path)
    code = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        journal = Journal(folder)
        size = folder.journal.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300, resource.RLIM_INFINITY))
        cut_back, os.ftruncate = os.ftruncate, lambda *_: None  # to see what a reader would have seen before
        try:
            journal.append(*(suggested(trial) for trial in range(10)))
        except Exception as error:
            print(type(error).__name__, error)
        print(len(read_events(folder)), folder.journal.stat().st_size == size)
        os.ftruncate = cut_back
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.append(*(suggested(trial) for trial in range(10)))
        journal.close()
    """
    journal.close()
    process = child(code, journal.folder.url)
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    refusal, after = said.splitlines()
    assert refusal.startswith("StorageError") and "File too large; nothing acknowledged is lost" in refusal
    assert after == "1 True"
    assert len(read_events(journal.folder)) == 11


def test_a_large_journal_is_read_across_its_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.storage.journal.file._CHUNK_BYTES", 70)
    journal = new_sweep(tmp_path)
    journal.append(*(suggested(trial) for trial in range(20)))
    journal.close()
    assert [event.seq for event in read_events(journal.folder)] == list(range(21))
    with open(journal.folder.journal, "ab") as file:
        file.write(b"x" * 500)
    assert len(read_events(journal.folder)) == 21


def test_events_before_a_fault_that_passes_are_told_once_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system that is away in the middle of a long journal, say."""
    monkeypatch.setattr(file, "_CHUNK_BYTES", 300)
    journal = new_sweep(tmp_path)
    for trial in range(9):
        journal.append(suggested(trial))
    decode, calls = file.lines.decode, []

    def fails_once(*args: Any) -> list[ev.AnyEvent]:
        calls.append(1)
        if len(calls) == 2:
            raise StorageError("Stale file handle")
        return decode(*args)

    monkeypatch.setattr(file.lines, "decode", fails_once)
    reader = JournalReader(journal.folder)
    with pytest.raises(StorageError, match="Stale file handle"):
        reader.read()
    assert (reader.offset, reader.seq) == (0, 0)
    assert [event.seq for event in reader.read()] == list(range(10)) and reader.seq == 10
    journal.close()


@pytest.mark.parametrize("missing", ["posix_fallocate", "fdatasync", "support"])
def test_a_system_that_cannot_reserve_room_or_sync_data_alone_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    if missing == "support":
        monkeypatch.setattr(os, "posix_fallocate", unsupported)
    else:
        monkeypatch.delattr(os, missing)
    journal = new_sweep(tmp_path)
    journal.append(SUGGESTED)
    journal.close()
    assert len(read_events(journal.folder)) == 2


@pytest.mark.parametrize("where", ["disk", pytest.param("s3", marks=pytest.mark.slow)])
def test_whatever_was_acknowledged_before_a_kill_is_there(
    tmp_path: Path, request: pytest.FixtureRequest, where: str
) -> None:
    """Four threads append without end; the process is killed some moments later, three times."""
    root = str(tmp_path) if where == "disk" else request.getfixturevalue("s3_root")
    new_sweep(root).close()
    code = """
        import threading
        journal = Journal(folder)
        def work(thread):
            while True:
                written = journal.append(*(suggested(thread) for _ in range(3)))
                os.write(1, b"%d\\n" % written[-1].seq)
        for thread in range(4):
            threading.Thread(target=work, args=(thread,), daemon=True).start()
        time.sleep(600)
    """
    acknowledged = 0
    for lines in (3, 40, 200):
        process = child(code, f"{root}/test")
        assert process.stdout is not None
        seqs = [int(process.stdout.readline()) for _ in range(lines)]
        process.kill()
        rest, errors = process.communicate()
        assert "Error" not in errors  # a line that the kill tore is told
        acknowledged = max(*seqs, *map(int, rest.split()[:-1]), acknowledged)
        events = read_events(SweepFolder.at(f"{root}/test"))
        assert [event.seq for event in events] == list(range(len(events)))
        assert len(events) > acknowledged
