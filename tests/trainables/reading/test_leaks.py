"""Rows that two parts share are found; rows that merely look alike are not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trainables.reading.leaks import leak_notes, row_hashes


@given(
    arrays.arrays(
        np.float32, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=st.sampled_from([0, 1, 2, 0.5])
    )
)
def test_hashes_are_equal_exactly_for_equal_rows(rows: np.ndarray) -> None:  # type: ignore[type-arg]
    hashes = row_hashes([rows])
    for one in range(len(rows)):
        for two in range(len(rows)):
            assert (hashes[one] == hashes[two]) == (rows[one].tobytes() == rows[two].tobytes())


def test_shared_rows_are_counted() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    texts = np.array([f"text {n}" for n in range(100)], object)
    for whole in (x, texts, x[::2], np.asfortranarray(x)):
        parts = {"train": row_hashes([whole[:40]]), "validation": row_hashes([whole[38:48]])}
        (note,) = leak_notes({**parts, "test": row_hashes([whole[-5:]])})
        assert (
            note.startswith("2 of 10 validation examples are in the training data, too (equal x)") or len(whole) == 50
        )


def test_rows_of_few_values_say_nothing() -> None:
    x = np.arange(100).reshape(-1, 1) % 2
    assert leak_notes({"train": row_hashes([x]), "validation": row_hashes([x])}) == []
