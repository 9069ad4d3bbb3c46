"""What of an exception's words people are told."""

from __future__ import annotations

import pytest

from tuner.base.errors import gist

ARRAY = """Layer.call() failed.

\x1b[1mInvalid input shape for input [[[-0.9  0.8e-05]
  ...
  [ 0.85 nan]]] with name 'x'. Expected shape (None, 8) and not [2, 3]\x1b[0m

Arguments received by Layer.call():
  • training=True"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("units must be one of [8, 16]", "units must be one of [8, 16]"),
        ("two lines [of\nwords]", "two lines [of\nwords]"),
        (
            ARRAY,
            "Layer.call() failed.\n\nInvalid input shape for input […] with name 'x'. "
            "Expected shape (None, 8) and not [2, 3]",
        ),
    ],
)
def test_arrays_bold_letters_and_a_layer_s_arguments_are_left_out(said: str, told: str) -> None:
    assert gist(ValueError(said)) == told


def test_a_long_message_is_looked_at_once() -> None:
    """In time that grows with its square this would take hours."""
    for said in ("[\n" * 500_000, "[" + "1 2\n" * 500_000):
        assert gist(ValueError(said)) == said
