"""A user's data file may be compressed, and is read only if what it expands to has room."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.bombs import GIB, SMALL, entry, expanding, peak_bytes, says, zipped
from trainables import room
from trainables.contract import DataError
from trainables.data import load

X, Y = entry(np.zeros((20, 2), "float32")), entry(np.arange(20) % 3)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "own.npz", x_train=np.zeros((20, 2), "float32"), y_train=np.arange(20) % 3)
    assert load(str(tmp_path / "own.npz")).train[0].shape == (18, 2)


@pytest.mark.parametrize(
    "x",
    [
        says("(1000000000000, 2)"),
        says("(4, 2)", data=bytes(400)),
        says(f"({'9' * 4000},)"),
        says("(-2, -4)", data=bytes(32)),
        says("(1000000000000,)", "|S0"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(64),
        b"hello" * 99,
        b"",
    ],
)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_array_that_lies_is_refused_in_one_line(tmp_path: Path, x: bytes, compression: int) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(zipped([("x_train.npy", x), ("y_train.npy", Y)], compression))
    with pytest.raises(DataError) as refused:
        load(str(path))
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("bomb", SMALL)
def test_no_file_that_lies_is_more_than_one_line(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(SMALL[bomb]())
    with pytest.raises(DataError) as refused:
        load(str(path))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600


def test_many_names_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(zipped([(f"{'n' * 300}{number}.npy", Y) for number in range(500)]))
    with pytest.raises(DataError, match="and 490 more") as refused:
        load(str(path))
    assert len(str(refused.value)) < 1500


@pytest.mark.slow
def test_what_has_no_room_is_refused_before_it_is_expanded(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(expanding(2 * GIB).replace(b"header.npy", b"y_trai.npy").replace(b"state_0.npy", b"x_train.npy"))
    with zipfile.ZipFile(path) as archive:
        data = {name: archive.open(name) for name in ("x_train.npy",)}
        assert archive.getinfo("x_train.npy").file_size > 2 * GIB and data
    peak, said = peak_bytes(
        """
        import zipfile
        from trainables import room
        room.free_bytes = lambda: 2**30
        def act(path):
            with zipfile.ZipFile(path) as archive:
                try:
                    room.check_room(archive, ["x_train"])
                except room.NoRoomError as error:
                    print(error)
        """,
        str(path),
    )
    assert said == "needs 2.0 GiB of memory, but 1.0 GiB are free" and peak < 20 * 2**20


def test_too_large_data_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(zipped([("x_train.npy", X), ("y_train.npy", Y)]))
    monkeypatch.setattr(room, "free_bytes", lambda: 300)
    with pytest.raises(DataError, match=r"own\.npz: needs 0\.0 GiB of memory, but 0\.0 GiB are free; use fewer"):
        load(str(path))


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_CGROUP", tmp_path)
    assert room.free_bytes() > 2**20
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("100\n")
    assert room.free_bytes() > 2**20
    (tmp_path / "memory.max").write_text("1000\n")
    assert room.free_bytes() == 900
