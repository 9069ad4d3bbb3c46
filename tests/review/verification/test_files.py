"""Checkpoint files: whole ones are read, damaged ones are told, whatever the damage."""

from __future__ import annotations

import io
import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.review.verification.weights import StoredFile, read_checkpoint_file


def checkpoint_bytes(epoch: int = 3, best_epoch: int = 2, num_state: int = 2, num_best: int = 1) -> bytes:
    """A checkpoint as the training path writes it."""
    header = {"format": 1, "epoch": epoch, "best_epoch": best_epoch, "best_value": math.nan}
    arrays = {f"state_{i}": np.full((8, 8), i, "float32") for i in range(num_state)}
    arrays |= {f"best_{i}": np.zeros((8, 8), "float32") for i in range(num_best)}
    file = io.BytesIO()
    np.savez(file, header=np.array(json.dumps(header)), **arrays)
    return file.getvalue()


def test_a_whole_checkpoint_is_read() -> None:
    assert read_checkpoint_file("p", checkpoint_bytes()) == StoredFile("p", 3, 2, 2, 1)


@given(st.integers(0, len(checkpoint_bytes()) - 1))
def test_a_truncated_one_is_told(length: int) -> None:
    assert read_checkpoint_file("p", checkpoint_bytes()[:length]).error


@given(st.integers(0, 255))
def test_a_flipped_byte_in_the_weights_is_told(byte: int) -> None:
    data = bytearray(checkpoint_bytes())
    place = data.index(b"state_1.npy") + 200  # in the array's numbers
    changed = data[place] != byte
    data[place] = byte
    assert bool(read_checkpoint_file("p", bytes(data)).error) == changed


@given(st.binary(max_size=300))
def test_other_bytes_are_told(data: bytes) -> None:
    assert read_checkpoint_file("p", data).error


def test_a_pickle_is_not_loaded() -> None:
    file = io.BytesIO()
    np.savez(file, header=np.array({"epoch": 1}, dtype=object))
    assert "pickle" in read_checkpoint_file("p", file.getvalue()).error
