"""Values in memory without a name."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tuner.processes.shared import packed, read_shared, write_packed


def through(value: Any) -> Any:
    file = write_packed(packed(value))
    try:
        return read_shared(file)
    finally:
        os.close(file)


@given(st.lists(hnp.arrays(st.sampled_from([np.float32, np.uint8, np.int64]), hnp.array_shapes(max_side=50))))
def test_arrays_are_what_they_were(arrays: list[Any]) -> None:
    again = through({"arrays": arrays, "text": "x"})
    assert again["text"] == "x" and len(again["arrays"]) == len(arrays)
    for one, other in zip(arrays, again["arrays"], strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_each_begins_at_a_page_and_may_be_written_without_others_seeing_it() -> None:
    file = write_packed(packed([np.zeros(5, np.float32), np.zeros(3000, np.float32)]))
    one, other = read_shared(file), read_shared(file)
    os.close(file)
    assert all(array.__array_interface__["data"][0] % os.sysconf("SC_PAGESIZE") == 0 for array in one)
    one[1][7] = 1
    assert other[1][7] == 0


def test_what_is_no_array_and_local_classes_go_too() -> None:
    class Local:
        value = 7

    assert through(Local)().value == 7 and through(None) is None


@pytest.mark.parametrize("value", [b"", b"x" * 5_000_000, list(range(1000))])
def test_any_size(value: Any) -> None:
    assert through(value) == value
