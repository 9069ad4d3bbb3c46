"""What tests of several rooms share."""

from __future__ import annotations

import gc
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.objectstore import memory_root, s3_root, s3_server  # noqa: F401 - fixtures
from tests.tracking_server import postgres, tracking_server  # noqa: F401 - fixtures
from tuner.base.secrets import TRACKING_URI

os.environ["RAY_AUTH_MODE"] = "disabled"
"""Else Ray turns tokens on for the whole process, for good, as soon as one is found, and another test's cluster has
none. Tests of tokens say so to processes of their own."""
os.environ.setdefault("TUNER_SKIP_PROBE", "1")
"""A probe imports TensorFlow once more for each sweep; tests of the probe take this away."""
os.environ.setdefault("TUNER_FORK_LINGER_S", "20")
"""The process that has imported TensorFlow waits for the next sweep on the same cluster."""
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""Dozens of drivers and workers are started: they need not compile the same packages each time."""

settings.register_profile("tuner", parent=settings(), deadline=None)
settings.load_profile("tuner")
"""No test asserts seconds, which a busy machine decides."""


gc.disable()
"""Until the files are imported: looking for garbage would take as long as they do."""

_SLOW_FILE = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The fast tests leave out files of slow ones alone, many of which import TensorFlow."""
    if collection_path.suffix != ".py" or not str(config.option.markexpr).startswith("not slow"):
        return None
    return True if _SLOW_FILE.search(collection_path.read_text()) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest go first: of two processes none is left with one while the other is idle."""
    seconds: Counter[Path] = Counter()
    for item in items:
        seconds[item.path] += _expected_s(item)
    items.sort(key=lambda item: -seconds[item.path])


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def _expected_s(item: pytest.Item) -> int:
    """Roughly; `slow(30)` says that of a test or a file that takes longer than most."""
    mark = item.get_closest_marker("slow")
    if mark is None:
        return 0
    return mark.args[0] if mark.args else 25 if "cli" in getattr(item, "fixturenames", ()) else 2


@pytest.fixture(autouse=True)
def no_credentials_left() -> Iterator[None]:
    """Reading a spec moves the credentials of its tracking.uri into the environment; the next test has none of them."""
    before = os.environ.get(TRACKING_URI)
    yield
    if before is None:
        os.environ.pop(TRACKING_URI, None)
    else:
        os.environ[TRACKING_URI] = before


@pytest.fixture(autouse=True)
def own_cards() -> Iterator[None]:
    """A command that a test runs in this process may hide the GPUs from TensorFlow; the next test has them again."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    yield
    if before is None:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = before


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
