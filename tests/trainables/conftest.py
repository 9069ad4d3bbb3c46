"""Trainers and the data that they train on."""

from __future__ import annotations

import os
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


@pytest.fixture
def mnist_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with mnist.npz, named by TUNER_DATA_DIR while the test runs."""
    named = os.environ.get("TUNER_DATA_DIR")
    beside = (folder / "shared" / "data" for folder in Path(__file__).resolve().parents)
    for folder in [Path(named)] if named else beside:
        if (folder / "mnist.npz").is_file():
            monkeypatch.setenv("TUNER_DATA_DIR", str(folder))
            return folder
    pytest.skip("needs mnist.npz in $TUNER_DATA_DIR, or in shared/data beside the checkout")
