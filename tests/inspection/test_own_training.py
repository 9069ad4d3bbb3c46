"""Fields that a trainable's own training leaves without effect."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.inspection.own_training import jit_without_effect


@pytest.mark.parametrize(
    ("jit", "path", "compiles", "told"),
    [
        (None, "fit", True, ""),
        (True, "fit", True, "has no effect, as build_model compiles the model"),
        ("auto", "fit", False, "auto has no effect, as trials train through fit (the trainable has callbacks)"),
        (True, "fit", False, ""),
        ("auto", "fast", False, ""),
    ],
)
def test_jit_compile_on_the_fit_path(jit: Any, path: str, compiles: bool, told: str) -> None:
    found = SimpleNamespace(path=path, compiles=compiles, why="the trainable has callbacks")
    lines = jit_without_effect(make_spec(jit_compile=jit), found)
    assert len(lines) == bool(told) and all(line.startswith("jit_compile: ") and told in line for line in lines)
