"""The lease: one driver at a time, on one machine or several, on a file system or an object store."""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.objectstore import S3Server
from tests.storage.journal.making import child, folder_in, new_sweep, suggested
from tuner.base.errors import StorageError, SweepHeldError
from tuner.storage import AnyPath, SweepFolder, delete, read_bytes, write_atomically
from tuner.storage.journal import Holder, Journal, Lease, lease, read_events, read_holder
from tuner.storage.journal.lease_files import LeaseFiles, Taken
from tuner.storage.journal.lease_objects import LeaseObjects

pytestmark = pytest.mark.slow  # it waits for processes and for what they wait for

ELSEWHERE = Holder("far-away", 4711, 1.7e9, id="e" * 32, machine="another boot", namespace="pid:[1]", beat=1.7e9)


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, memory_root: str) -> SweepFolder:
    """A released sweep, on a disk and on an object store."""
    journal = new_sweep(tmp_path if request.param == "disk" else memory_root)
    journal.close()
    return journal.folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty seconds become half a one."""
    monkeypatch.setattr(lease, "TAKEOVER_S", 0.5)
    monkeypatch.setattr(lease, "FENCE_S", 0.3)
    monkeypatch.setattr(lease, "BEAT_S", 0.1)


def path_of(folder: SweepFolder) -> AnyPath:
    """Where a lease is that would be the newest."""
    return folder.lease / "000000000777.json" if folder.is_remote else folder.lease


def put(folder: SweepFolder, holder: Holder) -> None:
    write_atomically(path_of(folder), holder.to_bytes())


def is_free(folder: SweepFolder) -> bool:
    if not folder.is_remote:
        return not folder.lease.exists()
    seen = LeaseObjects(folder).look()
    return seen is None or seen.is_free


class Waits:
    """Takes what `on_wait` is told."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.told: list[str] = []
        self.then = then

    def __call__(self, text: str) -> None:
        self.told.append(text)
        self.then()


def test_a_dead_holder_on_another_machine_is_replaced_after_the_takeover_time(folder: SweepFolder, quick: None) -> None:
    put(folder, ELSEWHERE)
    waits = Waits()
    started = time.monotonic()
    journal = Journal(folder, on_wait=waits)
    assert time.monotonic() - started >= 0.5
    assert waits.told == [f"waiting up to 0 s for {ELSEWHERE}, which may have died"]
    holder = read_holder(folder)
    assert holder is not None and holder.pid == os.getpid()
    journal.append(suggested(0))
    journal.close()
    assert is_free(folder)


def test_a_live_holder_on_another_machine_keeps_the_sweep(
    folder: SweepFolder, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TAKEOVER_S", 10.0)
    put(folder, ELSEWHERE)
    beats = Waits(lambda: put(folder, dataclasses.replace(ELSEWHERE, beat=1.7e9 + 5)))
    with pytest.raises(SweepHeldError, match=r"another driver is running it \(process 4711 on far-away, since 2023"):
        Journal(folder, on_wait=beats)
    assert read_bytes(path_of(folder)) == dataclasses.replace(ELSEWHERE, beat=1.7e9 + 5).to_bytes()


def test_a_sweep_that_is_released_meanwhile_is_taken(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, ELSEWHERE)

    def release() -> None:
        if folder.is_remote:
            put(folder, dataclasses.replace(ELSEWHERE, released=True))
        else:
            delete(folder.lease)

    started = time.monotonic()
    Journal(folder, on_wait=Waits(release)).close()
    assert time.monotonic() - started < lease.TAKEOVER_S / 2


def test_a_dead_process_of_this_machine_is_replaced_at_once(folder: SweepFolder) -> None:
    this = Holder.this_process()
    its_number_again = {"since": this.since - 10**8, "began_s": 0.0}
    put(folder, dataclasses.replace(this, id="d" * 32, beat=this.beat - 30, **its_number_again))
    waits = Waits()
    Journal(folder, on_wait=waits).close()
    assert waits.told == []


def test_a_process_id_in_another_namespace_means_nothing_on_an_object_store(memory_root: str, quick: None) -> None:
    folder = folder_in(memory_root)
    new_sweep(memory_root).close()
    put(folder, dataclasses.replace(Holder.this_process(), id="d" * 32, namespace="pid:[1]"))
    waits = Waits()
    Journal(folder, on_wait=waits).close()
    assert len(waits.told) == 1


def test_a_live_process_of_this_machine_is_known_at_once(folder: SweepFolder) -> None:
    journal = Journal(folder)
    waits = Waits()
    with pytest.raises(SweepHeldError, match=f"process {os.getpid()} on"):
        Journal(folder, on_wait=waits)
    assert waits.told == []
    journal.close()


def test_the_holder_beats_until_it_is_closed(folder: SweepFolder, quick: None) -> None:
    def beat() -> float:
        seen = LeaseObjects(folder).look() if folder.is_remote else LeaseFiles(folder).look()
        assert seen is not None and seen.holder is not None
        return seen.holder.beat

    def beating() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "lease"}

    left_by_others = beating()
    journal = Journal(folder)
    first = beat()
    _until(lambda: beat() > first)
    journal.close()
    journal.close()
    assert is_free(folder)
    assert read_holder(folder) is None
    _until(lambda: beating() <= left_by_others)


def test_a_holder_that_was_replaced_finds_out_by_its_beat(folder: SweepFolder, quick: None) -> None:
    journal = Journal(folder)
    put(folder, ELSEWHERE)
    _until(lambda: journal._lease._lost is not None)
    for _ in range(2):
        with pytest.raises(SweepHeldError, match="process 4711 on far-away"):
            journal.append(suggested(0))
    journal.close()
    assert read_bytes(path_of(folder)) == ELSEWHERE.to_bytes()  # which it leaves alone
    assert len(read_events(folder)) == 1


def test_a_holder_that_could_not_renew_makes_sure_before_it_appends(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder)
    journal.append(suggested(0))
    put(folder, ELSEWHERE)
    journal.append(suggested(1))  # within the time in which nobody may replace it, nothing is read
    monkeypatch.setattr(lease, "FENCE_S", 0.0)
    with pytest.raises(SweepHeldError, match="far-away"):
        journal.append(suggested(2))
    journal.close()
    assert len(read_events(folder)) == 3


def test_a_holder_that_slept_during_a_write_does_not_acknowledge_it(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder)
    real = journal._log.write

    def sleeps(data: bytes, count: int) -> None:
        real(data, count)
        put(folder, ELSEWHERE)
        journal._lease._renewed_at = (journal._lease._renewed_at[0], time.time() - 60)

    monkeypatch.setattr(journal._log, "write", sleeps)
    with pytest.raises(SweepHeldError, match="far-away"):
        journal.append(suggested(0))
    journal.close()


def test_a_holder_that_cannot_renew_but_read_goes_on(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, say."""
    journal = Journal(folder)
    monkeypatch.setattr(lease, "FENCE_S", 0.0)

    def refuse(*_: Any) -> None:
        raise StorageError("no space")

    monkeypatch.setattr(journal._lease._store, "renew", refuse)
    assert journal.append(suggested(0))[0].seq == 1
    put(folder, ELSEWHERE)
    with pytest.raises(SweepHeldError, match="far-away"):
        journal.append(suggested(1))
    journal.close()


@pytest.mark.parametrize(("age_s", "is_live"), [(0, True), (-40, True), (40, True), (90, False), (-3600, False)])
def test_status_tells_a_holder_elsewhere_by_its_beat(folder: SweepFolder, age_s: float, is_live: bool) -> None:
    put(folder, dataclasses.replace(ELSEWHERE, beat=time.time() - age_s))
    started = time.monotonic()
    holder = read_holder(folder)
    assert (holder is not None) == is_live
    assert time.monotonic() - started < 5
    if holder is not None:
        assert str(holder).startswith("process 4711 on far-away, since ")


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"pid": "x"}', b"\xff\xfe", b"[" * 100_000, b'{"host":"a"}'])
def test_a_lease_that_cannot_be_understood_is_outwaited(folder: SweepFolder, data: bytes, quick: None) -> None:
    write_atomically(path_of(folder), data)
    assert read_holder(folder) is None
    waits = Waits()
    Journal(folder, on_wait=waits).close()
    assert "a driver of another version" in waits.told[0]


def test_a_lease_of_a_newer_version_with_more_in_it_is_understood() -> None:
    data = ELSEWHERE.to_bytes().replace(b'"pid":4711', b'"pid":4711,"colour":"red"')
    assert Holder.from_bytes(data) == ELSEWHERE


def test_a_journal_that_nobody_has_any_more_frees_its_disk(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path)
    folder, gone = journal.folder, weakref.ref(journal._lease)
    del journal
    gc.collect()
    assert gone() is None
    Journal(folder).close()


def test_a_failed_opening_frees_the_sweep(folder: SweepFolder) -> None:
    where = folder.segments / "000000000000.jsonl" if folder.is_remote else folder.journal
    write_atomically(where, b"nonsense\nnonsense\n")
    with pytest.raises(StorageError):
        Journal(folder)
    assert is_free(folder) and read_holder(folder) is None


@pytest.fixture(params=["disk", pytest.param("s3", marks=pytest.mark.slow)])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A root that several processes reach."""
    yield str(tmp_path) if request.param == "disk" else request.getfixturevalue("s3_root")


def test_of_many_processes_at_once_exactly_one_opens_the_sweep(shared: str, tmp_path: Path) -> None:
    new_sweep(shared).close()
    _race(shared, tmp_path, "")


def test_of_many_that_find_a_dead_holder_elsewhere_exactly_one_takes_over(shared: str, tmp_path: Path) -> None:
    """With locks that do not reach from one to another, as on some shared folders."""
    new_sweep(shared).close()
    put(folder_in(shared), ELSEWHERE)
    _race(
        shared,
        tmp_path,
        """
        from tuner.storage.journal.lease_files import LeaseFiles, Taken
        LeaseFiles.lock = LeaseFiles.unlock = lambda self: None
        lease.TAKEOVER_S = 1.0
        """,
    )


def _race(root: str, tmp_path: Path, set_up: str) -> None:
    """Several processes open a sweep at the same moment; one may, and says so in the journal."""
    many = 3 if "://" in root else 6  # each takes seconds to import what speaks to a store
    go = tmp_path / "go"
    race = """
    print("ready", flush=True)
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.001)
    try:
        journal = Journal(folder)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
        sys.exit()
    journal.append(suggested(os.getpid()))
    print("mine", flush=True)
    time.sleep(1.5)
    journal.append(suggested(os.getpid()))
    journal.close()
    """
    folder = folder_in(root)
    processes = [child(textwrap.dedent(set_up) + textwrap.dedent(race), folder.url, str(go)) for _ in range(many)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    go.touch()
    said = [process.communicate() for process in processes]
    assert [errors for _, errors in said] == [""] * many
    assert sorted(answer.split()[0] for answer, _ in said) == ["SweepHeldError"] * (many - 1) + ["mine"]
    assert len(read_events(folder)) == 3


@pytest.mark.slow
def test_a_killed_driver_is_replaced_at_once_on_s3(s3_server: S3Server, s3_root: str) -> None:
    new_sweep(s3_root).close()
    folder = folder_in(s3_root)
    process = child(
        """
        journal = Journal(folder)
        journal.append(suggested(0))
        print("on", flush=True)
        time.sleep(600)
        """,
        folder.url,
    )
    assert process.stdout is not None and process.stdout.readline() == "on\n"
    holder = read_holder(folder)
    assert holder is not None and holder.pid == process.pid
    with pytest.raises(SweepHeldError, match=f"process {process.pid} on"):
        Journal(folder)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert read_holder(folder) is None
    waits = Waits()
    journal = Journal(folder, on_wait=waits)
    assert waits.told == [] and len(journal.events) == 2
    journal.append(suggested(1))
    journal.close()
    assert [key for key in s3_server.keys(folder.url) if key.startswith("lease/")] == ["lease/000000000003.json"]


def test_a_driver_that_was_taken_for_dead_wakes_up_and_harms_nothing(memory_root: str, quick: None) -> None:
    """It stopped for longer than the takeover time, and its successor merged the objects where it was."""
    stale = new_sweep(memory_root)
    stale._lease._stop.set()  # its beat stops
    put_back = stale._lease._renewed_at
    elsewhere = dataclasses.replace(Holder.this_process(), machine="another boot")
    write_atomically(stale.folder.lease / "000000000001.json", elsewhere.to_bytes())
    successor = Journal(stale.folder)
    for trial in range(40):
        successor.append(suggested(trial))
    successor.close()
    stale._lease._renewed_at = put_back
    with pytest.raises(SweepHeldError):
        stale.append(suggested(99))
    stale._log._at = (1, None)
    stale._log.write(b"a write that was under way when it stopped\n", 1)  # into the gap that the merge left
    stale.close()
    assert [event.seq for event in read_events(stale.folder)] == list(range(41))
    again = Journal(stale.folder)
    assert len(again.events) == 41
    again.close()


def test_a_driver_that_looked_long_ago_does_not_take_a_number_that_was_used_before(memory_root: str) -> None:
    """Between its look and its write others took the lease, twice, and deleted the numbers in between."""
    journal = new_sweep(memory_root)
    folder = journal.folder
    late = LeaseObjects(folder)
    seen = late.look()
    journal.close()
    Journal(folder).close()
    now = Journal(folder)
    assert [path.name for path in folder.lease.iterdir()] == ["000000000003.json"]
    with pytest.raises(Taken):
        late.take(Holder.this_process(), seen)
    now.append(suggested(0))
    now.close()


def test_the_lease_alone_can_be_taken_and_freed(folder: SweepFolder) -> None:
    first = Lease(folder)
    first.acquire()
    with pytest.raises(SweepHeldError):
        Lease(folder).acquire()
    first.confirm()
    first.release()
    second = Lease(folder)
    second.acquire()
    second.release()


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)
