"""Trainers and the data that they train on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainables import registry

MODELS = Path(__file__).with_name("models.py")


@pytest.fixture(autouse=True)
def untouched_imports(tmp_path: Path) -> Iterator[None]:
    """What a test imports of its own folder, and how, is forgotten after it."""
    paths = list(sys.path)
    yield
    for name, module in list(sys.modules.items()):
        places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", None) or ())]
        if any(place.startswith(str(tmp_path)) for place in places):
            del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "trainables.sources"]
    sys.path[:] = paths


@pytest.fixture
def make_trainer() -> Callable[..., Any]:
    """A new trainer of one of the trainables in models.py."""

    def make(name: str = "Small", **options: Any) -> Any:
        from trainables.training import WarmTrainer

        trainable = registry.load_file(MODELS, name)()
        return WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max", **options)

    return make
