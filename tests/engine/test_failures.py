"""What an exception in a worker means, without TensorFlow: its errors are told by their names."""

from __future__ import annotations

import pytest

from trainables.sources import ChangedSourceError
from tuner.base.errors import StorageError
from tuner.engine.failures import LINE_CHARS_MAX, DataFault, breaks_process, error_line, failure_of


class OpError(Exception):
    """As TensorFlow's base class is called."""


class InvalidArgumentError(OpError): ...


class InternalError(OpError): ...


class ResourceExhaustedError(OpError): ...


class UnknownError(OpError): ...


@pytest.mark.parametrize(
    ("error", "cause", "breaks"),
    [
        (ValueError("no"), "error", False),
        (KeyboardInterrupt(), "error", False),
        (SystemExit(3), "error", False),
        (MemoryError("no room"), "memory", True),
        (ResourceExhaustedError("OOM when allocating"), "memory", True),
        (InternalError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"), "memory", True),
        (UnknownError("ResourceExhaustedError: OOM"), "memory", True),
        (InternalError("the GPU fell off the bus"), "error", True),
        (InvalidArgumentError("shapes differ"), "error", False),
        (StorageError("s3://bucket: gone"), "storage", False),
        (DataFault("data: must be arrays"), "data", False),
        (ChangedSourceError("model.py: changed"), "code", False),
    ],
)
def test_an_error_has_its_cause_and_may_cost_the_process(error: BaseException, cause: str, breaks: bool) -> None:
    assert (failure_of(error).cause, breaks_process(error)) == (cause, breaks)


def test_a_line_is_the_last_one_that_says_something() -> None:
    assert error_line(ValueError("a first line\nunits must be even\n\n")) == "ValueError: units must be even"
    assert error_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(error_line(ValueError("x" * 1000))) == LINE_CHARS_MAX


def test_neither_line_nor_traceback_shows_a_secret() -> None:
    for error in (OSError("postgresql://user:hunter2@host"), DataFault("s3: postgresql://user:hunter2@host")):
        failure = failure_of(error)
        assert "host" in failure.message and "host" in failure.traceback
        assert "hunter2" not in failure.message + failure.traceback
