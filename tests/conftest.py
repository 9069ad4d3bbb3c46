"""What tests of several rooms share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.objectstore import memory_root, s3_root, s3_server  # noqa: F401 - fixtures
from tests.tracking_server import postgres, tracking_server  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def _ray_s_token_mode_is_left_alone() -> Iterator[None]:
    """What runs in the tests' own process may turn it on, and a cluster that was started without drops such drivers."""
    before = os.environ.get("RAY_AUTH_MODE")
    yield
    if before is None:
        os.environ.pop("RAY_AUTH_MODE", None)
    else:
        os.environ["RAY_AUTH_MODE"] = before


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
