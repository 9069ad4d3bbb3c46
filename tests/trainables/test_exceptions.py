"""Which exceptions say that memory ran out."""

from __future__ import annotations

import pytest

from trainables.exceptions import is_out_of_memory


class OpError(Exception):
    """As TensorFlow's errors are called."""


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (type("ResourceExhaustedError", (OpError,), {})("no room"), True),
        (OpError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes"), True),
        (OpError("Failed to allocate memory for the batch"), True),
        (OpError("the shapes differ"), False),
        (ValueError("OOM when allocating"), False),
    ],
)
def test_memory_that_ran_out(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it
