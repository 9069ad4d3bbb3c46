"""Trainers and the data that they train on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainables import registry

MODELS = Path(__file__).with_name("models.py")


@pytest.fixture
def make_trainer() -> Callable[..., Any]:
    """A new trainer of one of the trainables in models.py."""

    def make(name: str = "Small", **options: Any) -> Any:
        from trainables.training import WarmTrainer

        trainable = registry.load_file(MODELS, name)()
        return WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max", **options)

    return make
