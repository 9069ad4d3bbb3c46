"""What tests of several rooms share."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.objectstore import memory_root, s3_root, s3_server  # noqa: F401 - fixtures
from tests.tracking_server import postgres, tracking_server  # noqa: F401 - fixtures

os.environ["RAY_AUTH_MODE"] = "disabled"
"""Else Ray turns tokens on for the whole process, for good, as soon as one is found, and another test's cluster has
none. Tests of tokens say so to processes of their own."""
os.environ.setdefault("TUNER_SKIP_PROBE", "1")
"""A probe imports TensorFlow once more for each sweep; tests of the probe take this away."""
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""Dozens of drivers and workers are started: they need not compile the same packages each time."""

settings.register_profile("tuner", parent=settings(), deadline=None)
settings.load_profile("tuner")
"""No test asserts seconds, which a busy machine decides."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first: of two processes none is left with a long file while the other is idle."""
    num_slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -num_slow[item.path])


@pytest.fixture
def heeded_sighup() -> Iterator[None]:
    """SIGHUP ends a process while the test runs; under nohup it does nothing, here and in all that is started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


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
