"""Digests of data where they lie: what is a change, and what is a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.objectstore import S3Server
from tuner.inspection.provenance import files
from tuner.inspection.provenance.comparison import source_changes
from tuner.inspection.provenance.files import source_digest


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def change_at(share: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(share * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return change


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def copy(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    os.replace(path.with_suffix(".copy"), path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (grow, "the file has 3000001 bytes, but had 3000000"),
        (change_at(0), "the file's content differs, at the same size"),
        (change_at(0.5), "the file's content differs, at the same size"),
        (change_at(1), "the file's content differs, at the same size"),
        (touch, ""),
        (copy, ""),
        (Path.unlink, None),
    ],
)
@pytest.mark.parametrize("whole_bytes", [64 << 20, 1 << 20])
def test_a_file_that_is_changed_is_told_from_one_that_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], told: str | None, whole_bytes: int
) -> None:
    """A large file's middle is looked at in places: here they cover it."""
    monkeypatch.setattr(files, "WHOLE_BYTES", whole_bytes)
    monkeypatch.setattr(files, "BLOCKS", 65)
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(3_000_000))
    os.utime(path, (1000, 1000))
    before = source_digest(str(path))
    assert before["kind"] == "file" and before["whole"] == (whole_bytes > 3_000_000)
    change(path)
    changes, notes = source_changes(before, source_digest(str(path)))
    if told is None:
        assert not changes and notes == ["the data: not there"]
    else:
        assert changes == ([told] if told else [])
        is_unsure = not told and whole_bytes < 3_000_000
        assert bool(notes) == is_unsure and all("was written or copied since" in note for note in notes)


def rename(folder: Path) -> None:
    (folder / "a.bin").rename(folder / "b.bin")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "new").write_text("x"), "the folder has 4 files, but had 3"),
        (lambda folder: grow(folder / "a.bin"), "the folder has 301 bytes, but had 300"),
        (rename, "files in the folder have other names or sizes"),
        (lambda folder: change_at(0.5)(folder / "deep" / "c.bin"), "the folder's content differs, at the same size"),
        (lambda folder: touch(folder / "a.bin"), ""),
    ],
)
def test_a_folder_is_all_of_its_files(tmp_path: Path, change: Callable[[Path], object], told: str) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.bin", "deep/c.bin", "z.bin"):
        (tmp_path / name).write_bytes(bytes(100))
    before = source_digest(str(tmp_path))
    change(tmp_path)
    assert source_changes(before, source_digest(str(tmp_path))) == ([told] if told else [], [])


def test_a_large_folder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FOLDER_FILES", 3)
    monkeypatch.setattr(files, "FOLDER_BYTES", 1)
    for number in range(5):
        (tmp_path / f"{number}.bin").write_bytes(bytes(20_000))
    found = source_digest(str(tmp_path))
    assert found["files"] == 5 and found["size_bytes"] == 60_000 and not found["whole"]


def test_what_is_no_file() -> None:
    assert source_digest(None) == {"kind": "none"}
    assert source_digest("mnist") == {"kind": "built-in", "name": "mnist"}
    assert source_digest("/nowhere/data.npz") == {"kind": "missing"}
    assert source_digest("ftp://somewhere/data.npz") == {"kind": "missing"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_object_in_a_bucket_has_a_version(s3_server: S3Server, s3_root: str) -> None:
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")

    def put(content: bytes) -> None:
        s3_server.client().put_object(Bucket=bucket, Key=f"{prefix}/data.npz".lstrip("/"), Body=content)

    put(b"one")
    before = source_digest(f"{s3_root}/data.npz")
    assert before["kind"] == "object" and source_digest(f"{s3_root}/data.npz") == before
    put(b"two")
    assert source_changes(before, source_digest(f"{s3_root}/data.npz"))[0] == [
        "the object in the bucket was written anew"
    ]
    assert source_digest(f"{s3_root}/none.npz") == {"kind": "missing"}
