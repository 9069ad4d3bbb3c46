"""Conditions in words."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.spec.space import Space, conditions_text


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ([64, 32], "x is [64, 32]"),
        ([[64, 32], None], "x is [64, 32] or null"),
        (["a", None], "x is 'a' or null"),
        ("a", "x is 'a'"),
    ],
)
def test_a_list_that_is_a_choice_is_one_value(wanted: Any, text: str) -> None:
    choices = {"choices": [[64, 32], "a", None]}
    space = Space.model_validate({"x": choices, "y": {"low": 0.1, "high": 0.5, "when": {"x": wanted}}})
    assert conditions_text(space["y"], dict(space.items())) == text
    assert conditions_text(space["x"], dict(space.items())) == ""
