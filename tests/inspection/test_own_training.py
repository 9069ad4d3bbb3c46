"""Fields that a trainable's own training leaves without effect."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from tests.simulation import make_spec
from trainables.contract import Data, TrainingParams
from tuner.inspection.own_training import jit_without_effect, parts_without_effect


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


@pytest.mark.parametrize(
    ("space", "told"),
    [
        (
            {"batch_size": {"choices": [16, 32]}, "micro_batch_size": {"choices": [32, 64]}},
            "at least 32 and .* at most 32",
        ),
        ({"batch_size": {"low": 8, "high": 64}, "micro_batch_size": 64}, "at least 64 and .* at most 64"),
        ({"micro_batch_size": 32}, "at least 32 and .* at most 32"),  # the default batch size
        ({"batch_size": {"low": 8, "high": 64}, "micro_batch_size": 63}, ""),
        ({"batch_size": 64, "micro_batch_size": {"choices": [None, 64]}}, "at least 64"),
        ({"batch_size": 64, "micro_batch_size": {"choices": [None, 16]}}, ""),
        ({"batch_size": 64, "micro_batch_size": None}, ""),
        ({"batch_size": 64}, ""),
    ],
)
def test_parts_that_are_never_smaller_than_a_batch_are_told(space: dict[str, Any], told: str) -> None:
    spec = make_spec(space={"learning_rate": 0.01, **space})
    found = parts_without_effect(spec, TrainingParams, Data(([0], [0])))
    assert bool(found) == bool(told)
    assert not told or re.search(f"^space.micro_batch_size: has no effect, as it is {told}", found[0])
    assert parts_without_effect(spec, BaseModel, Data(([0], [0]))) == []  # a parameter of its own
