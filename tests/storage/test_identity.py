"""A storage root's id: made once, whoever asks at the same time, and never made up where it cannot be read."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tuner.base.errors import StorageError
from tuner.storage import StorageRoot, write_atomically
from tuner.storage.identity import made_root_id, root_id


@pytest.fixture(params=["disk", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def root(request: pytest.FixtureRequest, tmp_path: Path, memory_root: str) -> StorageRoot:
    if request.param == "s3":
        return StorageRoot.resolve(request.getfixturevalue("s3_root"))
    return StorageRoot.resolve(str(tmp_path / "new" / "sweeps") if request.param == "disk" else memory_root)


def test_a_root_has_an_id_once_it_is_asked_to_have_one(root: StorageRoot) -> None:
    assert root_id(root) == ""
    made = made_root_id(root)
    assert len(made) == 32 and root_id(root) == made_root_id(root) == made
    assert root.sweeps() == []


def test_of_several_that_make_it_one_does(root: StorageRoot) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: made_root_id(root), range(24)))) == 1


def _make(path: str) -> str:
    return made_root_id(StorageRoot(Path(path)))


def test_of_several_processes_that_make_it_one_does(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_make, [str(tmp_path)] * 16))) == 1
    assert [path.name for path in tmp_path.rglob("*")] == [".root", "id.json"]


def test_a_file_system_without_links_does_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    root = StorageRoot(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: made_root_id(root), range(24)))) == 1


def test_the_id_goes_along_with_the_root(tmp_path: Path) -> None:
    made = made_root_id(StorageRoot(tmp_path / "old"))
    shutil.copytree(tmp_path / "old", tmp_path / "copied")
    (tmp_path / "old").rename(tmp_path / "moved")
    assert made == root_id(StorageRoot(tmp_path / "moved")) == root_id(StorageRoot(tmp_path / "copied"))
    assert made_root_id(StorageRoot(tmp_path / "old")) != made


def test_a_lost_id_is_the_one_that_is_known(root: StorageRoot) -> None:
    assert made_root_id(root, lambda: "a" * 32) == "a" * 32
    assert made_root_id(root, lambda: "b" * 32) == "a" * 32


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"id": 3}', b'{"id": ""}', b"\xff", b"[" * 99_999])
def test_a_damaged_id_is_told_and_not_replaced(root: StorageRoot, data: bytes) -> None:
    if isinstance(root.path, Path):
        (root.path / ".root").mkdir(parents=True)
    write_atomically(root.identity, data)
    for read in (root_id, made_root_id):
        with pytest.raises(
            StorageError, match=r"\.root/id\.json: must hold the storage root's id, but is damaged; restore"
        ):
            read(root)


def test_other_fields_of_a_newer_version_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / ".root").mkdir()
    (tmp_path / ".root" / "id.json").write_text(json.dumps({"id": "c" * 32, "made_at": 3}))
    assert root_id(StorageRoot(tmp_path)) == "c" * 32


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="the storage root must be writable, but Permission denied"):
        made_root_id(StorageRoot(tmp_path))


def test_what_stands_in_the_way_of_the_id_is_told(tmp_path: Path) -> None:
    (tmp_path / ".root").touch()
    with pytest.raises(StorageError, match="the storage root must be writable, but File exists"):
        made_root_id(StorageRoot(tmp_path))
    with pytest.raises(StorageError, match=r"\.root/id\.json: cannot be read: Not a directory"):
        root_id(StorageRoot(tmp_path))
