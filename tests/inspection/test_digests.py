"""Digests of arrays: any value, its place, shape and type count; where it lies in memory does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainables.contract import Data
from tuner.inspection import digests
from tuner.inspection.digests import array_digest, array_digests

X = np.random.default_rng(0).normal(size=(1000, 7)).astype("float32")


@pytest.mark.parametrize(
    "same",
    [X.copy(), np.asfortranarray(X), np.vstack([X, X])[:1000], np.hstack([X, X])[:, :7], np.repeat(X, 2, axis=0)[::2]],
)
def test_equal_arrays_have_equal_digests(same: Any) -> None:
    assert array_digest(same) == array_digest(X)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x * 100,
        lambda x: x.reshape(7, 1000),
        lambda x: x.astype("float64"),
        lambda x: x[:-1],
        lambda x: x[::-1],
        lambda x: x[np.random.default_rng(1).permutation(1000)],
        lambda x: np.where(np.arange(7000).reshape(1000, 7) == 3500, 0, x).astype("float32"),
    ],
)
def test_unequal_arrays_have_not(change: Any) -> None:
    assert array_digest(change(X)) != array_digest(X)


def test_of_a_large_array_parts_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(digests, "BLOCK_BYTES", 56)
    found = array_digest(X)
    assert not found["whole"] and array_digest(X * 100) != found and array_digest(X.copy()) == found
    for row in (0, 999):
        other = X.copy()
        other[row] = 0
        assert array_digest(other) != found


def test_every_array_has_its_name() -> None:
    y = np.arange(1000)
    data = Data(
        train=({"top": X, "low": X}, y, y), validation=((X, X), y), test=(np.array(["a", "b"], dtype=object), y[:2])
    )
    found = array_digests(data)
    assert set(found) == {
        "train.x.top", "train.x.low", "train.y", "train.sample_weight",
        "validation.x.0", "validation.x.1", "validation.y", "test.x", "test.y",
    }  # fmt: skip
    assert found["train.y"] == array_digest(y) and found["test.x"]["dtype"] == "object"
    assert array_digest(np.array(["a", "c"], dtype=object)) != found["test.x"]


def test_of_a_data_set_there_are_its_elements_alone() -> None:
    class Stream:
        element_spec = ("TensorSpec(3)",)

    assert array_digests(Data(train=Stream(), validation=Stream()))["train"] == {
        "element_spec": "('TensorSpec(3)',)",
        "whole": False,
    }
