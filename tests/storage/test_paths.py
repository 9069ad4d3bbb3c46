"""Storage roots and sweep folders: on file systems and object stores by the same names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.objectstore import S3Server
from tests.servers import Proxy, free_port
from tuner.base.errors import StorageError, TooLargeError, UsageError
from tuner.storage import (
    AnyPath,
    StorageRoot,
    SweepFolder,
    delete,
    exists,
    names,
    read_bytes,
    remove_empty_folder,
    write_atomically,
)


@pytest.fixture(params=["disk", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def root(request: pytest.FixtureRequest, tmp_path: Path, memory_root: str) -> StorageRoot:
    if request.param == "s3":
        return StorageRoot.resolve(request.getfixturevalue("s3_root"))
    return StorageRoot.resolve(str(tmp_path) if request.param == "disk" else memory_root)


def test_a_folder_is_found_again_by_its_url(root: StorageRoot) -> None:
    folder = root.sweep("mnist")
    again = SweepFolder.at(folder.url)
    assert again == folder and again.name == "mnist" and again.root == root
    assert again.root.url == root.url and again.is_remote == root.is_remote
    named = f"checkpoints/000003/full-000009-attempt-001-{os.getpid()}.npz"
    assert folder.checkpoint(3, 1, 9) == named
    assert str(folder.path / named).startswith(f"{folder.trial_checkpoints(3)}/")


def test_what_nothing_can_be_called_does_not_exist(tmp_path: Path) -> None:
    folder = StorageRoot(tmp_path).sweep("x" * 300)
    assert not exists(folder.path) and not folder.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_where_nobody_may_look_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    try:
        with pytest.raises(StorageError, match="cannot be looked for: Permission denied"):
            StorageRoot(tmp_path).sweep("mnist").exists()
    finally:
        tmp_path.chmod(0o700)


def test_files_are_written_read_replaced_and_deleted(root: StorageRoot) -> None:
    folder = root.sweep("mnist")
    if isinstance(folder.path, Path):
        folder.trial_checkpoints(1).mkdir(parents=True)
    path: AnyPath = folder.path / folder.checkpoint(1, 1, 1)
    assert not exists(path)
    with pytest.raises(FileNotFoundError):
        read_bytes(path)
    for data in (b"one", b"", b"x" * 1_000_000):
        write_atomically(path, data)
        assert read_bytes(path) == data
    assert exists(path) and exists(folder.checkpoints)
    delete(path)
    delete(path)
    assert not exists(path)
    if isinstance(folder.path, Path):
        folder.trial_checkpoints(1).mkdir(parents=True, exist_ok=True)
    for epoch in range(3):
        write_atomically(folder.path / folder.checkpoint(1, 1, epoch), b"x")
    assert names(folder.trial_checkpoints(1)) == [Path(folder.checkpoint(1, 1, epoch)).name for epoch in range(3)]
    assert names(folder.checkpoints) == ["000001"]
    for name in names(folder.trial_checkpoints(1)):
        delete(folder.trial_checkpoints(1) / name)
    assert names(folder.trial_checkpoints(1)) == []
    for _ in range(2):
        remove_empty_folder(folder.trial_checkpoints(1))
    assert names(folder.checkpoints) == []


def test_only_folders_with_a_journal_are_sweeps(root: StorageRoot) -> None:
    assert root.sweeps() == []
    for name in ("b", "a", ".hidden", "no-sweep"):
        folder = root.sweep(name)
        where = folder.segments / "000000000000.jsonl" if folder.is_remote else folder.journal
        if isinstance(folder.path, Path):
            folder.path.mkdir()
        write_atomically(folder.spec if name == "no-sweep" else where, b"{}\n")
    write_atomically(root.path / "mlflow.db", b"")
    assert [folder.name for folder in root.sweeps()] == ["a", "b"]
    assert root.sweep("a").exists() and not root.sweep("no-sweep").exists() and not root.sweep("c").exists()


def test_this_machines_own_files_lie_in_a_cache_for_a_remote_sweep(
    tmp_path: Path, memory_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    local = SweepFolder(tmp_path / "mnist")
    assert local.local == local.path and local.driver_log == tmp_path / "mnist" / "driver.log"
    remote, other = (StorageRoot.resolve(f"{memory_root}/{name}").sweep("mnist") for name in "ab")
    assert remote.local.is_dir() and remote.local.parent == tmp_path / "cache" / "tuner"
    assert remote.local.name.endswith("-mnist") and remote.local != other.local
    assert remote.local == SweepFolder.at(remote.url).local
    assert [path.parent for path in (remote.driver_log, remote.recorder_log, remote.recorder_lock)] == [
        remote.local
    ] * 3


def test_roots_are_found_on_the_command_line_then_in_the_spec_then_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNER_STORAGE", raising=False)
    assert StorageRoot.resolve().path == tmp_path / "sweeps"
    monkeypatch.setenv("TUNER_STORAGE", "memory://bucket/there/")
    assert StorageRoot.resolve().url == "memory://bucket/there"
    assert StorageRoot.resolve(spec="here").path == tmp_path / "here"
    assert StorageRoot.resolve("~/x", "here").path == Path.home() / "x"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://host/x", r"must be a folder, s3://BUCKET/… or gs://BUCKET/…, but got 'ftp://host/x'"),
        ("S3://bucket", "did you mean s3://"),
        ("s3a://bucket", "did you mean s3://"),
        ("s3://", "must name a bucket"),
        ("s3:///x", "must name a bucket"),
        ("s3://bucket/*", r"without any of \* "),
        ("gs://bucket/x", r"pip install 'tuner\[gs\]'"),
        ("://x", "must be a folder"),
        (
            "s3:/bucket/x",
            r"must be a folder, s3://BUCKET/… or gs://BUCKET/…, but got 's3:/bucket/x'; did you mean s3://",
        ),
        ("s3://my bucket/x", "must name a bucket"),
        ("~nobody-at-all/x", "the storage root must be a folder, but no user has the home folder ~nobody-at-all"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = StorageRoot.resolve.__globals__["objectstore"].importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "gcsfs" else real(name))
    with pytest.raises(UsageError, match=what):
        StorageRoot.resolve(url)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("list", "--storage", "gs://bucket/x"), ("check", "mlp", "--set", "data=gs://bucket/x.npz")]
)
def test_a_google_store_that_refuses_is_one_line(arguments: tuple[str, ...]) -> None:
    """Its client logs what went wrong as well, with tracebacks, where nobody else listens to its logger."""
    with Proxy(free_port()) as store:
        store.mode = "missing"
        environ = {**os.environ, "STORAGE_EMULATOR_HOST": store.url}
        command = [sys.executable, "-m", "tuner.cli.main", *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.stderr.count("\n") == 1 and "gs://bucket/x" in done.stderr, done.stderr


def test_an_object_store_has_no_default_tracking_store(memory_root: str, tmp_path: Path) -> None:
    assert StorageRoot(tmp_path).default_tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(UsageError, match=r"tracking\.uri: must be a server"):
        _ = StorageRoot.resolve(memory_root).default_tracking_uri


@pytest.mark.parametrize("char", "?%")
def test_a_path_that_mlflow_cannot_open_has_no_default_tracking_store(char: str, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=rf"tracking\.uri: must be given when the path of the storage contains '\{char}'"
    ):
        _ = StorageRoot(tmp_path / f"a{char}b").default_tracking_uri


def test_what_a_disk_refuses_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written: Not a directory; nothing acknowledged is lost"):
        write_atomically(tmp_path / "file" / "x", b"")
    with pytest.raises(StorageError, match="cannot be read: Is a directory"):
        read_bytes(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left on device"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["x"]


@pytest.mark.slow
def test_endpoint_and_region_are_the_environments(s3_server: S3Server, s3_root: str) -> None:
    path = StorageRoot.resolve(s3_root).path
    write_atomically(path / "x", b"there")
    assert s3_server.keys(s3_root) == ["x"]
    assert not isinstance(path, Path) and path.fs.endpoint_url == s3_server.url
    assert path.fs.s3.meta.region_name == "us-east-1"


def test_a_file_that_is_larger_than_it_may_be_is_not_read(root: StorageRoot) -> None:
    path = root.path / "file"
    write_atomically(path, b"12345")
    assert read_bytes(path, bytes_max=5) == read_bytes(path) == b"12345"
    with pytest.raises(TooLargeError, match=r"file: must have at most 4 bytes, but has 5; it was not read"):
        read_bytes(path, bytes_max=4)
    with pytest.raises(FileNotFoundError):
        read_bytes(root.path / "other", bytes_max=4)


def test_a_file_of_100_gb_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 100 * 2**30)
    with pytest.raises(TooLargeError, match="must have at most 1000 bytes, but has 107374182400"):
        read_bytes(path, bytes_max=1000)
