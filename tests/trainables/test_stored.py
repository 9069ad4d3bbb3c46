"""Stored arrays: sizes are known before anything is read, and what may expand is not read at all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.bombs import GIB, SMALL, arrays, expanding, npz, peak_bytes
from trainables.stored import StoredArrays, StoredError
from tuner.review.verification.weights import read_checkpoint_file

MIB = 2**20


def test_what_savez_wrote_is_read_whatever_its_types_and_shapes() -> None:
    written = {
        "scalar": np.array(1.5),
        "text": np.array("näh"),
        "empty": np.zeros((0, 3), "float16"),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "large": np.random.default_rng(0).normal(size=(300, 1000)),
        "flags": np.array([True, False]),
    }
    stored = StoredArrays(io.BytesIO(npz(written)))
    assert list(stored.headers) == list(written)
    for name, array in written.items():
        read = stored.read(name)
        assert read.dtype == array.dtype and read.shape == array.shape and (read == array).all()
        assert stored.headers[name].nbytes == array.nbytes


@pytest.mark.parametrize("bomb", SMALL)
def test_a_file_that_lies_is_refused_in_one_line(bomb: str) -> None:
    error = read_checkpoint_file("p", SMALL[bomb]()).error
    assert error and "\n" not in error and len(error) < 400


def test_a_flipped_bit_in_an_array_is_told_when_it_is_read() -> None:
    data = bytearray(npz(arrays(state_0=np.zeros(MIB))))
    data[data.index(b"state_0.npy") + 5 * MIB] ^= 1
    stored = StoredArrays(io.BytesIO(data))
    with pytest.raises(StoredError, match="CRC"):
        stored.read("state_0")


READ = """
from tuner.review.verification.weights import read_checkpoint_file
def act(path):
    with open(path, "rb") as file:
        print(read_checkpoint_file("p", file).error)
"""


@pytest.mark.slow
def test_what_would_expand_is_never_expanded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    path.write_bytes(expanding(3 * GIB))
    assert path.stat().st_size < 4 * MIB
    peak, said = peak_bytes(READ, str(path))
    assert peak < 20 * MIB and "must be stored as it is" in said


def test_what_is_large_on_disk_is_read_a_piece_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "sound.npz"
    np.savez(path, **arrays(state_0=np.zeros(200 * MIB // 8)))
    peak, said = peak_bytes(READ, str(path))
    assert peak < 30 * MIB and said == ""


def test_a_sparse_file_of_100_gb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.npz"
    with open(path, "wb") as file:
        file.truncate(100 * GIB)
    peak, said = peak_bytes(READ, str(path))
    assert peak < 20 * MIB and "not a zip file" in said
