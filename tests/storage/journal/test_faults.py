"""Faults of an object store, injected between a real S3 server and the journal: retried, or one clear line."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.objectstore import KINDS, S3Server
from tests.storage.journal.making import ROOT, folder_in, new_sweep, suggested
from tuner.base.errors import StorageError
from tuner.storage import StorageRoot, SweepFolder, delete, exists, objectstore, read_bytes, write_atomically
from tuner.storage.journal import Journal, JournalReader, read_events, read_holder

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_survives_a_store_that_fails_a_third_of_all_requests(
    s3_server: S3Server, s3_root: str, kind: str
) -> None:
    s3_server.faults.fraction, s3_server.faults.kinds = 0.33, (kind,)
    journal = new_sweep(s3_root)
    reader = JournalReader(journal.folder)
    seen = reader.read()
    with ThreadPoolExecutor(3) as pool:
        written = [events[0] for events in pool.map(journal.append, (suggested(trial) for trial in range(40)))]
    seen += reader.read()
    journal.close()
    assert s3_server.faults.count[kind] > 5
    s3_server.faults.clear()
    assert sorted(event.seq for event in written) == list(range(1, 41))
    events = read_events(journal.folder)
    assert events == seen and events[1:] == sorted(written, key=lambda event: event.seq)
    assert read_holder(journal.folder) is None


def test_an_answer_that_was_lost_is_no_conflict(s3_server: S3Server, s3_root: str) -> None:
    journal = new_sweep(s3_root)
    s3_server.faults.fraction, s3_server.faults.kinds, s3_server.faults.methods = 1.0, ("drop_after",), ("PUT",)

    def heal(method: str, path: str) -> None:
        if s3_server.faults.count.get("drop_after", 0) >= 2:
            s3_server.faults.fraction = 0.0

    s3_server.faults.before = heal
    written = journal.append(suggested(0))
    assert s3_server.faults.count == {"drop_after": 2}
    assert read_events(journal.folder)[1:] == written
    journal.close()


@pytest.mark.parametrize("kinds", [("503",), ("500",), ("drop",), ("drop_after",)])
def test_a_store_that_stays_away_is_one_clear_line_and_the_sweep_goes_on_after(
    s3_server: S3Server, s3_root: str, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
) -> None:
    monkeypatch.setattr(objectstore, "RETRY_S", 1.0)
    monkeypatch.setattr(objectstore, "READ_TIMEOUT_S", 1)
    journal = new_sweep(s3_root)
    s3_server.faults.fraction, s3_server.faults.kinds = 1.0, kinds
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"cannot be (written|listed).*; nothing acknowledged is lost") as caught:
        journal.append(suggested(0))
    assert time.monotonic() - started < 30
    assert "\n" not in str(caught.value) and "s3://" in str(caught.value)
    with pytest.raises(StorageError, match="cannot be"):
        read_events(journal.folder)
    s3_server.faults.clear()
    written = journal.append(suggested(1))
    journal.close()
    assert read_events(journal.folder)[1:] == written  # what was refused is not there, whatever became of it
    again = Journal(journal.folder)
    assert again.append(suggested(2))[0].seq == 2
    again.close()


_CHILD = """
import sys, time
from tests.storage.journal.making import new_sweep, suggested
from tuner.base.errors import StorageError
from tuner.storage import objectstore
objectstore.RETRY_S, objectstore.READ_TIMEOUT_S = 1.0, 1
journal = new_sweep(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
started = time.monotonic()
try:
    journal.append(suggested(0))
except StorageError as error:
    print(time.monotonic() - started, error, flush=True)
sys.stdin.readline()
written = journal.append(suggested(1))
journal.close()
print(written[0].seq, flush=True)
"""


def test_a_store_that_hangs_is_one_clear_line_and_the_sweep_goes_on_after(s3_server: S3Server, s3_root: str) -> None:
    """In a process of its own, as its clients are: what hangs stays in this one's server until it is let go."""
    command = [sys.executable, "-c", _CHILD, s3_root]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        s3_server.faults.fraction, s3_server.faults.kinds = 1.0, ("hang",)
        print(file=child.stdin, flush=True)
        taken_s, _, line = child.stdout.readline().partition(" ")
        s3_server.faults.clear()
        time.sleep(1.0)  # what hung is done in the end
        print(file=child.stdin, flush=True)
        seq = int(child.stdout.readline())
    assert re.search(r"s3://.* cannot be (written|listed).*; nothing acknowledged is lost", line)
    assert float(taken_s) < 30
    assert [event.seq for event in read_events(folder_in(s3_root))] == [0, seq]


def test_access_denied_is_told_at_once(s3_server: S3Server, s3_root: str) -> None:
    journal = new_sweep(s3_root)
    s3_server.faults.fraction, s3_server.faults.kinds = 1.0, ("403",)
    started = time.monotonic()
    for refused in (
        lambda: journal.append(suggested(0)),
        lambda: read_events(journal.folder),
        lambda: write_atomically(journal.folder.spec, b"x"),
        lambda: delete(journal.folder.spec),
        lambda: StorageRoot.resolve(s3_root).sweeps(),
    ):
        with pytest.raises(StorageError, match=r"Access Denied|Forbidden"):
            refused()
    assert time.monotonic() - started < objectstore.RETRY_S / 2
    s3_server.faults.clear()
    journal.close()


def test_a_missing_bucket_is_told_at_once(s3_root: str) -> None:
    folder = folder_in("s3://bucket-that-is-not-there/sweeps")
    started = time.monotonic()
    for refused in (
        lambda: new_sweep(folder.root.url),
        lambda: read_events(folder),
        lambda: write_atomically(folder.spec, b"x"),
        lambda: folder.exists(),
        lambda: folder.root.sweeps(),
    ):
        with pytest.raises(StorageError, match="bucket does not exist"):
            refused()
    assert time.monotonic() - started < objectstore.RETRY_S / 2


def test_missing_credentials_are_told_at_once(s3_root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(objectstore, "CONNECT_TIMEOUT_S", 6)  # other options, so another client
    with pytest.raises(StorageError, match=r"[Cc]redentials"):
        read_bytes(folder_in(s3_root).spec)


def test_an_endpoint_that_nobody_listens_at_is_told_after_the_retries(
    s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(objectstore, "RETRY_S", 0.5)
    with pytest.raises(StorageError, match=r"cannot be listed: .*127\.0\.0\.1:9"):
        folder_in(s3_root).exists()


def test_what_is_missing_is_no_failure(s3_root: str) -> None:
    folder: SweepFolder = folder_in(s3_root)
    with pytest.raises(FileNotFoundError):
        read_bytes(folder.cursor)
    assert not exists(folder.cursor) and not folder.exists() and folder.root.sweeps() == []
    delete(folder.cursor)
    delete(folder.checkpoints)
    assert read_holder(folder) is None
